package org.xenolith.hypervisor.grants;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.abi.GrantEntry;
import org.xenolith.abi.GrantStatus;
import org.xenolith.abi.GrantTableOp;
import org.xenolith.abi.MemoryOp;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.DomainMemory;
import org.xenolith.hypervisor.HypercallException;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * The grants that one domain gives, and the mappings of others' grants that it holds.
 *
 * <p>The table is guarded by this object's monitor, the mappings by that of {@link #mappings}. They are never held
 * together with those of another domain: a mapping takes the grant first, and gives it back if the rest fails.
 */
public final class GrantTable {
    /** Mappings that a domain may hold. */
    private static final int MAX_MAPPINGS = 1024 * 32;
    /** How often an entry is tried that the guest changes at the same time. */
    private static final int ATTEMPTS = 5;

    /** A page of the table, and where the guest sees it. */
    private static final class Frame {
        final int mfn;
        long gfn = -1;

        Frame(int mfn) {
            this.mfn = mfn;
        }
    }

    /** A reference that is in use. */
    private static final class Active {
        final long gfn;
        final int mfn;
        int readers;
        int writers;

        Active(long gfn, int mfn) {
            this.gfn = gfn;
            this.mfn = mfn;
        }
    }

    /** One use of a reference: what {@link #acquire} found. {@code offset} and {@code length} say which bytes are granted. */
    record Access(int ref, long gfn, int mfn, boolean writable, int offset, int length) {}

    private record Mapping(GrantTable granter, Access access, long gfn) {}

    private final Domain domain;
    private final DomainMemory memory;
    private final int maxFrames;
    private final List<Frame> frames = new ArrayList<>();
    private final List<Frame> statusFrames = new ArrayList<>();
    private final Map<Integer, Active> active = new HashMap<>();
    private int version = 1;
    /** The domain is gone; some of its frames may still be in use by others. */
    private boolean destroyed;

    private final Map<Integer, Mapping> mappings = new HashMap<>();
    private int nextHandle;

    /** The table of a new domain, with one page. */
    public GrantTable(Domain domain, int maxFrames) {
        this.domain = domain;
        this.memory = domain.memory();
        this.maxFrames = maxFrames;
        if (!grow(1)) {
            throw new IllegalStateException("no machine memory left for a grant table");
        }
    }

    // The table.

    /** Pages of the table. */
    public synchronized int frames() {
        return frames.size();
    }

    /** Pages that the table may have. */
    public int maxFrames() {
        return maxFrames;
    }

    /** Version of the entries: 1 or 2. */
    public synchronized int version() {
        return version;
    }

    /** Makes the table at least {@code count} pages big; false when it cannot be. */
    public synchronized boolean grow(int count) {
        if (count > maxFrames) {
            return false;
        }
        while (frames.size() < count) {
            if (!addFrame(frames)) {
                return false;
            }
        }
        return version == 1 || growStatus();
    }

    private boolean growStatus() {
        int needed = (entries() + GrantEntry.STATUS_PER_PAGE - 1) / GrantEntry.STATUS_PER_PAGE;
        while (statusFrames.size() < needed) {
            if (!addFrame(statusFrames)) {
                return false;
            }
        }
        return true;
    }

    private boolean addFrame(List<Frame> list) {
        int mfn = memory.allocateHypervisorFrame();
        if (mfn < 0) {
            return false;
        }
        list.add(new Frame(mfn));
        return true;
    }

    private int entries() {
        return frames.size() * (version == 1 ? GrantEntry.V1_PER_PAGE : GrantEntry.V2_PER_PAGE);
    }

