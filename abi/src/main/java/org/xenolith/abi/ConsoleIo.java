package org.xenolith.abi;

/** {@link HypercallNumber#CONSOLE_IO}: first argument the operation, second the byte count, third the buffer. */
public final class ConsoleIo {
    public static final int WRITE = 0;
    public static final int READ = 1;

    private ConsoleIo() {}
}
