package org.xenolith.translate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.xenolith.memory.Raw;

/** {@link EmittedCodeCheck} bites: it accepts a block, and refuses the same block after some bytes of it were replaced. */
class EmittedCodeCheckTest {
    /**
     * What is done to a block.
     *
     * @param guest guest code
     * @param find bytes of the block, of which the last occurrence is replaced; dots stand for any digit
     * @param put what stands there then
     * @param why begin of the refusal
     */
    private record Mutant(String what, String guest, String find, String put, String why) {}

    private static final String STORE = "48894B08 F4"; // mov [rbx+8],rcx
    private static final String LOAD = "488B4B08 F4"; // mov rcx,[rbx+8]
    private static final String SHARED = "48894308 48894B10 F4"; // mov [rbx+8],rax; mov [rbx+16],rcx
    private static final String INDEXED = "48894C9308 F4"; // mov [rbx+rdx*4+8],rcx
    private static final String ALIGNED = "0F294308 F4"; // movaps [rbx+8],xmm0
    private static final String STRING = "F3A4 F4"; // rep movsb
    private static final String NOPS = "909090909090";

    private static final List<Mutant> MUTANTS = List.of(
            new Mutant(
                    "a probe whose branch is missing",
                    STORE,
                    "0F85........4D8B5B18",
                    NOPS + "4D8B5B18",
                    "no probe covers 8"),
            new Mutant(
                    "a probe whose branch is the wrong way round",
                    STORE,
                    "0F85........4D8B5B18",
                    "0F84",
                    "no probe covers 8"),
            new Mutant("a store behind a probe of the read tag", STORE, "4D3B5308", "4D3B5300", "no probe covers 8"),
            new Mutant("a load turned into a store", LOAD, "498B4C1B08", "49894C1B08", "no probe covers 8"),
            new Mutant("a comparison with the tag of fetches", STORE, "4D3B5308", "4D3B5310", "no probe covers 8"),
            new Mutant("a comparison of the other register", STORE, "4D3B5308", "4D3B5B08", "no probe covers 8"),
            new Mutant("an entry looked up for a byte too few", STORE, "4D8D5A07", "4D8D5A06", "no probe covers 8"),
            new Mutant(
                    "an entry looked up for bytes before the operand",
                    STORE,
                    "4D8D5A07",
                    "4D8D5AF9",
                    "no probe covers 8"),
            new Mutant(
                    "an index that is not masked enough",
                    STORE,
                    "4181E3E0FF0000",
                    "4181E3E0FF0100",
                    "an index of a table"),
            new Mutant(
                    "an index that is not on an entry",
                    STORE,
                    "4181E3E0FF0000",
                    "4181E3F0FF0000",
                    "an index of a table"),
            new Mutant("an index of other bits of the address", STORE, "49C1EB07", "49C1EB08", "no probe covers 8"),
            new Mutant("no table", STORE, "4D031E", "909090", "an operand in memory"),
            new Mutant("a page of 8 KiB", STORE, "4981E200F0FFFF", "4981E200E0FFFF", "no probe covers 8"),
            new Mutant("something else in place of the addend", STORE, "4D8B5B18", "4D8B5B10", "an operand in memory"),
            new Mutant("an addend of another entry", STORE, "4D8B5B18", "4D8B5B58", "an index of a table"),
            new Mutant("an operand a byte further on", STORE, "49894C1B08", "49894C1B09", "no probe covers 8"),
            new Mutant("an operand a byte before", STORE, "49894C1B08", "49894C1B07", "no probe covers 8"),
            new Mutant("another base register", STORE, "49894C1B08", "49894C0B08", "no probe covers 8"),
            new Mutant("another scale", INDEXED, "49894C9308", "49894CD308", "no probe covers 8"),
            new Mutant("a wider operand", "894B08 F4", "41894C1B08", "49894C1B08", "no probe covers 8"),
            new Mutant("a store of the addend", STORE, "49894C1B08", "4D895C1B08", "stores a secret"),
            new Mutant(
                    "a group that is looked up for too few bytes", SHARED, "4D8D5A0F", "4D8D5A0E", "no probe covers 8"),
            new Mutant(
                    "a group whose addend comes from another slot",
                    SHARED,
                    "4D8B9EC0000000",
                    "4D8B9EC8000000",
                    "an operand in memory"),
            new Mutant(
                    "a group's register that was changed between",
                    SHARED,
                    "4989441B08",
                    "4883C30890",
                    "no probe covers 8"),
            new Mutant(
                    "an aligned store that is not looked at for that",
                    ALIGNED,
                    "4981E20FF0FFFF",
                    "4981E207F0FFFF",
                    "no probe covers 16"),
            new Mutant("an aligned operand that is not", ALIGNED, "410F29441B08", "410F29441B0C", "no probe covers 16"),
            new Mutant(
                    "a string that may leave its page",
                    STRING,
                    "4181FA00100000",
                    "4181FA01100000",
                    "a string that may leave"),
            new Mutant(
                    "a string whose count is not bounded",
                    STRING,
                    "4881F900100000",
                    "4881F900000001",
                    "a string that may leave"),
            new Mutant("a string whose pointer keeps an address", STRING, "492B7E50", "90909090", "leaves a secret"),
            new Mutant("string elements wider than what was looked up", STRING, "F3A4", "F3A5", "no probe covers 4"),
            new Mutant("a division without a guard", "F7F1 F4", "0F83........", NOPS, "divides without"),
            new Mutant("a signed division without a guard", "F7F9 F4", "0F86........", NOPS, "divides without"),
            new Mutant(
                    "LDMXCSR of what nobody has looked at",
                    "0FAE13 F4",
                    "0F85........410FAE",
                    NOPS + "410FAE",
                    "loads a control"),
            new Mutant(
                    "LDMXCSR from the guest, a second time",
                    "0FAE13 F4",
                    "410FAE5648",
                    "410FAE141B",
                    "loads a control"),
            new Mutant("a bit beyond the operand", "480FA30B F4", "4183E23F", "4183E27F", "reaches a bit"),
            new Mutant("a write of the stack pointer", STORE, "49894C1B08", "4889CC9090", "writes rsp"),
            new Mutant("a write of the state pointer", STORE, "49894C1B08", "4989CE9090", "writes rsp or r14"),
            new Mutant("a push", STORE, "49894C1B08", "5190909090", "not an instruction"),
            new Mutant("a return", STORE, "49894C1B08", "C390909090", "not an instruction"),
            new Mutant("a system call", STORE, "49894C1B08", "0F05909090", "not an instruction"),
            new Mutant("an interrupt", STORE, "49894C1B08", "CD80909090", "not an instruction"),
            new Mutant("a set direction flag", STORE, "49894C1B08", "FD90909090", "not an instruction"),
            new Mutant("a segment", STORE, "49894C1B08", "6448890B90", "a segment"),
            new Mutant("a 32-bit address", STORE, "49894C1B08", "6741890B90", "a segment or another"),
            new Mutant(
                    "an operand of the guest without an addend",
                    STORE,
                    "49894C1B08",
                    "48894C1308",
                    "an operand in memory"),
            new Mutant("an operand on the stack", STORE, "49894C1B08", "48894C2408", "an operand in memory"),
            new Mutant(
                    "a store to the slot with the table", STORE, "49894C1B08", "49890E9090", "an operand in the state"),
            new Mutant(
                    "a store to what must stay zero",
                    STORE,
                    "49894C1B0841C7",
                    "49898E90F9FFFF",
                    "an operand in the state"),
            new Mutant(
                    "an operand behind the state block",
                    STORE,
                    "49894C1B0841C7",
                    "498B8E00010000",
                    "an operand in the state"),
            new Mutant(
                    "another privilege's table of fetches for data",
                    "0F05",
                    "4D8B96A0000000",
                    "4D8B96A8000000",
                    "an operand in the state"),
            new Mutant("a branch to what is no block", "EBFE", "E8........", "E900000100", "jumps to"),
            new Mutant("a call of something else", STORE, "E8........", "E800000000", "calls"),
            new Mutant(
                    "an exit that does not say why",
                    STORE,
                    "41C74614........E8",
                    "41C7461800000000E8",
                    "leaves without"),
            new Mutant("a jump through the cache without a look at the tag", "C3", "4D3B13", "4D3BD2", "jumps through"),
            new Mutant("a jump through another entry", "C3", "41FF6308", "41FF6318", "an index of a table"),
            new Mutant(
                    "a jump through a larger cache", "C3", "4181E3FF3F0000", "4181E3FF7F0000", "an index of a table"));

