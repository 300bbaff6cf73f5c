package org.xenolith.services.xenstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xenolith.abi.XenstoreRing;
import org.xenolith.abi.XenstoreType;
import org.xenolith.services.Seed;

class XenStoreTest {
    private final XenStore store = new XenStore();
    private final DomainEntries entries = new DomainEntries(
            5,
            "guest",
            UUID.fromString("6c1f8f3a-0b1e-4a52-9f4e-111111111111"),
            524288,
            524288,
            2,
            1,
            1,
            0xFEFFC,
            2,
            0xFEFFF);
    private RingClient guest;

    @BeforeEach
    void connect() {
        entries.write(store);
        store.introduceDomain(5);
        guest = new RingClient(store, 5);
    }

    @AfterEach
    void disconnect() {
        guest.close();
    }

    @Test
    void aGuestReadsTheKeysThatTheToolstackWroteForIt() {
        assertThat(guest.read("name")).isEqualTo("guest");
        assertThat(guest.read("/local/domain/5/domid")).isEqualTo("5");
        assertThat(guest.read("cpu/0/availability")).isEqualTo("online");
        assertThat(guest.read("cpu/1/availability")).isEqualTo("offline");
        assertThat(guest.read("control/platform-feature-xs_reset_watches")).isEqualTo("1");
        assertThat(guest.read("console/ring-ref")).isEqualTo("1044479");
        assertThat(guest.read(guest.read("vm") + "/uuid"))
                .isEqualTo(entries.uuid().toString());
        assertThat(guest.ask(XenstoreType.DIRECTORY, "memory")).isEqualTo("static-max\0target\0videoram");
        assertThat(guest.ask(XenstoreType.GET_PERMS, "name")).isEqualTo("n0\0r5");
        assertThat(guest.ask(XenstoreType.GET_DOMAIN_PATH, "7")).isEqualTo("/local/domain/7");
        assertThat(guest.ask(XenstoreType.RESET_WATCHES, "")).isEqualTo("OK");
        assertThat(guest.notified).isPositive();
    }

    @Test
    void errorsAreAnsweredByName() {
        assertThat(guest.read("nothing")).isEqualTo("ENOENT");
        assertThat(guest.read("/local/domain/0/name")).isEqualTo("EACCES");
        assertThat(guest.write("name", "other")).isEqualTo("EACCES");
        assertThat(guest.write("cpu/0/more", "x")).isEqualTo("EACCES");
        assertThat(guest.read("bad//path")).isEqualTo("EINVAL");
        assertThat(guest.read("bad/path/")).isEqualTo("EINVAL");
        assertThat(guest.read("bad path")).isEqualTo("EINVAL");
        assertThat(guest.read("")).isEqualTo("EINVAL");
        assertThat(guest.read("a".repeat(2049))).isEqualTo("EINVAL");
        assertThat(guest.read("/" + "a".repeat(3072))).isEqualTo("EINVAL");
        assertThat(guest.ask(XenstoreType.READ, "name", "extra")).isEqualTo("EINVAL");
        assertThat(guest.ask(99, "name")).isEqualTo("ENOSYS");
        assertThat(guest.ask(20)).isEqualTo("ENOSYS");
        assertThat(guest.ask(XenstoreType.INTRODUCE, "6", "1", "1")).isEqualTo("EACCES");
        assertThat(guest.ask(XenstoreType.READ, 77, "name")).isEqualTo("ENOENT");
        assertThat(guest.ask(XenstoreType.TRANSACTION_END, 0, "T")).isEqualTo("ENOENT");
        assertThat(guest.ask(XenstoreType.UNWATCH, "name", "token")).isEqualTo("ENOENT");
        assertThat(guest.ask(XenstoreType.RM, "/")).isEqualTo("EINVAL");
        assertThat(guest.ask(XenstoreType.SET_PERMS, "data", "x5")).isEqualTo("EINVAL");
        assertThat(guest.ask(XenstoreType.SET_PERMS, "data", "b6")).isEqualTo("EPERM");
    }

