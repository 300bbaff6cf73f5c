package org.xenolith.hypervisor.hypercall;

import static org.xenolith.hypervisor.GuestKind.HVM;
import static org.xenolith.hypervisor.GuestKind.PV;
import static org.xenolith.hypervisor.GuestKind.PVH;

import java.util.EnumSet;
import java.util.Set;
import org.xenolith.abi.HypercallNumber;
import org.xenolith.hypervisor.GuestKind;

/**
 * The hypercalls: number, kinds of guests that have it, handler. What has no row, or not for the caller's kind, answers
 * ENOSYS.
 */
enum HypercallTable {
    MEMORY_OP(HypercallNumber.MEMORY_OP, EnumSet.of(PVH, HVM, PV), MemoryCalls::memoryOp),
    MULTICALL(HypercallNumber.MULTICALL, EnumSet.of(PVH, HVM, PV), Hypercalls::multicall),
    SET_TIMER_OP(HypercallNumber.SET_TIMER_OP, EnumSet.of(PVH, HVM, PV), VcpuCalls::setTimerOp),
    XEN_VERSION(HypercallNumber.XEN_VERSION, EnumSet.of(PVH, HVM, PV), VersionCalls::xenVersion),
    CONSOLE_IO(HypercallNumber.CONSOLE_IO, EnumSet.of(PVH, HVM, PV), VersionCalls::consoleIo),
    GRANT_TABLE_OP(HypercallNumber.GRANT_TABLE_OP, EnumSet.of(PVH, HVM, PV), GrantCalls::grantTableOp),
    VM_ASSIST(HypercallNumber.VM_ASSIST, EnumSet.of(PVH, HVM, PV), VersionCalls::vmAssist),
    VCPU_OP(HypercallNumber.VCPU_OP, EnumSet.of(PVH, HVM, PV), VcpuCalls::vcpuOp),
    SCHED_OP(HypercallNumber.SCHED_OP, EnumSet.of(PVH, HVM, PV), SchedCalls::schedOp),
    EVENT_CHANNEL_OP(HypercallNumber.EVENT_CHANNEL_OP, EnumSet.of(PVH, HVM, PV), EventCalls::eventChannelOp),
    HVM_OP(HypercallNumber.HVM_OP, EnumSet.of(PVH, HVM), HvmCalls::hvmOp),
    PLATFORM_OP(HypercallNumber.PLATFORM_OP, EnumSet.of(PVH, HVM, PV), ControlCalls::platformOp),
    SYSCTL(HypercallNumber.SYSCTL, EnumSet.of(PVH, HVM, PV), ControlCalls::sysctl),
    DOMCTL(HypercallNumber.DOMCTL, EnumSet.of(PVH, HVM, PV), ControlCalls::domctl);

    /** What a hypercall does; fails by {@link org.xenolith.hypervisor.HypercallException} or a negative result. */
    @FunctionalInterface
    interface Handler {
        long handle(Call call);
    }

    final int number;
    final Set<GuestKind> kinds;
    final Handler handler;

    HypercallTable(int number, Set<GuestKind> kinds, Handler handler) {
        this.number = number;
        this.kinds = kinds;
        this.handler = handler;
    }
}
