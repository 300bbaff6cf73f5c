package org.xenolith.toolstack.config;

import java.util.List;

/** A value: as in xl, a number is a text whose digits are looked at only where a number is wanted. */
public sealed interface ConfigValue {
    ConfigPlace place();

    /** A string or a number. */
    record Text(String text, ConfigPlace place) implements ConfigValue {}

    /** Values in brackets, of any kinds. */
    record Items(List<ConfigValue> values, ConfigPlace place) implements ConfigValue {
        public Items {
            values = List.copyOf(values);
        }
    }
}
