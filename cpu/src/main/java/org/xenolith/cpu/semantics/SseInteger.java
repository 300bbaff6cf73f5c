package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.memory.Raw;

/**
 * Integer arithmetic on XMM registers, SSE2 and SSSE3: both 64-bit halves through {@link SseLanes}.
 *
 * <p>{@code d} is the address of the destination, which is also the first source; {@code s} that of the second source.
 * Both sources are read before the destination is written, because they may be the same register.
 */
public final class SseInteger {
    private SseInteger() {}

    /** PADDB: wrapping addition of bytes. */
    public static void paddb(Cpu c, long d, long s) {
        long low = SseLanes.addBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.addBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PADDW: wrapping addition of words. */
    public static void paddw(Cpu c, long d, long s) {
        long low = SseLanes.addWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.addWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PADDD: wrapping addition of dwords. */
    public static void paddd(Cpu c, long d, long s) {
        long low = SseLanes.addDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.addDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PADDQ: wrapping addition of qwords. */
    public static void paddq(Cpu c, long d, long s) {
        long low = SseLanes.addQwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.addQwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSUBB. */
    public static void psubb(Cpu c, long d, long s) {
        long low = SseLanes.subBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.subBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSUBW. */
    public static void psubw(Cpu c, long d, long s) {
        long low = SseLanes.subWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.subWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSUBD. */
    public static void psubd(Cpu c, long d, long s) {
        long low = SseLanes.subDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.subDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSUBQ. */
    public static void psubq(Cpu c, long d, long s) {
        long low = SseLanes.subQwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.subQwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PADDSB: signed saturation. */
    public static void paddsb(Cpu c, long d, long s) {
        long low = SseLanes.addSignedBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.addSignedBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PADDSW: signed saturation. */
    public static void paddsw(Cpu c, long d, long s) {
        long low = SseLanes.addSignedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.addSignedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PADDUSB: unsigned saturation. */
    public static void paddusb(Cpu c, long d, long s) {
        long low = SseLanes.addUnsignedBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.addUnsignedBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PADDUSW: unsigned saturation. */
    public static void paddusw(Cpu c, long d, long s) {
        long low = SseLanes.addUnsignedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.addUnsignedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSUBSB: signed saturation. */
    public static void psubsb(Cpu c, long d, long s) {
        long low = SseLanes.subSignedBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.subSignedBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSUBSW: signed saturation. */
    public static void psubsw(Cpu c, long d, long s) {
        long low = SseLanes.subSignedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.subSignedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSUBUSB: unsigned saturation. */
    public static void psubusb(Cpu c, long d, long s) {
        long low = SseLanes.subUnsignedBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.subUnsignedBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSUBUSW: unsigned saturation. */
    public static void psubusw(Cpu c, long d, long s) {
        long low = SseLanes.subUnsignedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.subUnsignedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PAVGB: rounded average. */
    public static void pavgb(Cpu c, long d, long s) {
        long low = SseLanes.averageBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.averageBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PAVGW: rounded average. */
    public static void pavgw(Cpu c, long d, long s) {
        long low = SseLanes.averageWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.averageWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PCMPEQB. */
    public static void pcmpeqb(Cpu c, long d, long s) {
        long low = SseLanes.equalBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.equalBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PCMPEQW. */
    public static void pcmpeqw(Cpu c, long d, long s) {
        long low = SseLanes.equalWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.equalWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PCMPEQD. */
    public static void pcmpeqd(Cpu c, long d, long s) {
        long low = SseLanes.equalDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.equalDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PCMPGTB, signed. */
    public static void pcmpgtb(Cpu c, long d, long s) {
        long low = SseLanes.greaterBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.greaterBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PCMPGTW, signed. */
    public static void pcmpgtw(Cpu c, long d, long s) {
        long low = SseLanes.greaterWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.greaterWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PCMPGTD, signed. */
    public static void pcmpgtd(Cpu c, long d, long s) {
        long low = SseLanes.greaterDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.greaterDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PAND, ANDPS, ANDPD. */
    public static void pand(Cpu c, long d, long s) {
        long low = SseLanes.and(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.and(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PANDN, ANDNPS, ANDNPD. */
    public static void pandn(Cpu c, long d, long s) {
        long low = SseLanes.andNot(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.andNot(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** POR, ORPS, ORPD. */
    public static void por(Cpu c, long d, long s) {
        long low = SseLanes.or(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.or(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PXOR, XORPS, XORPD. */
    public static void pxor(Cpu c, long d, long s) {
        long low = SseLanes.xor(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.xor(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMINUB. */
    public static void pminub(Cpu c, long d, long s) {
        long low = SseLanes.minUnsignedBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.minUnsignedBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMAXUB. */
    public static void pmaxub(Cpu c, long d, long s) {
        long low = SseLanes.maxUnsignedBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.maxUnsignedBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMINSW. */
    public static void pminsw(Cpu c, long d, long s) {
        long low = SseLanes.minSignedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.minSignedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMAXSW. */
    public static void pmaxsw(Cpu c, long d, long s) {
        long low = SseLanes.maxSignedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.maxSignedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMULLW. */
    public static void pmullw(Cpu c, long d, long s) {
        long low = SseLanes.mulLowWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.mulLowWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMULHW. */
    public static void pmulhw(Cpu c, long d, long s) {
        long low = SseLanes.mulHighWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.mulHighWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMULHUW. */
    public static void pmulhuw(Cpu c, long d, long s) {
        long low = SseLanes.mulHighUnsignedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.mulHighUnsignedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMULUDQ. */
    public static void pmuludq(Cpu c, long d, long s) {
        long low = SseLanes.mulUnsignedDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.mulUnsignedDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMADDWD. */
    public static void pmaddwd(Cpu c, long d, long s) {
        long low = SseLanes.mulAddWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.mulAddWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSADBW. */
    public static void psadbw(Cpu c, long d, long s) {
        long low = SseLanes.sumAbsoluteDifferences(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.sumAbsoluteDifferences(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSIGNB. */
    public static void psignb(Cpu c, long d, long s) {
        long low = SseLanes.signBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.signBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSIGNW. */
    public static void psignw(Cpu c, long d, long s) {
        long low = SseLanes.signWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.signWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSIGND. */
    public static void psignd(Cpu c, long d, long s) {
        long low = SseLanes.signDwords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.signDwords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMULHRSW. */
    public static void pmulhrsw(Cpu c, long d, long s) {
        long low = SseLanes.mulHighRoundedWords(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.mulHighRoundedWords(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PMADDUBSW. */
    public static void pmaddubsw(Cpu c, long d, long s) {
        long low = SseLanes.mulAddBytes(Raw.getLong(d), Raw.getLong(s));
        long high = SseLanes.mulAddBytes(Raw.getLong(d + 8), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PABSB. */
    public static void pabsb(Cpu c, long d, long s) {
        long low = SseLanes.absBytes(Raw.getLong(s));
        long high = SseLanes.absBytes(Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PABSW. */
    public static void pabsw(Cpu c, long d, long s) {
        long low = SseLanes.absWords(Raw.getLong(s));
        long high = SseLanes.absWords(Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PABSD. */
    public static void pabsd(Cpu c, long d, long s) {
        long low = SseLanes.absDwords(Raw.getLong(s));
        long high = SseLanes.absDwords(Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSLLW by the low qword of a register or memory. */
    public static void psllw(Cpu c, long d, long s) {
        shiftedPsllw(d, Raw.getLong(s));
    }

    /** PSLLW by an immediate; {@code s} is not used. */
    public static void psllwImm(Cpu c, long d, long s, int imm) {
        shiftedPsllw(d, imm & 0xff);
    }

    private static void shiftedPsllw(long d, long count) {
        Raw.putLong(d, SseLanes.shiftLeftWords(Raw.getLong(d), count));
        Raw.putLong(d + 8, SseLanes.shiftLeftWords(Raw.getLong(d + 8), count));
    }

    /** PSLLD by the low qword of a register or memory. */
    public static void pslld(Cpu c, long d, long s) {
        shiftedPslld(d, Raw.getLong(s));
    }

    /** PSLLD by an immediate; {@code s} is not used. */
    public static void pslldImm(Cpu c, long d, long s, int imm) {
        shiftedPslld(d, imm & 0xff);
    }

    private static void shiftedPslld(long d, long count) {
        Raw.putLong(d, SseLanes.shiftLeftDwords(Raw.getLong(d), count));
        Raw.putLong(d + 8, SseLanes.shiftLeftDwords(Raw.getLong(d + 8), count));
    }

    /** PSLLQ by the low qword of a register or memory. */
    public static void psllq(Cpu c, long d, long s) {
        shiftedPsllq(d, Raw.getLong(s));
    }

    /** PSLLQ by an immediate; {@code s} is not used. */
    public static void psllqImm(Cpu c, long d, long s, int imm) {
        shiftedPsllq(d, imm & 0xff);
    }

    private static void shiftedPsllq(long d, long count) {
        Raw.putLong(d, SseLanes.shiftLeftQwords(Raw.getLong(d), count));
        Raw.putLong(d + 8, SseLanes.shiftLeftQwords(Raw.getLong(d + 8), count));
    }

    /** PSRLW by the low qword of a register or memory. */
    public static void psrlw(Cpu c, long d, long s) {
        shiftedPsrlw(d, Raw.getLong(s));
    }

    /** PSRLW by an immediate; {@code s} is not used. */
    public static void psrlwImm(Cpu c, long d, long s, int imm) {
        shiftedPsrlw(d, imm & 0xff);
    }

    private static void shiftedPsrlw(long d, long count) {
        Raw.putLong(d, SseLanes.shiftRightWords(Raw.getLong(d), count));
        Raw.putLong(d + 8, SseLanes.shiftRightWords(Raw.getLong(d + 8), count));
    }

    /** PSRLD by the low qword of a register or memory. */
    public static void psrld(Cpu c, long d, long s) {
        shiftedPsrld(d, Raw.getLong(s));
    }

    /** PSRLD by an immediate; {@code s} is not used. */
    public static void psrldImm(Cpu c, long d, long s, int imm) {
        shiftedPsrld(d, imm & 0xff);
    }

    private static void shiftedPsrld(long d, long count) {
        Raw.putLong(d, SseLanes.shiftRightDwords(Raw.getLong(d), count));
        Raw.putLong(d + 8, SseLanes.shiftRightDwords(Raw.getLong(d + 8), count));
    }

    /** PSRLQ by the low qword of a register or memory. */
    public static void psrlq(Cpu c, long d, long s) {
        shiftedPsrlq(d, Raw.getLong(s));
    }

    /** PSRLQ by an immediate; {@code s} is not used. */
    public static void psrlqImm(Cpu c, long d, long s, int imm) {
        shiftedPsrlq(d, imm & 0xff);
    }

    private static void shiftedPsrlq(long d, long count) {
        Raw.putLong(d, SseLanes.shiftRightQwords(Raw.getLong(d), count));
        Raw.putLong(d + 8, SseLanes.shiftRightQwords(Raw.getLong(d + 8), count));
    }

    /** PSRAW by the low qword of a register or memory. */
    public static void psraw(Cpu c, long d, long s) {
        shiftedPsraw(d, Raw.getLong(s));
    }

    /** PSRAW by an immediate; {@code s} is not used. */
    public static void psrawImm(Cpu c, long d, long s, int imm) {
        shiftedPsraw(d, imm & 0xff);
    }

    private static void shiftedPsraw(long d, long count) {
        Raw.putLong(d, SseLanes.shiftArithmeticWords(Raw.getLong(d), count));
        Raw.putLong(d + 8, SseLanes.shiftArithmeticWords(Raw.getLong(d + 8), count));
    }

    /** PSRAD by the low qword of a register or memory. */
    public static void psrad(Cpu c, long d, long s) {
        shiftedPsrad(d, Raw.getLong(s));
    }

    /** PSRAD by an immediate; {@code s} is not used. */
    public static void psradImm(Cpu c, long d, long s, int imm) {
        shiftedPsrad(d, imm & 0xff);
    }

    private static void shiftedPsrad(long d, long count) {
        Raw.putLong(d, SseLanes.shiftArithmeticDwords(Raw.getLong(d), count));
        Raw.putLong(d + 8, SseLanes.shiftArithmeticDwords(Raw.getLong(d + 8), count));
    }

    /** PSLLDQ: shifts the whole register left by bytes; {@code s} is not used. */
    public static void pslldq(Cpu c, long d, long s, int imm) {
        int bytes = imm & 0xff;
        long low = Raw.getLong(d);
        long high = Raw.getLong(d + 8);
        if (bytes >= 16) {
            low = 0;
            high = 0;
        } else if (bytes >= 8) {
            high = low << (bytes - 8) * 8;
            low = 0;
        } else if (bytes > 0) {
            high = high << bytes * 8 | low >>> 64 - bytes * 8;
            low <<= bytes * 8;
        }
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PSRLDQ: shifts the whole register right by bytes; {@code s} is not used. */
    public static void psrldq(Cpu c, long d, long s, int imm) {
        int bytes = imm & 0xff;
        long low = Raw.getLong(d);
        long high = Raw.getLong(d + 8);
        if (bytes >= 16) {
            low = 0;
            high = 0;
        } else if (bytes >= 8) {
            low = high >>> (bytes - 8) * 8;
            high = 0;
        } else if (bytes > 0) {
            low = low >>> bytes * 8 | high << 64 - bytes * 8;
            high >>>= bytes * 8;
        }
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PHADDW: the destination's pairs fill the low half, the source's the high half. */
    public static void phaddw(Cpu c, long d, long s) {
        long low = SseLanes.horizontalAddWords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.horizontalAddWords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PHADDD: the destination's pairs fill the low half, the source's the high half. */
    public static void phaddd(Cpu c, long d, long s) {
        long low = SseLanes.horizontalAddDwords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.horizontalAddDwords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PHADDSW: signed saturation: the destination's pairs fill the low half, the source's the high half. */
    public static void phaddsw(Cpu c, long d, long s) {
        long low = SseLanes.horizontalAddSignedWords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.horizontalAddSignedWords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PHSUBW: the destination's pairs fill the low half, the source's the high half. */
    public static void phsubw(Cpu c, long d, long s) {
        long low = SseLanes.horizontalSubWords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.horizontalSubWords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PHSUBD: the destination's pairs fill the low half, the source's the high half. */
    public static void phsubd(Cpu c, long d, long s) {
        long low = SseLanes.horizontalSubDwords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.horizontalSubDwords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }

    /** PHSUBSW: signed saturation: the destination's pairs fill the low half, the source's the high half. */
    public static void phsubsw(Cpu c, long d, long s) {
        long low = SseLanes.horizontalSubSignedWords(Raw.getLong(d), Raw.getLong(d + 8));
        long high = SseLanes.horizontalSubSignedWords(Raw.getLong(s), Raw.getLong(s + 8));
        Raw.putLong(d, low);
        Raw.putLong(d + 8, high);
    }
}
