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
 * <p>The table is guarded by this object's monitor, the mappings by that of the {@link Maptrack}. They are never held
 * together with those of another domain: a mapping takes the grant first, and gives it back if the rest fails.
 */
public final class GrantTable {
    /** How often an entry is tried that the guest changes at the same time. */
    private static final int ATTEMPTS = 5;
    /** Uses of one kind that a reference may have at a time: half of what Xen's counter of eight bits holds. */
    private static final int MAX_USES = 128;

    private static final int STATUS_MARKS = GrantEntry.READING | GrantEntry.WRITING;

    /** A page of the table, and where the guest sees it. */
    private static final class Frame {
        final int mfn;
        long gfn = -1;

        Frame(int mfn) {
            this.mfn = mfn;
        }
    }

    /** A reference that is in use. Later uses get what the first one found, whatever the guest does to the entry. */
    private static final class Active {
        final int by;
        /** Whose memory the frame is: this domain's, but for a transitive grant. */
        final GrantTable owner;

        final long gfn;
        final int mfn;
        final int offset;
        final int length;
        /** Part of a page, or passed on: not to be mapped. */
        final boolean copyOnly;
        /** The reference behind a transitive one, or -1. */
        final int behindRef;

        int readers;
        int writers;

        Active(int by, GrantTable owner, long gfn, int mfn, int offset, int length, boolean copyOnly, int behindRef) {
            this.by = by;
            this.owner = owner;
            this.gfn = gfn;
            this.mfn = mfn;
            this.offset = offset;
            this.length = length;
            this.copyOnly = copyOnly;
            this.behindRef = behindRef;
        }
    }

    private final Domain domain;
    private final DomainMemory memory;
    private final int maxFrames;
    private final int maxVersion;
    private final List<Frame> frames = new ArrayList<>();
    private final List<Frame> statusFrames = new ArrayList<>();
    private final Map<Integer, Active> active = new HashMap<>();
    private int version = 1;
    /** Uses that only version 2 has, and that keep the table from going back to version 1. */
    private int version2Uses;
    /** The domain is gone; some of its frames may still be in use by others. */
    private boolean destroyed;

    private final Maptrack maptrack;

    /** The table of a new domain, with one page. */
    public GrantTable(Domain domain, GrantLimits limits) {
        this.domain = domain;
        this.memory = domain.memory();
        this.maxFrames = limits.maxFrames();
        this.maxVersion = limits.maxVersion();
        maptrack = new Maptrack(limits.maxMaptrackFrames());
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
        return version == 1 || growStatus(frames.size());
    }

    private boolean growStatus(int tablePages) {
        int needed =
                (tablePages * GrantEntry.V2_PER_PAGE + GrantEntry.STATUS_PER_PAGE - 1) / GrantEntry.STATUS_PER_PAGE;
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

    /** Only entries with a status word can be used: a table may grow without its status words when memory ends. */
    private int entries() {
        return version == 1
                ? frames.size() * GrantEntry.V1_PER_PAGE
                : Math.min(frames.size() * GrantEntry.V2_PER_PAGE, statusFrames.size() * GrantEntry.STATUS_PER_PAGE);
    }

    /** Shows a page of the table, or of its status words, at a guest frame; the table grows as needed. */
    public synchronized void mapFrame(long index, long gfn) {
        boolean status = version == 2 && (index & MemoryOp.GRANT_STATUS_INDEX) != 0;
        long number = status ? index & ~MemoryOp.GRANT_STATUS_INDEX : index;
        long pages = status ? (number + 1) * (GrantEntry.STATUS_PER_PAGE / GrantEntry.V2_PER_PAGE) : number + 1;
        List<Frame> list = status ? statusFrames : frames;
        if (number < 0 || number >= list.size() && (number >= maxFrames || pages > maxFrames || !grow((int) pages))) {
            throw new HypercallException(Errno.EINVAL);
        }
        Frame frame = list.get((int) number);
        if (frame.gfn == gfn && memory.map().mfn(gfn) == frame.mfn) {
            return;
        }
        if (!memory.mapForeign(gfn, frame.mfn, true, DomainMemory.Foreign.GRANT_TABLE)) {
            throw new HypercallException(Errno.EINVAL);
        }
        hide(frame);
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
            long gfn = list.get(i).gfn;
            result[i] = gfn >= 0 && memory.map().mfn(gfn) == list.get(i).mfn ? gfn : -1;
        }
        return result;
    }

