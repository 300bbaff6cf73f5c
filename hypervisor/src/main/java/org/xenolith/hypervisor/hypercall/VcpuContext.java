package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.Errno;
import org.xenolith.abi.VcpuHvmContext;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;

/** Loads a {@link VcpuHvmContext} into a processor's state. */
final class VcpuContext {
    private static final long CR0_PE = 1;
    private static final long CR0_PG = 1L << 31;
    private static final long CR4_PAE = 1 << 5;
    private static final long RFLAGS_RESERVED = 2;
    private static final int GENERAL_REGISTERS = 8;
    /** The order of segments in the 32-bit structure. */
    private static final int[] SEGMENTS = {VcpuState.CS, VcpuState.DS, VcpuState.SS, VcpuState.ES, VcpuState.TR};

    private static final int PRESENT = 0x80;

    private VcpuContext() {}

    static void load(Struct context, VcpuState state) {
        switch (context.i32(VcpuHvmContext.MODE)) {
            case VcpuHvmContext.MODE_32 -> load(context, state, 4, context.u64(VcpuHvmContext.EFER_32));
            case VcpuHvmContext.MODE_64 -> load(context, state, 8, context.u64(VcpuHvmContext.EFER_64));
            default -> throw Call.failure(Errno.EINVAL);
        }
    }

    private static void load(Struct context, VcpuState state, int width, long efer) {
        int at = VcpuHvmContext.REGISTERS + GENERAL_REGISTERS * width;
        long cr0 = context.word(at + 2 * width, width);
        long cr4 = context.word(at + 4 * width, width);
        boolean longMode = (efer & Efer.LMA) != 0;
        boolean canBeLong = (efer & Efer.LME) != 0 && (cr0 & CR0_PG) != 0 && (cr4 & CR4_PAE) != 0;
        if ((cr0 & CR0_PG) != 0 && (cr0 & CR0_PE) == 0
                || longMode != canBeLong
                || width == 8 && !longMode
                || (efer & ~(Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE)) != 0) {
            throw Call.failure(Errno.EINVAL);
        }
        long retired = state.retired();
        state.reset();
        state.setLong(VcpuState.RETIRED, retired);
        for (int n = 0; n < GENERAL_REGISTERS; n++) {
            state.setGpr(n, context.word(VcpuHvmContext.REGISTERS + n * width, width));
        }
        state.setRip(context.word(at, width));
        state.setRflags(context.word(at + width, width) | RFLAGS_RESERVED);
        state.setLong(VcpuState.CR0, cr0);
        state.setLong(VcpuState.CR3, context.word(at + 3 * width, width));
        state.setLong(VcpuState.CR4, cr4);
        state.setLong(VcpuState.EFER, efer);
        for (int i = 0; i < SEGMENTS.length; i++) {
            if (width == 8) {
                int flat = SEGMENTS[i] == VcpuState.CS ? 0xA9B : SEGMENTS[i] == VcpuState.TR ? 0x8B : 0xC93;
                state.setSegment(SEGMENTS[i], 0, 0, SEGMENTS[i] == VcpuState.TR ? 0x67 : -1, access(flat));
            } else {
                state.setSegment(
                        SEGMENTS[i],
                        0,
                        context.u32(VcpuHvmContext.BASES_32 + 4 * i),
                        context.i32(VcpuHvmContext.LIMITS_32 + 4 * i),
                        access(context.u16(VcpuHvmContext.ATTRIBUTES_32 + 2 * i)));
            }
        }
    }

    /** From 12 packed bits to the descriptor's own places, which leave a gap for the limit. */
    private static int access(int attributes) {
        int access = attributes & 0xFF | (attributes & 0xF00) << 4;
        return (attributes & PRESENT) != 0 ? access : access | VcpuState.UNUSABLE;
    }
}
