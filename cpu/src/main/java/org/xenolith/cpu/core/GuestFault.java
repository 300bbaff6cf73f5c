package org.xenolith.cpu.core;

/**
 * An exception that the guest's instruction raises: thrown by semantics and memory accesses, caught by the engine, which
 * delivers it through the guest's IDT. Carries no stack trace, and each processor has one instance only, because a guest
 * takes millions of them.
 */
public final class GuestFault extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public static final int DE = 0;
    public static final int DB = 1;
    public static final int NMI = 2;
    public static final int BP = 3;
    public static final int OF = 4;
    public static final int BR = 5;
    public static final int UD = 6;
    public static final int NM = 7;
    public static final int DF = 8;
    public static final int TS = 10;
    public static final int NP = 11;
    public static final int SS = 12;
    public static final int GP = 13;
    public static final int PF = 14;
    public static final int MF = 16;
    public static final int AC = 17;
    public static final int MC = 18;
    public static final int XM = 19;

    /** Exception vector, 0..31. */
    public int vector;

    /** Error code; meaningful for the vectors that push one. */
    public int errorCode;

    GuestFault() {
        super(null, null, false, false);
    }

    /** True for the exceptions that push an error code (Intel SDM vol. 3, table 6-1). */
    public static boolean hasErrorCode(int vector) {
        return vector == DF || vector >= TS && vector <= PF || vector == AC || vector == 21;
    }

    @Override
    public String getMessage() {
        return "#" + name(vector) + "(0x" + Integer.toHexString(errorCode) + ")";
    }

    /** The manual's mnemonic of an exception. */
    public static String name(int vector) {
        return switch (vector) {
            case DE -> "DE";
            case DB -> "DB";
            case NMI -> "NMI";
            case BP -> "BP";
            case OF -> "OF";
            case BR -> "BR";
            case UD -> "UD";
            case NM -> "NM";
            case DF -> "DF";
            case TS -> "TS";
            case NP -> "NP";
            case SS -> "SS";
            case GP -> "GP";
            case PF -> "PF";
            case MF -> "MF";
            case AC -> "AC";
            case MC -> "MC";
            case XM -> "XM";
            default -> Integer.toString(vector);
        };
    }
}