    /** Pages of status words. */
    public synchronized int statusFrames() {
        return statusFrames.size();
    }

    /**
     * Changes the version of the entries. ENOSYS when the domain may not have that version; EBUSY while a reference is in use
     * that is not reserved, EAGAIN while a use needs version 2. The reserved references keep their content; ERANGE when
     * version 1 cannot express it.
     */
    public synchronized void setVersion(int newVersion) {
        if (newVersion != 1 && newVersion != 2) {
            throw new HypercallException(Errno.EINVAL);
        }
        if (newVersion > maxVersion) {
            throw new HypercallException(Errno.ENOSYS);
        }
        if (newVersion == version) {
            return;
        }
        for (int ref : active.keySet()) {
            if (ref >= GrantEntry.RESERVED_REFS) {
                throw new HypercallException(Errno.EBUSY);
            }
        }
        long[] reserved = newVersion == 2 ? reservedForVersion2() : reservedForVersion1();
        for (Frame frame : frames) {
            Raw.fill(memory.address(frame.mfn), GuestPhysical.FRAME_SIZE, (byte) 0);
        }
        version = newVersion;
        for (int ref = 0; ref < reserved.length; ref++) {
            int head = (int) reserved[ref];
            if (version == 2) {
                replaceStatus(ref, head & STATUS_MARKS);
                head &= ~STATUS_MARKS;
            }
            put(ref, head, reserved[ref] >>> 32);
        }
    }

    /** The reserved entries: flags and domid in the low half, the frame in the high one. Makes the status words. */
    private long[] reservedForVersion2() {
        if (!growStatus(frames.size())) {
            throw new HypercallException(Errno.ENOMEM);
        }
        long[] reserved = new long[GrantEntry.RESERVED_REFS];
        for (int ref = 0; ref < reserved.length; ref++) {
            reserved[ref] = Raw.getLongVolatile(entry(ref));
        }
        return reserved;
    }

    /** The same, for the way back; takes the status words away. */
    private long[] reservedForVersion1() {
        if (version2Uses > 0) {
            throw new HypercallException(Errno.EAGAIN);
        }
        long[] reserved = new long[GrantEntry.RESERVED_REFS];
        for (int ref = 0; ref < reserved.length; ref++) {
            int head = Raw.getIntVolatile(entry(ref));
            long frame = Raw.getLongVolatile(entry(ref) + GrantEntry.V2_FRAME);
            int type = head & GrantEntry.TYPE_MASK;
            if (type == GrantEntry.TRANSITIVE || type == GrantEntry.PERMIT_ACCESS && frame >>> 32 != 0) {
                throw new HypercallException(Errno.ERANGE);
            }
            if (type == GrantEntry.PERMIT_ACCESS) {
                reserved[ref] = (head | status(ref)) & 0xffffffffL | frame << 32;
            }
        }
        for (Frame frame : statusFrames) {
            hide(frame);
            memory.releaseHypervisorFrame(frame.mfn);
        }
        statusFrames.clear();
        return reserved;
    }

    private void put(int ref, int head, long gfn) {
        long entry = entry(ref);
        if (version == 1) {
            Raw.putIntVolatile(entry + GrantEntry.V1_FRAME, (int) gfn);
        } else {
            Raw.putLongVolatile(entry + GrantEntry.V2_FRAME, gfn);
        }
        Raw.putIntVolatile(entry, head);
    }

    /** Writes an entry for the guest: the domain builder grants the console and xenstore pages this way. */
    public synchronized void seed(int ref, int toDomain, long gfn) {
        if (ref < 0 || ref >= GrantEntry.RESERVED_REFS) {
            throw new IllegalArgumentException("grant reference " + ref + " is the guest's");
        }
        put(ref, GrantEntry.PERMIT_ACCESS | toDomain << 16, gfn);
    }

