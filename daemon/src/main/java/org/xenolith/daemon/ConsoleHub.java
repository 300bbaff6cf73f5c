package org.xenolith.daemon;

import java.util.Arrays;
import org.xenolith.services.console.ConsoleSink;

/**
 * What a guest says, for any number of listeners, each at its own pace: the latest of it is kept in a ring, also when nobody
 * listens and after the guest's end. A listener that falls behind by more than the ring loses the oldest; the guest never waits.
 */
final class ConsoleHub implements ConsoleSink {
    /** Most output that is kept. */
    static final int MOST = 1 << 20;

    private byte[] ring = new byte[1 << 12];
    /** Bytes that the guest has said in its life; the ring holds those from {@code end - kept} on. */
    private long end;

    private int kept;
    private boolean ended;

    @Override
    public synchronized int write(byte[] bytes, int offset, int length) {
        if (kept + length > ring.length && ring.length < MOST) {
            grow(Math.min(MOST, Math.max(ring.length * 2, Integer.highestOneBit(kept + length) * 2)));
        }
        int skipped = Math.max(0, length - ring.length);
        for (int done = skipped; done < length; ) {
            int at = (int) ((end + done) % ring.length);
            int piece = Math.min(length - done, ring.length - at);
            System.arraycopy(bytes, offset + done, ring, at, piece);
            done += piece;
        }
        end += length;
        kept = Math.min(ring.length, kept + length);
        notifyAll();
        return length;
    }

    private void grow(int size) {
        byte[] larger = new byte[size];
        for (long i = end - kept; i < end; i++) {
            larger[(int) (i % size)] = ring[(int) (i % ring.length)];
        }
        ring = larger;
    }

    /** There is nothing more to come. */
    synchronized void end() {
        ended = true;
        notifyAll();
    }

    synchronized boolean hasEnded() {
        return ended;
    }

    /** Where a listener begins that wants all that is kept. */
    synchronized long oldest() {
        return end - kept;
    }

    /**
     * Output behind a position, as much as there is up to a limit; waits while there is none.
     *
     * @return the output and the position behind it; null at the end
     */
    synchronized Piece after(long position, int most) throws InterruptedException {
        while (position >= end && !ended) {
            wait();
        }
        if (position >= end) {
            return null;
        }
        long from = Math.max(position, end - kept);
        int length = (int) Math.min(most, end - from);
        int at = (int) (from % ring.length);
        int first = Math.min(length, ring.length - at);
        byte[] bytes = Arrays.copyOf(Arrays.copyOfRange(ring, at, at + first), length);
        System.arraycopy(ring, 0, bytes, first, length - first);
        return new Piece(bytes, from + length);
    }

    /**
     * A piece of output.
     *
     * @param bytes the output
     * @param position of what follows
     */
    record Piece(byte[] bytes, long position) {}
}
