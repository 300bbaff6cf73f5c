package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.Errno;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.HypercallException;
import org.xenolith.hypervisor.Trace;
import org.xenolith.hypervisor.Vcpu;

/** Takes a hypercall from a virtual CPU's registers to its handler and the result back. */
public final class Hypercalls {
    private static final int ARGUMENTS = 5;
    private static final int[] REGISTERS_64 = {VcpuState.RDI, VcpuState.RSI, VcpuState.RDX, 10, 8};
    private static final int[] REGISTERS_32 = {VcpuState.RBX, VcpuState.RCX, VcpuState.RDX, VcpuState.RSI, VcpuState.RDI
    };
    /** Entries of one multicall: a guest cannot keep a virtual CPU in the hypervisor for longer. */
    private static final int MULTICALL_LIMIT = 4096;

    private final HypercallTable.Handler[] handlers = new HypercallTable.Handler[64];

    /** The hypercalls of a domain, by its kind. */
    public Hypercalls(Domain domain) {
        for (HypercallTable row : HypercallTable.values()) {
            if (row.kinds.contains(domain.settings().kind())) {
                handlers[row.number] = row.handler;
            }
        }
    }

    /** Serves a virtual CPU that has just executed its hypercall instruction. */
    public void dispatch(Vcpu vcpu) {
        VcpuState state = vcpu.state();
        boolean wide = state.in64BitMode();
        long number = state.gpr(VcpuState.RAX);
        long[] arguments = new long[ARGUMENTS];
        for (int i = 0; i < ARGUMENTS; i++) {
            arguments[i] = wide ? state.gpr(REGISTERS_64[i]) : state.gpr(REGISTERS_32[i]) & 0xffffffffL;
        }
        if (!wide) {
            number &= 0xffffffffL;
        }
        long result = state.cpl() != 0
                ? -Errno.EPERM
                : invoke(number, new Call(vcpu, wide ? 8 : 4, false, arguments), handlers);
        state.setGpr(VcpuState.RAX, wide ? result : result & 0xffffffffL);
        Trace trace = vcpu.domain().trace();
        if (trace != null) {
            trace.hypercall(vcpu, number, arguments, result);
        }
    }

    private static long invoke(long number, Call call, HypercallTable.Handler[] handlers) {
        if (number < 0 || number >= handlers.length || handlers[(int) number] == null) {
            return -Errno.ENOSYS;
        }
        try {
            return handlers[(int) number].handle(call);
        } catch (HypercallException e) {
            return -e.errno();
        }
    }

    /** {@code (pointer to entries, count)}: several hypercalls in one. */
    static long multicall(Call call) {
        if (call.insideMulticall()) {
            return -Errno.EINVAL;
        }
        Hypercalls hypercalls = call.hypercalls();
        long pointer = call.argument(0);
        int count = call.intArgument(1);
        if (count < 0 || count > MULTICALL_LIMIT) {
            return -Errno.EINVAL;
        }
        int width = call.width();
        int size = HypercallNumber.MULTICALL_ENTRY_SIZE * width / 8;
        for (int i = 0; i < count; i++) {
            long at = pointer + (long) i * size;
            Struct entry = call.read(at, size);
            long[] arguments = new long[ARGUMENTS];
            for (int n = 0; n < ARGUMENTS; n++) {
                arguments[n] = entry.word((2 + n) * width, width);
            }
            Call inner = new Call(call.vcpu(), width, true, arguments);
            long result = invoke(entry.word(0, width), inner, hypercalls.handlers);
            entry.putWord(width, width, result);
            call.write(at, entry, width, width);
        }
        return 0;
    }
}