    // Use of grants.

    private static GrantException failure(int status) {
        return new GrantException(status);
    }

    /**
     * Begins a use of a reference for a mapping.
     *
     * @param by the domain that the entry must name
     */
    synchronized Access acquire(int ref, int by, boolean writable) {
        Active use = inUse(ref, by, writable);
        if (use != null && use.copyOnly) {
            throw failure(GrantStatus.GENERAL_ERROR);
        }
        if (needsMarks(use, writable)) {
            mark(ref, use, by, writable, true);
        }
        return count(ref, use == null ? begin(ref, by, false) : use, writable, null);
    }

    /**
     * Begins a use of a reference for a copy. Its entry may grant part of a page, or pass on what a third domain granted to
     * this one.
     *
     * @param mayPassOn false for what is behind a transitive grant already
     */
    private Access acquireForCopy(int ref, int by, boolean writable, boolean mayPassOn) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            GrantTable behind;
            int behindRef;
            Active before;
            int uses;
            synchronized (this) {
                before = inUse(ref, by, writable);
                int head = Raw.getIntVolatile(entry(ref));
                if (needsMarks(before, writable)) {
                    mark(ref, before, by, writable, false);
                }
                if (version == 1 || (head & GrantEntry.TYPE_MASK) != GrantEntry.TRANSITIVE) {
                    return acquirePlain(ref, before, by, writable);
                }
                int third = Raw.getShort(entry(ref) + GrantEntry.V2_TRANSITIVE_DOMID) & 0xffff;
                behindRef = Raw.getIntVolatile(entry(ref) + GrantEntry.V2_TRANSITIVE_REF);
                Domain found =
                        mayPassOn && third != domain.id() ? domain.domains().get(third) : null;
                if (found == null) {
                    clearUnusedMarks(ref);
                    throw failure(GrantStatus.GENERAL_ERROR);
                }
                behind = found.grantTable();
                uses = before == null ? 0 : before.readers + before.writers;
                version2Uses++;
            }
            Access inner;
            try {
                inner = behind.acquireForCopy(behindRef, domain.id(), writable, false);
            } catch (GrantException e) {
                synchronized (this) {
                    version2Uses--;
                    clearUnusedMarks(ref);
                }
                throw e;
            }
            synchronized (this) {
                version2Uses--;
                Active now = active.get(ref);
                boolean same = !destroyed
                        && now == before
                        && (now == null || now.readers + now.writers == uses && isBehind(now, inner, behindRef));
                if (same) {
                    if (now == null) {
                        now = new Active(
                                by,
                                inner.owner(),
                                inner.gfn(),
                                inner.mfn(),
                                inner.offset(),
                                inner.length(),
                                true,
                                behindRef);
                        start(ref, now);
                    }
                    return count(ref, now, writable, inner);
                }
                clearUnusedMarks(ref);
            }
            // Another use began or ended while the entry was not locked: look again.
            behind.release(inner);
        }
        throw failure(GrantStatus.AGAIN);
    }

    private static boolean isBehind(Active use, Access inner, int behindRef) {
        return use.copyOnly
                && use.behindRef == behindRef
                && use.owner == inner.owner()
                && use.mfn == inner.mfn()
                && use.offset == inner.offset()
                && use.length == inner.length();
    }

    /** Ends {@link #acquireForCopy} for an entry that is not transitive and has its marks. */
    private Access acquirePlain(int ref, Active before, int by, boolean writable) {
        if (before == null) {
            return count(ref, begin(ref, by, true), writable, null);
        }
        if (before.owner != this || needsMarks(before, writable) && !isStillGranted(ref, before)) {
            clearUnusedMarks(ref);
            throw failure(GrantStatus.GENERAL_ERROR);
        }
        return count(ref, before, writable, null);
    }

    /** Whether an entry still grants what it did when its use began. */
    private boolean isStillGranted(int ref, Active use) {
        boolean part = isSubPage(ref);
        return frameOf(ref) == use.gfn
                && (!use.copyOnly || part && offsetOf(ref) == use.offset && lengthOf(ref) == use.length);
    }

    /** The use that a reference has, after the checks that come before all others; null when there is none. */
    private Active inUse(int ref, int by, boolean writable) {
        if (destroyed) {
            throw failure(GrantStatus.BAD_DOMAIN);
        }
        if (ref < 0 || ref >= entries()) {
            throw failure(GrantStatus.BAD_REF);
        }
        Active use = active.get(ref);
        if (use != null && (use.by != by || (writable ? use.writers : use.readers) >= MAX_USES)) {
            throw failure(GrantStatus.GENERAL_ERROR);
        }
        return use;
    }

    private static boolean needsMarks(Active use, boolean writable) {
        return use == null || writable && use.writers == 0;
    }

    /** Checks an entry and sets its READING and WRITING marks. */
    private void mark(int ref, Active use, int by, boolean writable, boolean forMapping) {
        int marks = writable ? STATUS_MARKS : GrantEntry.READING;
        long entry = entry(ref);
        int head = Raw.getIntVolatile(entry);
        if (version == 2) {
            check(head, use, by, writable, forMapping);
            setStatus(ref, marks);
            // The guest clears flags first and looks at the marks then: one of the two sees the other.
            try {
                check(Raw.getIntVolatile(entry), use, by, writable, forMapping);
            } catch (GrantException e) {
                clearUnusedMarks(ref);
                throw e;
            }
            return;
        }
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            check(head, use, by, writable, forMapping);
            int seen = Raw.compareAndExchangeInt(entry, head, head | marks);
            if (seen == head) {
                return;
            }
            head = seen;
        }
        throw failure(GrantStatus.GENERAL_ERROR);
    }

    /** What is in use already needs no right type and domain any more. */
    private void check(int head, Active use, int by, boolean writable, boolean forMapping) {
        int type = head & (GrantEntry.TYPE_MASK | (forMapping ? GrantEntry.SUB_PAGE : 0));
        boolean granted =
                type == GrantEntry.PERMIT_ACCESS || type == GrantEntry.TRANSITIVE && version == 2 && !forMapping;
        if (use == null && (!granted || head >>> 16 != by) || writable && (head & GrantEntry.READONLY) != 0) {
            throw failure(GrantStatus.GENERAL_ERROR);
        }
    }

    private boolean isSubPage(int ref) {
        return version == 2 && (Raw.getIntVolatile(entry(ref)) & GrantEntry.SUB_PAGE) != 0;
    }

    private long frameOf(int ref) {
        return version == 1
                ? Raw.getIntVolatile(entry(ref) + GrantEntry.V1_FRAME) & 0xffffffffL
                : Raw.getLongVolatile(entry(ref) + GrantEntry.V2_FRAME);
    }

    private int offsetOf(int ref) {
        return Raw.getShort(entry(ref) + GrantEntry.V2_SUB_PAGE_OFFSET) & 0xffff;
    }

    private int lengthOf(int ref) {
        return Raw.getShort(entry(ref) + GrantEntry.V2_SUB_PAGE_LENGTH) & 0xffff;
    }

    /** Begins the first use of a reference whose marks are set. */
    private Active begin(int ref, int by, boolean forCopy) {
        boolean part = forCopy && isSubPage(ref);
        long gfn = frameOf(ref);
        int offset = part ? offsetOf(ref) : 0;
        int length = part ? lengthOf(ref) : GuestPhysical.FRAME_SIZE;
        int mfn = memory.pin(gfn);
        if (mfn < 0) {
            clearUnusedMarks(ref);
            throw failure(GrantStatus.BAD_PAGE);
        }
        Active use = new Active(by, this, gfn, mfn, offset, length, part, -1);
        start(ref, use);
        return use;
    }

    private void start(int ref, Active use) {
        active.put(ref, use);
        if (use.copyOnly) {
            version2Uses++;
        }
    }

    private static Access count(int ref, Active use, boolean writable, Access behind) {
        if (writable) {
            use.writers++;
        } else {
            use.readers++;
        }
        return new Access(ref, use.owner, use.gfn, use.mfn, writable, use.offset, use.length, behind);
    }

    private long entry(int ref) {
        int perPage = version == 1 ? GrantEntry.V1_PER_PAGE : GrantEntry.V2_PER_PAGE;
        int size = version == 1 ? GrantEntry.V1_SIZE : GrantEntry.V2_SIZE;
        return memory.address(frames.get(ref / perPage).mfn) + (long) (ref % perPage) * size;
    }

    /** Address of the aligned word that holds a status: that of an odd reference is its high half. */
    private long statusWord(int ref) {
        return memory.address(statusFrames.get(ref / GrantEntry.STATUS_PER_PAGE).mfn)
                + (ref % GrantEntry.STATUS_PER_PAGE & ~1) * 2L;
    }

    private int status(int ref) {
        return Raw.getIntVolatile(statusWord(ref)) >>> (ref & 1) * 16 & STATUS_MARKS;
    }

    private void setStatus(int ref, int bits) {
        Raw.getAndOrInt(statusWord(ref), bits << (ref & 1) * 16);
    }

    /** Takes the READING and WRITING marks back that nobody needs any more. */
    private void clearUnusedMarks(int ref) {
        Active use = active.get(ref);
        int unused =
                (use == null ? GrantEntry.READING : 0) | (use == null || use.writers == 0 ? GrantEntry.WRITING : 0);
        if (version == 1) {
            Raw.getAndAndInt(entry(ref), ~unused);
        } else {
            Raw.getAndAndInt(statusWord(ref), ~(unused << (ref & 1) * 16));
        }
    }

    /** Ends a use. */
    void release(Access access) {
        if (access.writable()) {
            // Its owner must not go on executing what was in the frame before.
            access.owner().contentChanged(access.gfn());
        }
        synchronized (this) {
            Active use = active.get(access.ref());
            if (access.writable()) {
                use.writers--;
            } else {
                use.readers--;
            }
            if (use.readers + use.writers == 0) {
                active.remove(access.ref());
                if (use.copyOnly) {
                    version2Uses--;
                }
                if (use.owner == this) {
                    memory.unpin(use.mfn);
                }
            }
            clearUnusedMarks(access.ref());
            if (destroyed && active.isEmpty()) {
                releasePages();
            }
        }
        if (access.behind() != null) {
            access.owner().release(access.behind());
        }
    }

    long address(Access access) {
        return memory.address(access.mfn());
    }

    /** Tells the domain's processors that a frame of theirs has new content. */
    synchronized void contentChanged(long gfn) {
        if (!destroyed) {
            domain.contentChanged(gfn);
        }
    }

    /**
     * Lets a service of this JVM use a granted frame.
     *
     * @param by the domain that the service acts for, which the entry must name
     */
    public HostGrant mapForHost(int ref, int by, boolean writable) {
        return new HostGrant(this, acquire(ref, by, writable));
    }

    /** What {@link #map} made: its handle, and the machine frame. */
    public record Mapped(int handle, int mfn) {}

    /**
     * Maps a frame that another domain granted to this one.
     *
     * @param granterId the granting domain
     * @param hostAddress guest-physical address where the frame is to appear
     */
    public Mapped map(int granterId, int ref, int flags, long hostAddress) {
        if ((flags & (GrantTableOp.MAP_HOST | GrantTableOp.MAP_DEVICE)) == 0) {
            throw failure(GrantStatus.BAD_REF);
        }
        if ((flags & (GrantTableOp.MAP_DEVICE | GrantTableOp.MAP_APPLICATION | GrantTableOp.MAP_CONTAINS_PTE)) != 0) {
            throw failure(GrantStatus.GENERAL_ERROR);
        }
        Domain granter = domain.id() == granterId ? domain : domain.domains().get(granterId);
        if (granter == null) {
            throw failure(GrantStatus.BAD_DOMAIN);
        }
        int handle = maptrack.reserve();
        if (handle < 0) {
            throw failure(GrantStatus.NO_SPACE);
        }
        boolean writable = (flags & GrantTableOp.MAP_READONLY) == 0;
        GrantTable table = granter.grantTable();
        Access access;
        try {
            access = table.acquire(ref, domain.id(), writable);
        } catch (GrantException e) {
            maptrack.cancel(handle);
            throw e;
        }
        long gfn = hostAddress >>> GuestPhysical.FRAME_SHIFT;
        boolean mapped = (flags & ~(GrantTableOp.MAP_HOST | GrantTableOp.MAP_READONLY)) == 0
                && DomainMemory.isValid(gfn)
                && memory.mapForeign(gfn, access.mfn(), writable, DomainMemory.Foreign.GRANT);
        if (!mapped) {
            table.release(access);
            maptrack.cancel(handle);
            throw failure(GrantStatus.GENERAL_ERROR);
        }
        maptrack.put(handle, new Maptrack.Mapping(table, access, gfn));
        // The granter may have changed it since this domain last saw the frame.
        domain.contentChanged(gfn);
        return new Mapped(handle, access.mfn());
    }

    /** Takes a mapping away. An address of 0 leaves it, and is no error. */
    public void unmap(int handle, long hostAddress) {
        Maptrack.Mapping mapping = maptrack.get(handle);
        if (mapping == null) {
            throw failure(GrantStatus.BAD_HANDLE);
        }
        if (hostAddress == 0) {
            return;
        }
        if (mapping.gfn() != hostAddress >>> GuestPhysical.FRAME_SHIFT) {
            throw failure(GrantStatus.GENERAL_ERROR);
        }
        if (!maptrack.remove(handle, mapping)) {
            throw failure(GrantStatus.BAD_HANDLE);
        }
        undo(mapping);
    }

    /** First out of reach of this domain's processors, then back to the granter. */
    private void undo(Maptrack.Mapping mapping) {
        memory.unmapGrant(mapping.gfn(), mapping.access().mfn());
        mapping.granter().release(mapping.access());
    }

    /** One side of a {@link #copy}: a granted frame, or (with {@code isRef} false) one of the caller's own. */
    public record CopyEnd(boolean isRef, long refOrGfn, int domid, int offset) {}

    /** Copies between two frames, on behalf of this domain. */
    public void copy(CopyEnd source, CopyEnd destination, int length) {
        Domain from = copyDomain(source);
        Domain to = copyDomain(destination);
        try (CopyFrame sourceFrame = open(from, source, false);
                CopyFrame destinationFrame = open(to, destination, true)) {
            if (source.offset + length > GuestPhysical.FRAME_SIZE
                    || destination.offset + length > GuestPhysical.FRAME_SIZE) {
                throw failure(GrantStatus.BAD_COPY_ARGUMENT);
            }
            sourceFrame.check(source.offset, length);
            destinationFrame.check(destination.offset, length);
            Raw.copy(
                    memory.address(sourceFrame.mfn) + source.offset,
                    memory.address(destinationFrame.mfn) + destination.offset,
                    length);
            destinationFrame.contentChanged();
        }
    }

    private Domain copyDomain(CopyEnd end) {
        if (!end.isRef && end.domid != DomainId.SELF) {
            throw failure(GrantStatus.PERMISSION_DENIED);
        }
        boolean self = end.domid == DomainId.SELF || end.domid == domain.id();
        Domain found = self ? domain : domain.domains().get(end.domid);
        if (found == null) {
            throw failure(GrantStatus.BAD_DOMAIN);
        }
        return found;
    }

    /** A frame that is kept from changing hands while it is copied. */
    private static final class CopyFrame implements AutoCloseable {
        final int mfn;
        private final Domain domain;
        private final long gfn;
        /** Null for a frame of the caller's own. */
        private final Access access;

        CopyFrame(Domain domain, long gfn, int mfn, Access access) {
            this.domain = domain;
            this.gfn = gfn;
            this.mfn = mfn;
            this.access = access;
        }

        void check(int offset, int length) {
            if (access != null && (offset < access.offset() || offset + length > access.offset() + access.length())) {
                throw failure(GrantStatus.GENERAL_ERROR);
            }
        }

        /** A granted frame tells when it is given back. */
        void contentChanged() {
            if (access == null) {
                domain.contentChanged(gfn);
            }
        }

        @Override
        public void close() {
            if (access != null) {
                domain.grantTable().release(access);
            } else {
                domain.memory().unpin(mfn);
            }
        }
    }

    private CopyFrame open(Domain owner, CopyEnd end, boolean writable) {
        if (end.isRef) {
            Access access = owner.grantTable().acquireForCopy((int) end.refOrGfn, domain.id(), writable, true);
            return new CopyFrame(owner, access.gfn(), access.mfn(), access);
        }
        int mfn = memory.pin(end.refOrGfn);
        if (mfn < 0) {
            throw failure(GrantStatus.BAD_PAGE);
        }
        return new CopyFrame(domain, end.refOrGfn, mfn, null);
    }

    /** Exchanges two entries; neither may be in use. */
    public synchronized void swap(int a, int b) {
        if (a < 0 || a >= entries() || b < 0 || b >= entries()) {
            throw failure(GrantStatus.BAD_REF);
        }
        if (a == b) {
            return;
        }
        if (active.containsKey(a) || active.containsKey(b)) {
            throw failure(GrantStatus.AGAIN);
        }
        int size = version == 1 ? GrantEntry.V1_SIZE : GrantEntry.V2_SIZE;
        for (int offset = 0; offset < size; offset += Long.BYTES) {
            long first = Raw.getLongVolatile(entry(a) + offset);
            Raw.putLongVolatile(entry(a) + offset, Raw.getLongVolatile(entry(b) + offset));
            Raw.putLongVolatile(entry(b) + offset, first);
        }
        if (version == 2) {
            int statusA = status(a);
            replaceStatus(a, status(b));
            replaceStatus(b, statusA);
        }
    }

    private void replaceStatus(int ref, int bits) {
        Raw.getAndAndInt(statusWord(ref), ~(STATUS_MARKS << (ref & 1) * 16));
        setStatus(ref, bits);
    }

    /** Takes all mappings away and gives the table's pages back. The domain has stopped for good. */
    public void destroy() {
        maptrack.clear().forEach(this::undo);
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

    // Accounting.

    /**
     * A mapping that this domain holds.
     *
     * @param granter the domain whose table has the reference
     * @param gfn where this domain sees the frame
     */
    public record HeldMapping(Domain granter, int ref, int mfn, long gfn, boolean writable) {}

    /** The mappings of others' grants that this domain holds. */
    public List<HeldMapping> heldMappings() {
        List<HeldMapping> result = new ArrayList<>();
        for (Maptrack.Mapping mapping : maptrack.all()) {
            Access access = mapping.access();
            result.add(new HeldMapping(
                    mapping.granter().domain, access.ref(), access.mfn(), mapping.gfn(), access.writable()));
        }
        return result;
    }

    /**
     * A reference in use: by mappings, by services, or by a copy that is under way.
     *
     * @param by the domain that uses it
     */
    public record Use(int ref, int by, int mfn, int readers, int writers) {}

    /** The references of this table that are in use. */
    public synchronized List<Use> uses() {
        List<Use> result = new ArrayList<>();
        active.forEach((ref, use) -> result.add(new Use(ref, use.by, use.mfn, use.readers, use.writers)));
        return result;
    }

    /** Whether a machine frame is a page of this table, or of its status words. */
    public synchronized boolean isTablePage(int mfn) {
        return frames.stream().anyMatch(frame -> frame.mfn == mfn)
                || statusFrames.stream().anyMatch(frame -> frame.mfn == mfn);
    }

    /** Pages of handles that the domain's mappings take. */
    public int maptrackFrames() {
        return maptrack.pages();
    }
}