    /** Shows a page of the table, or of its status words, at a guest frame; the table grows as needed. */
    public synchronized void mapFrame(long index, long gfn) {
        boolean status = version == 2 && (index & MemoryOp.GRANT_STATUS_INDEX) != 0;
        long number = status ? index & ~MemoryOp.GRANT_STATUS_INDEX : index;
        if (number < 0 || number >= maxFrames) {
            throw new HypercallException(Errno.EINVAL);
        }
        List<Frame> list = status ? statusFrames : frames;
        if (number >= list.size() && (status || !grow((int) number + 1))) {
            throw new HypercallException(status ? Errno.EINVAL : Errno.ENOMEM);
        }
        Frame frame = list.get((int) number);
        hide(frame);
        memory.mapForeign(gfn, frame.mfn, true);
        frame.gfn = gfn;
    }

    private void hide(Frame frame) {
        if (frame.gfn >= 0 && memory.map().mfn(frame.gfn) == frame.mfn) {
            memory.remove(frame.gfn);
        }
        frame.gfn = -1;
    }

    /** Where the guest sees the pages of the table, or of its status words; -1 for a page that it has not mapped. */
    public synchronized long[] frameNumbers(boolean status, int count) {
        List<Frame> list = status ? statusFrames : frames;
        long[] result = new long[Math.min(count, list.size())];
        for (int i = 0; i < result.length; i++) {
            result[i] = list.get(i).gfn;
        }
        return result;
    }

    /** Pages of status words. */
    public synchronized int statusFrames() {
        return statusFrames.size();
    }

    /** Changes the version of the entries: only while none is in use. The reserved references keep their content. */
    public synchronized void setVersion(int newVersion) {
        if (newVersion != 1 && newVersion != 2) {
            throw new HypercallException(Errno.EINVAL);
        }
        if (newVersion == version) {
            return;
        }
        if (!active.isEmpty()) {
            throw new HypercallException(Errno.EBUSY);
        }
        long base = memory.address(frames.getFirst().mfn);
        long[] reserved = new long[GrantEntry.RESERVED_REFS];
        for (int ref = 0; ref < reserved.length; ref++) {
            // As version 1 entries: flags, domid, frame.
            long at = base + (long) ref * (version == 1 ? GrantEntry.V1_SIZE : GrantEntry.V2_SIZE);
            int head = Raw.getIntVolatile(at);
            boolean plain =
                    (head & GrantEntry.TYPE_MASK) == GrantEntry.PERMIT_ACCESS && (head & GrantEntry.SUB_PAGE) == 0;
            long frame = version == 1
                    ? Raw.getIntVolatile(at + GrantEntry.V1_FRAME) & 0xffffffffL
                    : Raw.getLongVolatile(at + GrantEntry.V2_FRAME);
            reserved[ref] = plain && frame >>> 32 == 0 ? head & 0xffffffffL | frame << 32 : 0;
        }
        for (Frame frame : frames) {
            Raw.fill(memory.address(frame.mfn), GuestPhysical.FRAME_SIZE, (byte) 0);
        }
        version = newVersion;
        if (newVersion == 2) {
            if (!growStatus()) {
                version = 1;
                throw new HypercallException(Errno.ENOMEM);
            }
        } else {
            for (Frame frame : statusFrames) {
                hide(frame);
                memory.releaseHypervisorFrame(frame.mfn);
            }
            statusFrames.clear();
        }
        for (int ref = 0; ref < reserved.length; ref++) {
            put(ref, (int) reserved[ref], reserved[ref] >>> 32);
        }
    }

    private void put(int ref, int head, long gfn) {
        long base = memory.address(frames.getFirst().mfn);
        if (version == 1) {
            Raw.putIntVolatile(base + (long) ref * GrantEntry.V1_SIZE + GrantEntry.V1_FRAME, (int) gfn);
            Raw.putIntVolatile(base + (long) ref * GrantEntry.V1_SIZE, head);
        } else {
            Raw.putLongVolatile(base + (long) ref * GrantEntry.V2_SIZE + GrantEntry.V2_FRAME, gfn);
            Raw.putIntVolatile(base + (long) ref * GrantEntry.V2_SIZE, head);
        }
    }

