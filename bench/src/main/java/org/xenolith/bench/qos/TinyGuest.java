package org.xenolith.bench.qos;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.abi.SchedOp;
import org.xenolith.abi.SharedInfo;
import org.xenolith.abi.VcpuInfo;
import org.xenolith.cpu.CpuLevel;
import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.DomainParts;
import org.xenolith.hypervisor.DomainSettings;
import org.xenolith.hypervisor.Domains;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.events.HostPort;
import org.xenolith.hypervisor.schedule.SchedDomain;
import org.xenolith.hypervisor.time.HostClock;
import org.xenolith.memory.MachineMemory;
import org.xenolith.platform.LocalApic;
import org.xenolith.translate.SwitchableEngine;

/**
 * A guest without a kernel: one virtual CPU in 64-bit mode that executes one of a few loops. Its memory:
 *
 * <pre>
 *   0x01000  page tables: 2 MiB, identity
 *   0x05000  code
 *   0x08000  u64 rounds done; 0x08020 u64 interval of the sleeper
 *   0x08100  arguments of SCHEDOP_poll; 0x08180 its port
 *   0x10000  u64[4096] time-stamp counters or delays, by round
 *  0x100000  shared info page
 * </pre>
 */
final class TinyGuest {
    private static final int CODE = 0x5000;
    private static final int ROUNDS = 0x8000;
    private static final int INTERVAL = 0x8020;
    private static final int POLL = 0x8100;
    private static final int PORT = 0x8180;
    private static final int SAMPLES = 0x10000;
    private static final int SAMPLE_COUNT = 4096;
    private static final int SHARED_INFO = 0x100000;

    private final Domain domain;
    private HostPort port;

    private TinyGuest(MachineMemory machine, Domains domains, int id, String name, SwitchableEngine.Choice engine) {
        CpuidPolicy policy = CpuLevel.V2.policy();
        DomainParts parts = new DomainParts(
                machine,
                domains,
                (state, world, memory) ->
                        new SwitchableEngine(new Interpreter(state, world, memory, policy), engine, false),
                LocalApic::new,
                policy::leaf,
                new HostClock(),
                () -> 4,
                (bytes, offset, length) -> {},
                null);
        domain = new Domain(DomainSettings.pvh(id, name, 1, 300), parts);
        domains.add(domain);
        domain.memory().populate(0, SHARED_INFO >>> 12);
        domain.mapSharedInfo(SHARED_INFO >>> 12);
        put(0x1000, 0x2000 | 3);
        put(0x2000, 0x3000 | 3);
        put(0x3000, 0x83);
        VcpuState state = vcpu().state();
        state.setLong(VcpuState.CR3, 0x1000);
        state.setLong(VcpuState.CR4, 0x20);
        state.setLong(VcpuState.EFER, Efer.LME | Efer.LMA);
        state.setLong(VcpuState.CR0, 0x80000011L);
        state.setSegment(VcpuState.CS, 8, 0, -1, 0xA09B);
        state.setSegment(VcpuState.SS, 16, 0, -1, 0xC093);
        state.setSegment(VcpuState.DS, 16, 0, -1, 0xC093);
        state.setRflags(2);
        state.setRip(CODE);
    }

    /** A guest that counts as fast as it can. */
    static TinyGuest busy(MachineMemory machine, Domains domains, int id, SwitchableEngine.Choice engine) {
        TinyGuest guest = new TinyGuest(machine, domains, id, "busy" + id, engine);
        guest.code(new Code().increment(ROUNDS).loop());
        return guest;
    }

    /** A guest that sleeps for a while, again and again, and notes how much later than it wanted it woke. */
    static TinyGuest sleeper(
            MachineMemory machine, Domains domains, int id, SwitchableEngine.Choice engine, long intervalNanos) {
        TinyGuest guest = new TinyGuest(machine, domains, id, "sleeper" + id, engine);
        guest.put(INTERVAL, intervalNanos);
        guest.code(new Code()
                .readTsc()
                .hex("488b1c25")
                .u32(INTERVAL) // mov rbx, [INTERVAL]
                .hex("4801c3") // add rbx, rax
                .hex("48891c25")
                .u32(POLL + 16) // mov [timeout], rbx
                .poll()
                .readTsc()
                .hex("4829d8") // sub rax, rbx
                .store()
                .loop());
        return guest;
    }

