package org.xenolith.hypervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.xenolith.abi.DomainId;
import org.xenolith.abi.EventChannelOp;
import org.xenolith.abi.GrantEntry;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.MemoryOp;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.grants.GrantTable;
import org.xenolith.memory.Raw;

/**
 * Two hostile domains make random hypercalls, alone and together, beside a victim that must not notice.
 *
 * <p>After each round: nothing was thrown, the victim's memory is what it was, the accounts are in order, and when the two
 * are destroyed, every frame, port and mapping is back. {@code -Dxenolith.seed=S} repeats a run; of its rounds those with an
 * even number are free of races. {@code -Dxenolith.fuzz.minutes=N} runs as long as one likes.
 */
class HypercallFuzzTest {
    private static final int CALLS = 3000;
    private static final long DEFAULT_SECONDS = 60;
    /** Where the hostile domains see their shared info, grant table and status words, and a page of the victim's. */
    private static final long SHARED_INFO = 0x500;

    private static final long TABLE = 0x501;

    private static final int VICTIM = 1;
    private static final int HOSTILE = 2;
    private static final int ACCOMPLICE = 3;
    /** What the victim grants: a page for reading, and one that is the hostile domain's to write. */
    private static final int READ_REF = 8;

    private static final int WRITE_REF = 9;
    private static final long WRITE_GFN = 0x71;

    private final TestHost host = new TestHost();
    private final Domain victim = host.domain(VICTIM, 1);

    /** A round's source of what a hostile domain does. */
    private static final class Attacker {
        private static final long[] NUMBERS = {
            0,
            1,
            2,
            3,
            7,
            8,
            9,
            16,
            17,
            31,
            32,
            63,
            64,
            255,
            256,
            511,
            512,
            1023,
            1024,
            4095,
            4096,
            65535,
            65536,
            Integer.MAX_VALUE,
            1L << 31,
            0xffffffffL,
            1L << 32,
            1L << 33,
            1L << 52,
            Long.MAX_VALUE,
            Long.MIN_VALUE,
            -1,
            -2
        };
        private static final int[] DOMIDS = {
            VICTIM, HOSTILE, ACCOMPLICE, DomainId.SELF, DomainId.SELF, 0, 4, 0x7FF1, 0x7FF2, 0x7FF3, 0x7FF4, 0xFFFF
        };
        private static final int[] HYPERCALLS = {
            HypercallNumber.MEMORY_OP,
            HypercallNumber.MEMORY_OP,
            HypercallNumber.GRANT_TABLE_OP,
            HypercallNumber.GRANT_TABLE_OP,
            HypercallNumber.GRANT_TABLE_OP,
            HypercallNumber.EVENT_CHANNEL_OP,
            HypercallNumber.EVENT_CHANNEL_OP,
            HypercallNumber.EVENT_CHANNEL_OP,
            HypercallNumber.VCPU_OP,
            HypercallNumber.SCHED_OP,
            HypercallNumber.HVM_OP,
            HypercallNumber.MULTICALL,
            HypercallNumber.XEN_VERSION,
            HypercallNumber.CONSOLE_IO,
            HypercallNumber.SET_TIMER_OP,
            HypercallNumber.VM_ASSIST,
            HypercallNumber.PLATFORM_OP,
            HypercallNumber.SYSCTL,
            HypercallNumber.DOMCTL
        };

        private static final int[] GRANT_OPERATIONS = {0, 0, 0, 0, 0, 1, 1, 1, 5, 5, 5, 5, 8, 11};
        private static final int[] MEMORY_OPERATIONS = {
            MemoryOp.POPULATE_PHYSMAP, MemoryOp.POPULATE_PHYSMAP, MemoryOp.DECREASE_RESERVATION,
            MemoryOp.ADD_TO_PHYSMAP, MemoryOp.ADD_TO_PHYSMAP_BATCH, MemoryOp.REMOVE_FROM_PHYSMAP
        };

        private final Random random;
        private final Vcpu vcpu;
        private final Domain domain;

        Attacker(Vcpu vcpu, long seed) {
            this.vcpu = vcpu;
            this.domain = vcpu.domain();
            random = new Random(seed);
        }

