package org.xenolith.cpu.core;

import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.memory.Raw;

/**
 * Page-table walks: 32-bit, PSE, PAE and 4-level paging with 4 KiB, 2/4 MiB and 1 GiB pages (Intel SDM vol. 3, chapter
 * 4). A walk sets accessed and dirty bits and answers through the fields of the {@link Cpu}'s walk result.
 */
final class Paging {
    static final int READ = 0;
    static final int WRITE = 1;
    static final int EXEC = 2;

    private static final long P = 1;
    private static final long RW = 2;
    private static final long US = 4;
    private static final long A = 0x20;
    private static final long D = 0x40;
    private static final long PS = 0x80;
    private static final long G = 0x100;
    private static final long NX = 1L << 63;

    /** Page-fault error code bits. */
    private static final int E_P = 1;

    private static final int E_W = 2;
    private static final int E_U = 4;
    private static final int E_RSVD = 8;
    private static final int E_I = 16;

    private final Cpu c;

    /** Result of the last successful walk: guest-physical page address, and what is allowed through this mapping. */
    long gpaPage;

    boolean user;
    boolean writable;
    boolean dirty;
    boolean global;
    /** Bytes that the mapping covers. */
    long pageSize;

    Paging(Cpu c) {
        this.c = c;
    }

    /**
     * Walks for one access and leaves the result in this object's fields.
     *
     * @param userAccess the access counts as made at CPL 3
     * @param open a supervisor data access may touch user pages (EFLAGS.AC set, or SMAP off)
     * @return -1 on success, otherwise the error code of the #PF to raise
     */
    int walk(long va, int access, boolean userAccess, boolean open, boolean setBits) {
        long cr0 = c.control(VcpuState.CR0);
        if ((cr0 & Cr0.PG) == 0) {
            gpaPage = va & 0xfffff000L;
            user = true;
            writable = true;
            dirty = true;
            global = false;
            pageSize = 4096;
            return -1;
        }
        long cr4 = c.control(VcpuState.CR4);
        long efer = c.control(VcpuState.EFER);
        long cr3 = c.control(VcpuState.CR3);
        boolean nxe = (efer & Efer.NXE) != 0 && (cr4 & Cr4.PAE) != 0;
        int bits = (access == WRITE ? E_W : 0)
                | (userAccess ? E_U : 0)
                | (access == EXEC && (nxe || (cr4 & Cr4.SMEP) != 0) ? E_I : 0);
        if ((cr4 & Cr4.PAE) == 0) {
            return walk32(va, access, userAccess, open, setBits, cr0, cr4, cr3, bits);
        }
        boolean longMode = (efer & Efer.LMA) != 0;
        long reservedHigh = 0x000FFFFFFFFFFFFFL & -1L << c.physicalBits | (nxe ? 0 : NX);
        boolean u = true;
        boolean w = true;
        boolean x = true;
        long table = longMode ? cr3 & 0x000FFFFFFFFFF000L : cr3 & 0xFFFFFFE0L;
        int level = longMode ? 4 : 3;
        while (true) {
            int shift = 12 + 9 * (level - 1);
            long mask = level == 3 && !longMode ? 3 : 0x1ff;
            long at = table + ((va >>> shift & mask) << 3);
            long frame = c.memory.frameForRead(at >>> 12);
            if (frame == 0) {
                // Page tables outside memory read as all ones on real buses: reserved bits are set.
                return bits | E_P | E_RSVD;
            }
            long host = frame + (at & 0xfff);
            long e = Raw.getLong(host);
            if ((e & P) == 0) {
                return bits;
            }
            boolean pdpteOfPae = level == 3 && !longMode;
            long reserved = pdpteOfPae ? reservedHigh | 0x7FF0000000000000L | NX | 0x1E6 : reservedHigh;
            if (level == 4) {
                reserved |= PS;
            }
            boolean leaf = level == 1 || (e & PS) != 0 && (level == 2 || level == 3 && longMode);
            if (leaf && level > 1) {
                // PAT sits in bit 12 of a large page's entry; the bits between it and the address are reserved.
                reserved |= (1L << shift) - 1 & ~0x1fffL;
                if (level == 3 && !c.gigabytePages) {
                    reserved |= PS;
                }
            }
            if (!longMode && !pdpteOfPae) {
                reserved |= 0x7FF0000000000000L;
            }
            if ((e & reserved) != 0) {
                return bits | E_P | E_RSVD;
            }
            if (!pdpteOfPae) {
                u &= (e & US) != 0;
                w &= (e & RW) != 0;
                x &= (e & NX) == 0 || !nxe;
            }
            if (leaf) {
                int denied = denied(access, userAccess, open, cr0, cr4, u, w, x);
                if (denied != 0) {
                    return bits | E_P;
                }
                if (setBits) {
                    long want = access == WRITE ? A | D : A;
                    if ((e & want) != want && !setBits(at, e, want)) {
                        continue;
                    }
                    e |= want;
                }
                long offsetMask = (1L << shift) - 1;
                gpaPage = (e & 0x000FFFFFFFFFF000L & ~offsetMask) | (va & offsetMask & -4096L);
                result(u, w, (e & D) != 0, (e & G) != 0 && (cr4 & Cr4.PGE) != 0);
                pageSize = offsetMask + 1;
                return -1;
            }
            if (setBits && (e & A) == 0 && !pdpteOfPae && !setBits(at, e, A)) {
                continue;
            }
            table = e & 0x000FFFFFFFFFF000L;
            level--;
        }
    }