    /** A guest that waits for an event, again and again, and notes when it woke. */
    static TinyGuest waiter(MachineMemory machine, Domains domains, int id, SwitchableEngine.Choice engine) {
        TinyGuest guest = new TinyGuest(machine, domains, id, "waiter" + id, engine);
        int number = guest.domain.eventChannels().allocUnbound(0);
        guest.port = guest.domain.eventChannels().bindHost(number, () -> {});
        guest.put(POLL, PORT);
        guest.put(POLL + 8, 1);
        guest.put(PORT, number);
        guest.code(new Code()
                .poll()
                .readTsc()
                .clear(SHARED_INFO + VcpuInfo.UPCALL_PENDING)
                .clear(SHARED_INFO + VcpuInfo.PENDING_SEL)
                .clear(SHARED_INFO + SharedInfo.EVTCHN_PENDING)
                .store()
                .loop());
        return guest;
    }

    private void put(long gpa, long value) {
        domain.memory().map().write(gpa, Long.BYTES, value);
    }

    private void code(Code code) {
        byte[] bytes = code.bytes();
        if (!domain.memory().map().write(CODE, bytes, 0, bytes.length)) {
            throw new IllegalStateException("no memory for the guest's code");
        }
    }

    Vcpu vcpu() {
        return domain.vcpus().getFirst();
    }

    SchedDomain scheduling() {
        return domain.scheduling();
    }

    void start() {
        domain.start();
    }

    /** Rounds of its loop so far. */
    long rounds() {
        return domain.memory().map().read(ROUNDS, Long.BYTES);
    }

    /** Its clock, which its time-stamp counter shows too. */
    long now() {
        return domain.clock().now();
    }

    /** Sends the event that a waiter waits for. */
    void wake() {
        port.notifyGuest();
    }

    /** What it noted in a round. */
    long sample(long round) {
        return domain.memory().map().read(SAMPLES + round % SAMPLE_COUNT * Long.BYTES, Long.BYTES);
    }

    /** What it noted in its last rounds, from {@code first} on. */
    List<Long> samples(long first) {
        List<Long> found = new ArrayList<>();
        long end = rounds();
        for (long round = Math.max(first, end - SAMPLE_COUNT + 1); round < end; round++) {
            found.add(sample(round));
        }
        return found;
    }

    /** Machine code in the making. */
    private static final class Code {
        private final ByteBuffer buffer = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);

        Code hex(String digits) {
            for (int i = 0; i < digits.length(); i += 2) {
                buffer.put((byte) Integer.parseInt(digits.substring(i, i + 2), 16));
            }
            return this;
        }

        Code u32(int value) {
            buffer.putInt(value);
            return this;
        }

        /** inc qword [address] */
        Code increment(int address) {
            return hex("48ff0425").u32(address);
        }

        /** and qword [address], 0 */
        Code clear(int address) {
            return hex("48832425").u32(address).hex("00");
        }

        /** rdtsc; shl rdx, 32; or rax, rdx */
        Code readTsc() {
            return hex("0f3148c1e2204809d0");
        }

        /** mov eax, sched_op; mov edi, poll; mov esi, POLL; vmcall */
        Code poll() {
            return hex("b8")
                    .u32(HypercallNumber.SCHED_OP)
                    .hex("bf")
                    .u32(SchedOp.POLL)
                    .hex("be")
                    .u32(POLL)
                    .hex("0f01c1");
        }

        /** Stores rax as the sample of this round: mov rcx, [ROUNDS]; and ecx, 0xfff; mov [SAMPLES + rcx * 8], rax; inc ROUNDS. */
        Code store() {
            return hex("488b0c25")
                    .u32(ROUNDS)
                    .hex("81e1")
                    .u32(SAMPLE_COUNT - 1)
                    .hex("488904cd")
                    .u32(SAMPLES)
                    .increment(ROUNDS);
        }

        /** jmp to the start */
        Code loop() {
            return hex("e9").u32(-(buffer.position() + 4));
        }

        byte[] bytes() {
            byte[] bytes = new byte[buffer.position()];
            buffer.get(0, bytes);
            return bytes;
        }
    }
}
