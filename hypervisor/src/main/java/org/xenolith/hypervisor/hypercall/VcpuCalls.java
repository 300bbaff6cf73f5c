package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.Errno;
import org.xenolith.abi.RunstateInfo;
import org.xenolith.abi.VcpuHvmContext;
import org.xenolith.abi.VcpuOp;
import org.xenolith.hypervisor.HypercallException;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.time.DomainClock;

/** vcpu_op and set_timer_op. */
final class VcpuCalls {
    private static final long SHORTEST_PERIOD = 1_000_000;
    /** Longest time that a timer can be set ahead: 2^53 ns, about 104 days. */
    private static final long LONGEST = 1L << 53;

    private VcpuCalls() {}

    static long vcpuOp(Call call) {
        int operation = call.intArgument(0);
        Vcpu vcpu = call.vcpu(call.argument(1) & 0xffffffffL);
        long pointer = call.argument(2);
        switch (operation) {
            case VcpuOp.INITIALISE -> {
                Struct context = call.read(pointer, VcpuHvmContext.SIZE);
                vcpu.initialise(state -> VcpuContext.load(context, state));
            }
            case VcpuOp.UP -> vcpu.comeUp();
            case VcpuOp.DOWN -> vcpu.goDown();
            case VcpuOp.IS_UP -> {
                return vcpu.isDown() ? 0 : 1;
            }
            case VcpuOp.GET_RUNSTATE_INFO -> {
                long[] runstate = vcpu.runstate();
                int width = call.width();
                // A 32-bit guest packs the structure: no padding behind the state.
                Struct out = new Struct(width == 8 ? RunstateInfo.SIZE : RunstateInfo.SIZE - 4);
                out.putU32(RunstateInfo.STATE, (int) runstate[0]);
                for (int i = 1; i < runstate.length; i++) {
                    out.putU64(width + (i - 1) * Long.BYTES, runstate[i]);
                }
                call.write(pointer, out);
            }
            case VcpuOp.REGISTER_RUNSTATE_MEMORY_AREA -> {
                requireSelf(call, vcpu);
                vcpu.registerRunstateArea(call.read(pointer, call.width()).word(0, call.width()));
            }
            case VcpuOp.SET_PERIODIC_TIMER -> {
                long period = call.read(pointer, 8).u64(0);
                if (period < SHORTEST_PERIOD || period > LONGEST) {
                    return -Errno.EINVAL;
                }
                vcpu.setPeriodicTimer(period);
            }
            case VcpuOp.STOP_PERIODIC_TIMER -> vcpu.setPeriodicTimer(0);
            case VcpuOp.SET_SINGLESHOT_TIMER -> {
                if (vcpu != call.vcpu()) {
                    return -Errno.EINVAL;
                }
                Struct in = call.read(pointer, 16);
                long deadline = in.u64(0);
                if ((in.i32(8) & VcpuOp.SINGLESHOT_FUTURE) != 0
                        && deadline < call.domain().clock().now()) {
                    return -Errno.ETIME;
                }
                vcpu.setSingleshotTimer(clamp(deadline));
            }
            case VcpuOp.STOP_SINGLESHOT_TIMER -> {
                if (vcpu != call.vcpu()) {
                    return -Errno.EINVAL;
                }
                vcpu.setSingleshotTimer(DomainClock.NEVER);
            }
            case VcpuOp.REGISTER_VCPU_INFO -> {
                if (vcpu != call.vcpu() && !vcpu.isDown()) {
                    return -Errno.EINVAL;
                }
                Struct in = call.read(pointer, 16);
                vcpu.registerVcpuInfo(in.u64(0), in.i32(8));
            }
            case VcpuOp.SEND_NMI -> vcpu.requestNmi();
            case VcpuOp.GET_PHYSID -> {
                // For domains that are pinned to physical processors.
                return -Errno.EINVAL;
            }
            case VcpuOp.REGISTER_VCPU_TIME_MEMORY_AREA -> {
                requireSelf(call, vcpu);
                vcpu.registerTimeArea(call.read(pointer, call.width()).word(0, call.width()));
            }
            default -> {
                return -Errno.ENOSYS;
            }
        }
        return 0;
    }

    /** Areas are registered by linear address, which means something only in the caller's address space. */
    private static void requireSelf(Call call, Vcpu vcpu) {
        if (vcpu != call.vcpu()) {
            throw new HypercallException(Errno.EINVAL);
        }
    }

    /** A deadline as guests give it: negative or far away means never soon. */
    private static long clamp(long deadline) {
        return deadline < 0 ? DomainClock.NEVER : deadline;
    }

    /** {@code (absolute deadline)}; a 32-bit guest passes it in two registers. 0 stops the timer. */
    static long setTimerOp(Call call) {
        long deadline = call.width() == 8 ? call.argument(0) : call.argument(0) | call.argument(1) << 32;
        call.vcpu().setSingleshotTimer(deadline == 0 ? DomainClock.NEVER : clamp(deadline));
        return 0;
    }
}
