package org.xenolith.services.xenstore;

import org.xenolith.abi.DomainId;
import org.xenolith.abi.XenstoreRing;

/** Rules for paths and identifiers in requests. */
final class StorePath {
    static final String DOMAINS = "/local/domain";
    static final String INTRODUCE_DOMAIN = "@introduceDomain";
    static final String RELEASE_DOMAIN = "@releaseDomain";

    private StorePath() {}

    /** The home of a domain, to which its relative paths belong. */
    static String home(int domain) {
        return DOMAINS + '/' + domain;
    }

    /** Makes a path absolute, and checks it. */
    static String canonical(String path, int domain) {
        if (path.startsWith("/")) {
            return check(path, path.length() <= XenstoreRing.MAX_ABSOLUTE_PATH);
        }
        return check(home(domain) + '/' + path, path.length() <= XenstoreRing.MAX_RELATIVE_PATH && !path.isEmpty());
    }

    static boolean isSpecial(String path) {
        return path.startsWith("@");
    }

    private static String check(String path, boolean lengthIsFine) {
        boolean valid = lengthIsFine && (path.length() == 1 || !path.endsWith("/"));
        for (int i = 0; valid && i < path.length(); i++) {
            char c = path.charAt(i);
            valid = c == '/'
                    ? i == 0 || path.charAt(i - 1) != '/'
                    : c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "-_@".indexOf(c) >= 0;
        }
        if (!valid) {
            throw new StoreException(StoreError.EINVAL, "path \"" + path + '"');
        }
        return path;
    }

    static String parent(String path) {
        int slash = path.lastIndexOf('/');
        return slash <= 0 ? "/" : path.substring(0, slash);
    }

    static String name(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    static String child(String path, String name) {
        return path.equals("/") ? "/" + name : path + '/' + name;
    }

    /** True when {@code path} is {@code ancestor} or below it. */
    static boolean isWithin(String path, String ancestor) {
        return ancestor.equals("/")
                || path.startsWith(ancestor)
                        && (path.length() == ancestor.length() || path.charAt(ancestor.length()) == '/');
    }

    /** How many levels {@code path} is below {@code ancestor}. */
    static int depth(String path, String ancestor) {
        int depth = 0;
        for (int i = ancestor.equals("/") ? 0 : ancestor.length(); i < path.length(); i++) {
            if (path.charAt(i) == '/' && path.length() > 1) {
                depth++;
            }
        }
        return depth;
    }

    static int parseDomain(String text) {
        long id = parseNumber(text);
        if (id >= DomainId.FIRST_RESERVED) {
            throw new StoreException(StoreError.EINVAL, "domain " + text);
        }
        return (int) id;
    }

    /** An unsigned decimal number of at most 32 bits. */
    static long parseNumber(String text) {
        boolean digits = !text.isEmpty() && text.length() <= 10 && text.chars().allMatch(c -> c >= '0' && c <= '9');
        long value = digits ? Long.parseLong(text) : -1;
        if (value < 0 || value > 0xffffffffL) {
            throw new StoreException(StoreError.EINVAL, "number \"" + text + '"');
        }
        return value;
    }
}
