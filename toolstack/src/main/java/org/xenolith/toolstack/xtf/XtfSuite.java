package org.xenolith.toolstack.xtf;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds test kernels: directories with an {@code info.json}, as the framework's build leaves them. */
public final class XtfSuite {
    /** Files of this size are no descriptions of tests. */
    private static final long MAX_TEXT = 1 << 20;

    private static final Pattern SETTING = Pattern.compile("(?m)^\\s*([a-z_][a-z0-9_]*)\\s*=\\s*(.*?)\\s*$");

    private XtfSuite() {}

    /**
     * The tests of a directory: that of one test, one with the directories of several, or the root of a built framework.
     *
     * @throws IOException when it cannot be read; the message is one line for people
     */
    public static List<XtfTest> find(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new IOException(directory + " is not a directory");
        }
        Path tests = Files.isDirectory(directory.resolve("tests")) ? directory.resolve("tests") : directory;
        List<Path> directories = new ArrayList<>();
        if (Files.exists(tests.resolve("info.json"))) {
            directories.add(tests);
        }
        try (Stream<Path> children = Files.list(tests)) {
            children.filter(child -> Files.exists(child.resolve("info.json"))).forEach(directories::add);
        }
        List<XtfTest> found = new ArrayList<>();
        for (Path child : directories) {
            addTests(child, found);
        }
        found.sort(Comparator.comparing(XtfTest::name).thenComparing(XtfTest::id));
        return found;
    }

    private static void addTests(Path directory, List<XtfTest> found) throws IOException {
        String info = text(directory.resolve("info.json"));
        String name = only(info, "name", directory);
        String category = only(info, "category", directory);
        List<String> variations = array(info, "variations");
        for (String environment : array(info, "environments")) {
            for (String variation : variations.isEmpty() ? List.of("") : variations) {
                String file = "test-" + environment + '-' + name;
                String suffix = variation.isEmpty() ? "" : "~" + variation;
                found.add(new XtfTest(
                        name,
                        environment,
                        variation,
                        category,
                        directory.resolve(file),
                        settings(directory.resolve(file + suffix + ".cfg"))));
            }
        }
    }

    private static String text(Path file) throws IOException {
        if (Files.size(file) > MAX_TEXT) {
            throw new IOException(file + " is too large to be a description of a test");
        }
        return Files.readString(file);
    }

    private static String only(String info, String key, Path directory) throws IOException {
        Matcher matcher =
                Pattern.compile('"' + key + "\"\\s*:\\s*\"([A-Za-z0-9._-]+)\"").matcher(info);
        if (!matcher.find()) {
            throw new IOException(directory.resolve("info.json") + " has no \"" + key + "\"");
        }
        return matcher.group(1);
    }

    private static List<String> array(String info, String key) {
        Matcher matcher = Pattern.compile('"' + key + "\"\\s*:\\s*\\[([^]]*)]").matcher(info);
        List<String> result = new ArrayList<>();
        if (matcher.find()) {
            Matcher items = Pattern.compile("\"([A-Za-z0-9._-]+)\"").matcher(matcher.group(1));
            while (items.find()) {
                result.add(items.group(1));
            }
        }
        return result;
    }

    /** The simple settings of an {@code xl.cfg}; none when there is no such file. */
    static Map<String, String> settings(Path file) throws IOException {
        Map<String, String> settings = new LinkedHashMap<>();
        if (!Files.exists(file)) {
            return settings;
        }
        for (String line : text(file).lines().toList()) {
            int comment = line.indexOf('#');
            Matcher matcher = SETTING.matcher(comment < 0 ? line : line.substring(0, comment));
            if (matcher.find()) {
                settings.put(matcher.group(1), matcher.group(2));
            }
        }
        return settings;
    }
}
