package org.xenolith.cpu.semantics;

import org.xenolith.cpu.core.Cpu;
import org.xenolith.memory.Raw;

/**
 * Integer arithmetic and shuffles on MMX registers, MMX to SSSE3: one call of {@link SseLanes} each.
 *
 * <p>{@code d} is the address of the destination, which is also the first source; {@code s} that of the second source.
 * The caller enters MMX mode and sets bits 64 to 79 of a written register.
 */
public final class Mmx {
    private Mmx() {}

    /** PADDB: wrapping addition of bytes. */
    public static void paddb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.addBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PADDW: wrapping addition of words. */
    public static void paddw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.addWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PADDD: wrapping addition of dwords. */
    public static void paddd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.addDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PADDQ: wrapping addition of qwords. */
    public static void paddq(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.addQwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSUBB. */
    public static void psubb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.subBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSUBW. */
    public static void psubw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.subWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSUBD. */
    public static void psubd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.subDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSUBQ. */
    public static void psubq(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.subQwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PADDSB: signed saturation. */
    public static void paddsb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.addSignedBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PADDSW: signed saturation. */
    public static void paddsw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.addSignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PADDUSB: unsigned saturation. */
    public static void paddusb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.addUnsignedBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PADDUSW: unsigned saturation. */
    public static void paddusw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.addUnsignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSUBSB: signed saturation. */
    public static void psubsb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.subSignedBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSUBSW: signed saturation. */
    public static void psubsw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.subSignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSUBUSB: unsigned saturation. */
    public static void psubusb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.subUnsignedBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSUBUSW: unsigned saturation. */
    public static void psubusw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.subUnsignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PAVGB: rounded average. */
    public static void pavgb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.averageBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PAVGW: rounded average. */
    public static void pavgw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.averageWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PCMPEQB. */
    public static void pcmpeqb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.equalBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PCMPEQW. */
    public static void pcmpeqw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.equalWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PCMPEQD. */
    public static void pcmpeqd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.equalDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PCMPGTB, signed. */
    public static void pcmpgtb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.greaterBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PCMPGTW, signed. */
    public static void pcmpgtw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.greaterWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PCMPGTD, signed. */
    public static void pcmpgtd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.greaterDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PAND, ANDPS, ANDPD. */
    public static void pand(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.and(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PANDN, ANDNPS, ANDNPD. */
    public static void pandn(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.andNot(Raw.getLong(d), Raw.getLong(s)));
    }

    /** POR, ORPS, ORPD. */
    public static void por(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.or(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PXOR, XORPS, XORPD. */
    public static void pxor(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.xor(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMINUB. */
    public static void pminub(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.minUnsignedBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMAXUB. */
    public static void pmaxub(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.maxUnsignedBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMINSW. */
    public static void pminsw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.minSignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMAXSW. */
    public static void pmaxsw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.maxSignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMULLW. */
    public static void pmullw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.mulLowWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMULHW. */
    public static void pmulhw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.mulHighWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMULHUW. */
    public static void pmulhuw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.mulHighUnsignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMULUDQ. */
    public static void pmuludq(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.mulUnsignedDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMADDWD. */
    public static void pmaddwd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.mulAddWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSADBW. */
    public static void psadbw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.sumAbsoluteDifferences(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSIGNB. */
    public static void psignb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.signBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSIGNW. */
    public static void psignw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.signWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSIGND. */
    public static void psignd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.signDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMULHRSW. */
    public static void pmulhrsw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.mulHighRoundedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PMADDUBSW. */
    public static void pmaddubsw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.mulAddBytes(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PABSB. */
    public static void pabsb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.absBytes(Raw.getLong(s)));
    }

    /** PABSW. */
    public static void pabsw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.absWords(Raw.getLong(s)));
    }

    /** PABSD. */
    public static void pabsd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.absDwords(Raw.getLong(s)));
    }

    /** PSLLW by a register or memory. */
    public static void psllw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.shiftLeftWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSLLW by an immediate; {@code s} is not used. */
    public static void psllwImm(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, SseLanes.shiftLeftWords(Raw.getLong(d), imm & 0xff));
    }

    /** PSLLD by a register or memory. */
    public static void pslld(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.shiftLeftDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSLLD by an immediate; {@code s} is not used. */
    public static void pslldImm(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, SseLanes.shiftLeftDwords(Raw.getLong(d), imm & 0xff));
    }

    /** PSLLQ by a register or memory. */
    public static void psllq(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.shiftLeftQwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSLLQ by an immediate; {@code s} is not used. */
    public static void psllqImm(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, SseLanes.shiftLeftQwords(Raw.getLong(d), imm & 0xff));
    }

    /** PSRLW by a register or memory. */
    public static void psrlw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.shiftRightWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSRLW by an immediate; {@code s} is not used. */
    public static void psrlwImm(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, SseLanes.shiftRightWords(Raw.getLong(d), imm & 0xff));
    }

    /** PSRLD by a register or memory. */
    public static void psrld(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.shiftRightDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSRLD by an immediate; {@code s} is not used. */
    public static void psrldImm(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, SseLanes.shiftRightDwords(Raw.getLong(d), imm & 0xff));
    }

    /** PSRLQ by a register or memory. */
    public static void psrlq(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.shiftRightQwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSRLQ by an immediate; {@code s} is not used. */
    public static void psrlqImm(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, SseLanes.shiftRightQwords(Raw.getLong(d), imm & 0xff));
    }

    /** PSRAW by a register or memory. */
    public static void psraw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.shiftArithmeticWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSRAW by an immediate; {@code s} is not used. */
    public static void psrawImm(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, SseLanes.shiftArithmeticWords(Raw.getLong(d), imm & 0xff));
    }

    /** PSRAD by a register or memory. */
    public static void psrad(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.shiftArithmeticDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PSRAD by an immediate; {@code s} is not used. */
    public static void psradImm(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, SseLanes.shiftArithmeticDwords(Raw.getLong(d), imm & 0xff));
    }

    /** PHADDW. */
    public static void phaddw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.horizontalAddWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PHADDD. */
    public static void phaddd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.horizontalAddDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PHADDSW: signed saturation. */
    public static void phaddsw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.horizontalAddSignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PHSUBW. */
    public static void phsubw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.horizontalSubWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PHSUBD. */
    public static void phsubd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.horizontalSubDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PHSUBSW: signed saturation. */
    public static void phsubsw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.horizontalSubSignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PACKSSWB. */
    public static void packsswb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.packSignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PACKUSWB. */
    public static void packuswb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.packUnsignedWords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PACKSSDW. */
    public static void packssdw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.packSignedDwords(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PUNPCKLBW; only 4 bytes of the source are read. */
    public static void punpcklbw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.interleaveLowBytes(Raw.getLong(d), Raw.getInt(s)));
    }

    /** PUNPCKLWD; only 4 bytes of the source are read. */
    public static void punpcklwd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.interleaveLowWords(Raw.getLong(d), Raw.getInt(s)));
    }

