package org.xenolith.cpu.oracle;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.memory.Raw;

/**
 * One input: an instruction, the state before it and the memory it finds.
 *
 * <p>In the shared file (1088 bytes):
 *
 * <pre>
 *     0  general registers, rflags, fs base, gs base
 *   152  u32 slot   156 u8 code length   157 u8 mode (2: 32-bit, 3: 64-bit)   158 u8 patches   159 u8 steps
 *   192  FXSAVE64 image
 *   704  patches, at most 16: u16 offset, u16 length, 16 bytes
 *  1024  code, at most 64 bytes
 * </pre>
 */
public final class TestCase {
    static final int SIZE = 1088;
    static final int CODE = 1024;
    static final int MAX_PATCHES = 16;

    /** Bytes of the data area that differ from its pattern. */
    record Patch(int offset, byte[] bytes) {}

    /** Text of the instruction table's row. */
    final String row;

    int slot;
    /** 2: 32-bit code, 3: 64-bit code. */
    public int mode = 3;

    public byte[] code;
    /** Seed of {@link BaseState}: the text form of a case lists only what differs from it. */
    long seed;

    /** Number of instructions. */
    public int steps = 1;

    /** Flags that a sequence of instructions leaves undefined. */
    long undefined;

    /** Address of the memory operand while the case is fresh from the generator, else 0. */
    long operand;

    MachineState in;
    final List<Patch> patches = new ArrayList<>();

    TestCase(String row) {
        this.row = row;
    }

    /** Overwrites memory of the data area; longer pieces are cut up. */
    void patch(int offset, byte[] bytes) {
        for (int i = 0; i < bytes.length; i += 16) {
            int n = Math.min(16, bytes.length - i);
            int from = Math.max(offset + i, 0);
            int to = Math.min(offset + i + n, Layout.DATA_SIZE);
            if (from < to && patches.size() < MAX_PATCHES) {
                byte[] piece = new byte[to - from];
                System.arraycopy(bytes, from - offset, piece, 0, piece.length);
                patches.add(new Patch(from, piece));
            }
        }
    }

    /** Overwrites memory at a linear address of the data area. */
    void poke(long address, long value, int bytes) {
        byte[] b = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            b[i] = (byte) (value >>> i * 8);
        }
        patch((int) (address - Layout.DATA), b);
    }

    void store(long at) {
        in.store(at);
        Raw.putInt(at + 152, slot);
        Raw.putByte(at + 156, (byte) code.length);
        Raw.putByte(at + 157, (byte) mode);
        Raw.putByte(at + 158, (byte) patches.size());
        Raw.putByte(at + 159, (byte) steps);
        Raw.copy(code, 0, at + CODE, code.length);
        Raw.copy(in.fx, 0, at + 192, MachineState.FX_SIZE);
        long p = at + 704;
        for (Patch patch : patches) {
            Raw.putShort(p, (short) patch.offset);
            Raw.putShort(p + 2, (short) patch.bytes.length);
            Raw.copy(patch.bytes, 0, p + 4, patch.bytes.length);
            p += 20;
        }
    }

    /** Address of the instruction. */
    long address() {
        return Layout.slot(slot) + Layout.INSN;
    }
}
