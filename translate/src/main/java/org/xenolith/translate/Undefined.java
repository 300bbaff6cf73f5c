package org.xenolith.translate;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.translate.Emitted.Effect;
import org.xenolith.translate.Emitted.Entry;
import org.xenolith.translate.Emitted.Shape;

/**
 * What the architecture leaves open behind a run of instructions, so that two engines may differ there.
 *
 * @param flags of rflags, that are undefined
 * @param everything results that are open have flowed on, into registers or memory or a branch
 */
record Undefined(long flags, boolean everything) {
    /** Instructions whose result no two processors agree on, beside those with the table's attributes. */
    private static final Set<String> OWN_WILL = Set.of("rdtsc", "rdtscp", "rdrand", "rdseed");

    private static final Set<String> READ_CARRY = Set.of("adc", "sbb", "rcl", "rcr", "cmc");
    private static final Set<String> READ_ALL = Set.of("lahf", "pushf");

    /** The condition codes that read each pair of conditions, by bits 3..1 of the opcode. */
    private static final long[] CONDITIONS = {
        Flags.OF,
        Flags.CF,
        Flags.ZF,
        Flags.CF | Flags.ZF,
        Flags.SF,
        Flags.PF,
        Flags.SF | Flags.OF,
        Flags.ZF | Flags.SF | Flags.OF
    };

    /**
     * What is open behind the first {@code count} instructions of a block.
     *
     * @param entries how an instruction is emitted, or null
     */
    static Undefined after(TranslatedBlock block, int count, Function<Insn, Entry> entries) {
        long open = 0;
        for (Insn insn : decode(block, count)) {
            Entry entry = entries.apply(insn);
            if ((open & reads(insn, entry)) != 0 || hasOwnWill(insn)) {
                return new Undefined(Flags.ARITHMETIC, true);
            }
            if (entry != null && entry.effect() == Effect.SETS) {
                open = 0;
            }
            open |= insn.row.undefinedFlags;
        }
        return new Undefined(open, false);
    }

    /** The first instructions of a block. */
    static List<Insn> decode(TranslatedBlock block, int count) {
        Decoder decoder = new Decoder();
        List<Insn> insns = new ArrayList<>();
        int position = 0;
        while (insns.size() < count) {
            Insn insn = decoder.decode(block::at, block.position(insns.size(), position), 3);
            if (insn == null) {
                break;
            }
            insns.add(insn);
            position = insn.next;
        }
        return insns;
    }

    private static long reads(Insn insn, Entry entry) {
        String name = insn.row.mnemonic;
        if (READ_ALL.contains(name)) {
            return Flags.ARITHMETIC;
        }
        if (READ_CARRY.contains(name)) {
            return Flags.CF;
        }
        if (entry == null || entry.effect() != Effect.READS) {
            return 0;
        }
        return entry.shape() == Shape.X87 ? Flags.CF | Flags.ZF | Flags.PF : CONDITIONS[insn.opcode >> 1 & 7];
    }

    private static boolean hasOwnWill(Insn insn) {
        String name = insn.row.semantics;
        // A double shift of a word by more than its bits leaves nothing that is defined.
        boolean wordShift = insn.operandSize == 1 && (name.equals("Shifts.shld") || name.equals("Shifts.shrd"));
        return wordShift || insn.row.has("ulp") || insn.row.has("nonoracle") || OWN_WILL.contains(insn.row.mnemonic);
    }
}