    @Test
    void aGuestWritesMakesAndRemovesWhereItMay() {
        assertThat(guest.write("data/a/b", "one")).isEqualTo("OK");
        assertThat(guest.read("data/a")).isEmpty();
        assertThat(guest.read("data/a/b")).isEqualTo("one");
        assertThat(guest.ask(XenstoreType.GET_PERMS, "data/a/b")).isEqualTo("n5");
        assertThat(guest.ask(XenstoreType.MKDIR, "data/a/b")).isEqualTo("OK");
        assertThat(guest.read("data/a/b")).isEqualTo("one");
        assertThat(guest.ask(XenstoreType.MKDIR, "data/c")).isEqualTo("OK");
        assertThat(guest.ask(XenstoreType.DIRECTORY, "data")).isEqualTo("a\0c");
        assertThat(guest.ask(XenstoreType.SET_PERMS, "data/a", "r5", "b0")).isEqualTo("OK");
        assertThat(store.permissions("/local/domain/5/data/a")).isEqualTo(Permission.list("r5", "b0"));
        int owned = store.nodesOwnedBy(5);
        assertThat(guest.ask(XenstoreType.RM, "data/a")).isEqualTo("OK");
        assertThat(store.nodesOwnedBy(5)).isEqualTo(owned - 2);
        assertThat(guest.ask(XenstoreType.RM, "data/a")).isEqualTo("OK");
        assertThat(guest.ask(XenstoreType.RM, "data/a/b")).isEqualTo("ENOENT");
        assertThat(guest.ask(XenstoreType.DIRECTORY, "data")).isEqualTo("c");
    }

    @Test
    void aWatchFiresOnceUpFrontAndThenForEveryChangeBelowAndSpeaksTheClientsPaths() {
        assertThat(guest.ask(XenstoreType.WATCH, "memory/target", "t")).isEqualTo("OK");
        assertThat(guest.ask(XenstoreType.WATCH, "/local/domain/5/control", "c"))
                .isEqualTo("OK");
        assertThat(guest.ask(XenstoreType.WATCH, "memory/target", "t")).isEqualTo("EEXIST");
        assertThat(guest.event()).isEqualTo("memory/target t");
        assertThat(guest.event()).isEqualTo("/local/domain/5/control c");
        assertThat(guest.event()).isNull();
        entries.setMemoryTarget(store, 1000);
        entries.requestShutdown(store, DomainEntries.Shutdown.POWEROFF);
        assertThat(guest.event()).isEqualTo("memory/target t");
        assertThat(guest.event()).isEqualTo("/local/domain/5/control/shutdown c");
        assertThat(guest.read("control/shutdown")).isEqualTo("poweroff");
        assertThat(entries.shutdownPending(store)).isTrue();
        assertThat(guest.write("control/shutdown", "")).isEqualTo("OK");
        assertThat(entries.shutdownPending(store)).isFalse();
        assertThat(guest.event()).isEqualTo("/local/domain/5/control/shutdown c");
        assertThat(guest.ask(XenstoreType.UNWATCH, "memory/target", "t")).isEqualTo("OK");
        entries.setMemoryTarget(store, 2000);
        assertThat(guest.event()).isNull();
    }

    @Test
    void aWatchHearsOfTheRemovalOfAParentAndNothingThatItMayNotRead() {
        store.write("/local/domain/5/device/vif/0/state", "1");
        assertThat(guest.ask(XenstoreType.WATCH, "device/vif/0/state", "s")).isEqualTo("OK");
        assertThat(guest.ask(XenstoreType.WATCH, "/local/domain/0", "z")).isEqualTo("OK");
        guest.event();
        guest.event();
        store.remove("/local/domain/5/device/vif");
        store.write("/local/domain/0/secret", "x");
        assertThat(guest.event()).isEqualTo("device/vif/0/state s");
        assertThat(guest.event()).isNull();
    }

    @Test
    void aWatchWithADepthHearsOnlyThatFarDown() {
        assertThat(guest.ask(XenstoreType.WATCH, "data", "d", "1")).isEqualTo("OK");
        guest.event();
        guest.write("data/a", "1");
        guest.write("data/a/b", "1");
        assertThat(guest.event()).isEqualTo("data/a d");
        assertThat(guest.event()).isNull();
    }