    /** Writes an entry for the guest: the domain builder grants the console and xenstore pages this way. */
    public synchronized void seed(int ref, int toDomain, long gfn) {
        if (ref < 0 || ref >= GrantEntry.RESERVED_REFS) {
            throw new IllegalArgumentException("grant reference " + ref + " is the guest's");
        }
        put(ref, GrantEntry.PERMIT_ACCESS | toDomain << 16, gfn);
    }

    // Use of grants.

    /**
     * Begins a use of a reference.
     *
     * @param by the domain that the entry must name
     * @param copy whether this is for a copy, for which entries may grant part of a page
     */
    synchronized Access acquire(int ref, int by, boolean writable, boolean copy) {
        if (destroyed) {
            throw new GrantException(GrantStatus.BAD_DOMAIN);
        }
        if (ref < 0 || ref >= entries()) {
            throw new GrantException(GrantStatus.BAD_REF);
        }
        long entry = entry(ref);
        int head = 0;
        for (int attempt = 0; ; attempt++) {
            head = Raw.getIntVolatile(entry);
            check(head, by, writable, copy);
            if (version == 2) {
                setStatus(ref, writable ? GrantEntry.READING | GrantEntry.WRITING : GrantEntry.READING);
                if (Raw.getIntVolatile(entry) == head) {
                    break;
                }
                clearUnusedStatus(ref);
            } else if (Raw.compareAndSetInt(
                    entry, head, head | GrantEntry.READING | (writable ? GrantEntry.WRITING : 0))) {
                break;
            }
            if (attempt == ATTEMPTS) {
                throw new GrantException(GrantStatus.GENERAL_ERROR);
            }
        }
        int offset = 0;
        int length = GuestPhysical.FRAME_SIZE;
        long gfn;
        if (version == 1) {
            gfn = Raw.getIntVolatile(entry + GrantEntry.V1_FRAME) & 0xffffffffL;
        } else {
            gfn = Raw.getLongVolatile(entry + GrantEntry.V2_FRAME);
            if ((head & GrantEntry.SUB_PAGE) != 0) {
                offset = Raw.getShort(entry + GrantEntry.V2_SUB_PAGE_OFFSET) & 0xffff;
                length = Raw.getShort(entry + GrantEntry.V2_SUB_PAGE_LENGTH) & 0xffff;
            }
        }
        Active use = active.get(ref);
        if (use == null) {
            int mfn = offset + length > GuestPhysical.FRAME_SIZE ? -1 : memory.pin(gfn);
            if (mfn < 0) {
                clearUnusedStatus(ref);
                throw new GrantException(GrantStatus.BAD_PAGE);
            }
            use = new Active(gfn, mfn);
            active.put(ref, use);
        }
        use.readers++;
        if (writable) {
            use.writers++;
        }
        return new Access(ref, use.gfn, use.mfn, writable, offset, length);
    }

    private static void check(int head, int by, boolean writable, boolean copy) {
        int flags = head & 0xffff;
        if ((flags & GrantEntry.TYPE_MASK) != GrantEntry.PERMIT_ACCESS
                || head >>> 16 != by
                || !copy && (flags & GrantEntry.SUB_PAGE) != 0
                || writable && (flags & GrantEntry.READONLY) != 0) {
            throw new GrantException(GrantStatus.GENERAL_ERROR);
        }
    }

    private long entry(int ref) {
        int perPage = version == 1 ? GrantEntry.V1_PER_PAGE : GrantEntry.V2_PER_PAGE;
        int size = version == 1 ? GrantEntry.V1_SIZE : GrantEntry.V2_SIZE;
        return memory.address(frames.get(ref / perPage).mfn) + (long) (ref % perPage) * size;
    }

    /** Address of the aligned word that holds a status, and by how much the status is shifted in it. */
    private long statusWord(int ref) {
        return memory.address(statusFrames.get(ref / GrantEntry.STATUS_PER_PAGE).mfn)
                + (ref % GrantEntry.STATUS_PER_PAGE & ~1) * 2L;
    }

    private void setStatus(int ref, int bits) {
        Raw.getAndOrInt(statusWord(ref), bits << (ref & 1) * 16);
    }

