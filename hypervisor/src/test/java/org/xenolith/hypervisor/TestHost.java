package org.xenolith.hypervisor;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.xenolith.abi.SharedInfo;
import org.xenolith.abi.VcpuInfo;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.grants.GrantLimits;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.Raw;

/** A small machine and the domains on it. Tests make hypercalls by registers, as a guest does. */
final class TestHost implements AutoCloseable {
    /** Where tests put arguments: a page that {@link #domain} fills with nothing else. */
    static final long ARGUMENTS = 0x2000;
    /** Guest memory of every domain. */
    static final int FRAMES = 1024;

    final MachineMemory machine = new MachineMemory(64 << 20);
    final Domains domains = new Domains();
    final ByteArrayOutputStream console = new ByteArrayOutputStream();
    final ManualClock clock = new ManualClock(1_000_000_000L);
    Trace trace;

    /** A paused PVH domain with 4 MiB of memory and virtual CPU 0 in 64-bit kernel mode. */
    Domain domain(int id, int vcpus) {
        return domain(id, vcpus, clock);
    }

    Domain domain(int id, int vcpus, GrantLimits grants) {
        return domain(DomainSettings.pvh(id, "test", vcpus, 2 * FRAMES).withGrants(grants), clock);
    }

    Domain domain(int id, int vcpus, DomainClock time) {
        return domain(DomainSettings.pvh(id, "test", vcpus, 2 * FRAMES), time);
    }

    Domain domain(DomainSettings settings, DomainClock time) {
        DomainParts parts = new DomainParts(
                machine,
                domains,
                FakeEngine::new,
                SimpleController::new,
                TestHost::cpuid,
                time,
                () -> 4,
                console::write,
                trace);
        Domain domain = new Domain(settings, parts);
        domains.add(domain);
        if (domain.memory().populate(0, FRAMES) != FRAMES) {
            throw new IllegalStateException("no memory");
        }
        domain.vcpus().forEach(vcpu -> enterLongMode(vcpu.state()));
        return domain;
    }

    private static void cpuid(int leaf, int subleaf, int[] result) {
        result[0] = 0;
        result[1] = leaf == 0 ? 0x756E6547 : 0;
        result[2] = leaf == 0 ? 0x6C65746E : 0;
        result[3] = leaf == 0 ? 0x49656E69 : leaf == 1 ? 1 << 9 : 0;
    }

    static void enterLongMode(VcpuState state) {
        state.setLong(VcpuState.CR0, 0x80000001L);
        state.setLong(VcpuState.EFER, Efer.LME | Efer.LMA);
        state.setSegment(VcpuState.CS, 0x10, 0, -1, 0xA09B);
        state.setSegment(VcpuState.SS, 0x18, 0, -1, 0xC093);
        state.setRflags(2);
    }

    static FakeEngine engine(Domain domain) {
        return (FakeEngine) domain.vcpus().getFirst().engine();
    }

    /** A hypercall of virtual CPU 0. */
    static long call(Domain domain, int number, long... arguments) {
        return call(domain.vcpus().getFirst(), number, arguments);
    }

    static long call(Vcpu vcpu, int number, long... arguments) {
        int[] registers = {VcpuState.RDI, VcpuState.RSI, VcpuState.RDX, 10, 8};
        VcpuState state = vcpu.state();
        for (int i = 0; i < arguments.length; i++) {
            state.setGpr(registers[i], arguments[i]);
        }
        state.setGpr(VcpuState.RAX, number);
        long rip = state.rip();
        do {
            // A call that goes on steps back to its instruction.
            state.setRip(rip);
            vcpu.domain().hypercalls().dispatch(vcpu);
        } while (state.rip() != rip);
        return state.gpr(VcpuState.RAX);
    }

    /** Puts little-endian fields at {@link #ARGUMENTS}; returns that address. */
    static long struct(Domain domain, int size, java.util.function.Consumer<ByteBuffer> fill) {
        ByteBuffer buffer = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        fill.accept(buffer);
        write(domain, ARGUMENTS, buffer.array());
        return ARGUMENTS;
    }

    static void write(Domain domain, long gpa, byte[] bytes) {
        if (!domain.memory().map().write(gpa, bytes, 0, bytes.length)) {
            throw new IllegalStateException("no memory at 0x" + Long.toHexString(gpa));
        }
    }

    static long read(Domain domain, long gpa, int bytes) {
        return domain.memory().map().read(gpa, bytes);
    }

    static void write(Domain domain, long gpa, int bytes, long value) {
        domain.memory().map().write(gpa, bytes, value);
    }

    /** Host address of guest memory. */
    static long host(Domain domain, long gpa) {
        return domain.memory().map().frameForWrite(gpa >>> GuestPhysical.FRAME_SHIFT)
                + (gpa & GuestPhysical.FRAME_SIZE - 1);
    }

    static boolean pendingBit(Domain domain, int port) {
        return (Raw.getLong(domain.sharedInfo() + SharedInfo.EVTCHN_PENDING + port / 64 * 8) >>> port % 64 & 1) != 0;
    }

    static void mask(Domain domain, int port) {
        Raw.getAndOrLong(domain.sharedInfo() + SharedInfo.EVTCHN_MASK + port / 64 * 8L, 1L << port % 64);
    }

    /** What a guest's handler does first; returns whether events were announced. */
    static boolean takeUpcall(Vcpu vcpu) {
        boolean pending = Raw.getByte(vcpu.vcpuInfo() + VcpuInfo.UPCALL_PENDING) != 0;
        Raw.putByte(vcpu.vcpuInfo() + VcpuInfo.UPCALL_PENDING, (byte) 0);
        return pending;
    }

    @Override
    public void close() {
        domains.all().forEach(Domain::destroy);
        machine.close();
    }
}