        private long number() {
            return switch (random.nextInt(5)) {
                case 0 -> NUMBERS[random.nextInt(NUMBERS.length)];
                case 1 -> random.nextLong();
                case 2 -> gfn();
                case 3 -> pointer();
                default -> random.nextInt(16);
            };
        }

        private long gfn() {
            return switch (random.nextInt(8)) {
                case 0 -> SHARED_INFO + random.nextInt(8);
                case 1 -> TestHost.FRAMES - 1 + random.nextInt(3);
                case 2 -> NUMBERS[random.nextInt(NUMBERS.length)];
                case 3 -> (long) random.nextInt(1 << 20) << random.nextInt(14);
                default -> 0x40 + random.nextInt(64);
            };
        }

        private long pointer() {
            long end = (long) TestHost.FRAMES << 12;
            return switch (random.nextInt(8)) {
                case 0 -> end - random.nextInt(80);
                case 1 -> (random.nextInt(TestHost.FRAMES) + 1L << 12) - random.nextInt(64);
                case 2 -> SHARED_INFO + random.nextInt(4) << 12 | random.nextInt(4096);
                case 3 -> NUMBERS[random.nextInt(NUMBERS.length)];
                default -> 0x10000 + random.nextInt(1 << 14) & ~7;
            };
        }

        private long count() {
            return random.nextInt(3) == 0 ? NUMBERS[random.nextInt(NUMBERS.length)] : 1 + random.nextInt(4);
        }

        private void poke(long gpa, int bytes, long value) {
            domain.memory().map().write(gpa, bytes, value);
        }

        /** Fields of every size and meaning, so that some of them are what an operation wants. */
        private void fill(long pointer) {
            for (int at = 0; at < 96; at += 8) {
                switch (random.nextInt(6)) {
                    case 0 -> {
                        poke(pointer + at, 2, DOMIDS[random.nextInt(DOMIDS.length)]);
                        poke(pointer + at + 2, 2, random.nextInt(8));
                        poke(pointer + at + 4, 4, number());
                    }
                    case 1 -> {
                        poke(pointer + at, 4, number());
                        poke(pointer + at + 4, 4, random.nextInt(16));
                    }
                    case 2 -> {
                        poke(pointer + at, 4, random.nextInt(4));
                        poke(pointer + at + 4, 4, 8 + random.nextInt(8));
                    }
                    case 3 -> poke(pointer + at, 8, gfn() << 12);
                    default -> poke(pointer + at, 8, number());
                }
            }
        }

        private int operation(int hypercall) {
            int[] good = hypercall == HypercallNumber.GRANT_TABLE_OP
                    ? GRANT_OPERATIONS
                    : hypercall == HypercallNumber.MEMORY_OP ? MEMORY_OPERATIONS : new int[0];
            if (random.nextInt(20) == 0) {
                return (int) number();
            }
            if (good.length == 0 || random.nextInt(5) == 0) {
                return random.nextInt(hypercall == HypercallNumber.EVENT_CHANNEL_OP ? 15 : 30);
            }
            return good[random.nextInt(good.length)];
        }

