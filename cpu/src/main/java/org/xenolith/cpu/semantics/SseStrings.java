package org.xenolith.cpu.semantics;

import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.memory.Raw;

/**
 * The string comparisons of SSE4.2 (Intel SDM vol. 2, 4.1).
 *
 * <p>The immediate: bits 0-1 element format (unsigned byte, unsigned word, signed byte, signed word), bits 2-3
 * aggregation (equal any, ranges, equal each, equal ordered), bits 4-5 polarity, bit 6 which index or what kind of
 * mask. {@code d} is the first operand ("xmm1", the pattern), {@code s} the second (the text); element bits are kept in
 * an int.
 */
public final class SseStrings {
    private SseStrings() {}

    /** PCMPISTRI: strings end at a zero element; the index goes to ECX. */
    public static void pcmpistri(Cpu c, long d, long s, int imm) {
        index(c, d, s, imm, implicitLength(d, imm), implicitLength(s, imm));
    }

    /** PCMPISTRM: the mask goes to XMM0. */
    public static void pcmpistrm(Cpu c, long d, long s, int imm) {
        mask(c, d, s, imm, implicitLength(d, imm), implicitLength(s, imm));
    }

    /** PCMPESTRI: lengths in EAX and EDX, or RAX and RDX where {@code w} is 3. */
    public static void pcmpestri(Cpu c, long d, long s, int imm, int w) {
        index(c, d, s, imm, explicitLength(c, VcpuState.RAX, imm, w), explicitLength(c, VcpuState.RDX, imm, w));
    }

    /** PCMPESTRM. */
    public static void pcmpestrm(Cpu c, long d, long s, int imm, int w) {
        mask(c, d, s, imm, explicitLength(c, VcpuState.RAX, imm, w), explicitLength(c, VcpuState.RDX, imm, w));
    }

    private static boolean words(int imm) {
        return (imm & 1) != 0;
    }

    private static int elements(int imm) {
        return words(imm) ? 8 : 16;
    }

    private static int element(long at, int i, int imm) {
        return switch (imm & 3) {
            case 0 -> Raw.getByte(at + i) & 0xff;
            case 1 -> Raw.getShort(at + i * 2) & 0xffff;
            case 2 -> Raw.getByte(at + i);
            default -> Raw.getShort(at + i * 2);
        };
    }

    private static int implicitLength(long at, int imm) {
        long low = Raw.getLong(at);
        long high = Raw.getLong(at + 8);
        if (words(imm)) {
            int zeros = (int) (SseLanes.signBits(SseLanes.equalWords(low, 0))
                    | SseLanes.signBits(SseLanes.equalWords(high, 0)) << 8);
            return Math.min(8, Integer.numberOfTrailingZeros(zeros) / 2);
        }
        int zeros = (int)
                (SseLanes.signBits(SseLanes.equalBytes(low, 0)) | SseLanes.signBits(SseLanes.equalBytes(high, 0)) << 8);
        return Math.min(16, Integer.numberOfTrailingZeros(zeros));
    }

    private static int explicitLength(Cpu c, int register, int imm, int w) {
        long length = w == 3 ? c.gpr(register) : (int) c.gpr(register);
        // The most negative number has no absolute value, and is as good as any large one.
        long absolute = length == Long.MIN_VALUE ? Long.MAX_VALUE : Math.abs(length);
        return (int) Math.min(absolute, elements(imm));
    }

    /** The intermediate result after polarity, one bit an element of the second operand. */
    private static int compare(long d, long s, int imm, int lengthD, int lengthS) {
        int n = elements(imm);
        int raw = switch (imm >> 2 & 3) {
            case 0 -> equalAny(d, s, imm, lengthD, lengthS);
            case 1 -> ranges(d, s, imm, lengthD, lengthS);
            case 2 -> equalEach(d, s, imm, lengthD, lengthS, n);
            default -> equalOrdered(d, s, imm, lengthD, lengthS, n);
        };
        return switch (imm >> 4 & 3) {
            case 1 -> raw ^ (1 << n) - 1;
            case 3 -> raw ^ (1 << lengthS) - 1;
            default -> raw;
        };
    }

    private static int equalAny(long d, long s, int imm, int lengthD, int lengthS) {
        int result = 0;
        for (int j = 0; j < lengthS; j++) {
            int x = element(s, j, imm);
            for (int i = 0; i < lengthD; i++) {
                if (element(d, i, imm) == x) {
                    result |= 1 << j;
                    break;
                }
            }
        }
        return result;
    }

    /** A last lower bound without its upper bound compares with nothing. */
    private static int ranges(long d, long s, int imm, int lengthD, int lengthS) {
        int result = 0;
        for (int j = 0; j < lengthS; j++) {
            int x = element(s, j, imm);
            for (int i = 0; i + 1 < lengthD; i += 2) {
                if (x >= element(d, i, imm) && x <= element(d, i + 1, imm)) {
                    result |= 1 << j;
                    break;
                }
            }
        }
        return result;
    }

    /** Positions behind both ends are equal, behind one end different. */
    private static int equalEach(long d, long s, int imm, int lengthD, int lengthS, int n) {
        int result = 0;
        int both = Math.min(lengthD, lengthS);
        for (int i = 0; i < n; i++) {
            boolean equal = i < both ? element(d, i, imm) == element(s, i, imm) : i >= lengthD && i >= lengthS;
            result |= equal ? 1 << i : 0;
        }
        return result;
    }

    /** Substring search: a match that runs out of the register counts. */
    private static int equalOrdered(long d, long s, int imm, int lengthD, int lengthS, int n) {
        int result = 0;
        for (int j = 0; j < n; j++) {
            boolean equal = true;
            for (int i = 0; i < lengthD && i + j < n && equal; i++) {
                equal = i + j < lengthS && element(d, i, imm) == element(s, i + j, imm);
            }
            result |= equal ? 1 << j : 0;
        }
        return result;
    }

    private static void index(Cpu c, long d, long s, int imm, int lengthD, int lengthS) {
        int result = compare(d, s, imm, lengthD, lengthS);
        int index = elements(imm);
        if (result != 0) {
            index = (imm & 0x40) != 0
                    ? 31 - Integer.numberOfLeadingZeros(result)
                    : Integer.numberOfTrailingZeros(result);
        }
        c.setReg(2, VcpuState.RCX, index);
        flags(c, result, imm, lengthD, lengthS);
    }

    private static void mask(Cpu c, long d, long s, int imm, int lengthD, int lengthS) {
        int result = compare(d, s, imm, lengthD, lengthS);
        long low = result;
        long high = 0;
        if ((imm & 0x40) != 0) {
            low = 0;
            int bits = words(imm) ? 16 : 8;
            long ones = (1L << bits) - 1;
            int half = 64 / bits;
            for (int i = 0; i < half; i++) {
                low |= (result >> i & 1) * ones << i * bits;
                high |= (result >> i + half & 1) * ones << i * bits;
            }
        }
        Raw.putLong(c.xmm(0), low);
        Raw.putLong(c.xmm(0) + 8, high);
        flags(c, result, imm, lengthD, lengthS);
    }

    private static void flags(Cpu c, int result, int imm, int lengthD, int lengthS) {
        int n = elements(imm);
        Flags.setArithmetic(
                c,
                (result != 0 ? Flags.CF : 0)
                        | (lengthS < n ? Flags.ZF : 0)
                        | (lengthD < n ? Flags.SF : 0)
                        | ((result & 1) != 0 ? Flags.OF : 0));
    }
}