    @Test
    void privilegedClientsHearOfDomainsThatComeAndGo() {
        try (RingClient tools = new RingClient(store, 0)) {
            assertThat(tools.ask(XenstoreType.WATCH, "@introduceDomain", "i")).isEqualTo("OK");
            assertThat(tools.ask(XenstoreType.WATCH, "@releaseDomain", "r")).isEqualTo("OK");
            assertThat(tools.ask(XenstoreType.WATCH, "@other", "r")).isEqualTo("EINVAL");
            assertThat(tools.event()).isEqualTo("@introduceDomain i");
            assertThat(tools.event()).isEqualTo("@releaseDomain r");
            store.introduceDomain(6);
            assertThat(tools.event()).isEqualTo("@introduceDomain i");
            assertThat(tools.ask(XenstoreType.IS_DOMAIN_INTRODUCED, "6")).isEqualTo("T");
            store.releaseDomain(6);
            assertThat(tools.event()).isEqualTo("@releaseDomain r");
            assertThat(tools.ask(XenstoreType.IS_DOMAIN_INTRODUCED, "6")).isEqualTo("F");
            assertThat(tools.ask(XenstoreType.RESUME, "6")).isEqualTo("ENOENT");
            assertThat(tools.ask(XenstoreType.CONTROL, "help")).startsWith("check\nhelp");
            assertThat(tools.ask(XenstoreType.CONTROL, "check")).isEqualTo("OK");
            assertThat(tools.ask(XenstoreType.CONTROL, "quota")).contains("nodes           : 1000\n");
            assertThat(tools.ask(XenstoreType.CONTROL, "quota", "5")).contains("Domain 5:\n");
            assertThat(tools.ask(XenstoreType.CONTROL, "live-update", "-s")).isEqualTo("EINVAL");
            assertThat(tools.read("/local/domain/0/name")).isEqualTo("Domain-0");
        }
    }

    @Test
    void aDeviceModelGetsTheRightsOfItsTarget() {
        try (RingClient tools = new RingClient(store, 0);
                RingClient model = new RingClient(store, 8)) {
            store.introduceDomain(8);
            assertThat(model.read("/local/domain/5/name")).isEqualTo("EACCES");
            assertThat(tools.ask(XenstoreType.SET_TARGET, "8", "5")).isEqualTo("OK");
            assertThat(model.read("/local/domain/5/name")).isEqualTo("guest");
        }
    }

    @Test
    void aTransactionIsInvisibleUntilItsEndAndAllAtOnceThen() {
        String id = guest.ask(XenstoreType.TRANSACTION_START, "");
        int transaction = Integer.parseInt(id);
        assertThat(guest.write(transaction, "data/x", "1")).isEqualTo("OK");
        assertThat(guest.ask(XenstoreType.READ, transaction, "data/x")).isEqualTo("1");
        assertThat(guest.read("data/x")).isEqualTo("ENOENT");
        assertThat(guest.ask(XenstoreType.TRANSACTION_START, transaction, "")).isEqualTo("EBUSY");
        assertThat(guest.ask(XenstoreType.TRANSACTION_END, transaction, "T")).isEqualTo("OK");
        assertThat(guest.read("data/x")).isEqualTo("1");
        assertThat(guest.ask(XenstoreType.TRANSACTION_END, transaction, "T")).isEqualTo("ENOENT");
    }

    @Test
    void anAbortedTransactionLeavesNoTrace() {
        int transaction = Integer.parseInt(guest.ask(XenstoreType.TRANSACTION_START, ""));
        guest.write(transaction, "data/x", "1");
        assertThat(guest.ask(XenstoreType.TRANSACTION_END, transaction, "F")).isEqualTo("OK");
        assertThat(guest.read("data/x")).isEqualTo("ENOENT");
    }

    @Test
    void aTransactionThatLostARaceIsToldToTryAgain() {
        int transaction = Integer.parseInt(guest.ask(XenstoreType.TRANSACTION_START, ""));
        assertThat(guest.ask(XenstoreType.READ, transaction, "control/shutdown"))
                .isEmpty();
        guest.write(transaction, "data/seen", "1");
        entries.requestShutdown(store, DomainEntries.Shutdown.REBOOT);
        assertThat(guest.ask(XenstoreType.TRANSACTION_END, transaction, "T")).isEqualTo("EAGAIN");
        assertThat(guest.read("data/seen")).isEqualTo("ENOENT");
    }

    @Test
    void changesElsewhereDoNotDisturbATransaction() {
        int transaction = Integer.parseInt(guest.ask(XenstoreType.TRANSACTION_START, ""));
        guest.write(transaction, "data/seen", "1");
        store.write("/local/domain/5/memory/target", "7");
        store.write("/local/domain/9/name", "another");
        assertThat(guest.ask(XenstoreType.TRANSACTION_END, transaction, "T")).isEqualTo("OK");
    }

    @Test
    void aTransactionThatOnlyReadSeesOneMomentAndNeverFails() {
        int transaction = Integer.parseInt(guest.ask(XenstoreType.TRANSACTION_START, ""));
        store.write("/local/domain/5/memory/target", "7");
        assertThat(guest.ask(XenstoreType.READ, transaction, "memory/target")).isEqualTo("524288");
        assertThat(guest.ask(XenstoreType.TRANSACTION_END, transaction, "T")).isEqualTo("OK");
        assertThat(guest.read("memory/target")).isEqualTo("7");
    }