        /** The structures that matter most, as somebody would write them who knows them. */
        private void fillKnown(int hypercall, int operation, long pointer) {
            int domid = DOMIDS[random.nextInt(DOMIDS.length)];
            if (hypercall == HypercallNumber.GRANT_TABLE_OP) {
                for (int element = 0; element < 4; element++) {
                    switch (operation) {
                        case 0 -> {
                            long at = pointer + element * 32L;
                            poke(at, 8, gfn() << 12);
                            poke(at + 8, 4, 2 | random.nextInt(2) * 4);
                            poke(at + 12, 4, 8 + random.nextInt(8));
                            poke(at + 16, 2, domid);
                        }
                        case 1 -> {
                            long at = pointer + element * 24L;
                            List<GrantTable.HeldMapping> held =
                                    domain.grantTable().heldMappings();
                            poke(
                                    at,
                                    8,
                                    held.isEmpty()
                                            ? 0
                                            : held.get(random.nextInt(held.size()))
                                                            .gfn()
                                                    << 12);
                            poke(at + 16, 4, random.nextInt(held.size() + 4));
                        }
                        case 5 -> {
                            long at = pointer + element * 40L;
                            int flags = random.nextInt(4);
                            poke(at, 8, (flags & 1) != 0 ? 8 + random.nextInt(8) : gfn());
                            poke(at + 8, 2, (flags & 1) != 0 ? domid : DomainId.SELF);
                            poke(at + 10, 2, random.nextInt(4200));
                            poke(at + 16, 8, (flags & 2) != 0 ? 8 + random.nextInt(8) : gfn());
                            poke(at + 24, 2, (flags & 2) != 0 ? DOMIDS[random.nextInt(3)] : DomainId.SELF);
                            poke(at + 26, 2, random.nextInt(4200));
                            poke(at + 32, 2, random.nextInt(4200));
                            poke(at + 34, 2, flags);
                        }
                        default -> {
                            // Random.
                        }
                    }
                }
            } else if (hypercall == HypercallNumber.MEMORY_OP) {
                switch (operation) {
                    case MemoryOp.POPULATE_PHYSMAP, MemoryOp.DECREASE_RESERVATION -> {
                        poke(pointer, 8, pointer + 32);
                        poke(pointer + 8, 8, count());
                        poke(pointer + 16, 4, random.nextInt(4) == 0 ? random.nextInt(11) : 0);
                        poke(pointer + 24, 2, random.nextInt(4) == 0 ? domid : DomainId.SELF);
                        for (int i = 0; i < 4; i++) {
                            poke(pointer + 32 + i * 8, 8, gfn());
                        }
                    }
                    case MemoryOp.ADD_TO_PHYSMAP -> {
                        poke(pointer, 2, DomainId.SELF);
                        poke(pointer + 2, 2, random.nextInt(4));
                        poke(pointer + 4, 4, random.nextInt(6));
                        poke(
                                pointer + 8,
                                8,
                                random.nextInt(3) == 0 ? gfn() : random.nextInt(3) | random.nextLong() & 1L << 31);
                        poke(pointer + 16, 8, gfn());
                    }
                    case MemoryOp.REMOVE_FROM_PHYSMAP -> {
                        poke(pointer, 2, DomainId.SELF);
                        poke(pointer + 8, 8, gfn());
                    }
                    default -> {
                        // Random.
                    }
                }
            } else if (hypercall == HypercallNumber.EVENT_CHANNEL_OP) {
                switch (operation) {
                    case EventChannelOp.BIND_INTERDOMAIN -> {
                        poke(pointer, 2, domid);
                        poke(pointer + 4, 4, random.nextInt(70));
                    }
                    case EventChannelOp.ALLOC_UNBOUND -> {
                        poke(pointer, 2, DomainId.SELF);
                        poke(pointer + 2, 2, domid);
                    }
                    case EventChannelOp.INIT_CONTROL -> {
                        poke(pointer, 8, gfn());
                        poke(pointer + 8, 4, random.nextInt(512) * 8L);
                        poke(pointer + 12, 4, random.nextInt(3));
                    }
                    case EventChannelOp.RESET -> poke(pointer, 2, random.nextInt(10) == 0 ? DomainId.SELF : domid);
                    case EventChannelOp.EXPAND_ARRAY -> poke(pointer, 8, gfn());
                    default -> {
                        poke(pointer, 4, random.nextInt(70));
                        poke(pointer + 4, 4, random.nextInt(18));
                    }
                }
            }
        }

        /** What a domain does without asking: its grant entries, its event words. */
        private void scribble() {
            long table = TABLE << 12;
            if (random.nextInt(50) == 0) {
                // Its own operations soon make it lose its table.
                try {
                    domain.grantTable().mapFrame(0, TABLE);
                } catch (HypercallException e) {
                    // A grant is there.
                }
            }
            if (random.nextInt(4) != 0) {
                int size = domain.grantTable().version() == 1 ? 8 : 16;
                long entry = table + (long) random.nextInt(17) * size;
                int flags = switch (random.nextInt(8)) {
                    case 0 -> random.nextInt(0x10000);
                    case 1 -> GrantEntry.TRANSITIVE;
                    case 2 -> GrantEntry.PERMIT_ACCESS | GrantEntry.SUB_PAGE;
                    case 3 -> GrantEntry.PERMIT_ACCESS | GrantEntry.READONLY;
                    default -> GrantEntry.PERMIT_ACCESS;
                };
                poke(
                        entry + 4,
                        4,
                        size == 8
                                ? gfn()
                                : random.nextBoolean()
                                        ? 1 + random.nextInt(3)
                                        : random.nextInt(4096) | random.nextInt(4096) << 16);
                poke(entry + size / 2, size / 2, flags == GrantEntry.TRANSITIVE ? 8 + random.nextInt(8) : gfn());
                poke(entry, 4, flags | DOMIDS[random.nextInt(DOMIDS.length)] << 16);
            } else {
                long page = random.nextBoolean() ? SHARED_INFO + random.nextInt(4) : gfn();
                poke((page << 12) + random.nextInt(4089), 8, random.nextLong());
            }
        }

