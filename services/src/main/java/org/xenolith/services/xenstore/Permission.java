package org.xenolith.services.xenstore;

import java.util.ArrayList;
import java.util.List;

/**
 * What one domain may do with a node. The first permission of a node is special: its domain is the owner, who may do
 * everything, and its access is what every domain gets that has no entry of its own.
 *
 * @param domain domain identifier
 * @param access what it may do
 */
public record Permission(int domain, Access access) {
    /** Rights, with their letter in the protocol. */
    public enum Access {
        NONE('n'),
        READ('r'),
        WRITE('w'),
        BOTH('b');

        private final char letter;

        Access(char letter) {
            this.letter = letter;
        }

        boolean reads() {
            return this == READ || this == BOTH;
        }

        boolean writes() {
            return this == WRITE || this == BOTH;
        }
    }

    /** Reads the protocol's form: a letter and a domain identifier, "r3". */
    public static Permission parse(String text) {
        if (text.length() >= 2 && text.length() <= 6) {
            for (Access access : Access.values()) {
                if (access.letter == text.charAt(0)) {
                    return new Permission(StorePath.parseDomain(text.substring(1)), access);
                }
            }
        }
        throw new StoreException(StoreError.EINVAL, "permission \"" + text + '"');
    }

    /** A list of permissions in the protocol's form. */
    public static List<Permission> list(String... texts) {
        List<Permission> permissions = new ArrayList<>();
        for (String text : texts) {
            permissions.add(parse(text));
        }
        return List.copyOf(permissions);
    }

    @Override
    public String toString() {
        return "" + access.letter + domain;
    }
}
