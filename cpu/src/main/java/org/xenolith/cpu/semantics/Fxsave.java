package org.xenolith.cpu.semantics;

import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Cr0;
import org.xenolith.cpu.core.Cr4;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.core.Xcr0;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.Raw;

/**
 * Saving and restoring x87, SSE and AVX state: FXSAVE and the XSAVE family (Intel SDM vol. 1, 10.5 and chapter 13).
 *
 * <p>An image, offsets in bytes:
 *
 * <pre>
 *     0  fcw, fsw, ftw (one bit a physical register), 0, fop      16 bits each but for ftw and the 0 behind it
 *     8  fip, 16 fdp    64 bits with REX.W; otherwise 32 bits of offset, and a selector that is always zero here
 *    24  mxcsr, mxcsr_mask
 *    32  ST(0)..ST(7), 16 bytes each
 *   160  xmm0..xmm15, only the first eight outside 64-bit mode
 *   512  XSAVE header: XSTATE_BV, XCOMP_BV, 48 bytes that must be zero and that nothing writes
 *   576  upper halves of ymm0..ymm15, only the first eight outside 64-bit mode; in the compacted format too
 * </pre>
 *
 * The state block keeps x87 registers in physical order, an image has them in stack order.
 */
public final class Fxsave {
    private static final int LEGACY_BYTES = 512;
    private static final int XSAVE_BYTES = 576;
    private static final int AVX_BYTES = 256;
    private static final int IMAGE_MXCSR = 24;
    private static final int IMAGE_ST = 32;
    private static final int IMAGE_XMM = 160;
    private static final int XSTATE_BV = 512;
    private static final int XCOMP_BV = 520;
    private static final int IMAGE_YMM = XSAVE_BYTES;

    private static final long X87 = Xcr0.X87;
    private static final long SSE = Xcr0.SSE;
    private static final long AVX = Xcr0.AVX;

    private static final long COMPACTED = 1L << 63;
    private static final int MXCSR_RESET = 0x1F80;
    private static final int FCW_RESET = 0x37F;

    private Fxsave() {}

    // ---------------------------------------------------------------- FXSAVE, FXRSTOR

    private static void checkFxsr(Cpu c) {
        long cr0 = c.control(VcpuState.CR0);
        if ((cr0 & Cr0.EM) != 0) {
            throw c.undefined();
        }
        if ((cr0 & Cr0.TS) != 0) {
            throw c.fault(GuestFault.NM);
        }
    }

    private static long aligned(Cpu c, Insn i, int bytes, int alignment, boolean write) {
        long va = i.mem.linear(c, bytes, write);
        if ((va & alignment - 1) != 0) {
            throw c.generalProtection(0);
        }
        return va;
    }

    /** EFER.FFXSR leaves the XMM registers out at CPL 0 in 64-bit mode. */
    private static boolean withoutXmm(Cpu c, Insn i) {
        return i.is64() && c.cpl == 0 && (c.control(VcpuState.EFER) & Efer.FFXSR) != 0;
    }

    /** FXSAVE, FXSAVE64. */
    public static void fxsave(Cpu c, Insn i) {
        checkFxsr(c);
        long va = aligned(c, i, LEGACY_BYTES, 16, true);
        c.checkWritable(va, LEGACY_BYTES);
        saveX87(c, i, va);
        saveMxcsr(c, va);
        if (!withoutXmm(c, i)) {
            saveXmm(c, i, va);
        }
    }

    /** FXRSTOR, FXRSTOR64. */
    public static void fxrstor(Cpu c, Insn i) {
        checkFxsr(c);
        long va = aligned(c, i, LEGACY_BYTES, 16, false);
        checkReadable(c, va, LEGACY_BYTES);
        int mxcsr = loadMxcsr(c, va);
        restoreX87(c, i, va);
        Raw.putInt(c.base + VcpuState.MXCSR, mxcsr);
        if (!withoutXmm(c, i)) {
            restoreXmm(c, i, va);
        }
    }

    private static void checkReadable(Cpu c, long va, int bytes) {
        c.load8(va);
        c.load8(c.wrapLinear(va + bytes - 1));
    }