    /** Takes the READING and WRITING marks back that nobody needs any more. */
    private void clearUnusedStatus(int ref) {
        Active use = active.get(ref);
        int unused = (use == null || use.readers == 0 ? GrantEntry.READING : 0)
                | (use == null || use.writers == 0 ? GrantEntry.WRITING : 0);
        if (version == 1) {
            Raw.getAndAndInt(entry(ref), ~unused);
        } else {
            Raw.getAndAndInt(statusWord(ref), ~(unused << (ref & 1) * 16));
        }
    }

    /** Ends a use. */
    synchronized void release(Access access) {
        Active use = active.get(access.ref);
        use.readers--;
        if (access.writable) {
            use.writers--;
        }
        clearUnusedStatus(access.ref);
        if (use.readers == 0) {
            active.remove(access.ref);
            memory.unpin(use.mfn);
            if (destroyed && active.isEmpty()) {
                releasePages();
            }
        }
    }

    long address(Access access) {
        return memory.address(access.mfn);
    }

    void contentChanged(Access access) {
        domain.contentChanged(access.gfn);
    }

    /**
     * Lets a service of this JVM use a granted frame.
     *
     * @param by the domain that the service acts for, which the entry must name
     */
    public HostGrant mapForHost(int ref, int by, boolean writable) {
        return new HostGrant(this, acquire(ref, by, writable, false));
    }

    /**
     * Maps a frame that another domain granted to this one.
     *
     * @param granterId the granting domain
     * @param hostAddress guest-physical address where the frame is to appear
     * @return the handle for {@link #unmap}
     */
    public int map(int granterId, int ref, int flags, long hostAddress) {
        Domain granter = domain.id() == granterId ? domain : domain.domains().get(granterId);
        if (granter == null) {
            throw new GrantException(GrantStatus.BAD_DOMAIN);
        }
        if ((flags & GrantTableOp.MAP_HOST) == 0 || (flags & GrantTableOp.MAP_CONTAINS_PTE) != 0) {
            throw new GrantException(GrantStatus.GENERAL_ERROR);
        }
        long gfn = hostAddress >>> GuestPhysical.FRAME_SHIFT;
        if (!DomainMemory.isValid(gfn)) {
            throw new GrantException(GrantStatus.BAD_VIRTUAL_ADDRESS);
        }
        boolean writable = (flags & GrantTableOp.MAP_READONLY) == 0;
        GrantTable table = granter.grantTable();
        Access access = table.acquire(ref, domain.id(), writable, false);
        boolean full;
        int handle;
        synchronized (mappings) {
            full = mappings.size() >= MAX_MAPPINGS;
            handle = nextHandle++;
            if (!full) {
                mappings.put(handle, new Mapping(table, access, gfn));
            }
        }
        if (full) {
            table.release(access);
            throw new GrantException(GrantStatus.NO_SPACE);
        }
        memory.mapForeign(gfn, access.mfn, writable);
        return handle;
    }

    /** Takes a mapping away. */
    public void unmap(int handle, long hostAddress) {
        Mapping mapping;
        synchronized (mappings) {
            mapping = mappings.get(handle);
            if (mapping == null) {
                throw new GrantException(GrantStatus.BAD_HANDLE);
            }
            if (mapping.gfn != hostAddress >>> GuestPhysical.FRAME_SHIFT) {
                throw new GrantException(GrantStatus.BAD_VIRTUAL_ADDRESS);
            }
            mappings.remove(handle);
        }
        undo(mapping);
    }

    private void undo(Mapping mapping) {
        if (memory.map().mfn(mapping.gfn) == mapping.access.mfn) {
            memory.remove(mapping.gfn);
        }
        mapping.granter.release(mapping.access);
    }

    /** One side of a {@link #copy}: a granted frame, or (with {@code ref} false) one of the caller's own. */
    public record CopyEnd(boolean isRef, long refOrGfn, int domid, int offset) {}

