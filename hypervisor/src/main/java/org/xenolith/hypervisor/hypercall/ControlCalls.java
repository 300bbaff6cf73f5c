package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.ControlOp;
import org.xenolith.abi.Errno;

/**
 * platform_op, sysctl and domctl: the calls of a control domain, as domains that control nothing see them. Whoever asks
 * with the right interface version may learn that version, and nothing more.
 */
final class ControlCalls {
    private ControlCalls() {}

    static long platformOp(Call call) {
        return refuse(call, ControlOp.PLATFORM_VERSION);
    }

    static long sysctl(Call call) {
        return refuse(call, ControlOp.SYSCTL_VERSION);
    }

    static long domctl(Call call) {
        return refuse(call, ControlOp.DOMCTL_VERSION);
    }

    private static long refuse(Call call, int version) {
        Struct header = call.read(call.argument(0), ControlOp.HEADER_SIZE);
        return header.i32(ControlOp.INTERFACE_VERSION) == version ? -Errno.EPERM : -Errno.EACCES;
    }
}
