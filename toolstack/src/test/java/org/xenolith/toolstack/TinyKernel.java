package org.xenolith.toolstack;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/** PVH kernels of a few instructions, at 1 MiB, in 32-bit code. */
final class TinyKernel {
    static final int ENTRY = 0x100000;

    /** {@code cli; l: inc eax; jmp l}. */
    static final String SPIN = "fa 40 ebfd";

    /** {@code mov eax, 0x1234; lidt [0]; ud2}: no handler for it, nor for what follows from that. */
    static final String TRIPLE_FAULT = "b834120000 0f011d00000000 0f0b";

    /** sched_op(shutdown, crash), as a kernel that panics does. */
    static final String PANIC = "c7050000200003000000 b900002000 bb02000000 b81d000000 0f01c1 ebfe";

    /** {@code l: xen_version(version); out 0x80, al; jmp l}. */
    static final String BUSY = "b811000000 bb00000000 0f01c1 e680 ebf0";

    private TinyKernel() {}

    static Path write(Path directory, String hex) throws IOException {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        int note = 52 + 2 * 32;
        int content = note + 20;
        ByteBuffer out = ByteBuffer.allocate(content + code.length).order(ByteOrder.LITTLE_ENDIAN);
        out.put(new byte[] {0x7f, 'E', 'L', 'F', 1, 1, 1, 0}).position(16);
        out.putShort((short) 2)
                .putShort((short) 3)
                .putInt(1)
                .putInt(ENTRY)
                .putInt(52)
                .putInt(0)
                .putInt(0);
        out.putShort((short) 52).putShort((short) 32).putShort((short) 2);
        out.position(52);
        header(out, 4, note, 0, 20);
        header(out, 1, content, ENTRY, code.length);
        out.putInt(4)
                .putInt(4)
                .putInt(18)
                .put("Xen\0".getBytes(StandardCharsets.US_ASCII))
                .putInt(ENTRY);
        out.put(code);
        Path file = directory.resolve("kernel.elf");
        Files.write(file, out.array());
        return file;
    }

    private static void header(ByteBuffer out, int type, int offset, int address, int size) {
        out.putInt(type).putInt(offset).putInt(address).putInt(address);
        out.putInt(size).putInt(size).putInt(7).putInt(4);
    }
}
