package org.xenolith.translate;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import org.xenolith.cpu.core.FrameTable;

/** Translated blocks by the host frame that their guest code is in, with a mask of the 64-byte chunks that were read. */
final class TranslatedPages {
    private static final int BUCKET_SHIFT = 6;

    private static final class Page {
        final TranslatedBlock[] buckets = new TranslatedBlock[64];
        /** Blocks of the page before whose instruction ends in this one. */
        final List<TranslatedBlock> tails = new ArrayList<>(0);

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
            if (b.host == host && !b.dead) {
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
        long frame = block.host & -4096L;
        boolean first = !hasCode(frame);
        Page page = page(frame);
        page.chunks |= chunks(block.first, block.lengthInFrame());
        int bucket = bucket(block.host);
        block.nextInBucket = page.buckets[bucket];
        page.buckets[bucket] = block;
        return first;
    }

    /** Enters a block's {@link TranslatedBlock#tail}; true when that frame holds none yet. */
    boolean addTail(TranslatedBlock block) {
        boolean first = !hasCode(block.tail);
        Page page = page(block.tail);
        page.chunks |= chunks(0, block.lengthInTail());
        page.tails.add(block);
        return first;
    }

    private Page page(long frame) {
        Page page = pages.get(frame);
        if (page == null) {
            page = new Page();
            pages.put(frame, page);
        }
        return page;
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
                int at = b.first;
                if (b.dead) {
                    // Killed through its tail, or replaced by a trace.
                } else if (at < offset + bytes && offset < at + b.lengthInFrame()) {
                    kill(b);
                } else {
                    b.nextInBucket = kept;
                    kept = b;
                    left |= chunks(at, b.lengthInFrame());
                }
                b = next;
            }
            page.buckets[i] = kept;
        }
        for (Iterator<TranslatedBlock> i = page.tails.iterator(); i.hasNext(); ) {
            TranslatedBlock b = i.next();
            if (!b.dead && offset < b.lengthInTail()) {
                kill(b);
            }
            if (b.dead) {
                i.remove();
            } else {
                left |= chunks(0, b.lengthInTail());
            }
        }
        page.chunks = left;
        if (left == 0) {
            pages.remove(frame);
            return true;
        }
        return false;
    }

    private void kill(TranslatedBlock block) {
        block.dead = true;
        killed.accept(block);
    }

    int size() {
        return pages.size();
    }

    /** Forgets all blocks, without telling: their code memory is gone. */
    void clear() {
        pages.clear();
    }
}
