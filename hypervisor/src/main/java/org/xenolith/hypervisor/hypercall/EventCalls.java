package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.abi.EventChannelOp;
import org.xenolith.abi.EventFifo;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.events.EventChannels;

/** event_channel_op. */
final class EventCalls {
    private EventCalls() {}

    static long eventChannelOp(Call call) {
        EventChannels channels = call.domain().eventChannels();
        long pointer = call.argument(1);
        switch (call.intArgument(0)) {
            case EventChannelOp.BIND_INTERDOMAIN -> {
                Struct in = call.read(pointer, 12);
                Domain remote = call.domain().byId(in.u16(0));
                in.putU32(8, channels.bindInterdomain(remote, in.i32(4)));
                call.write(pointer, in, 8, 4);
            }
            case EventChannelOp.BIND_VIRQ -> {
                Struct in = call.read(pointer, 12);
                in.putU32(8, channels.bindVirq(in.i32(0), in.i32(4)));
                call.write(pointer, in, 8, 4);
            }
            case EventChannelOp.BIND_PIRQ -> {
                // No physical interrupt was given to any domain.
                call.read(pointer, 12);
                return -Errno.EINVAL;
            }
            case EventChannelOp.CLOSE -> channels.close(call.read(pointer, 4).i32(0));
            case EventChannelOp.SEND -> channels.send(call.read(pointer, 4).i32(0));
            case EventChannelOp.STATUS -> status(call, pointer);
            case EventChannelOp.ALLOC_UNBOUND -> {
                Struct in = call.read(pointer, 8);
                call.ownDomain(in.u16(0));
                in.putU32(4, channels.allocUnbound(in.u16(2)));
                call.write(pointer, in, 4, 4);
            }
            case EventChannelOp.BIND_IPI -> {
                Struct in = call.read(pointer, 8);
                in.putU32(4, channels.bindIpi(in.i32(0)));
                call.write(pointer, in, 4, 4);
            }
            case EventChannelOp.BIND_VCPU -> {
                Struct in = call.read(pointer, 8);
                channels.bindVcpu(in.i32(0), in.i32(4));
            }
            case EventChannelOp.UNMASK -> channels.unmask(call.read(pointer, 4).i32(0));
            case EventChannelOp.RESET -> {
                call.ownDomain(call.read(pointer, 2).u16(0));
                channels.reset();
            }
            case EventChannelOp.RESET_CONT -> {
                // How Xen continues a reset. Here none is ever interrupted, so there is nothing to continue.
                call.ownDomain(call.read(pointer, 2).u16(0));
                return -Errno.EBUSY;
            }
            case EventChannelOp.INIT_CONTROL -> {
                Struct in = call.read(pointer, 24);
                channels.initControl(in.u64(0), in.i32(8), in.i32(12));
                in.putU8(16, EventFifo.LINK_BITS);
                call.write(pointer, in, 16, 1);
            }
            case EventChannelOp.EXPAND_ARRAY ->
                channels.expandArray(call.read(pointer, 8).u64(0));
            case EventChannelOp.SET_PRIORITY -> {
                Struct in = call.read(pointer, 8);
                channels.setPriority(in.i32(0), in.i32(4));
            }
            default -> {
                return -Errno.ENOSYS;
            }
        }
        return 0;
    }

    private static void status(Call call, long pointer) {
        Struct out = call.read(pointer, 24);
        Domain domain =
                call.ownDomain(out.u16(0) == DomainId.SELF ? call.domain().id() : out.u16(0));
        EventChannels.Status status = domain.eventChannels().status(out.i32(4));
        out.putU32(8, status.state());
        out.putU32(12, status.vcpu());
        switch (status.state()) {
            case EventChannelOp.STATUS_UNBOUND -> out.putU16(16, status.first());
            case EventChannelOp.STATUS_INTERDOMAIN -> {
                out.putU16(16, status.first());
                out.putU32(20, status.second());
            }
            case EventChannelOp.STATUS_VIRQ -> out.putU32(16, status.first());
            default -> {
                // No detail.
            }
        }
        call.write(pointer, out);
    }
}