    /** PUNPCKLDQ; only 4 bytes of the source are read. */
    public static void punpckldq(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.interleaveLowDwords(Raw.getLong(d), Raw.getInt(s)));
    }

    /** PUNPCKHBW. */
    public static void punpckhbw(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.interleaveLowBytes(Raw.getLong(d) >>> 32, Raw.getLong(s) >>> 32));
    }

    /** PUNPCKHWD. */
    public static void punpckhwd(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.interleaveLowWords(Raw.getLong(d) >>> 32, Raw.getLong(s) >>> 32));
    }

    /** PUNPCKHDQ. */
    public static void punpckhdq(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.interleaveLowDwords(Raw.getLong(d) >>> 32, Raw.getLong(s) >>> 32));
    }

    /** PSHUFW. */
    public static void pshufw(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, SseLanes.shuffleWords(Raw.getLong(s), imm));
    }

    /** PSHUFB: index bit 7 clears the byte, only three index bits count. */
    public static void pshufb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.lookup(Raw.getLong(d), Raw.getLong(s)));
    }

    /** PALIGNR. */
    public static void palignr(Cpu c, long d, long s, int imm) {
        int bits = (imm & 0xff) * 8;
        long low = Raw.getLong(s);
        long high = Raw.getLong(d);
        long result;
        if (bits == 0) {
            result = low;
        } else if (bits < 64) {
            result = low >>> bits | high << 64 - bits;
        } else {
            result = bits < 128 ? high >>> bits - 64 : 0;
        }
        Raw.putLong(d, result);
    }

    /** PINSRW. */
    public static void pinsrw(Cpu c, long d, long s, int imm) {
        Raw.putShort(d + (imm & 3) * 2, Raw.getShort(s));
    }

    /** PEXTRW. */
    public static void pextrw(Cpu c, long d, long s, int imm) {
        Raw.putLong(d, Raw.getShort(s + (imm & 3) * 2) & 0xffffL);
    }

    /** PMOVMSKB. */
    public static void pmovmskb(Cpu c, long d, long s) {
        Raw.putLong(d, SseLanes.signBits(Raw.getLong(s)));
    }

    /** MOVD from a 32-bit register or memory. */
    public static void movd(Cpu c, long d, long s) {
        Raw.putLong(d, Raw.getInt(s) & 0xffffffffL);
    }

    /** MOVD to a 32-bit register or memory. */
    public static void movdStore(Cpu c, long d, long s) {
        Raw.putInt(d, Raw.getInt(s));
    }

    /** MOVQ, MOVNTQ, MOVDQ2Q. */
    public static void movq(Cpu c, long d, long s) {
        Raw.putLong(d, Raw.getLong(s));
    }
}