    /** Copies between two frames, on behalf of this domain. */
    public void copy(CopyEnd source, CopyEnd destination, int length) {
        if (source.offset + length > GuestPhysical.FRAME_SIZE
                || destination.offset + length > GuestPhysical.FRAME_SIZE) {
            throw new GrantException(GrantStatus.BAD_COPY_ARGUMENT);
        }
        try (CopyFrame from = open(source, length, false);
                CopyFrame to = open(destination, length, true)) {
            Raw.copy(from.address + source.offset, to.address + destination.offset, length);
            to.owner.contentChanged(to.gfn);
        }
    }

    /** A frame that is kept from changing hands while it is copied. */
    private static final class CopyFrame implements AutoCloseable {
        final Domain owner;
        final long gfn;
        final long address;
        private final Access access;
        private final int pinned;

        CopyFrame(Domain owner, long gfn, long address, Access access, int pinned) {
            this.owner = owner;
            this.gfn = gfn;
            this.address = address;
            this.access = access;
            this.pinned = pinned;
        }

        @Override
        public void close() {
            if (access != null) {
                owner.grantTable().release(access);
            } else {
                owner.memory().unpin(pinned);
            }
        }
    }

    private CopyFrame open(CopyEnd end, int length, boolean writable) {
        boolean self = end.domid == DomainId.SELF || end.domid == domain.id();
        if (!end.isRef) {
            if (end.domid != DomainId.SELF) {
                throw new GrantException(GrantStatus.PERMISSION_DENIED);
            }
            int mfn = memory.pin(end.refOrGfn);
            if (mfn < 0) {
                throw new GrantException(GrantStatus.BAD_PAGE);
            }
            return new CopyFrame(domain, end.refOrGfn, memory.address(mfn), null, mfn);
        }
        Domain granter = self ? domain : domain.domains().get(end.domid);
        if (granter == null) {
            throw new GrantException(GrantStatus.BAD_DOMAIN);
        }
        GrantTable table = granter.grantTable();
        Access access = table.acquire((int) end.refOrGfn, domain.id(), writable, true);
        if (end.offset < access.offset || end.offset + length > access.offset + access.length) {
            table.release(access);
            throw new GrantException(GrantStatus.GENERAL_ERROR);
        }
        return new CopyFrame(granter, access.gfn, table.address(access), access, -1);
    }

    /** Exchanges two entries; neither may be in use. */
    public synchronized void swap(int a, int b) {
        if (a < 0 || a >= entries() || b < 0 || b >= entries()) {
            throw new GrantException(GrantStatus.BAD_REF);
        }
        if (active.containsKey(a) || active.containsKey(b)) {
            throw new GrantException(GrantStatus.AGAIN);
        }
        int size = version == 1 ? GrantEntry.V1_SIZE : GrantEntry.V2_SIZE;
        for (int offset = 0; offset < size; offset += Long.BYTES) {
            long first = Raw.getLongVolatile(entry(a) + offset);
            Raw.putLongVolatile(entry(a) + offset, Raw.getLongVolatile(entry(b) + offset));
            Raw.putLongVolatile(entry(b) + offset, first);
        }
    }

    /** Takes all mappings away and gives the table's pages back. The domain has stopped for good. */
    public void destroy() {
        List<Mapping> left;
        synchronized (mappings) {
            left = new ArrayList<>(mappings.values());
            mappings.clear();
        }
        left.forEach(this::undo);
        synchronized (this) {
            for (Frame frame : frames) {
                hide(frame);
            }
            for (Frame frame : statusFrames) {
                hide(frame);
            }
            destroyed = true;
            if (active.isEmpty()) {
                releasePages();
            }
        }
    }

    /** Once no grant is in use: ending a use clears marks in the table. */
    private void releasePages() {
        frames.forEach(frame -> memory.releaseHypervisorFrame(frame.mfn));
        statusFrames.forEach(frame -> memory.releaseHypervisorFrame(frame.mfn));
        frames.clear();
        statusFrames.clear();
    }
}
