package org.xenolith.daemon.protocol;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;

/**
 * A piece of console traffic. On the wire:
 *
 * <pre>
 * offset 0  1 byte   kind: 0 data, 1 size, 2 end
 *        1  2 bytes  length of what follows, big-endian, at most 32768
 *        3  data: bytes for the other side; size: rows and columns, 2 bytes each; end: nothing, the guest has ended
 * </pre>
 *
 * @param kind what it is
 * @param data its bytes
 */
public record ConsoleFrame(Kind kind, byte[] data) {
    /** Most bytes in a frame. */
    public static final int MOST = 1 << 15;

    /** Kinds, in the order of their numbers. */
    public enum Kind {
        DATA,
        SIZE,
        END
    }

    private static final Kind[] KINDS = Kind.values();

    public static ConsoleFrame size(int rows, int columns) {
        return new ConsoleFrame(
                Kind.SIZE, new byte[] {(byte) (rows >> 8), (byte) rows, (byte) (columns >> 8), (byte) columns});
    }

    public static ConsoleFrame end() {
        return new ConsoleFrame(Kind.END, new byte[0]);
    }

    public int rows() {
        return (data[0] & 0xFF) << 8 | data[1] & 0xFF;
    }

    public int columns() {
        return (data[2] & 0xFF) << 8 | data[3] & 0xFF;
    }

    public void write(DataOutputStream out) throws IOException {
        out.writeByte(kind.ordinal());
        out.writeShort(data.length);
        out.write(data);
        out.flush();
    }

    /** The next frame; null when the other side has closed the connection. */
    public static ConsoleFrame read(DataInputStream in) throws IOException {
        int number = in.read();
        if (number < 0) {
            return null;
        }
        try {
            int length = in.readUnsignedShort();
            boolean fits = number < KINDS.length
                    && switch (KINDS[number]) {
                        case DATA -> length <= MOST;
                        case SIZE -> length == 4;
                        case END -> length == 0;
                    };
            if (!fits) {
                throw new Messages.MalformedException("no console frame: kind " + number + ", length " + length);
            }
            byte[] data = new byte[length];
            in.readFully(data);
            return new ConsoleFrame(KINDS[number], data);
        } catch (EOFException e) {
            return null;
        }
    }
}
