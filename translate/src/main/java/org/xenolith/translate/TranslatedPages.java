package org.xenolith.translate;

import java.util.function.Consumer;
import org.xenolith.cpu.core.FrameTable;

/** Translated blocks by the host frame that their guest code is in, with a mask of the 64-byte chunks that were read. */
final class TranslatedPages {
    private static final int BUCKET_SHIFT = 6;

    private static final class Page {
        final TranslatedBlock[] buckets = new TranslatedBlock[64];
        long chunks;
    }

    private final FrameTable<Page> pages = new FrameTable<>();
    private final Consumer<TranslatedBlock> killed;

    /**
     * An empty index.
     *
     * @param killed hears of each block whose guest code is overwritten
     */
    TranslatedPages(Consumer<TranslatedBlock> killed) {
        this.killed = killed;
    }

    TranslatedBlock find(long host) {
        Page page = pages.get(host & -4096L);
        if (page == null) {
            return null;
        }
        for (TranslatedBlock b = page.buckets[bucket(host)]; b != null; b = b.nextInBucket) {
            if (b.host == host) {
                return b;
            }
        }
        return null;
    }

    boolean hasCode(long frame) {
        return pages.get(frame) != null;
    }

    /** Enters a block; true when its frame holds none yet, so that stores to it must be watched from now on. */
    boolean add(TranslatedBlock block) {
        Page page = pages.get(block.host & -4096L);
        boolean first = page == null;
        if (first) {
            page = new Page();
            pages.put(block.host & -4096L, page);
        }
        page.chunks |= chunks((int) block.host & 4095, block.length);
        int bucket = bucket(block.host);
        block.nextInBucket = page.buckets[bucket];
        page.buckets[bucket] = block;
        return first;
    }

    private static int bucket(long host) {
        return (int) (host >>> BUCKET_SHIFT) & 63;
    }

    private static long chunks(int offset, int bytes) {
        int from = offset >> BUCKET_SHIFT;
        int to = offset + bytes - 1 >> BUCKET_SHIFT;
        return -1L >>> 63 - (to - from) << from;
    }

    /** Bytes of a frame are written: kills the blocks made from them. True when the frame holds no code any more. */
    boolean written(long frame, int offset, int bytes) {
        Page page = pages.get(frame);
        if (page == null) {
            return true;
        }
        if ((page.chunks & chunks(offset, bytes)) == 0) {
            return false;
        }
        long left = 0;
        for (int i = 0; i < page.buckets.length; i++) {
            TranslatedBlock kept = null;
            for (TranslatedBlock b = page.buckets[i]; b != null; ) {
                TranslatedBlock next = b.nextInBucket;
                int at = (int) b.host & 4095;
                if (at < offset + bytes && offset < at + b.length) {
                    killed.accept(b);
                } else {
                    b.nextInBucket = kept;
                    kept = b;
                    left |= chunks(at, b.length);
                }
                b = next;
            }
            page.buckets[i] = kept;
        }
        page.chunks = left;
        if (left == 0) {
            pages.remove(frame);
            return true;
        }
        return false;
    }

    int size() {
        return pages.size();
    }

    /** Forgets all blocks, without telling: their code memory is gone. */
    void clear() {
        pages.clear();
    }
}
