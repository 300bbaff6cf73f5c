package org.xenolith.services.xenstore;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.xenolith.abi.XenstoreRing;
import org.xenolith.abi.XenstoreType;

/**
 * Every request of the wire protocol: its number, who may send it, and what it does. The row's name is the protocol's.
 *
 * <p>A handler gets the connection and the payload, and returns the payload of the answer; it runs under the store's
 * lock. Numbers 15 and 16 are answers (WATCH_EVENT, ERROR), 20 is not used.
 */
enum StoreRequest {
    CONTROL(XenstoreType.CONTROL, true, StoreRequest::control),
    DIRECTORY(XenstoreType.DIRECTORY, false, (c, in) -> names(c.access().directory(c.path(in.only())))),
    READ(XenstoreType.READ, false, (c, in) -> c.access().read(c.path(in.only()))),
    GET_PERMS(XenstoreType.GET_PERMS, false, (c, in) -> names(texts(c.permissions(in.only())))),
    WATCH(XenstoreType.WATCH, false, (c, in) -> {
        List<String> words = in.words(2, 3);
        c.watch(words.get(0), words.get(1), words.size() == 3 ? depth(words.get(2)) : -1);
        return ok();
    }),
    UNWATCH(XenstoreType.UNWATCH, false, (c, in) -> {
        List<String> words = in.words(2, 2);
        c.unwatch(words.get(0), words.get(1));
        return ok();
    }),
    TRANSACTION_START(XenstoreType.TRANSACTION_START, false, (c, in) -> {
        in.words(0, 1);
        return words(Integer.toUnsignedString(c.startTransaction()));
    }),
    TRANSACTION_END(XenstoreType.TRANSACTION_END, false, (c, in) -> {
        c.endTransaction(in.flag());
        return ok();
    }),
    INTRODUCE(XenstoreType.INTRODUCE, true, (c, in) -> {
        List<String> words = in.words(3, 4);
        c.introduce(
                StorePath.parseDomain(words.get(0)), in.frame(words.get(1)), (int) StorePath.parseNumber(words.get(2)));
        return ok();
    }),
    RELEASE(XenstoreType.RELEASE, true, (c, in) -> {
        c.release(StorePath.parseDomain(in.only()));
        return ok();
    }),
    GET_DOMAIN_PATH(
            XenstoreType.GET_DOMAIN_PATH, false, (c, in) -> words(StorePath.home(StorePath.parseDomain(in.only())))),
    WRITE(XenstoreType.WRITE, false, (c, in) -> {
        c.access().write(c.path(in.first()), in.afterFirst());
        return ok();
    }),
    MKDIR(XenstoreType.MKDIR, false, (c, in) -> {
        c.access().makeDirectory(c.path(in.only()));
        return ok();
    }),
    RM(XenstoreType.RM, false, (c, in) -> {
        c.access().remove(c.path(in.only()));
        return ok();
    }),
    SET_PERMS(XenstoreType.SET_PERMS, false, (c, in) -> {
        List<String> words = in.words(2, Integer.MAX_VALUE);
        List<Permission> permissions =
                words.subList(1, words.size()).stream().map(Permission::parse).toList();
        c.setPermissions(words.getFirst(), permissions);
        return ok();
    }),
    IS_DOMAIN_INTRODUCED(
            XenstoreType.IS_DOMAIN_INTRODUCED,
            true,
            (c, in) -> words(c.isIntroduced(StorePath.parseDomain(in.only())) ? "T" : "F")),
    RESUME(XenstoreType.RESUME, true, (c, in) -> {
        c.requireIntroduced(StorePath.parseDomain(in.only()));
        return ok();
    }),
    SET_TARGET(XenstoreType.SET_TARGET, true, (c, in) -> {
        List<String> words = in.words(2, 2);
        c.setTarget(StorePath.parseDomain(words.get(0)), StorePath.parseDomain(words.get(1)));
        return ok();
    }),
    RESET_WATCHES(XenstoreType.RESET_WATCHES, false, (c, in) -> {
        in.words(0, 1);
        c.reset();
        return ok();
    }),
    DIRECTORY_PART(XenstoreType.DIRECTORY_PART, false, StoreRequest::directoryPart);

    private static final StoreRequest[] BY_NUMBER = new StoreRequest[32];

    static {
        for (StoreRequest request : values()) {
            BY_NUMBER[request.number] = request;
        }
    }

    private final int number;
    private final boolean privileged;
    private final Handler handler;

    StoreRequest(int number, boolean privileged, Handler handler) {
        this.number = number;
        this.privileged = privileged;
        this.handler = handler;
    }

    private interface Handler {
        byte[] handle(XenStoreConnection connection, Input in);
    }