        void attack() {
            if (random.nextInt(3) == 0) {
                scribble();
                return;
            }
            int hypercall =
                    random.nextInt(20) == 0 ? random.nextInt(80) - 8 : HYPERCALLS[random.nextInt(HYPERCALLS.length)];
            int operation = operation(hypercall);
            long pointer = pointer();
            fill(pointer);
            if (random.nextInt(3) != 0) {
                fillKnown(hypercall, operation, pointer);
            }
            long[] arguments = {operation, pointer, count(), number(), number()};
            if (hypercall == HypercallNumber.VCPU_OP) {
                arguments[1] = random.nextInt(3);
                arguments[2] = pointer;
            } else if (hypercall == HypercallNumber.MULTICALL) {
                for (int i = 0; i < 4; i++) {
                    poke(pointer + i * 64L, 8, HYPERCALLS[random.nextInt(HYPERCALLS.length)]);
                    poke(pointer + i * 64L + 16, 8, random.nextInt(30));
                    poke(pointer + i * 64L + 24, 8, pointer());
                    poke(pointer + i * 64L + 32, 8, count());
                }
                arguments[0] = pointer;
                arguments[1] = count();
            } else if (hypercall == HypercallNumber.CONSOLE_IO) {
                arguments[1] = count();
                arguments[2] = pointer;
            } else if (hypercall == HypercallNumber.PLATFORM_OP
                    || hypercall == HypercallNumber.SYSCTL
                    || hypercall == HypercallNumber.DOMCTL) {
                arguments[0] = pointer;
            }
            call(hypercall, arguments);
        }

        /** Makes a call, and for a while makes it again when it wants to go on. */
        private void call(int hypercall, long[] arguments) {
            int[] registers = {VcpuState.RDI, VcpuState.RSI, VcpuState.RDX, 10, 8};
            VcpuState state = vcpu.state();
            boolean wide = random.nextInt(4) != 0;
            state.setSegment(VcpuState.CS, 0x10, 0, -1, wide ? 0xA09B : 0xC09B);
            for (int i = 0; i < arguments.length; i++) {
                state.setGpr(registers[i], arguments[i]);
            }
            if (!wide) {
                state.setGpr(VcpuState.RBX, arguments[0]);
                state.setGpr(VcpuState.RCX, arguments[1]);
                state.setGpr(VcpuState.RSI, arguments[3]);
                state.setGpr(VcpuState.RDI, arguments[4]);
            }
            for (int times = 0; times < 20; times++) {
                state.setGpr(VcpuState.RAX, hypercall);
                state.setRip(0x1000);
                domain.hypercalls().dispatch(vcpu);
                if (state.rip() == 0x1000) {
                    return;
                }
            }
        }
    }

    private Domain hostile(int id) {
        Domain domain = host.domain(id, 2);
        domain.mapSharedInfo(SHARED_INFO);
        domain.grantTable().mapFrame(0, TABLE);
        return domain;
    }

    /** The victim's memory but for the page that it lets others write. */
    private long checksum() {
        CRC32 sum = new CRC32();
        byte[] frame = new byte[4096];
        for (long gfn = victim.memory().map().nextMapped(0);
                gfn >= 0;
                gfn = victim.memory().map().nextMapped(gfn + 1)) {
            if (gfn != WRITE_GFN && gfn != TABLE) {
                Raw.copy(victim.memory().map().frameForRead(gfn), frame, 0, frame.length);
                sum.update(frame);
                sum.update((int) gfn);
            }
        }
        return sum.getValue();
    }

