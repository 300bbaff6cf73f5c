package org.xenolith.toolstack.inspect;

import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.GuestPhysical;

/** Guest memory as hexadecimal dumps. */
public final class MemoryText {
    private MemoryText() {}

    /** Memory as the processor sees it. */
    public static String linear(VcpuState state, GuestView view, long address, int length) {
        byte[] bytes = new byte[length];
        int known = view.read(state, address, bytes, length);
        return dump(address, bytes, known, length, "not mapped");
    }

    /** Memory by guest-physical address. */
    public static String physical(GuestView view, long address, int length) {
        byte[] bytes = new byte[length];
        int known = 0;
        while (known < length) {
            long at = address + known;
            int chunk = (int) Math.min(length - known, GuestPhysical.FRAME_SIZE - (at & GuestPhysical.FRAME_SIZE - 1));
            if (!view.memory().read(at, bytes, known, chunk)) {
                break;
            }
            known += chunk;
        }
        return dump(address, bytes, known, length, "no memory there");
    }

    private static String dump(long address, byte[] bytes, int known, int length, String problem) {
        String text = HexDump.format(address, bytes, known);
        return known < length ? text + String.format("%016x: %s%n", address + known, problem) : text;
    }
}