    /** The request with this number, or null. */
    static StoreRequest of(int number) {
        return number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[number] : null;
    }

    int number() {
        return number;
    }

    byte[] handle(XenStoreConnection connection, byte[] payload) {
        if (privileged && !connection.client().privileged()) {
            throw new StoreException(StoreError.EACCES, name());
        }
        byte[] answer = handler.handle(connection, new Input(payload));
        if (answer.length > XenstoreRing.MAX_PAYLOAD) {
            throw new StoreException(StoreError.E2BIG, name() + " with an answer of " + answer.length + " bytes");
        }
        return answer;
    }

    private static byte[] control(XenStoreConnection connection, Input in) {
        List<String> words = in.words(1, Integer.MAX_VALUE);
        return switch (words.getFirst()) {
            case "help" -> words("check\nhelp\nprint <string>\nquota [<domid>]");
            case "check" -> words("OK");
            case "print" -> {
                if (words.size() != 2) {
                    throw new StoreException(StoreError.EINVAL, "control print");
                }
                // Xen writes it to the daemon's log; there is none here.
                yield words("OK");
            }
            case "quota" -> words(quota(connection, words));
            default -> throw new StoreException(StoreError.EINVAL, "control " + words.getFirst());
        };
    }

    private static String quota(XenStoreConnection connection, List<String> words) {
        if (words.size() == 1) {
            return connection.limits().table();
        }
        if (words.size() != 2) {
            throw new StoreException(StoreError.EINVAL, "control quota");
        }
        int domain = StorePath.parseDomain(words.get(1));
        return "Domain " + domain + ":\nnodes           : " + connection.nodesOwnedBy(domain) + '\n';
    }

    /** Generation, then as many names from the offset on as fit; an empty name ends the list. */
    private static byte[] directoryPart(XenStoreConnection connection, Input in) {
        List<String> words = in.words(2, 2);
        String path = connection.path(words.get(0));
        byte[] all = names(connection.access().directory(path));
        byte[] generation = words(Long.toUnsignedString(connection.access().generation(path)));
        long offset = StorePath.parseNumber(words.get(1));
        if (offset > all.length) {
            throw new StoreException(StoreError.EINVAL, "offset " + offset);
        }
        int room = XenstoreRing.MAX_PAYLOAD - generation.length - 1;
        int end = (int) offset;
        for (int i = end; i < all.length && i - offset < room; i++) {
            if (all[i] == 0) {
                end = i + 1;
            }
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(generation);
        out.write(all, (int) offset, end - (int) offset);
        if (end == all.length) {
            out.write(0);
        }
        return out.toByteArray();
    }

    private static int depth(String text) {
        return (int) Math.min(Integer.MAX_VALUE, StorePath.parseNumber(text));
    }

    private static List<String> texts(List<Permission> permissions) {
        return permissions.stream().map(Permission::toString).toList();
    }

    private static byte[] ok() {
        return words("OK");
    }

    private static byte[] words(String word) {
        return StoreMessage.bytes(word + '\0');
    }

    private static byte[] names(Iterable<String> names) {
        StringBuilder out = new StringBuilder();
        names.forEach(name -> out.append(name).append('\0'));
        return StoreMessage.bytes(out.toString());
    }

    /** The payload of a request: words that end with NUL, except that a value may follow the first one as it is. */
    private record Input(byte[] payload) {
        List<String> words(int least, int most) {
            List<String> words = new ArrayList<>();
            int start = 0;
            for (int i = 0; i < payload.length; i++) {
                if (payload[i] == 0) {
                    words.add(text(start, i));
                    start = i + 1;
                }
            }
            if (start != payload.length || words.size() < least || words.size() > most) {
                throw new StoreException(StoreError.EINVAL, "payload with " + words.size() + " words");
            }
            return words;
        }

        String only() {
            return words(1, 1).getFirst();
        }

        boolean flag() {
            return switch (only()) {
                case "T" -> true;
                case "F" -> false;
                default -> throw new StoreException(StoreError.EINVAL, "neither T nor F");
            };
        }

        String first() {
            return text(0, firstEnd());
        }

        byte[] afterFirst() {
            return Arrays.copyOfRange(payload, firstEnd() + 1, payload.length);
        }

        long frame(String text) {
            if (text.isEmpty() || text.length() > 18 || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
                throw new StoreException(StoreError.EINVAL, "frame \"" + text + '"');
            }
            return Long.parseLong(text);
        }

        private int firstEnd() {
            for (int i = 0; i < payload.length; i++) {
                if (payload[i] == 0) {
                    return i;
                }
            }
            throw new StoreException(StoreError.EINVAL, "payload without a NUL");
        }

        private String text(int start, int end) {
            return new String(payload, start, end - start, StandardCharsets.ISO_8859_1);
        }
    }
}
