package org.xenolith.daemon.protocol;

import java.util.Arrays;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Commands and answers as lines of JSON. */
public final class Messages {
    /** Changes whenever a message changes. */
    public static final int PROTOCOL = 1;

    /** Longest line that is looked at, in bytes. */
    public static final int LONGEST = 16 << 20;

    private static final JsonMapper MAPPER = JsonMapper.builder().build();
    private static final Map<String, Class<?>> COMMANDS = named(Command.class);
    private static final Map<String, Class<?>> ANSWERS = named(Answer.class);

    private Messages() {}

    private static Map<String, Class<?>> named(Class<?> family) {
        return Arrays.stream(family.getPermittedSubclasses())
                .collect(Collectors.toUnmodifiableMap(Class::getSimpleName, Function.identity()));
    }

    /** Something on the socket that is no message; the message is one line. */
    public static final class MalformedException extends java.io.IOException {
        private static final long serialVersionUID = 1L;

        MalformedException(String message) {
            super(message);
        }
    }

    /** One line, without its end. */
    public static String write(Record message) {
        return "{\"" + message.getClass().getSimpleName() + "\":" + MAPPER.writeValueAsString(message) + "}";
    }

    public static Command<?> readCommand(String line) throws MalformedException {
        return (Command<?>) read(line, COMMANDS);
    }

    public static Answer readAnswer(String line) throws MalformedException {
        return (Answer) read(line, ANSWERS);
    }

    private static Object read(String line, Map<String, Class<?>> family) throws MalformedException {
        try {
            JsonNode node = MAPPER.readTree(line);
            if (!node.isObject() || node.size() != 1) {
                throw new MalformedException("a message is an object with one member");
            }
            String name = node.propertyNames().iterator().next();
            Class<?> type = family.get(name);
            if (type == null) {
                throw new MalformedException("unknown message '" + name + "'");
            }
            return MAPPER.treeToValue(node.get(name), type);
        } catch (JacksonException e) {
            throw new MalformedException("no message: " + e.getOriginalMessage());
        }
    }
}