    @Test
    void aGuestCannotUseMoreThanItsQuotas() {
        int made = 0;
        while (guest.write("data/n" + made, "").equals("OK")) {
            made++;
        }
        assertThat(guest.write("data/more", "")).isEqualTo("ENOSPC");
        assertThat(store.nodesOwnedBy(5)).isLessThanOrEqualTo(StoreLimits.DEFAULT.nodes());
        assertThat(guest.write("data", "x".repeat(2100))).isEqualTo("ENOSPC");
        for (int i = 0; i < StoreLimits.DEFAULT.watches(); i++) {
            assertThat(guest.ask(XenstoreType.WATCH, "memory", "t" + i)).isEqualTo("OK");
        }
        assertThat(guest.ask(XenstoreType.WATCH, "memory", "one more")).isEqualTo("E2BIG");
        for (int i = 0; i < StoreLimits.DEFAULT.transactions(); i++) {
            assertThat(guest.ask(XenstoreType.TRANSACTION_START, "")).containsOnlyDigits();
        }
        assertThat(guest.ask(XenstoreType.TRANSACTION_START, "")).isEqualTo("ENOSPC");
        assertThat(guest.ask(XenstoreType.RESET_WATCHES, "")).isEqualTo("OK");
        assertThat(guest.ask(XenstoreType.TRANSACTION_START, "")).containsOnlyDigits();
    }

