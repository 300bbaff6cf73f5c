package org.xenolith.toolstack.xtf;

import java.nio.file.Path;
import java.util.Map;

/**
 * One test kernel.
 *
 * @param name of the test: {@code xsa-317}
 * @param environment how it is built: {@code hvm64}
 * @param variation one of several ways to run it, or empty
 * @param category {@code functional}, {@code xsa}, {@code special}, {@code utility} or {@code in-development}
 * @param kernel the ELF file
 * @param settings what its {@code .cfg} sets, by key, as it is written there
 */
public record XtfTest(
        String name, String environment, String variation, String category, Path kernel, Map<String, String> settings) {
    public XtfTest {
        settings = Map.copyOf(settings);
    }

    /** The framework's name of it: {@code test-hvm64-xsa-317}, with a tilde and the variation behind it if there is one. */
    public String id() {
        return "test-" + environment + '-' + name + (variation.isEmpty() ? "" : '~' + variation);
    }
}