    private static int loadMxcsr(Cpu c, long va) {
        int mxcsr = (int) c.load32(va + IMAGE_MXCSR);
        if ((mxcsr & ~FloatMath.MXCSR_MASK) != 0) {
            throw c.generalProtection(0);
        }
        return mxcsr;
    }

    private static boolean wide(Insn i) {
        return (i.rex & 8) != 0;
    }

    private static int registers(Insn i) {
        return i.is64() ? 16 : 8;
    }

    private static int top(long fsw) {
        return (int) (fsw >>> 11) & 7;
    }

    private static void saveX87(Cpu c, Insn i, long va) {
        long fsw = c.get(1, VcpuState.FSW);
        long control =
                c.get(1, VcpuState.FCW) | fsw << 16 | c.get(0, VcpuState.FTW) << 32 | c.get(1, VcpuState.FOP) << 48;
        long pointers = wide(i) ? -1L : 0xffffffffL;
        c.store64(va, control);
        c.store64(va + 8, c.control(VcpuState.FIP) & pointers);
        c.store64(va + 16, c.control(VcpuState.FDP) & pointers);
        for (int n = 0; n < 8; n++) {
            long from = c.base + VcpuState.ST + (top(fsw) + n & 7) * 16L;
            c.store64(va + IMAGE_ST + n * 16, Raw.getLong(from));
            c.store64(va + IMAGE_ST + n * 16 + 8, Raw.getShort(from + 8) & 0xffffL);
        }
    }

    private static void saveMxcsr(Cpu c, long va) {
        long mxcsr = Raw.getInt(c.base + VcpuState.MXCSR) & 0xffffffffL;
        c.store64(va + IMAGE_MXCSR, mxcsr | (long) FloatMath.MXCSR_MASK << 32);
    }

    private static void saveXmm(Cpu c, Insn i, long va) {
        for (int n = 0; n < registers(i) * 2; n++) {
            c.store64(va + IMAGE_XMM + n * 8, Raw.getLong(c.base + VcpuState.XMM + n * 8));
        }
    }

    private static void restoreX87(Cpu c, Insn i, long va) {
        long control = c.load64(va);
        // Bit 6 of the control word always reads as one; 7 and 13-15 do not exist.
        long fcw = control & 0x1F3F | 0x40;
        long fsw = control >>> 16 & 0x7F7F;
        if ((fsw & ~fcw & 0x3F) != 0) {
            // An exception that is pending under the new control word: ES and its old alias B.
            fsw |= 0x8080;
        }
        long pointers = wide(i) ? -1L : 0xffffffffL;
        c.put(1, VcpuState.FCW, fcw);
        c.put(1, VcpuState.FSW, fsw);
        c.put(0, VcpuState.FTW, control >>> 32);
        c.put(1, VcpuState.FOP, control >>> 48 & 0x7ff);
        c.setControl(VcpuState.FIP, c.load64(va + 8) & pointers);
        c.setControl(VcpuState.FDP, c.load64(va + 16) & pointers);
        for (int n = 0; n < 8; n++) {
            long to = c.base + VcpuState.ST + (top(fsw) + n & 7) * 16L;
            Raw.putLong(to, c.load64(va + IMAGE_ST + n * 16));
            Raw.putShort(to + 8, (short) c.load16(va + IMAGE_ST + n * 16 + 8));
        }
    }

    private static void restoreXmm(Cpu c, Insn i, long va) {
        for (int n = 0; n < registers(i) * 2; n++) {
            Raw.putLong(c.base + VcpuState.XMM + n * 8, c.load64(va + IMAGE_XMM + n * 8));
        }
    }

    private static void saveYmm(Cpu c, Insn i, long va) {
        for (int n = 0; n < registers(i) * 2; n++) {
            c.store64(va + IMAGE_YMM + n * 8, Raw.getLong(c.ymmHigh(0) + n * 8));
        }
    }

    private static void restoreYmm(Cpu c, Insn i, long va) {
        for (int n = 0; n < registers(i) * 2; n++) {
            Raw.putLong(c.ymmHigh(0) + n * 8, c.load64(va + IMAGE_YMM + n * 8));
        }
    }

    // ---------------------------------------------------------------- the XSAVE family

