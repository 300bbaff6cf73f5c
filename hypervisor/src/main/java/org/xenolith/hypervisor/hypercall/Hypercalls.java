package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.Errno;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.HypercallException;
import org.xenolith.hypervisor.Trace;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.viridian.Viridian;

/** Takes a hypercall from a virtual CPU's registers to its handler and the result back. */
public final class Hypercalls {
    private static final int ARGUMENTS = 5;
    private static final int[] REGISTERS_64 = {VcpuState.RDI, VcpuState.RSI, VcpuState.RDX, 10, 8};
    private static final int[] REGISTERS_32 = {VcpuState.RBX, VcpuState.RCX, VcpuState.RDX, VcpuState.RSI, VcpuState.RDI
    };
    /** Entries of a multicall that are dealt with before the virtual CPU looks at its events again. */
    private static final int MULTICALL_STRETCH = 64;
    /** Bytes of VMCALL and VMMCALL. */
    private static final int INSTRUCTION = 3;

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
        Viridian viridian = vcpu.domain().viridian();
        if (viridian != null && (number & 0x80000000L) != 0 && state.cpl() == 0) {
            viridianCall(viridian, vcpu, wide);
            return;
        }
        Call call = new Call(vcpu, wide ? 8 : 4, false, arguments);
        long result = state.cpl() != 0 ? -Errno.EPERM : invoke(number, call, handlers);
        if (call.continuation() == null) {
            state.setGpr(VcpuState.RAX, wide ? result : result & 0xffffffffL);
        } else {
            makeAgain(state, wide, call.continuation());
        }
        Trace trace = vcpu.domain().trace();
        if (trace != null) {
            trace.hypercall(vcpu, number, arguments, result);
        }
    }

    /** Its input is in rcx, or in edx and eax, and its result in rax, or in edx and eax. */
    private static void viridianCall(Viridian viridian, Vcpu vcpu, boolean wide) {
        VcpuState state = vcpu.state();
        if (wide) {
            state.setGpr(VcpuState.RAX, viridian.hypercall(vcpu, state.gpr(VcpuState.RCX)));
        } else {
            long result =
                    viridian.hypercall(vcpu, state.gpr(VcpuState.RDX) << 32 | state.gpr(VcpuState.RAX) & 0x7fffffffL);
            state.setGpr(VcpuState.RAX, result & 0xffffffffL);
            state.setGpr(VcpuState.RDX, result >>> 32);
        }
    }

    private static void makeAgain(VcpuState state, boolean wide, long[] arguments) {
        int[] registers = wide ? REGISTERS_64 : REGISTERS_32;
        for (int i = 0; i < arguments.length; i++) {
            state.setGpr(registers[i], wide ? arguments[i] : arguments[i] & 0xffffffffL);
        }
        state.setRip(state.rip() - INSTRUCTION);
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
        if (count < 0) {
            return -Errno.EINVAL;
        }
        int width = call.width();
        int size = HypercallNumber.MULTICALL_ENTRY_SIZE * width / 8;
        int now = Math.min(count, MULTICALL_STRETCH);
        for (int i = 0; i < now; i++) {
            long at = pointer + (long) i * size;
            Struct entry = call.read(at, size);
            long[] arguments = new long[ARGUMENTS];
            for (int n = 0; n < ARGUMENTS; n++) {
                arguments[n] = entry.word((2 + n) * width, width);
            }
            Call inner = new Call(call.vcpu(), width, true, arguments);
            long result = invoke(entry.word(0, width), inner, hypercalls.handlers);
            long[] continuation = inner.continuation();
            if (continuation != null) {
                for (int n = 0; n < continuation.length; n++) {
                    entry.putWord((2 + n) * width, width, continuation[n]);
                }
                call.write(at, entry, 2 * width, continuation.length * width);
                return call.again(at, count - i);
            }
            entry.putWord(width, width, result);
            call.write(at, entry, width, width);
        }
        return now == count ? 0 : call.again(pointer + (long) now * size, count - now);
    }
}
