package org.xenolith.cpu.interpret;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.core.FrameTable;

/**
 * Decoded blocks by the host frame their bytes are in.
 *
 * <p>A frame keeps a mask of its 64-byte chunks that code came from, so that data beside code can be written at the price of
 * the slow store path only. A store that does hit code kills the blocks whose bytes it overlaps, and no others: kernels
 * patch themselves thousands of times during boot.
 */
final class CodePages {
    private static final int BUCKETS = 64;
    private static final int BUCKET_SHIFT = 6;

    /** The code of one frame. */
    static final class Page {
        final long frame;
        private final Block[] buckets = new Block[BUCKETS];
        /** Blocks that begin in another frame and end in this one. */
        private final List<Block> tails = new ArrayList<>(0);

        private long chunks;

        Page(long frame) {
            this.frame = frame;
        }

        Block find(int offset, int mode) {
            for (Block b = buckets[offset >> BUCKET_SHIFT]; b != null; b = b.nextInBucket) {
                if ((int) (b.host & 4095) == offset && b.mode == mode) {
                    return b;
                }
            }
            return null;
        }
    }

    private final FrameTable<Page> pages = new FrameTable<>();

    private Page last = new Page(-1);
    /** Operations of all blocks entered since the last {@link #clear}, dead ones included. */
    private int operations;

    /** The page of a frame, or null. */
    Page page(long frame) {
        Page page = last;
        if (page.frame == frame) {
            return page;
        }
        page = pages.get(frame);
        if (page != null) {
            last = page;
        }
        return page;
    }

    boolean hasCode(long frame) {
        return page(frame) != null;
    }

    /** Enters a block; true when a frame holds code for the first time, so that stores to it must be watched. */
    boolean add(Block block) {
        operations += block.ops.length;
        long frame = block.host & -4096L;
        boolean first = !hasCode(frame);
        Page page = first ? create(frame) : page(frame);
        int offset = (int) (block.host - frame);
        page.chunks |= chunks(offset, Math.min(block.length, 4096 - offset));
        if (block.straddles) {
            // Kept for invalidation only: found again through the jump cache, never by address.
            page.tails.add(block);
        } else {
            int bucket = offset >> BUCKET_SHIFT;
            block.nextInBucket = page.buckets[bucket];
            page.buckets[bucket] = block;
        }
        return first;
    }

    /** Enters the second part of a block that crosses into {@code frame}; true as for {@link #add}. */
    boolean addTail(Block block, long frame) {
        boolean first = !hasCode(frame);
        Page page = first ? create(frame) : page(frame);
        int bytes = block.length - (4096 - (int) (block.host & 4095));
        page.chunks |= chunks(0, bytes);
        page.tails.add(block);
        return first;
    }

    private Page create(long frame) {
        Page page = new Page(frame);
        pages.put(frame, page);
        last = page;
        return page;
    }

    private static long chunks(int offset, int bytes) {
        int from = offset >> BUCKET_SHIFT;
        int to = offset + bytes - 1 >> BUCKET_SHIFT;
        return -1L >>> 63 - (to - from) << from;
    }

    /** A store hits a frame: kills the blocks it overlaps; true when the frame holds no code any more. */
    boolean written(long frame, int offset, int bytes) {
        Page page = page(frame);
        if (page == null) {
            return true;
        }
        if ((page.chunks & chunks(offset, bytes)) == 0) {
            return false;
        }
        long left = 0;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            Block kept = null;
            for (Block b = page.buckets[bucket]; b != null; ) {
                Block next = b.nextInBucket;
                int at = (int) (b.host - frame);
                if (at < offset + bytes && offset < at + b.length) {
                    b.kill();
                } else {
                    b.nextInBucket = kept;
                    kept = b;
                    left |= chunks(at, b.length);
                }
                b = next;
            }
            page.buckets[bucket] = kept;
        }
        for (int i = page.tails.size() - 1; i >= 0; i--) {
            // Blocks across pages are few: drop them all rather than compare.
            page.tails.get(i).kill();
        }
        page.tails.clear();
        page.chunks = left;
        if (left == 0) {
            pages.remove(frame);
            last = new Page(-1);
            return true;
        }
        return false;
    }

    /** Operations decoded since the last {@link #clear}: an upper bound of what the cache holds. */
    int operations() {
        return operations;
    }

    /** Forgets everything. */
    void clear() {
        pages.forEach(page -> {
            for (Block head : page.buckets) {
                for (Block b = head; b != null; b = b.nextInBucket) {
                    b.kill();
                }
            }
            page.tails.forEach(Block::kill);
        });
        pages.clear();
        last = new Page(-1);
        operations = 0;
    }
}