    /** Bytes of an image, in either format, that has room for these components. */
    static int imageBytes(long components) {
        return (components & AVX) != 0 ? XSAVE_BYTES + AVX_BYTES : XSAVE_BYTES;
    }

    private static void checkXsave(Cpu c) {
        if ((c.control(VcpuState.CR4) & Cr4.OSXSAVE) == 0) {
            throw c.undefined();
        }
        if ((c.control(VcpuState.CR0) & Cr0.TS) != 0) {
            throw c.fault(GuestFault.NM);
        }
    }

    /** The components that edx:eax asks for and XCR0 enables. */
    private static long requested(Cpu c) {
        return (c.reg(2, VcpuState.RAX) | c.gpr(VcpuState.RDX) << 32) & c.control(VcpuState.XCR0);
    }

    /** The components that are not in their initial configuration. */
    private static long inUse(Cpu c, boolean in64BitMode) {
        long fsw = c.control(VcpuState.FCW) & 0xFFFF00FFFFFFFFFFL;
        long x87 = fsw ^ FCW_RESET | c.control(VcpuState.FIP) | c.control(VcpuState.FDP);
        for (int n = 0; n < 8; n++) {
            x87 |= c.control(VcpuState.ST + n * 16) | c.get(1, VcpuState.ST + n * 16 + 8);
        }
        long sse = 0;
        for (int n = 0; n < (in64BitMode ? 32 : 16); n++) {
            sse |= c.control(VcpuState.XMM + n * 8);
        }
        long avx = 0;
        for (int n = 0; n < (in64BitMode ? 32 : 16); n++) {
            avx |= c.control(VcpuState.YMM_HIGH + n * 8);
        }
        return (x87 != 0 ? X87 : 0) | (sse != 0 ? SSE : 0) | (avx != 0 ? AVX : 0);
    }

    /** XSAVE: everything requested, in standard format. */
    public static void xsave(Cpu c, Insn i) {
        save(c, i, -1);
    }

    /** XSAVEOPT: leaves out what is in its initial configuration. */
    public static void xsaveopt(Cpu c, Insn i) {
        save(c, i, inUse(c, i.is64()));
    }

    private static void save(Cpu c, Insn i, long wanted) {
        checkXsave(c);
        long mask = requested(c);
        long va = aligned(c, i, imageBytes(mask), 64, true);
        c.checkWritable(va, imageBytes(mask));
        long old = c.load64(va + XSTATE_BV);
        if ((mask & wanted & X87) != 0) {
            saveX87(c, i, va);
        }
        if ((mask & (SSE | AVX)) != 0) {
            saveMxcsr(c, va);
        }
        if ((mask & wanted & SSE) != 0) {
            saveXmm(c, i, va);
        }
        if ((mask & wanted & AVX) != 0) {
            saveYmm(c, i, va);
        }
        c.store64(va + XSTATE_BV, old & ~mask | inUse(c, i.is64()) & mask);
    }

    /** XSAVEC: like XSAVEOPT, with the header of the compacted format. */
    public static void xsavec(Cpu c, Insn i) {
        checkXsave(c);
        long mask = requested(c);
        long va = aligned(c, i, imageBytes(mask), 64, true);
        c.checkWritable(va, imageBytes(mask));
        long used = inUse(c, i.is64());
        if (Raw.getInt(c.base + VcpuState.MXCSR) != MXCSR_RESET) {
            used |= SSE;
        }
        if ((mask & used & X87) != 0) {
            saveX87(c, i, va);
        }
        if ((mask & used & SSE) != 0) {
            saveMxcsr(c, va);
            saveXmm(c, i, va);
        }
        if ((mask & used & AVX) != 0) {
            saveYmm(c, i, va);
        }
        c.store64(va + XSTATE_BV, mask & used);
        c.store64(va + XCOMP_BV, mask | COMPACTED);
    }