    private void prepareVictim(long seed) {
        byte[] content = new byte[TestHost.FRAMES << 12];
        new Random(seed).nextBytes(content);
        TestHost.write(victim, 0, content);
        victim.grantTable().mapFrame(0, TABLE);
        grant(READ_REF, 0x70, GrantEntry.PERMIT_ACCESS | GrantEntry.READONLY);
        grant(WRITE_REF, WRITE_GFN, GrantEntry.PERMIT_ACCESS);
        victim.eventChannels().allocUnbound(HOSTILE);
        victim.eventChannels().allocUnbound(ACCOMPLICE);
    }

    private void grant(int ref, long gfn, int flags) {
        TestHost.write(victim, (TABLE << 12) + ref * 8L + 4, 4, gfn);
        TestHost.write(victim, (TABLE << 12) + ref * 8L, 4, flags | HOSTILE << 16);
    }

    @Test
    void hostileHypercallsHurtNobodyElse() throws Exception {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        Long minutes = Long.getLong("xenolith.fuzz.minutes");
        System.out.println("hostileHypercallsHurtNobodyElse: -Dxenolith.seed=" + seed);
        long end = System.nanoTime()
                + (minutes == null ? TimeUnit.SECONDS.toNanos(DEFAULT_SECONDS) : TimeUnit.MINUTES.toNanos(minutes));
        prepareVictim(seed);
        long before = checksum();
        long available = host.machine.available();
        int round = 0;
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            do {
                String where = "seed " + seed + ", round " + round;
                Domain one = hostile(HOSTILE);
                Domain two = hostile(ACCOMPLICE);
                if (round % 2 == 0) {
                    alone(one, two, seed + round);
                } else {
                    together(threads, one, two, seed + round);
                }
                List<Domain> all = new ArrayList<>(List.of(victim, one, two));
                assertThat(new FrameAccounting(host.machine, all).violations())
                        .as(where)
                        .isEmpty();
                one.destroy();
                two.destroy();
                assertThat(checksum()).as("the victim's memory, " + where).isEqualTo(before);
                assertThat(victim.grantTable().uses()).as(where).isEmpty();
                assertThat(host.machine.available()).as("frames, " + where).isEqualTo(available);
                for (int port = 1; port <= 2; port++) {
                    assertThat(victim.eventChannels().status(port).state())
                            .as("the victim's ports, " + where)
                            .isEqualTo(EventChannelOp.STATUS_UNBOUND);
                }
                host.console.reset();
                round++;
            } while (System.nanoTime() < end);
        } finally {
            host.close();
        }
        System.out.println("hostileHypercallsHurtNobodyElse: " + round + " rounds of " + CALLS + " calls");
    }

    /** In one thread, so that the seed says all. */
    private static void alone(Domain one, Domain two, long seed) {
        List<Attacker> attackers = List.of(
                new Attacker(one.vcpus().get(0), seed),
                new Attacker(one.vcpus().get(1), seed + 1),
                new Attacker(two.vcpus().get(0), seed + 2));
        Random random = new Random(seed);
        for (int call = 0; call < CALLS; call++) {
            attackers.get(random.nextInt(attackers.size())).attack();
        }
    }

    /** Two virtual CPUs of one domain at a time, and the other domain goes away under them. */
    private static void together(ExecutorService threads, Domain one, Domain two, long seed) throws Exception {
        AtomicBoolean gone = new AtomicBoolean();
        Attacker accomplice = new Attacker(two.vcpus().getFirst(), seed);
        for (int call = 0; call < CALLS / 4; call++) {
            accomplice.attack();
        }
        List<Future<?>> running = new ArrayList<>();
        for (int id = 0; id < 2; id++) {
            Attacker attacker = new Attacker(one.vcpus().get(id), seed + 1 + id);
            running.add(threads.submit(() -> {
                for (int call = 0; call < CALLS / 2 || !gone.get(); call++) {
                    attacker.attack();
                }
            }));
        }
        for (int call = 0; call < CALLS / 4; call++) {
            accomplice.attack();
        }
        two.destroy();
        gone.set(true);
        for (Future<?> future : running) {
            future.get();
        }
    }
}