    @TestFactory
    List<DynamicTest> isRefused() {
        return MUTANTS.stream()
                .map(m -> DynamicTest.dynamicTest(m.what, () -> refuses(m)))
                .toList();
    }

    private static void refuses(Mutant m) {
        try (Translation t = new Translation(false)) {
            byte[] guest = HexFormat.of().parseHex(m.guest.replace(" ", ""));
            TranslatedBlock block = t.load(0x100, guest, guest.length).block(0x100);
            long end = t.memory.next();
            new EmittedCodeCheck(t.trampolines).block(block.code, end, address -> false);
            byte[] code = new byte[(int) (end - block.code)];
            Raw.copy(block.code, code, 0, code.length);
            int at = last(HexFormat.of().withUpperCase().formatHex(code), m.find);
            assertThat(at)
                    .as("%s in %s", m.find, HexFormat.of().formatHex(code))
                    .isNotNegative();
            byte[] put = HexFormat.of().parseHex(m.put);
            t.memory.write(block.code + at, put, put.length);
            assertThatThrownBy(() -> new EmittedCodeCheck(t.trampolines).block(block.code, end, address -> false))
                    .isInstanceOf(UnsafeCode.class)
                    .hasMessageStartingWith(m.why);
        }
    }

    /** Offset in bytes, or -1. */
    private static int last(String hex, String find) {
        for (int at = hex.length() - find.length() & -2; at >= 0; at -= 2) {
            if (hex.substring(at, at + find.length()).matches(find)) {
                return at / 2;
            }
        }
        return -1;
    }
}
