package org.xenolith.hypervisor.events;

import org.xenolith.abi.EventChannelOp;
import org.xenolith.abi.SharedInfo;
import org.xenolith.abi.VcpuInfo;
import org.xenolith.memory.Raw;

/** The two-level ABI: bit maps in the shared info page and a selector word for each virtual CPU. */
final class TwoLevelAbi implements EventAbi {
    private final long sharedInfo;

    TwoLevelAbi(long sharedInfo) {
        this.sharedInfo = sharedInfo;
    }

    @Override
    public int ports() {
        return EventChannelOp.TWO_LEVEL_PORTS;
    }

    private long word(int table, Port port) {
        return sharedInfo + table + (port.number >>> 6) * 8L;
    }

    private static long bit(Port port) {
        return 1L << (port.number & 63);
    }

    @Override
    public void raise(Port port) {
        if ((Raw.getAndOrLong(word(SharedInfo.EVTCHN_PENDING, port), bit(port)) & bit(port)) == 0 && !isMasked(port)) {
            announce(port);
        }
    }

    private void announce(Port port) {
        long selector = 1L << (port.number >>> 6);
        if ((Raw.getAndOrLong(port.target.vcpuInfo() + VcpuInfo.PENDING_SEL, selector) & selector) == 0) {
            port.target.markEventsPending();
        }
    }

    @Override
    public void clear(Port port) {
        Raw.getAndAndLong(word(SharedInfo.EVTCHN_PENDING, port), ~bit(port));
    }

    @Override
    public boolean isPending(Port port) {
        return (Raw.getLongVolatile(word(SharedInfo.EVTCHN_PENDING, port)) & bit(port)) != 0;
    }

    @Override
    public boolean isMasked(Port port) {
        return (Raw.getLongVolatile(word(SharedInfo.EVTCHN_MASK, port)) & bit(port)) != 0;
    }

    @Override
    public void unmask(Port port) {
        long mask = Raw.getAndAndLong(word(SharedInfo.EVTCHN_MASK, port), ~bit(port));
        if ((mask & bit(port)) != 0 && isPending(port)) {
            announce(port);
        }
    }

    @Override
    public boolean isBusy(Port port) {
        return false;
    }
}
