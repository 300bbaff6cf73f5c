package org.xenolith.toolstack.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigFileTest {
    private static ConfigFile parse(String text) throws ConfigException {
        return ConfigFile.parse("t.cfg", text);
    }

    /** A value without its places, so that it can be compared: strings and lists of them. */
    private static Object plain(ConfigValue value) {
        return switch (value) {
            case ConfigValue.Text text -> text.text();
            case ConfigValue.Items items ->
                items.values().stream().map(ConfigFileTest::plain).toList();
        };
    }

    private static Object value(String text, String key) throws ConfigException {
        return plain(parse(text).get(key).orElseThrow().value());
    }

    private static void refuses(String text, String... parts) {
        assertThatThrownBy(() -> parse(text))
                .as(text)
                .isInstanceOf(ConfigException.class)
                .hasMessageContainingAll(parts)
                .message()
                .doesNotContain("\n");
    }

    @Test
    void settingsAreSeparatedByNewlinesOrSemicolons() throws ConfigException {
        ConfigFile file = parse("name=\"h0\"; type='hvm'\n\n;;\tmemory = 128 # a comment; x=1\n# vcpus=2\n");
        assertThat(file.settings()).extracting(ConfigSetting::key).containsExactly("name", "type", "memory");
        assertThat(plain(file.get("name").orElseThrow().value())).isEqualTo("h0");
        assertThat(plain(file.get("type").orElseThrow().value())).isEqualTo("hvm");
        assertThat(plain(file.get("memory").orElseThrow().value())).isEqualTo("128");
    }

    @Test
    void theLastLineNeedsNoNewlineNorItsComment() throws ConfigException {
        assertThat(value("a=1", "a")).isEqualTo("1");
        assertThat(value("a=1#", "a")).isEqualTo("1");
        assertThat(parse("").settings()).isEmpty();
        assertThat(parse("# nothing").settings()).isEmpty();
    }

    @Test
    void linesMayEndWithCarriageReturns() throws ConfigException {
        assertThat(value("a=1\r\nb=[ 'x',\r\n 'y' ]\r\n", "b")).isEqualTo(List.of("x", "y"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "017", "0x1f", "1024", "0xdeadbeef", "00", "1a"})
    void numbersAreKeptAsTheyAreWritten(String number) throws ConfigException {
        assertThat(value("n=" + number, "n")).isEqualTo(number);
    }

    @Test
    void stringsKeepTheOtherQuoteAndKnowEscapes() throws ConfigException {
        assertThat(value("s='a \"b\" # c; d'", "s")).isEqualTo("a \"b\" # c; d");
        assertThat(value("s=\"it's\"", "s")).isEqualTo("it's");
        assertThat(value("s='\\a\\b\\f\\n\\r\\t\\v\\\\\\'\\\"'", "s")).isEqualTo("\u0007\b\f\n\r\t\u000B\\'\"");
        assertThat(value("s='\\x41\\x7z\\101\\7\\1019'", "s")).isEqualTo("A\u0007zA\u0007A9");
        assertThat(value("s=''", "s")).isEqualTo("");
    }

    @Test
    void listsNestAndSpanLinesAndMayEndWithAComma() throws ConfigException {
        assertThat(value("l=[]", "l")).isEqualTo(List.of());
        assertThat(value("l=[\n\n]", "l")).isEqualTo(List.of());
        assertThat(value("l=[1,'two',]", "l")).isEqualTo(List.of("1", "two"));
        assertThat(value("l = [ 'a', # first\n\n  [ 1, [2], ]\n ,\n 'b'\n ]", "l"))
                .isEqualTo(List.of("a", List.of("1", List.of("2")), "b"));
    }

    @Test
    void plusEqualsAddsStringsToStringsAndListsToLists() throws ConfigException {
        assertThat(value("s='a'\ns+='b'\ns+='c'", "s")).isEqualTo("abc");
        assertThat(value("l=['a']\nl+=['b','c']", "l")).isEqualTo(List.of("a", "b", "c"));
        assertThat(value("fresh+='x'", "fresh")).isEqualTo("x");
        assertThat(parse("a+='x'").get("a").orElseThrow().added()).isTrue();
        assertThat(parse("a+='x'\na='y'").get("a").orElseThrow().added()).isFalse();
        refuses("a='x'\na+=['y']", "t.cfg:2:4", "cannot be a string and a list");
    }

    @Test
    void theLastSettingOfAKeyCounts() throws ConfigException {
        ConfigFile file = parse("a=1\nb=2\na=3");
        assertThat(plain(file.get("a").orElseThrow().value())).isEqualTo("3");
        assertThat(file.get("a").orElseThrow().place()).isEqualTo(new ConfigPlace("t.cfg", 3, 1));
    }

    @Test
    void errorsNameLineAndColumnAndWhatIsWanted() {
        refuses("memory", "t.cfg:1:7", "the end of the text after 'memory'", "'=' or '+='");
        refuses("memory 5", "t.cfg:1:8", "'5' after 'memory'");
        refuses("a=1\n  =2", "t.cfg:2:3", "'=' where a key is wanted");
        refuses("a=", "t.cfg:1:3", "the end of the text where the value of 'a'");
        refuses("a=\n1", "t.cfg:1:3", "the end of the line where the value");
        refuses("a=b", "t.cfg:1:3", "'b' where the value of 'a' is wanted: a number, a string in quotes");
        refuses("a=1 b=2", "t.cfg:1:5", "'b' after a value", "newline or ';'");
        refuses("a=['x' 'y']", "t.cfg:1:8", "a string in the list that begins in line 1", "',' or ']'");
        refuses("a=[\n'x'\n", "the end of the text in the list that begins in line 1");
        refuses("a=[,]", "t.cfg:1:4", "',' where the value of 'a'");
        refuses("a='x", "t.cfg:1:3", "does not end on its line: ' is missing");
        refuses("a=\"x\n\"", "t.cfg:1:3", "does not end on its line");
        refuses("a='\\q'", "t.cfg:1:4", "a backslash is followed by");
        refuses("a='\\xg'", "t.cfg:1:4", "\\x is followed by");
        refuses("a='\\000'", "zero byte");
        refuses("Memory=5", "t.cfg:1:1", "'Memory': keys are lower-case");
        refuses("a=True", "t.cfg:1:3", "'True'", "truth is 1 or 0");
        refuses("import os\n", "t.cfg:1:8", "'os' after 'import'");
        refuses("def f():\n", "t.cfg:1:5");
        refuses("a=1+2", "t.cfg:1:4", "not Python");
        refuses("a=-1", "t.cfg:1:3", "not Python");
        refuses("a=\u00e4", "t.cfg:1:3", "U+00E4");
        refuses("a\u0000=1", "U+0000");
        refuses("a=" + "[".repeat(100) + "]".repeat(100), "nested more than");
        refuses("#" + "x".repeat(ConfigFile.LONGEST), "t.cfg: longer than");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
                    memory=256            | memory | 256
                    name=web              | name   | web
                    name="web"            | name   | web
                    extra=console=hvc0    | extra  | console=hvc0
                    kernel=/boot/vmlinuz  | kernel | /boot/vmlinuz
                    cpus=0-3,^1           | cpus   | 0-3,^1
                    kernel = debian:cloud | kernel | debian:cloud
                    """)
    void overridesTakeValuesWhoseQuotesTheShellHasTaken(String text, String key, String expected)
            throws ConfigException {
        ConfigFile file = parse("memory=1\nname='x'\n");
        file.override(text);
        assertThat(plain(file.get(key).orElseThrow().value())).isEqualTo(expected);
        assertThat(file.get(key).orElseThrow().place().source()).isEqualTo("command line");
    }

    @Test
    void overridesAddAndReplaceLists() throws ConfigException {
        ConfigFile file = parse("extra='a'\ncpus=['1']");
        file.override("extra+= b");
        file.override("cpus=['2','3']");
        assertThat(plain(file.get("extra").orElseThrow().value())).isEqualTo("ab");
        assertThat(plain(file.get("cpus").orElseThrow().value())).isEqualTo(List.of("2", "3"));
    }

    /** Pieces that a grammar is made of, in random order, and random characters. */
    @Test
    void anyTextGivesSettingsOrOneLine() {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        String[] pieces = {
            "a", "memory", "=", "+=", "1", "0x", "'", "\"", "\\", "[", "]", ",", ";", "\n", "#", " ", "\t", "'x'",
            "\"y\"", "\\x4", "\\777", "\r", "\r\n", "True", "-", "(", "\u0000", "\uD800", "é", "[[", "]]", "=[",
            "'a'\n", "a=1\n"
        };
        int good = 0;
        for (int i = 0; i < 60_000; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(24); n > 0; n--) {
                text.append(
                        random.nextInt(20) == 0
                                ? String.valueOf((char) random.nextInt(0x10000))
                                : pieces[random.nextInt(pieces.length)]);
            }
            try {
                ConfigFile file = parse(text.toString());
                file.settings().forEach(setting -> plain(setting.value()));
                GuestConfigReader.read(file, "t.cfg");
            } catch (ConfigException e) {
                assertThat(e.getMessage())
                        .as("seed " + seed + ", text " + text)
                        .isNotBlank()
                        .doesNotContain("\n");
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ", text '" + text + "'", e);
            }
            good += parses(text.toString()) ? 1 : 0;
        }
        assertThat(good).as("some of the texts are right; seed " + seed).isPositive();
    }

    private static boolean parses(String text) {
        try {
            return !parse(text).settings().isEmpty();
        } catch (ConfigException e) {
            return false;
        }
    }
}
