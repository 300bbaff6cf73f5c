package org.xenolith.cpu.oracle;

import java.util.Arrays;
import org.xenolith.memory.Raw;

/** The registers of a test case: general, flags, FS and GS base, an FXSAVE64 image, and the upper halves of YMM0..15. */
final class MachineState {
    static final int FX_SIZE = 512;
    static final int YMM_SIZE = 256;
    static final int FCW = 0;
    static final int FSW = 2;
    static final int FTW = 4;
    static final int MXCSR = 24;
    static final int ST = 32;
    static final int XMM = 160;
    static final String[] NAMES = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
    };

    final long[] gpr = new long[16];
    long rflags = 0x202;
    long fsBase;
    long gsBase;
    final byte[] fx = new byte[FX_SIZE];
    /** Bits 128 to 255 of the YMM registers, 16 bytes each. */
    final byte[] ymm = new byte[YMM_SIZE];

    MachineState copy() {
        MachineState s = new MachineState();
        System.arraycopy(gpr, 0, s.gpr, 0, 16);
        s.rflags = rflags;
        s.fsBase = fsBase;
        s.gsBase = gsBase;
        System.arraycopy(fx, 0, s.fx, 0, FX_SIZE);
        System.arraycopy(ymm, 0, s.ymm, 0, YMM_SIZE);
        return s;
    }

    int fxShort(int at) {
        return fx[at] & 0xff | (fx[at + 1] & 0xff) << 8;
    }

    void setFxShort(int at, int value) {
        fx[at] = (byte) value;
        fx[at + 1] = (byte) (value >>> 8);
    }

    int mxcsr() {
        return fxShort(MXCSR) | fxShort(MXCSR + 2) << 16;
    }

    void setMxcsr(int value) {
        setFxShort(MXCSR, value);
        setFxShort(MXCSR + 2, value >>> 16);
    }

    void setFxLong(int at, long value) {
        for (int i = 0; i < 8; i++) {
            fx[at + i] = (byte) (value >>> i * 8);
        }
    }

    /** Writes general registers, flags and bases (152 bytes) to memory. */
    void store(long at) {
        for (int i = 0; i < 16; i++) {
            Raw.putLong(at + i * 8, gpr[i]);
        }
        Raw.putLong(at + 128, rflags);
        Raw.putLong(at + 136, fsBase);
        Raw.putLong(at + 144, gsBase);
    }

    void load(long at) {
        for (int i = 0; i < 16; i++) {
            gpr[i] = Raw.getLong(at + i * 8);
        }
        rflags = Raw.getLong(at + 128);
        fsBase = Raw.getLong(at + 136);
        gsBase = Raw.getLong(at + 144);
    }

    boolean fxEquals(MachineState o, int at, int bytes) {
        return Arrays.equals(fx, at, at + bytes, o.fx, at, at + bytes);
    }

    boolean ymmEquals(MachineState o, int n) {
        return Arrays.equals(ymm, n * 16, n * 16 + 16, o.ymm, n * 16, n * 16 + 16);
    }
}
