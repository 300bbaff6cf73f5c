package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.Errno;
import org.xenolith.abi.SchedOp;
import org.xenolith.hypervisor.events.EventChannels;
import org.xenolith.hypervisor.time.DomainClock;

/** sched_op. */
final class SchedCalls {
    private SchedCalls() {}

    static long schedOp(Call call) {
        long pointer = call.argument(1);
        switch (call.intArgument(0)) {
            case SchedOp.YIELD -> call.vcpu().yieldProcessor();
            case SchedOp.BLOCK -> call.vcpu().block();
            case SchedOp.SHUTDOWN ->
                call.domain().shutDown(call.read(pointer, 4).u8(0), call.vcpu());
            case SchedOp.POLL -> poll(call, pointer);
            case SchedOp.REMOTE_SHUTDOWN -> {
                call.domain().byId(call.read(pointer, 8).u16(0));
                return -Errno.EPERM;
            }
            case SchedOp.SHUTDOWN_CODE ->
                call.domain().setShutdownCode(call.read(pointer, 4).u8(0));
            case SchedOp.WATCHDOG -> {
                Struct in = call.read(pointer, 8);
                return call.domain().watchdogs().set(in.i32(0), in.u32(4));
            }
            case SchedOp.PIN_OVERRIDE -> {
                return -Errno.EPERM;
            }
            default -> {
                return -Errno.ENOSYS;
            }
        }
        return 0;
    }

    private static void poll(Call call, long pointer) {
        int width = call.width();
        Struct in = call.read(pointer, 2 * width + 8);
        long list = in.word(0, width);
        int count = in.i32(width);
        long timeout = in.u64(2 * width);
        if (count < 0 || count > SchedOp.POLL_MAX_PORTS) {
            throw Call.failure(Errno.EINVAL);
        }
        int[] ports = new int[count];
        if (count > 0) {
            Struct copy = call.read(list, 4 * count);
            for (int i = 0; i < count; i++) {
                ports[i] = copy.i32(4 * i);
            }
        }
        EventChannels channels = call.domain().eventChannels();
        // A bad port fails now, not in the middle of the sleep.
        for (int port : ports) {
            channels.isPending(port);
        }
        call.vcpu()
                .poll(
                        () -> {
                            for (int port : ports) {
                                if (channels.isPendingOrGone(port)) {
                                    return true;
                                }
                            }
                            return false;
                        },
                        timeout <= 0 ? DomainClock.NEVER : timeout);
    }
}
