package org.xenolith.toolstack.config;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The settings of a configuration in the syntax of {@code xl.cfg(5)}:
 *
 * <pre>
 * file       := { [ assignment ] end }             end: a newline, a semicolon, the end of the text
 * assignment := key ( "=" | "+=" ) value           key: [a-z][._0-9a-z]*
 * value      := string | number | "[" [ value { "," value } [ "," ] ] "]"
 * string     := '…' or "…" on one line, with \\ \' \" \a \b \f \n \r \t \v \xHH \OOO
 * number     := [0-9][0-9a-fx]*                    decimal, 0x… hexadecimal, 0… octal
 * </pre>
 *
 * <p>Newlines may stand in brackets; {@code #} begins a comment. A key that is set twice has its last value; {@code +=} adds to a string
 * or a list. Beyond what Xen takes, lines may end with CR LF, and a comment may be the last thing in a file.
 */
public final class ConfigFile {
    /** Longest text that is looked at, in characters. */
    public static final int LONGEST = 1 << 20;

    private static final int DEEPEST = 64;

    private final Map<String, ConfigSetting> settings = new LinkedHashMap<>();

    private ConfigFile() {}

    /** The settings of a text. */
    public static ConfigFile parse(String source, String text) throws ConfigException {
        ConfigFile file = new ConfigFile();
        file.add(source, text);
        return file;
    }

    /** Reads more settings, which come after those that are there. */
    public void add(String source, String text) throws ConfigException {
        if (text.length() > LONGEST) {
            throw new ConfigException(
                    new ConfigPlace(source, 0, 0), "longer than " + LONGEST + " characters: this is no configuration");
        }
        new Parser(source, text).file();
    }

    /**
     * Reads a setting as people write it behind a command: {@code key=value}, {@code key+=value}. A value that is neither quoted nor a
     * list nor a number is a string, since the shell has taken its quotes away.
     */
    public void override(String assignment) throws ConfigException {
        int sign = assignment.indexOf('=');
        String value = sign < 0 ? "" : assignment.substring(sign + 1).strip();
        boolean plain = !value.isEmpty() && "'\"[".indexOf(value.charAt(0)) < 0 && !value.matches("[0-9][0-9a-fx]*");
        String source = "command line";
        if (plain && value.chars().noneMatch(c -> c == '\'' || c == '\\' || c == '\n' || c == '#' || c == ';')) {
            add(source, assignment.substring(0, sign + 1) + "'" + value + "'");
        } else {
            add(source, assignment);
        }
    }

    public Optional<ConfigSetting> get(String key) {
        return Optional.ofNullable(settings.get(key));
    }

    /** In the order in which the keys were first set. */
    public Collection<ConfigSetting> settings() {
        return List.copyOf(settings.values());
    }

    private enum Kind {
        KEY,
        NUMBER,
        STRING,
        SIGN,
        NEWLINE,
        END
    }

    private record Token(Kind kind, String text, ConfigPlace place) {
        boolean is(String sign) {
            return kind == Kind.SIGN && text.equals(sign);
        }

        boolean endsStatement() {
            return kind == Kind.NEWLINE || kind == Kind.END || is(";");
        }

        /** For messages. */
        String shown() {
            return switch (kind) {
                case NEWLINE -> "the end of the line";
                case END -> "the end of the text";
                case STRING -> "a string";
                case KEY, NUMBER, SIGN -> "'" + text + "'";
            };
        }
    }

    private final class Parser {
        private final String source;
        private final String text;
        private int at;
        private int line = 1;
        private int lineStart;
        private Token next;

        Parser(String source, String text) throws ConfigException {
            this.source = source;
            this.text = text;
            next = scan();
        }

        private ConfigPlace place(int position) {
            return new ConfigPlace(source, line, position - lineStart + 1);
        }

        private Token take() throws ConfigException {
            Token taken = next;
            next = scan();
            return taken;
        }

        void file() throws ConfigException {
            while (next.kind != Kind.END) {
                if (next.endsStatement()) {
                    take();
                    continue;
                }
                assignment();
                if (!next.endsStatement()) {
                    throw new ConfigException(
                            next.place, next.shown() + " after a value: a newline or ';' must separate two settings");
                }
            }
        }

        private void assignment() throws ConfigException {
            Token key = take();
            if (key.kind != Kind.KEY) {
                throw new ConfigException(key.place, key.shown() + " where a key is wanted, as in memory=256");
            }
            boolean add = next.is("+=");
            if (!add && !next.is("=")) {
                throw new ConfigException(
                        next.place, next.shown() + " after '" + key.text + "': '=' or '+=' is wanted");
            }
            take();
            ConfigValue value = value(key.text, 0);
            ConfigSetting before = settings.get(key.text);
            if (add && before != null) {
                value = sum(key, before.value(), value);
            }
            settings.put(key.text, new ConfigSetting(key.text, value, add, key.place));
        }

        private ConfigValue sum(Token key, ConfigValue first, ConfigValue second) throws ConfigException {
            if (first instanceof ConfigValue.Text one && second instanceof ConfigValue.Text two) {
                if (one.text().length() + two.text().length() > LONGEST) {
                    throw new ConfigException(
                            key.place, "'" + key.text + "' becomes longer than " + LONGEST + " characters");
                }
                return new ConfigValue.Text(one.text() + two.text(), two.place());
            }
            if (first instanceof ConfigValue.Items one && second instanceof ConfigValue.Items two) {
                List<ConfigValue> all = new ArrayList<>(one.values());
                all.addAll(two.values());
                return new ConfigValue.Items(all, two.place());
            }
            throw new ConfigException(
                    second.place(), "'" + key.text + "' cannot be a string and a list: += adds like to like");
        }

        private ConfigValue value(String key, int depth) throws ConfigException {
            Token token = take();
            if (token.kind == Kind.STRING || token.kind == Kind.NUMBER) {
                return new ConfigValue.Text(token.text, token.place);
            }
            if (!token.is("[")) {
                throw new ConfigException(
                        token.place,
                        token.shown() + " where the value of '" + key
                                + "' is wanted: a number, a string in quotes, or a list in brackets");
            }
            if (depth == DEEPEST) {
                throw new ConfigException(token.place, "lists nested more than " + DEEPEST + " deep");
            }
            List<ConfigValue> values = new ArrayList<>();
            newlines();
            while (!next.is("]")) {
                values.add(value(key, depth + 1));
                newlines();
                if (next.is(",")) {
                    take();
                    newlines();
                } else if (!next.is("]")) {
                    throw new ConfigException(
                            next.place,
                            next.shown() + " in the list that begins in line " + token.place.line()
                                    + ": ',' or ']' is wanted");
                }
            }
            take();
            return new ConfigValue.Items(values, token.place);
        }

        private void newlines() throws ConfigException {
            while (next.kind == Kind.NEWLINE) {
                take();
            }
        }

        private int peek(int ahead) {
            return at + ahead < text.length() ? text.charAt(at + ahead) : -1;
        }

        private Token scan() throws ConfigException {
            while (true) {
                int c = peek(0);
                if (c == ' ' || c == '\t' || c == '\r' && (peek(1) == '\n' || peek(1) < 0)) {
                    at++;
                } else if (c == '#') {
                    while (peek(0) >= 0 && peek(0) != '\n') {
                        at++;
                    }
                } else {
                    break;
                }
            }
            int start = at;
            ConfigPlace place = place(start);
            int c = peek(0);
            if (c < 0) {
                return new Token(Kind.END, "", place);
            }
            if (c == '\n') {
                at++;
                line++;
                lineStart = at;
                return new Token(Kind.NEWLINE, "\n", place);
            }
            if (c == '\'' || c == '"') {
                return string(place);
            }
            if (c >= 'a' && c <= 'z') {
                while (isKeyCharacter(peek(0))) {
                    at++;
                }
                return new Token(Kind.KEY, text.substring(start, at), place);
            }
            if (isDigit(c)) {
                while (isDigit(peek(0)) || peek(0) >= 'a' && peek(0) <= 'f' || peek(0) == 'x') {
                    at++;
                }
                return new Token(Kind.NUMBER, text.substring(start, at), place);
            }
            if (c == '+' && peek(1) == '=') {
                at += 2;
                return new Token(Kind.SIGN, "+=", place);
            }
            if (",[]=;".indexOf(c) >= 0) {
                at++;
                return new Token(Kind.SIGN, String.valueOf((char) c), place);
            }
            throw new ConfigException(place, stranger(c));
        }

        private boolean isKeyCharacter(int c) {
            return c >= 'a' && c <= 'z' || isDigit(c) || c == '_' || c == '.';
        }

        private boolean isDigit(int c) {
            return c >= '0' && c <= '9';
        }

        private String stranger(int c) {
            if (c >= 'A' && c <= 'Z') {
                int end = at;
                while (end < text.length() && end - at < 20 && Character.isLetterOrDigit(text.charAt(end))) {
                    end++;
                }
                return "'" + text.substring(at, end)
                        + "': keys are lower-case, strings stand in quotes, and truth is 1 or 0";
            }
            String shown = c > ' ' && c < 0x7F ? "'" + (char) c + "'" : String.format("the character U+%04X", c);
            if ("+-.():{}*/%".indexOf(c) >= 0) {
                return shown + " begins nothing here: values are numbers, strings in quotes and lists, not Python";
            }
            return shown + " begins nothing here";
        }

        private Token string(ConfigPlace place) throws ConfigException {
            int quote = text.charAt(at++);
            StringBuilder out = new StringBuilder();
            while (true) {
                int c = peek(0);
                if (c < 0 || c == '\n') {
                    throw new ConfigException(
                            place, "this string does not end on its line: " + (char) quote + " is missing");
                }
                at++;
                if (c == quote) {
                    return new Token(Kind.STRING, out.toString(), place);
                }
                int decoded = c == '\\' ? escape() : c;
                if (decoded == 0) {
                    throw new ConfigException(place(at - 1), "a string cannot hold a zero byte");
                }
                out.append((char) decoded);
            }
        }

        private int escape() throws ConfigException {
            int c = peek(0);
            ConfigPlace place = place(at - 1);
            if (c >= '0' && c <= '7') {
                return digits(3, 8);
            }
            at++;
            return switch (c) {
                case '\\', '\'', '"' -> c;
                case 'a' -> 7;
                case 'b' -> '\b';
                case 'f' -> '\f';
                case 'n' -> '\n';
                case 'r' -> '\r';
                case 't' -> '\t';
                case 'v' -> 11;
                case 'x' -> {
                    if (Character.digit(peek(0), 16) < 0 || peek(0) > 0x7F) {
                        throw new ConfigException(place, "\\x is followed by one or two hexadecimal digits");
                    }
                    yield digits(2, 16);
                }
                default ->
                    throw new ConfigException(
                            place,
                            "a backslash is followed by one of \\ ' \" a b f n r t v, xHH or three octal digits");
            };
        }

        private int digits(int most, int radix) {
            int value = 0;
            for (int i = 0; i < most && peek(0) >= 0 && peek(0) < 0x80 && Character.digit(peek(0), radix) >= 0; i++) {
                value = value * radix + Character.digit(text.charAt(at++), radix);
            }
            return value & 0xFF;
        }
    }
}
