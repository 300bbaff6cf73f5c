package org.xenolith.cpu.decode;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.memory.Raw;

/**
 * A decoded memory operand: segment : base + index * scale + displacement.
 *
 * <p>Base, index and segment base are offsets into the state block; an absent one points at the slot that is always zero,
 * and a rip-relative one at rip, which holds the start of the running block, with the displacement counted from there. So
 * in 64-bit mode an address is three loads and three additions, without a branch.
 */
public final class Mem {
    /** Index of the segment register, as encoded. */
    public final int segment;

    private final int base;
    private final int index;
    private final int scale;
    private final long displacement;
    private final int segmentBase;
    /** Address size: 1 is 16, 2 is 32, 3 is 64 bits. */
    public final int addressSize;

    private final boolean longMode;

    /**
     * @param segment index of the segment register that applies
     * @param base state-block offset of the base register, or {@link VcpuState#ZERO}
     * @param index state-block offset of the index register, or {@link VcpuState#ZERO}
     * @param scale log2 of the scale factor
     * @param longMode decoded in 64-bit mode: only FS and GS have a base, and no limits apply
     */
    public Mem(int segment, int base, int index, int scale, long displacement, int addressSize, boolean longMode) {
        this.segment = segment;
        this.base = base;
        this.index = index;
        this.scale = scale;
        this.displacement = displacement;
        this.addressSize = addressSize;
        this.longMode = longMode;
        this.segmentBase = longMode && segment < VcpuState.FS
                ? VcpuState.ZERO
                : VcpuState.SEGMENTS + segment * VcpuState.SEGMENT_SIZE + VcpuState.SEG_BASE;
    }

    /** The offset inside the segment: what LEA computes. */
    public long offset(Cpu c) {
        long state = c.base;
        long a = displacement + Raw.getLong(state + base) + (Raw.getLong(state + index) << scale);
        return addressSize == 3 ? a : addressSize == 2 ? a & 0xffffffffL : a & 0xffff;
    }

    /** The linear address of an access, checked against the segment in the modes that have limits. */
    public long linear(Cpu c, int bytes, boolean write) {
        long state = c.base;
        long a = displacement + Raw.getLong(state + base) + (Raw.getLong(state + index) << scale);
        if (addressSize == 3) {
            return a + Raw.getLong(state + segmentBase);
        }
        return narrow(c, a, bytes, write);
    }

    /**
     * Like {@link #linear}, for a bit string that begins {@code byteDelta} bytes away from the operand (BT and its kin
     * with a register index).
     */
    public long linearAt(Cpu c, long byteDelta, int bytes, boolean write) {
        long state = c.base;
        long a = displacement + Raw.getLong(state + base) + (Raw.getLong(state + index) << scale) + byteDelta;
        if (addressSize == 3) {
            return a + Raw.getLong(state + segmentBase);
        }
        return narrow(c, a, bytes, write);
    }

    private long narrow(Cpu c, long a, int bytes, boolean write) {
        long offset = addressSize == 2 ? a & 0xffffffffL : a & 0xffff;
        if (longMode) {
            return offset + Raw.getLong(c.base + segmentBase);
        }
        return c.segmentLinear(segment, offset, bytes, write);
    }

    /** True when the address is rip-relative. */
    public boolean ripRelative() {
        return base == VcpuState.RIP;
    }

    /** State-block offset of the base register, of rip, or {@link VcpuState#ZERO}. */
    public int base() {
        return base;
    }

    /** State-block offset of the index register, or {@link VcpuState#ZERO}. */
    public int index() {
        return index;
    }

    /** Log2 of the scale factor. */
    public int scale() {
        return scale;
    }

    /** Displacement; of a rip-relative operand, counted from the start of the block. */
    public long displacement() {
        return displacement;
    }
}
