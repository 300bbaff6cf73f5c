package org.xenolith.cpu.oracle;

import java.util.SplittableRandom;

/**
 * The register state that a seed stands for. The text form of a case names its seed and what differs from this; so a
 * change here (or in {@link Values}) makes all recorded fixtures meaningless, and they must be recorded again.
 */
final class BaseState {
    static final long ARITHMETIC = 0x8D5;

    private BaseState() {}

    static MachineState of(long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        MachineState s = new MachineState();
        for (int i = 0; i < 16; i++) {
            s.gpr[i] = Values.integer(r);
        }
        s.gpr[4] = Layout.DATA + 0x800 + r.nextInt(0x200) * 8L;
        s.rflags = 0x202 | r.nextLong() & ARITHMETIC;
        s.fsBase = Layout.DATA + r.nextInt(0x100) * 8L;
        s.gsBase = Layout.DATA + r.nextInt(0x100) * 8L;
        x87(s, r);
        int mxcsr = 0x1F80 | r.nextInt(4) << 13;
        if (r.nextInt(4) == 0) {
            mxcsr |= r.nextInt(64);
        }
        if (r.nextInt(4) == 0) {
            mxcsr |= 0x8000;
        }
        if (r.nextInt(4) == 0) {
            mxcsr |= 0x40;
        }
        if (r.nextInt(12) == 0) {
            mxcsr &= ~(r.nextInt(64) << 7);
        }
        s.setMxcsr(mxcsr);
        for (int i = 0; i < 16; i++) {
            Values.vector(r, s.fx, MachineState.XMM + i * 16);
        }
        for (int i = 0; i < 16; i++) {
            Values.vector(r, s.ymm, i * 16);
        }
        return s;
    }

    private static void x87(MachineState s, SplittableRandom r) {
        int control = 0x7F;
        control |= (r.nextInt(3) == 0 ? r.nextInt(4) : 3) << 8;
        control |= (r.nextInt(2) == 0 ? r.nextInt(4) : 0) << 10;
        if (r.nextInt(12) == 0) {
            control &= ~r.nextInt(64);
        }
        int status = r.nextInt(8) << 11 | r.nextInt(16) % 8 << 8 | r.nextInt(2) << 14;
        if (r.nextInt(3) == 0) {
            status |= r.nextInt(0x80);
        }
        if (r.nextInt(8) != 0) {
            // Mostly nothing pending.
            status &= ~(~control & 0x3F);
        }
        if ((status & ~control & 0x3F) != 0) {
            status |= 0x8080;
        }
        int tags = r.nextInt(4) == 0 ? r.nextInt(256) : r.nextInt(3) == 0 ? 0 : 0xFF;
        s.setFxShort(MachineState.FCW, control);
        s.setFxShort(MachineState.FSW, status);
        s.fx[MachineState.FTW] = (byte) tags;
        for (int i = 0; i < 8; i++) {
            long[] v = Values.float80(r);
            Values.put(s.fx, MachineState.ST + i * 16, v[0], 8);
            Values.put(s.fx, MachineState.ST + i * 16 + 8, v[1], 2);
        }
    }
}