    /** XRSTOR, standard and compacted format. */
    public static void xrstor(Cpu c, Insn i) {
        checkXsave(c);
        long mask = requested(c);
        long va = aligned(c, i, imageBytes(mask), 64, false);
        checkReadable(c, va, XSAVE_BYTES);
        long present = c.load64(va + XSTATE_BV);
        long format = c.load64(va + XCOMP_BV);
        boolean compacted = (format & COMPACTED) != 0;
        checkHeader(c, va, present, format, compacted);
        checkReadable(c, va, imageBytes(mask & present));
        // MXCSR belongs to SSE, but in the standard format AVX brings it along.
        boolean mxcsrWanted = (mask & (compacted ? SSE : SSE | AVX)) != 0;
        int mxcsr = mxcsrWanted && (!compacted || (present & SSE) != 0) ? loadMxcsr(c, va) : MXCSR_RESET;
        if ((mask & X87) != 0) {
            if ((present & X87) != 0) {
                restoreX87(c, i, va);
            } else {
                resetX87(c);
            }
        }
        if (mxcsrWanted) {
            Raw.putInt(c.base + VcpuState.MXCSR, mxcsr);
        }
        if ((mask & SSE) != 0) {
            if ((present & SSE) != 0) {
                restoreXmm(c, i, va);
            } else {
                Raw.fill(c.base + VcpuState.XMM, registers(i) * 16L, (byte) 0);
            }
        }
        if ((mask & AVX) != 0) {
            if ((present & AVX) != 0) {
                restoreYmm(c, i, va);
            } else {
                Raw.fill(c.ymmHigh(0), registers(i) * 16L, (byte) 0);
            }
        }
    }

    private static void checkHeader(Cpu c, long va, long present, long format, boolean compacted) {
        long allowed = c.control(VcpuState.XCR0);
        boolean bad = (present & ~allowed) != 0;
        int zeros;
        if (compacted) {
            bad |= (format & ~COMPACTED & ~allowed) != 0 || (present & ~format) != 0;
            zeros = XSAVE_BYTES;
        } else {
            bad |= format != 0;
            zeros = XCOMP_BV + 16;
        }
        for (int n = XCOMP_BV + 8; n < zeros; n += 8) {
            bad |= c.load64(va + n) != 0;
        }
        if (bad) {
            throw c.generalProtection(0);
        }
    }

    private static void resetX87(Cpu c) {
        // FCW, FSW, FTW, FOP, FIP and FDP lie together.
        c.setControl(VcpuState.FCW, FCW_RESET);
        c.setControl(VcpuState.FIP, 0);
        c.setControl(VcpuState.FDP, 0);
        Raw.fill(c.base + VcpuState.ST, 128, (byte) 0);
    }

    /** XGETBV: XCR0, or with ecx = 1 which enabled components are in use. */
    public static void xgetbv(Cpu c, Insn i) {
        if ((c.control(VcpuState.CR4) & Cr4.OSXSAVE) == 0) {
            throw c.undefined();
        }
        long value = c.control(VcpuState.XCR0);
        int index = (int) c.gpr(VcpuState.RCX);
        if (index == 1) {
            value &= inUse(c, i.is64());
        } else if (index != 0) {
            throw c.generalProtection(0);
        }
        c.setReg(2, VcpuState.RAX, value);
        c.setReg(2, VcpuState.RDX, value >>> 32);
    }

    /** The state components that CPUID offers to the guest. */
    private static long supported(Cpu c) {
        int[] result = new int[4];
        c.world.cpuid(CpuidPolicy.EXTENDED_STATE, 0, result);
        return result[0] & 0xffffffffL | (long) result[3] << 32;
    }

    /** XSETBV: x87 state cannot be disabled, and AVX state is nothing without the SSE state. */
    public static void xsetbv(Cpu c, Insn i) {
        if ((c.control(VcpuState.CR4) & Cr4.OSXSAVE) == 0) {
            throw c.undefined();
        }
        long value = c.reg(2, VcpuState.RAX) | c.gpr(VcpuState.RDX) << 32;
        if (c.cpl != 0
                || (int) c.gpr(VcpuState.RCX) != 0
                || (value & ~supported(c)) != 0
                || (value & X87) == 0
                || (value & AVX) != 0 && (value & SSE) == 0) {
            throw c.generalProtection(0);
        }
        long next = i.nextRip(c);
        c.setControl(VcpuState.XCR0, value);
        c.refresh();
        c.setRip(next);
    }
}
