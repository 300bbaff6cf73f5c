package org.xenolith.toolstack.config;

/** A configuration that cannot be used; the message is one line for people and begins with the place. */
public final class ConfigException extends Exception {
    private static final long serialVersionUID = 1L;

    public ConfigException(String message) {
        super(message);
    }

    ConfigException(ConfigPlace place, String message) {
        super(place + ": " + message);
    }
}