    private int walk32(
            long va,
            int access,
            boolean userAccess,
            boolean open,
            boolean setBits,
            long cr0,
            long cr4,
            long cr3,
            int bits) {
        va &= 0xffffffffL;
        while (true) {
            long at = (cr3 & 0xfffff000L) + (va >>> 22 << 2);
            long frame = c.memory.frameForRead(at >>> 12);
            if (frame == 0) {
                return bits;
            }
            long pde = Raw.getInt(frame + (at & 0xfff)) & 0xffffffffL;
            if ((pde & P) == 0) {
                return bits;
            }
            boolean u = (pde & US) != 0;
            boolean w = (pde & RW) != 0;
            boolean large = (pde & PS) != 0 && (cr4 & Cr4.PSE) != 0;
            long e = pde;
            long entryAt = at;
            if (large) {
                // PSE-36: bits 13..20 of the entry are address bits 32..39; bit 21 is reserved.
                if ((pde & 1L << 21) != 0) {
                    return bits | E_P | E_RSVD;
                }
            } else {
                if (setBits && (pde & A) == 0 && !setBits32(at, (int) pde, (int) A)) {
                    continue;
                }
                entryAt = (pde & 0xfffff000L) + ((va >>> 12 & 0x3ff) << 2);
                frame = c.memory.frameForRead(entryAt >>> 12);
                if (frame == 0) {
                    return bits;
                }
                e = Raw.getInt(frame + (entryAt & 0xfff)) & 0xffffffffL;
                if ((e & P) == 0) {
                    return bits;
                }
                u &= (e & US) != 0;
                w &= (e & RW) != 0;
            }
            if (denied(access, userAccess, open, cr0, cr4, u, w, true) != 0) {
                return bits | E_P;
            }
            if (setBits) {
                long want = access == WRITE ? A | D : A;
                if ((e & want) != want && !setBits32(entryAt, (int) e, (int) want)) {
                    continue;
                }
                e |= want;
            }
            if (large) {
                gpaPage = (e & 0xffc00000L) | (e >>> 13 & 0xff) << 32 | va & 0x3ff000L;
                pageSize = 1 << 22;
            } else {
                gpaPage = e & 0xfffff000L;
                pageSize = 4096;
            }
            result(u, w, (e & D) != 0, (e & G) != 0 && (cr4 & Cr4.PGE) != 0);
            return -1;
        }
    }

    private static int denied(
            int access, boolean userAccess, boolean open, long cr0, long cr4, boolean u, boolean w, boolean x) {
        if (access == EXEC) {
            if (!x || userAccess && !u || !userAccess && u && (cr4 & Cr4.SMEP) != 0) {
                return 1;
            }
            return 0;
        }
        if (userAccess) {
            return !u || access == WRITE && !w ? 1 : 0;
        }
        if (u && !open) {
            return 1;
        }
        return access == WRITE && !w && (cr0 & Cr0.WP) != 0 ? 1 : 0;
    }

    private void result(boolean u, boolean w, boolean d, boolean g) {
        user = u;
        writable = w;
        dirty = d;
        global = g;
    }

    /** Atomically sets bits in an 8-byte entry; false when the entry changed under us, so that the walk starts over. */
    private boolean setBits(long at, long entry, long bits) {
        long frame = c.memory.frameForWrite(at >>> 12);
        if (frame == 0) {
            return true;
        }
        long host = frame + (at & 0xfff);
        return Raw.compareAndSetLong(host, entry, entry | bits);
    }

    private boolean setBits32(long at, int entry, int bits) {
        long frame = c.memory.frameForWrite(at >>> 12);
        if (frame == 0) {
            return true;
        }
        return Raw.compareAndSetInt(frame + (at & 0xfff), entry, entry | bits);
    }
}
