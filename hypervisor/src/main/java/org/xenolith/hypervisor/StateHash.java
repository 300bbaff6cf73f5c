package org.xenolith.hypervisor;

import java.util.Arrays;
import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.DirtyLog;
import org.xenolith.memory.MachineMemory;
import org.xenolith.memory.PhysicalToMachine;
import org.xenolith.memory.Raw;

/**
 * Hashes of a domain's state, to compare two runs that should be the same: by instruction count, between engines, between
 * hosts. Not cryptographic: for accidents, not for adversaries.
 *
 * <p><b>Processor:</b> the architectural part of the state block, everything but the event bits (they also carry what other
 * threads want from the engine) and the scratch memory.
 *
 * <p><b>Memory:</b> the sum, over all guest frames, of a weight that follows from the guest frame number times a hash of the
 * content. It is kept up to date rather than computed anew, so that a look every million instructions costs about what
 * was written meanwhile: the {@link DirtyLog} says which frames, completed by the frames that the processors' TLBs and
 * the hypervisor hold open for writing. Looking changes nothing that the guest could notice. A frame of zeros counts
 * zero, so memory that nobody touched is not touched here either.
 *
 * <p>Make it before anything is written. Ask on the virtual CPU's thread, outside the engine, while no other one runs.
 */
public final class StateHash {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;
    /** Multipliers of the four lanes that a frame is hashed in; odd, so that no bit of a word is lost. */
    private static final long M0 = 0xBF58476D1CE4E5B9L;

    private static final long M1 = 0x94D049BB133111EBL;
    private static final long M2 = 0xD6E8FEB86659FD93L;
    private static final long M3 = 0xA0761D6478BD642FL;

    private final PhysicalToMachine map;
    private final MachineMemory machine;
    private final DirtyLog dirty;
    /** Content hash of each machine frame, and the sum of the weights of the guest frames that it backs. */
    private final long[] contents;

    private final long[] weights;
    private int mapVersion = -1;
    private long memory;

    /** Hashes of a domain whose memory is empty, or all zeros. */
    public StateHash(DomainMemory memory) {
        map = memory.map();
        machine = map.machine();
        dirty = map.startDirtyLog();
        contents = new long[machine.frames()];
        weights = new long[machine.frames()];
    }

    /** Hash of the processor's architectural state. */
    public static long ofProcessor(VcpuState state) {
        long hash = GOLDEN;
        for (int offset = 0; offset < VcpuState.SCRATCH; offset += Long.BYTES) {
            long word = state.getLong(offset);
            if (offset == VcpuState.EVENTS) {
                // The other half is the interrupt shadow.
                word &= -1L << 32;
            }
            hash = mix(hash ^ word);
        }
        return hash;
    }

    /** Hash of the guest's memory now. */
    public long ofMemory(Domain domain) {
        if (map.version() != mapVersion) {
            mapVersion = map.version();
            weigh();
        }
        domain.memory().forEachKeptFrame(dirty::mark);
        dirty.drain(this::update);
        for (Vcpu vcpu : domain.vcpus()) {
            vcpu.engine().forEachWritableFrame(host -> dirty.mark(machine.mfn(host)));
        }
        return memory;
    }

    private void update(int mfn) {
        long now = content(machine.address(mfn));
        memory += (now - contents[mfn]) * weights[mfn];
        contents[mfn] = now;
    }

    /** Weighs all frames anew, after a change of the map. */
    private void weigh() {
        Arrays.fill(weights, 0);
        long limit = map.limit();
        for (long gfn = 0; gfn < limit; gfn++) {
            int mfn = map.mfn(gfn);
            if (mfn >= 0) {
                weights[mfn] += mix(gfn + GOLDEN) | 1;
            }
        }
        memory = 0;
        for (int mfn = 0; mfn < weights.length; mfn++) {
            memory += contents[mfn] * weights[mfn];
        }
    }

    /** Four sums of products, one after the other would wait for each multiplication; zero for zeros. */
    private static long content(long frame) {
        long a = 0;
        long b = 0;
        long c = 0;
        long d = 0;
        for (long at = frame; at < frame + 4096; at += 32) {
            a = (a + Raw.getLong(at)) * M0;
            b = (b + Raw.getLong(at + 8)) * M1;
            c = (c + Raw.getLong(at + 16)) * M2;
            d = (d + Raw.getLong(at + 24)) * M3;
        }
        return mix(a) + 3 * mix(b) + 5 * mix(c) + 7 * mix(d);
    }

    /** The finaliser of SplitMix64: a bijection that maps 0 to 0. */
    private static long mix(long z) {
        z = (z ^ z >>> 30) * M0;
        z = (z ^ z >>> 27) * M1;
        return z ^ z >>> 31;
    }
}
