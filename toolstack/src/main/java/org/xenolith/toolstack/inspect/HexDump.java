package org.xenolith.toolstack.inspect;

/** Memory as bytes and as text. */
final class HexDump {
    private HexDump() {}

    /** Sixteen bytes a line behind their address. */
    static String format(long address, byte[] bytes, int length) {
        StringBuilder s = new StringBuilder();
        for (int line = 0; line < length; line += 16) {
            s.append(String.format("%016x ", address + line));
            for (int i = 0; i < 16; i++) {
                s.append(i == 8 ? "  " : " ");
                s.append(line + i < length ? String.format("%02x", bytes[line + i]) : "  ");
            }
            s.append("  |");
            for (int i = line; i < Math.min(line + 16, length); i++) {
                s.append(bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char) bytes[i] : '.');
            }
            s.append("|\n");
        }
        return s.toString();
    }
}