    @Test
    void aLongDirectoryIsReadInParts() {
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 900; i++) {
            expected.add("child-" + i);
            store.mkdir("/local/domain/5/device/child-" + i);
        }
        assertThat(guest.ask(XenstoreType.DIRECTORY, "device")).isEqualTo("E2BIG");
        StringBuilder all = new StringBuilder();
        String generation = null;
        int parts = 0;
        while (true) {
            byte[] answer = guest.request(
                            XenstoreType.DIRECTORY_PART, 0, StoreMessage.bytes("device\0" + all.length() + '\0'))
                    .payload();
            assertThat(answer.length).isLessThanOrEqualTo(XenstoreRing.MAX_PAYLOAD);
            String text = StoreMessage.text(answer);
            int end = text.indexOf(0);
            assertThat(generation == null || generation.equals(text.substring(0, end)))
                    .isTrue();
            generation = text.substring(0, end);
            String names = text.substring(end + 1);
            parts++;
            if (names.endsWith("\0\0")) {
                all.append(names, 0, names.length() - 1);
                break;
            }
            all.append(names);
        }
        assertThat(parts).isGreaterThan(1);
        assertThat(all.toString().split("\0")).startsWith("suspend").contains(expected.toArray(String[]::new));
    }

    @Test
    void aMessageOfFullLengthPassesThroughASmallRing() {
        String value = "v".repeat(XenstoreRing.MAX_PAYLOAD - "/tool/x".length() - 1);
        try (RingClient tools = new RingClient(store, 0)) {
            assertThat(tools.write("/tool/x", value)).isEqualTo("OK");
            assertThat(tools.read("/tool/x")).isEqualTo(value);
        }
    }

    @Test
    void messagesMayComeAByteAtATime() {
        byte[] message = new StoreMessage(XenstoreType.READ, 9, 0, StoreMessage.bytes("name\0")).encode();
        for (int round = 0; round < 200; round++) {
            for (byte one : message) {
                guest.push(new byte[] {one});
            }
            StoreMessage answer = guest.pull();
            assertThat(answer.requestId()).isEqualTo(9);
            assertThat(StoreMessage.text(answer.payload())).isEqualTo("guest");
        }
    }

    @Test
    void impossibleIndicesEndTheConversationUntilTheGuestReconnects() {
        guest.setIndex(XenstoreRing.REQ_PROD, guest.index(XenstoreRing.REQ_CONS) + XenstoreRing.RING_SIZE + 1);
        guest.ring.onGuestEvent();
        assertThat(guest.index(XenstoreRing.ERROR)).isEqualTo(2);
        guest.setIndex(XenstoreRing.CONNECTION, 1);
        guest.ring.onGuestEvent();
        assertThat(guest.index(XenstoreRing.CONNECTION)).isZero();
        assertThat(guest.index(XenstoreRing.ERROR)).isZero();
        assertThat(guest.read("name")).isEqualTo("guest");
    }

    @Test
    void aHostileLengthEndsTheConversation() {
        guest.push(new StoreMessage(XenstoreType.READ, 1, 0, new byte[0]).encode());
        guest.pull();
        byte[] hostile = new StoreMessage(XenstoreType.READ, 2, 0, new byte[0]).encode();
        hostile[13] = 0x7f;
        guest.push(hostile);
        assertThat(guest.index(XenstoreRing.ERROR)).isEqualTo(3);
        assertThat(guest.ring.error()).isEqualTo(3);
    }

    @Test
    void aGuestThatDoesNotReadItsEventsCostsLittle() {
        guest.ask(XenstoreType.WATCH, "data", "d");
        guest.event();
        for (int i = 0; i < 20_000; i++) {
            store.write("/local/domain/5/data/k" + i % 3000, "" + i);
        }
        int events = 0;
        while (guest.event() != null) {
            events++;
        }
        assertThat(events).isBetween(2, StoreLimits.DEFAULT.events() + 64);
    }

    @Test
    void randomBytesInTheRingNeverRaiseAnythingInTheHost() {
        SplittableRandom random = Seed.random("randomBytesInTheRingNeverRaiseAnythingInTheHost");
        for (int round = 0; round < 300; round++) {
            try (RingClient hostile = new RingClient(store, 5)) {
                for (int step = 0; step < 20; step++) {
                    switch (random.nextInt(4)) {
                        case 0 -> hostile.memory.fill(Seed.bytes(random, random.nextInt(4096)));
                        case 1 -> hostile.setIndex(XenstoreRing.REQ_CONS + 4 * random.nextInt(7), random.nextInt());
                        case 2 ->
                            hostile.setIndex(
                                    XenstoreRing.REQ_PROD,
                                    hostile.index(XenstoreRing.REQ_CONS) + random.nextInt(XenstoreRing.RING_SIZE + 1));
                        default -> hostile.setIndex(XenstoreRing.CONNECTION, 1);
                    }
                    hostile.ring.onGuestEvent();
                }
            }
        }
        assertThat(guest.read("name")).isEqualTo("guest");
    }

    @Test
    void randomRequestsGetTheAnswerOfASimpleModel() {
        SplittableRandom random = Seed.random("randomRequestsGetTheAnswerOfASimpleModel");
        TreeMap<String, String> model = new TreeMap<>();
        model.put("data", "");
        for (int i = 0; i < 3000; i++) {
            String path = "data/" + (char) ('a' + random.nextInt(3));
            if (random.nextBoolean()) {
                path += "/" + (char) ('a' + random.nextInt(3));
            }
            switch (random.nextInt(3)) {
                case 0 -> {
                    String value = "v" + random.nextInt(100);
                    assertThat(guest.write(path, value)).isEqualTo("OK");
                    for (int slash = path.indexOf('/', 5); slash > 0; slash = path.indexOf('/', slash + 1)) {
                        model.putIfAbsent(path.substring(0, slash), "");
                    }
                    model.put(path, value);
                }
                case 1 -> assertThat(guest.read(path)).isEqualTo(model.getOrDefault(path, "ENOENT"));
                default -> {
                    String gone = path;
                    boolean parent = model.containsKey(path.substring(0, path.lastIndexOf('/')));
                    assertThat(guest.ask(XenstoreType.RM, path)).isEqualTo(parent ? "OK" : "ENOENT");
                    model.keySet().removeIf(key -> key.equals(gone) || key.startsWith(gone + "/"));
                }
            }
        }
        assertThat(store.nodesOwnedBy(5)).isEqualTo(model.size() + 10);
    }

    @Test
    void theHostsListenersRunInOrderAndMayUseTheStore() {
        List<String> heard = new ArrayList<>();
        StoreWatch watch = store.watch("/tool", path -> {
            heard.add(path);
            if (path.equals("/tool/a")) {
                store.write("/tool/b", "from the listener");
            }
        });
        store.write("/tool/a", "1");
        assertThat(heard).containsExactly("/tool", "/tool/a", "/tool/b");
        store.atomically(() -> {
            store.write("/tool/c", "1");
            assertThat(heard).hasSize(3);
            return null;
        });
        assertThat(heard).endsWith("/tool/c");
        watch.close();
        store.write("/tool/d", "1");
        assertThat(heard).endsWith("/tool/c");
    }

    @Test
    @Timeout(value = 60, unit = TimeUnit.SECONDS)
    void manyGuestsThatWatchEachOtherNeitherBlockNorLoseAChange() throws Exception {
        int guests = 4;
        int rounds = 400;
        for (int n = 1; n <= guests; n++) {
            store.write("/local/domain/" + n + "/data", "");
            store.setPermissions("/local/domain/" + n + "/data", Permission.list("r" + n));
        }
        ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
        List<Thread> threads = new ArrayList<>();
        for (int n = 1; n <= guests; n++) {
            int domain = n;
            threads.add(Thread.ofPlatform()
                    .uncaughtExceptionHandler((thread, e) -> failures.add(e))
                    .start(() -> {
                        try (RingClient client = new RingClient(store, domain)) {
                            for (int other = 1; other <= guests; other++) {
                                client.ask(XenstoreType.WATCH, "/local/domain/" + other + "/data", "w" + other);
                            }
                            for (int round = 0; round < rounds; round++) {
                                int transaction = Integer.parseInt(client.ask(XenstoreType.TRANSACTION_START, ""));
                                client.write(transaction, "data/n" + round % 20, "" + round);
                                String end = client.ask(XenstoreType.TRANSACTION_END, transaction, "T");
                                assertThat(end).isEqualTo("OK");
                            }
                        }
                    }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        for (int n = 1; n <= guests; n++) {
            assertThat(store.list("/local/domain/" + n + "/data")).hasSize(20);
            assertThat(store.read("/local/domain/" + n + "/data/n19")).isEqualTo("" + (rounds - 1));
        }
    }

    @Test
    void theHostGetsTypedErrors() {
        assertThatThrownBy(() -> store.read("/no/such"))
                .isInstanceOf(StoreException.class)
                .hasMessage("ENOENT: /no/such");
        assertThat(store.read("/no/such", "default")).isEqualTo("default");
        entries.remove(store);
        assertThat(store.exists("/local/domain/5")).isFalse();
        assertThat(store.exists("/vm/" + entries.uuid())).isFalse();
        assertThat(store.list("/local/domain/0/backend/console")).isEmpty();
    }

    @Test
    void everyRequestOfTheProtocolHasOneRow() {
        for (StoreRequest request : StoreRequest.values()) {
            assertThat(StoreRequest.of(request.number())).isSameAs(request);
        }
        assertThat(StoreRequest.values()).hasSize(20);
    }

    @Test
    void aDomainThatMayReadASpecialEventHearsOfIt() {
        RingClient dom0 = new RingClient(store, 0);
        try {
            assertThat(guest.ask(XenstoreType.WATCH, "@releaseDomain", "t")).isEqualTo("OK");
            guest.event();
            store.releaseDomain(9);
            assertThat(guest.event()).isNull();
            assertThat(guest.ask(XenstoreType.SET_PERMS, "@releaseDomain", "n0", "r5"))
                    .isEqualTo("EACCES");
            assertThat(dom0.ask(XenstoreType.SET_PERMS, "@releaseDomain", "n0", "r5"))
                    .isEqualTo("OK");
            assertThat(dom0.ask(XenstoreType.GET_PERMS, "@releaseDomain").replace('\0', ' '))
                    .isEqualTo("n0 r5");
            assertThat(dom0.ask(XenstoreType.SET_PERMS, "@other", "n0")).isEqualTo("EINVAL");
            store.releaseDomain(9);
            assertThat(guest.event()).isEqualTo("@releaseDomain t");
        } finally {
            dom0.close();
        }
    }

    @Test
    void aTransactionKeepsALimitedAmount() {
        int transaction = Integer.parseInt(guest.ask(XenstoreType.TRANSACTION_START, ""));
        for (int i = 0; i < 5000; i++) {
            assertThat(guest.write(transaction, "data/same", "x".repeat(1000))).isEqualTo("OK");
        }
        String last = "OK";
        int reads = 0;
        while (last.equals("OK") || last.equals("ENOENT")) {
            last = guest.ask(XenstoreType.READ, transaction, "data/n" + reads++);
        }
        assertThat(last).isEqualTo("ENOSPC");
        assertThat(reads).isLessThan(1100);
        assertThat(guest.ask(XenstoreType.TRANSACTION_END, transaction, "F")).isEqualTo("OK");
        int second = Integer.parseInt(guest.ask(XenstoreType.TRANSACTION_START, ""));
        last = "OK";
        int changes = 0;
        while (last.equals("OK")) {
            last = guest.write(second, "data/" + changes++ % 2, "x");
        }
        assertThat(last).isEqualTo("ENOSPC");
        assertThat(changes).isLessThan(1100);
    }
}
