package org.xenolith.cpu.oracle;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.memory.Raw;

/**
 * What came out of one test case.
 *
 * <p>In the shared file (2304 bytes):
 *
 * <pre>
 *     0  u32 exit code   4 u32 error code   8 u64 rip   16 u64 cr2 (the last three for faults)
 *    24  general registers, rflags, fs base, gs base
 *   176  FXSAVE64 image
 *   688  u32 bytes of the list of changes, -1 when it does not fit
 *   696  changes of the data area: u16 offset, u16 length, bytes
 *  2048  upper halves of YMM0..15
 * </pre>
 */
final class Outcome {
    static final int SIZE = 2304;
    static final int YMM = 2048;
    private static final int DIFFS = 696;
    private static final int GAP = 8;

    int exit;
    int error;
    long rip;
    long cr2;
    MachineState out = new MachineState();
    List<TestCase.Patch> changes = new ArrayList<>();
    boolean changesLost;

    boolean isFault() {
        return exit >= Layout.FAULT && exit < Layout.FAULT + 32;
    }

    static Outcome load(long at) {
        Outcome o = new Outcome();
        o.exit = Raw.getInt(at);
        o.error = Raw.getInt(at + 4);
        o.rip = Raw.getLong(at + 8);
        o.cr2 = Raw.getLong(at + 16);
        o.out.load(at + 24);
        Raw.copy(at + 176, o.out.fx, 0, MachineState.FX_SIZE);
        Raw.copy(at + YMM, o.out.ymm, 0, MachineState.YMM_SIZE);
        int bytes = Raw.getInt(at + 688);
        if (bytes < 0) {
            o.changesLost = true;
            return o;
        }
        long p = at + DIFFS;
        while (p < at + DIFFS + bytes) {
            int offset = Raw.getShort(p) & 0xffff;
            byte[] b = new byte[Raw.getShort(p + 2) & 0xffff];
            Raw.copy(p + 4, b, 0, b.length);
            o.changes.add(new TestCase.Patch(offset, b));
            p += 4 + b.length;
        }
        return o;
    }

    /**
     * Makes an FXSAVE image in memory one of a processor without misaligned SSE mode (AMD has it): MXCSR_MASK is
     *   0xFFFF.
     */
    void hideMxcsrMask(TestCase c) {
        int at = (int) (c.operand - Layout.DATA) + 30;
        for (TestCase.Patch change : changes) {
            int i = at - change.offset();
            if (i >= 0 && i < change.bytes().length) {
                change.bytes()[i] = 0;
            }
        }
    }

    /**
     * Lists the differences of two images of the data area at {@code at + 688}, in pieces that begin and end with
     * one.
     */
    static void storeChanges(long at, long before, long after) {
        long p = at + DIFFS;
        long end = at + YMM;
        int i = 0;
        while (i < Layout.DATA_SIZE) {
            if ((i & 7) == 0 && Raw.getLong(before + i) == Raw.getLong(after + i)) {
                i += 8;
                continue;
            }
            if (Raw.getByte(before + i) == Raw.getByte(after + i)) {
                i++;
                continue;
            }
            int last = i;
            for (int j = i + 1; j < Layout.DATA_SIZE && j - last <= GAP; j++) {
                if (Raw.getByte(before + j) != Raw.getByte(after + j)) {
                    last = j;
                }
            }
            int n = last - i + 1;
            if (p + 4 + n > end) {
                Raw.putInt(at + 688, -1);
                return;
            }
            Raw.putShort(p, (short) i);
            Raw.putShort(p + 2, (short) n);
            Raw.copy(after + i, p + 4, n);
            p += 4 + n;
            i = last + 1;
        }
        Raw.putInt(at + 688, (int) (p - at - DIFFS));
    }
}
