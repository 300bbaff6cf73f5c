package org.xenolith.daemon;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import org.xenolith.daemon.protocol.Messages;

/** A connection that carries lines, and bytes behind them. One thread reads, one writes. */
final class LineChannel implements AutoCloseable {
    private final SocketChannel channel;
    private final DataInputStream in;
    private final OutputStream out;

    LineChannel(SocketChannel channel) {
        this.channel = channel;
        in = new DataInputStream(new BufferedInputStream(Channels.newInputStream(channel), 1 << 13));
        out = Channels.newOutputStream(channel);
    }

    /** The next line; null at the end of the connection. */
    String readLine() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream(256);
        InputStream bytes = in;
        for (int b = bytes.read(); b != '\n'; b = bytes.read()) {
            if (b < 0) {
                return null;
            }
            if (line.size() == Messages.LONGEST) {
                throw new IOException("a line longer than " + Messages.LONGEST + " bytes");
            }
            line.write(b);
        }
        return line.toString(StandardCharsets.UTF_8);
    }

    void writeLine(String line) throws IOException {
        out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
        out.flush();
    }

    DataInputStream in() {
        return in;
    }

    DataOutputStream out() {
        return new DataOutputStream(new java.io.BufferedOutputStream(out, 1 << 13));
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // Nothing was buffered here, and the other side sees the end either way.
            return;
        }
    }
}
