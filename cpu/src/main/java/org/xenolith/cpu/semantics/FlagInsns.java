package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.memory.Raw;

/** Instructions on single flags. */
public final class FlagInsns {
    private static final int AH = VcpuState.RAX * 8 + 1;

    private FlagInsns() {}

    public static void sahf(Cpu c, int w) {
        long kept = Flags.arithmetic(c) & Flags.OF;
        Flags.setArithmetic(c, kept | c.get(0, AH) & (Flags.ARITHMETIC & ~Flags.OF));
    }

    public static void lahf(Cpu c, int w) {
        c.put(0, AH, Flags.arithmetic(c) & 0xff | 2);
    }

    public static void cmc(Cpu c, int w) {
        Flags.setCf(c, !Flags.cf(c));
    }

    public static void clc(Cpu c, int w) {
        Flags.setCf(c, false);
    }

    public static void stc(Cpu c, int w) {
        Flags.setCf(c, true);
    }

    public static void cld(Cpu c, int w) {
        Raw.putLong(c.base + VcpuState.RFLAGS, c.systemFlags() & ~Flags.DF);
    }

    public static void std(Cpu c, int w) {
        Raw.putLong(c.base + VcpuState.RFLAGS, c.systemFlags() | Flags.DF);
    }

    public static void salc(Cpu c, int w) {
        c.put(0, VcpuState.RAX * 8, Flags.cf(c) ? 0xff : 0);
    }
}
