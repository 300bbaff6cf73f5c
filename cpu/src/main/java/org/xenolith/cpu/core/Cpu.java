package org.xenolith.cpu.core;

import java.lang.invoke.VarHandle;
import org.xenolith.cpu.Efer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.World;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * The processor as instruction semantics see it: registers and flags, linear memory through the TLB, faults.
 *
 * <p>Architectural state lives in the {@link VcpuState} block; what is kept in fields here is either derived from it (mode,
 * privilege level, TLB table) or held lazily while an engine runs (arithmetic flags). Widths {@code w} are log2 of bytes.
 *
 * <p>Semantics compute first and commit last: every load, store check and fault comes before the first change of a register
 * or flag, so that a fault leaves no trace.
 */
public final class Cpu implements AutoCloseable {
    /** Address of the state block. */
    public final long base;

    public final VcpuState state;
    public final World world;
    public final GuestPhysical memory;

    /** Lazy arithmetic flags: see {@link Flags}. */
    public long flagResult;

    public long flagCarry;
    public long flagAux;

    /** Mode of the code segment: 1 = 16 bits, 2 = 32, 3 = 64. */
    public int mode;
    /** Current privilege level. */
    public int cpl;
    /** Width of stack pointer operations: 1, 2 or 3. */
    public int stackSize;
    /** True in long mode (64-bit or compatibility). */
    public boolean longMode;
    /** Protected mode, and not virtual-8086. */
    public boolean protectedMode;

    public boolean v86;

    /** SSE instructions raise #UD or #NM now: {@link #sseFault} says which. */
    public boolean sseBlocked;
    /** x87 and MMX instructions raise #UD or #NM now. */
    public boolean x87Blocked;
    /** VEX-encoded vector instructions raise #UD or #NM now: {@link #avxFault} says which. */
    public boolean avxBlocked;

    /** Exceptions (MXCSR bits 0-5) that the lanes of the running SIMD floating-point instruction have met so far. */
    public int simdExceptions;
    /** More lanes of the running instruction follow: the end of this one is not yet the time to raise anything. */
    public boolean simdCollecting;

    /** Physical address width that page tables may use. */
    public int physicalBits = 46;

    public boolean gigabytePages = true;

    /** TLB table of data accesses at the current privilege. */
    private long tlbTable;

    private int accessClass;

    /** DR6 bits of debug exceptions that became pending during the current instruction (data breakpoints, single step). */
    public long pendingDebug;

    /** An instruction asked for the outside: the engine reads this at the block's end. */
    public Object exit;

    /** The running instruction is in a block whose instructions are counted at its end: see {@link Uncounted}. */
    public boolean uncounted;

    private final Tlb tlb = new Tlb();

    private final Paging paging = new Paging(this);
    private final GuestFault fault = new GuestFault();
    private CodeWatch code;
    /** This processor among the others of its domain; null when it is alone. */
    private SharedCode.Participant shared;
    /** Null where the host has none. */
    private HostAtomics atomics;
    /** Null but during a trial. */
    private TrialMemory trial;

    public Cpu(VcpuState state, World world, GuestPhysical memory) {
        this.state = state;
        this.base = state.address();
        this.world = world;
        this.memory = memory;
        code = new NoCode();
        refresh();
    }

    private static final class NoCode implements CodeWatch {
        @Override
        public boolean hasCode(long hostFrame) {
            return false;
        }

        @Override
        public boolean written(long hostFrame, int offset, int bytes) {
            return true;
        }

        @Override
        public void mappingsChanged(boolean all) {}

        @Override
        public void mappingChanged(long va) {}
    }

    /** Names who owns decoded code. */
    public void setCodeWatch(CodeWatch watch) {
        code = watch;
    }

    /** Joins the other processors of a domain, before the first instruction. */
    public void share(SharedCode code) {
        shared = code.join(this);
    }

    /** True when other processors run on the same memory. */
    public boolean isShared() {
        return shared != null;
    }

    /** Names who does what Java has no atomic operation for. */
    public void setHostAtomics(HostAtomics host) {
        atomics = host;
    }

    public Tlb tlb() {
        return tlb;
    }

    /** Address of the TLB table that data accesses at the current privilege go through. */
    public long dataTable() {
        return tlbTable;
    }

    /** True when the table of data accesses stays empty, because each of them must be checked. */
    public boolean checksEveryAccess() {
        return accessClass == Tlb.CLOSED;
    }

    /** Address of the TLB table that data accesses at a privilege level will go through when it is entered with rflags.AC clear. */
    public long dataTable(int privilege) {
        if (watchpoints()) {
            return tlb.table(Tlb.CLOSED);
        }
        boolean smap = (control(VcpuState.CR4) & Cr4.SMAP) != 0;
        return tlb.table(privilege == 3 ? Tlb.USER : smap ? Tlb.SUPERVISOR : Tlb.SUPERVISOR_OPEN);
    }

    /** Address of the TLB table that instruction fetches at the current privilege go through. */
    public long fetchTable() {
        return fetchTable(cpl);
    }

    /** Address of the TLB table that instruction fetches at a privilege level go through. */
    public long fetchTable(int privilege) {
        return tlb.codeTable(privilege == 3);
    }

    // ---------------------------------------------------------------- registers

    /** General register {@code n}, 64 bits. */
    public long gpr(int n) {
        return Raw.getLong(base + n * 8);
    }

    public void setGpr(int n, long value) {
        Raw.putLong(base + n * 8, value);
    }

    /** Reads {@code 1 << w} bytes at a state-block offset, zero-extended. */
    public long get(int w, int offset) {
        long at = base + offset;
        return switch (w) {
            case 0 -> Raw.getByte(at) & 0xffL;
            case 1 -> Raw.getShort(at) & 0xffffL;
            case 2 -> Raw.getInt(at) & 0xffffffffL;
            default -> Raw.getLong(at);
        };
    }

    /** Writes a register: 8- and 16-bit writes keep the rest of it, a 32-bit write clears the upper half. */
    public void put(int w, int offset, long value) {
        long at = base + offset;
        switch (w) {
            case 0 -> Raw.putByte(at, (byte) value);
            case 1 -> Raw.putShort(at, (short) value);
            case 2 -> Raw.putLong(at, value & 0xffffffffL);
            default -> Raw.putLong(at, value);
        }
    }

    /** A general register by number at a width (no high-byte registers). */
    public long reg(int w, int n) {
        return get(w, n * 8);
    }

    public void setReg(int w, int n, long value) {
        put(w, n * 8, value);
    }

    /** rip: inside a block, its start. */
    public long rip() {
        return Raw.getLong(base + VcpuState.RIP);
    }

    public void setRip(long rip) {
        Raw.putLong(base + VcpuState.RIP, rip);
    }

    /**
     * An instruction pointer cut to the width of a mode. 16-bit code runs on past 64 KiB when the limit of its segment
     * allows it: only a branch with a 16-bit operand cuts the pointer to 16 bits.
     */
    public long wrapRip(long rip, int inMode) {
        return inMode == 3 ? rip : rip & 0xffffffffL;
    }

    /** A control or other 64-bit register by state-block offset. */
    public long control(int offset) {
        return Raw.getLong(base + offset);
    }

    public void setControl(int offset, long value) {
        Raw.putLong(base + offset, value);
    }

    /** System flags of rflags (everything but the arithmetic six, which {@link Flags} holds). */
    public long systemFlags() {
        return Raw.getLong(base + VcpuState.RFLAGS);
    }

    public boolean flag(long bit) {
        return (Raw.getLong(base + VcpuState.RFLAGS) & bit) != 0;
    }

    public int iopl() {
        return (int) (Raw.getLong(base + VcpuState.RFLAGS) >>> 12) & 3;
    }

    /** State-block address of xmm register {@code n}. */
    public long xmm(int n) {
        return base + VcpuState.XMM + n * 16L;
    }

    /** State-block address of the upper half of ymm register {@code n}. */
    public long ymmHigh(int n) {
        return base + VcpuState.YMM_HIGH + n * 16L;
    }

    /** State-block address of 256 bytes of scratch memory. */
    public long scratch() {
        return base + VcpuState.SCRATCH;
    }

    // ---------------------------------------------------------------- faults

    /** The exception object for a vector without error code: {@code throw c.fault(GuestFault.UD)}. */
    public GuestFault fault(int vector) {
        fault.vector = vector;
        fault.errorCode = 0;
        return fault;
    }

    public GuestFault fault(int vector, int errorCode) {
        fault.vector = vector;
        fault.errorCode = errorCode;
        return fault;
    }

    public GuestFault undefined() {
        return fault(GuestFault.UD);
    }

    public GuestFault generalProtection(int errorCode) {
        return fault(GuestFault.GP, errorCode);
    }

    private GuestFault pageFault(long va, int errorCode) {
        setControl(VcpuState.CR2, va);
        return fault(GuestFault.PF, errorCode);
    }

    // ---------------------------------------------------------------- derived state

    /** Recomputes mode, privilege and TLB table after a change of CS, SS, CR0, CR4, EFER or rflags. */
    public void refresh() {
        long cr0 = control(VcpuState.CR0);
        boolean pe = (cr0 & Cr0.PE) != 0;
        v86 = pe && flag(Flags.VM);
        protectedMode = pe && !v86;
        longMode = (control(VcpuState.EFER) & Efer.LMA) != 0;
        int csAccess = state.access(VcpuState.CS);
        if (longMode && (csAccess & 0x2000) != 0) {
            mode = 3;
            stackSize = 3;
        } else {
            mode = (csAccess & 0x4000) != 0 && !v86 ? 2 : 1;
            stackSize = (state.access(VcpuState.SS) & 0x4000) != 0 && !v86 ? 2 : 1;
        }
        cpl = !pe ? 0 : v86 ? 3 : state.cpl();
        boolean unavailable = (cr0 & (Cr0.EM | Cr0.TS)) != 0;
        x87Blocked = unavailable;
        sseBlocked = unavailable || (control(VcpuState.CR4) & Cr4.OSFXSR) == 0;
        avxBlocked = !avxEnabled() || (cr0 & Cr0.TS) != 0;
        refreshAccessClass();
    }

    /** Protected mode with an XCR0 that enables SSE and AVX state. */
    private boolean avxEnabled() {
        return protectedMode
                && (control(VcpuState.CR4) & Cr4.OSXSAVE) != 0
                && (control(VcpuState.XCR0) & Xcr0.AVX_MASK) == Xcr0.AVX_MASK;
    }

    /** The fault of a VEX-encoded vector instruction while {@link #avxBlocked}. */
    public GuestFault avxFault() {
        return fault(avxEnabled() ? GuestFault.NM : GuestFault.UD);
    }

    /** Raises the fault of a vector instruction that may not be executed now; {@code vex} says which rules are its. */
    public void requireVectors(boolean vex) {
        if (vex ? avxBlocked : sseBlocked) {
            throw vex ? avxFault() : sseFault();
        }
    }

    /** The fault of an SSE instruction while {@link #sseBlocked}. */
    public GuestFault sseFault() {
        boolean emulation = (control(VcpuState.CR0) & Cr0.EM) != 0;
        return fault(emulation || (control(VcpuState.CR4) & Cr4.OSFXSR) == 0 ? GuestFault.UD : GuestFault.NM);
    }

    /** The fault of an x87 (#NM for EM or TS) or MMX instruction (#UD for EM) while {@link #x87Blocked}. */
    public GuestFault x87Fault(boolean mmx) {
        return fault(mmx && (control(VcpuState.CR0) & Cr0.EM) != 0 ? GuestFault.UD : GuestFault.NM);
    }

    /** Recomputes the TLB table after a change of rflags.AC, CPL, CR0.AM, CR4.SMAP or DR7. */
    public void refreshAccessClass() {
        long cr4 = control(VcpuState.CR4);
        boolean ac = flag(Flags.AC);
        if (trial != null || watchpoints() || cpl == 3 && ac && (control(VcpuState.CR0) & Cr0.AM) != 0) {
            accessClass = Tlb.CLOSED;
        } else if (cpl == 3) {
            accessClass = Tlb.USER;
        } else {
            accessClass = (cr4 & Cr4.SMAP) != 0 && !ac ? Tlb.SUPERVISOR : Tlb.SUPERVISOR_OPEN;
        }
        tlbTable = tlb.table(accessClass);
    }

    /** True when DR7 enables a breakpoint on data. */
    private boolean watchpoints() {
        long dr7 = control(VcpuState.DR + 7 * 8);
        if ((dr7 & 0xff) == 0) {
            return false;
        }
        for (int i = 0; i < 4; i++) {
            if ((dr7 >>> i * 2 & 3) != 0 && (dr7 >>> 16 + i * 4 & 3) != 0) {
                return true;
            }
        }
        return false;
    }

    // ---------------------------------------------------------------- TLB maintenance

    /** Forgets all translations, global ones too. */
    public void flushTlb() {
        tlb.flushAll();
        code.mappingsChanged(true);
    }

    /** Forgets the translations that are not global. */
    public void flushTlbNonGlobal() {
        tlb.flushNonGlobal();
        code.mappingsChanged(false);
    }

    /** INVLPG. */
    public void flushPage(long va) {
        tlb.flushPage(va);
        code.mappingChanged(va);
    }

    // ---------------------------------------------------------------- data access, current privilege

    /** Loads {@code 1 << w} bytes, zero-extended. */
    public long load(int w, long va) {
        return switch (w) {
            case 0 -> load8(va);
            case 1 -> load16(va);
            case 2 -> load32(va);
            default -> load64(va);
        };
    }

    public void store(int w, long va, long value) {
        switch (w) {
            case 0 -> store8(va, value);
            case 1 -> store16(va, value);
            case 2 -> store32(va, value);
            default -> store64(va, value);
        }
    }

    public long load8(long va) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.READ) == (va & -4096L)) {
            return Raw.getByte(va + Raw.getLong(e + Tlb.ADDEND)) & 0xffL;
        }
        return loadSlow(va, 1);
    }

    public long load16(long va) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.READ) == (va + 1 & -4096L)) {
            return Raw.getShort(va + Raw.getLong(e + Tlb.ADDEND)) & 0xffffL;
        }
        return loadSlow(va, 2);
    }

    public long load32(long va) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.READ) == (va + 3 & -4096L)) {
            return Raw.getInt(va + Raw.getLong(e + Tlb.ADDEND)) & 0xffffffffL;
        }
        return loadSlow(va, 4);
    }

    public long load64(long va) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.READ) == (va + 7 & -4096L)) {
            return Raw.getLong(va + Raw.getLong(e + Tlb.ADDEND));
        }
        return loadSlow(va, 8);
    }

    public void store8(long va, long value) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.WRITE) == (va & -4096L)) {
            Raw.putByte(va + Raw.getLong(e + Tlb.ADDEND), (byte) value);
        } else {
            storeSlow(va, 1, value);
        }
    }

    public void store16(long va, long value) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.WRITE) == (va + 1 & -4096L)) {
            Raw.putShort(va + Raw.getLong(e + Tlb.ADDEND), (short) value);
        } else {
            storeSlow(va, 2, value);
        }
    }

    public void store32(long va, long value) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.WRITE) == (va + 3 & -4096L)) {
            Raw.putInt(va + Raw.getLong(e + Tlb.ADDEND), (int) value);
        } else {
            storeSlow(va, 4, value);
        }
    }

    public void store64(long va, long value) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.WRITE) == (va + 7 & -4096L)) {
            Raw.putLong(va + Raw.getLong(e + Tlb.ADDEND), value);
        } else {
            storeSlow(va, 8, value);
        }
    }

    /**
     * Host address of {@code bytes} readable bytes, or 0 when they cross a page or are not memory (then use the loads).
     * Raises the fault that a load would raise.
     */
    public long readable(long va, int bytes) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.READ) == (va + bytes - 1 & -4096L)) {
            return va + Raw.getLong(e + Tlb.ADDEND);
        }
        if ((va & 4095) + bytes > 4096) {
            return 0;
        }
        return resolve(va, bytes, Paging.READ, cpl == 3);
    }

    /**
     * Host address of {@code bytes} writable bytes, or 0 when they cross a page or are not memory (then use the stores).
     * Raises the fault that a store would raise, and takes note of stores to code.
     */
    public long writable(long va, int bytes) {
        long e = Tlb.entry(tlbTable, va);
        if (Raw.getLong(e + Tlb.WRITE) == (va + bytes - 1 & -4096L)) {
            return va + Raw.getLong(e + Tlb.ADDEND);
        }
        if ((va & 4095) + bytes > 4096) {
            return 0;
        }
        return resolve(va, bytes, Paging.WRITE, cpl == 3);
    }

    /** Raises the fault that a store of {@code bytes} bytes at {@code va} would raise, and does nothing else. */
    public void checkWritable(long va, int bytes) {
        if (writable(va, bytes) == 0 && (va & 4095) + bytes > 4096) {
            resolve(va, 1, Paging.WRITE, cpl == 3);
            resolve(wrapLinear((va | 4095) + 1), 1, Paging.WRITE, cpl == 3);
        }
    }

    /** Copies guest memory to a host address (scratch or register), any length up to a page, faults first. */
    public void loadBytes(long va, long to, int bytes) {
        long host = readable(va, bytes);
        if (host != 0) {
            Raw.copy(host, to, bytes);
            return;
        }
        int i = 0;
        for (; i + 8 <= bytes; i += 8) {
            Raw.putLong(to + i, load64(va + i));
        }
        for (; i < bytes; i++) {
            Raw.putByte(to + i, (byte) load8(wrapLinear(va + i)));
        }
    }

    /** Copies from a host address to guest memory, faults first. */
    public void storeBytes(long va, long from, int bytes) {
        long host = writable(va, bytes);
        if (host != 0) {
            Raw.copy(from, host, bytes);
            return;
        }
        checkWritable(va, bytes);
        int i = 0;
        for (; i + 8 <= bytes; i += 8) {
            store64(va + i, Raw.getLong(from + i));
        }
        for (; i < bytes; i++) {
            store8(wrapLinear(va + i), Raw.getByte(from + i));
        }
    }

    /** Loads {@code 1 << w} bytes at a host address, zero-extended. */
    public static long readHost(int w, long host) {
        return switch (w) {
            case 0 -> Raw.getByte(host) & 0xffL;
            case 1 -> Raw.getShort(host) & 0xffffL;
            case 2 -> Raw.getInt(host) & 0xffffffffL;
            default -> Raw.getLong(host);
        };
    }

    /** Stores {@code 1 << w} bytes at a host address. */
    public static void writeHost(int w, long host, long value) {
        switch (w) {
            case 0 -> Raw.putByte(host, (byte) value);
            case 1 -> Raw.putShort(host, (short) value);
            case 2 -> Raw.putInt(host, (int) value);
            default -> Raw.putLong(host, value);
        }
    }

    /**
     * The memory part of a locked instruction: replaces {@code 1 << w} bytes at a host address, of any alignment inside
     * one page, if they equal {@code expected}. A full fence whether or not they do.
     *
     * @return what was there, zero-extended
     */
    public long compareExchangeHost(int w, long host, long expected, long value) {
        if (w == 3 && (host & 7) == 0) {
            return Raw.compareAndExchangeLong(host, expected, value);
        }
        if (w == 2 && (host & 3) == 0) {
            return Raw.compareAndExchangeInt(host, (int) expected, (int) value) & 0xffffffffL;
        }
        int shift = (int) (host & 7) * 8;
        if (shift + (8 << w) <= 64) {
            return compareExchangePart(host & -8L, shift, (1L << (8 << w)) - 1, expected, value);
        }
        if (atomics != null) {
            return atomics.compareExchange(w, host, expected, value);
        }
        stopOthers();
        try {
            long old = readHost(w, host);
            if (old == Flags.zeroExtend(w, expected)) {
                writeHost(w, host, value);
            }
            return old;
        } finally {
            resumeOthers();
        }
    }

    /** As {@link #compareExchangeHost}, on some of the bytes of an aligned quadword. */
    private static long compareExchangePart(long container, int shift, long mask, long expected, long value) {
        long all = Raw.getLongVolatile(container);
        while (true) {
            boolean equal = (all >>> shift & mask) == (expected & mask);
            long result = equal ? all & ~(mask << shift) | (value & mask) << shift : all;
            long seen = Raw.compareAndExchangeLong(container, all, result);
            if (seen == all) {
                return all >>> shift & mask;
            }
            all = seen;
        }
    }

    /**
     * The memory part of LOCK CMPXCHG16B at an aligned host address; operands and result as in {@link
     * HostAtomics#compareExchange16}.
     */
    public boolean compareExchangeHost16(long host, long operands) {
        if (atomics != null) {
            return atomics.compareExchange16(host, operands);
        }
        stopOthers();
        try {
            long low = Raw.getLong(host);
            long high = Raw.getLong(host + 8);
            boolean equal = low == Raw.getLong(operands) && high == Raw.getLong(operands + 8);
            if (equal) {
                Raw.copy(operands + 16, host, 16);
            } else {
                Raw.putLong(operands, low);
                Raw.putLong(operands + 8, high);
            }
            return equal;
        } finally {
            resumeOthers();
        }
    }

    /**
     * Stops the other processors of the domain at their next instructions, for a locked operation that the host has no
     * instruction for: across two pages, for example. {@link #resumeOthers} must follow.
     */
    public void stopOthers() {
        if (shared != null) {
            shared.stopOthers();
        }
    }

    public void resumeOthers() {
        if (shared != null) {
            shared.resumeOthers();
        }
    }

    /** The instruction serialises: all stores before it are visible to other processors before any load behind it. */
    public void serialize() {
        VarHandle.fullFence();
    }

    /** Linear addresses wrap at 4 GiB outside long mode. */
    public long wrapLinear(long va) {
        return longMode ? va : va & 0xffffffffL;
    }

    // ---------------------------------------------------------------- data access, as the system (GDT, IDT, TSS)

    /** Loads descriptor-table and TSS fields: a supervisor access whatever the CPL. */
    public long systemLoad(int w, long va) {
        int bytes = 1 << w;
        if ((va & 4095) + bytes > 4096) {
            long value = 0;
            for (int i = 0; i < bytes; i++) {
                value |= systemLoad(0, wrapLinear(va + i)) << i * 8;
            }
            return value;
        }
        long host = systemResolve(va, bytes, Paging.READ);
        if (host == 0) {
            return deviceRead(va, bytes);
        }
        return switch (w) {
            case 0 -> Raw.getByte(host) & 0xffL;
            case 1 -> Raw.getShort(host) & 0xffffL;
            case 2 -> Raw.getInt(host) & 0xffffffffL;
            default -> Raw.getLong(host);
        };
    }

    /** Stores descriptor-table and TSS fields and inner stack frames: a supervisor access whatever the CPL. */
    public void systemStore(int w, long va, long value) {
        int bytes = 1 << w;
        if ((va & 4095) + bytes > 4096) {
            systemResolve(va, 1, Paging.WRITE);
            systemResolve(wrapLinear((va | 4095) + 1), 1, Paging.WRITE);
            for (int i = 0; i < bytes; i++) {
                systemStore(0, wrapLinear(va + i), value >>> i * 8);
            }
            return;
        }
        long host = systemResolve(va, bytes, Paging.WRITE);
        if (host == 0) {
            deviceWrite(va, bytes, value);
            return;
        }
        switch (w) {
            case 0 -> Raw.putByte(host, (byte) value);
            case 1 -> Raw.putShort(host, (short) value);
            case 2 -> Raw.putInt(host, (int) value);
            default -> Raw.putLong(host, value);
        }
    }

    /**
     * Host address of a byte that the system may read or write, or 0 where there is no memory; raises the fault that the
     * access would raise. Good up to the end of its page.
     */
    public long systemHost(long va, boolean write) {
        return systemResolve(va, 1, write ? Paging.WRITE : Paging.READ);
    }

    private long systemResolve(long va, int bytes, int access) {
        int table = (control(VcpuState.CR4) & Cr4.SMAP) != 0 ? Tlb.SUPERVISOR : Tlb.SUPERVISOR_OPEN;
        long e = Tlb.entry(tlb.table(table), va);
        if (Raw.getLong(e + (access == Paging.WRITE ? Tlb.WRITE : Tlb.READ)) == (va & -4096L)) {
            return va + Raw.getLong(e + Tlb.ADDEND);
        }
        return resolveIn(va, bytes, access, false, table);
    }

    // ---------------------------------------------------------------- slow paths

    /** For an instruction that changes something before it knows whether it reaches a device: see {@link Uncounted}. */
    public void requireCounted() {
        if (uncounted) {
            throw Uncounted.INSTANCE;
        }
    }

    /** Loads from the device behind {@code va}, in the page of the last walk. */
    private long deviceRead(long va, int bytes) {
        requireCounted();
        return world.mmioRead(paging.gpaPage | va & 4095, bytes);
    }

    private void deviceWrite(long va, int bytes, long value) {
        requireCounted();
        world.mmioWrite(paging.gpaPage | va & 4095, bytes, value);
    }

    /** Start of the page behind {@code va}; an access into the non-canonical range faults before any page is looked at. */
    private long secondPage(long va) {
        long second = wrapLinear((va | 4095) + 1);
        if (longMode && second << 16 >> 16 != second) {
            throw fault(GuestFault.GP, NON_CANONICAL);
        }
        return second;
    }

    private long loadSlow(long va, int bytes) {
        boolean userAccess = cpl == 3;
        checkAlignment(va, bytes);
        if ((va & 4095) + bytes > 4096) {
            long second = secondPage(va);
            // Both pages are checked before anything is read, the lower one first.
            resolve(va, 1, Paging.READ, userAccess);
            resolve(second, 1, Paging.READ, userAccess);
            long value = 0;
            for (int i = 0; i < bytes; i++) {
                value |= load8(wrapLinear(va + i)) << i * 8;
            }
            return value;
        }
        long host = resolve(va, bytes, Paging.READ, userAccess);
        if (host == 0) {
            return deviceRead(va, bytes);
        }
        return switch (bytes) {
            case 1 -> Raw.getByte(host) & 0xffL;
            case 2 -> Raw.getShort(host) & 0xffffL;
            case 4 -> Raw.getInt(host) & 0xffffffffL;
            default -> Raw.getLong(host);
        };
    }

    private void storeSlow(long va, int bytes, long value) {
        boolean userAccess = cpl == 3;
        checkAlignment(va, bytes);
        if ((va & 4095) + bytes > 4096) {
            long second = secondPage(va);
            resolve(va, 1, Paging.WRITE, userAccess);
            resolve(second, 1, Paging.WRITE, userAccess);
            for (int i = 0; i < bytes; i++) {
                store8(wrapLinear(va + i), value >>> i * 8);
            }
            return;
        }
        long host = resolve(va, bytes, Paging.WRITE, userAccess);
        if (host == 0) {
            deviceWrite(va, bytes, value);
            return;
        }
        switch (bytes) {
            case 1 -> Raw.putByte(host, (byte) value);
            case 2 -> Raw.putShort(host, (short) value);
            case 4 -> Raw.putInt(host, (int) value);
            default -> Raw.putLong(host, value);
        }
    }

    private long resolve(long va, int bytes, int access, boolean userAccess) {
        if (accessClass == Tlb.CLOSED) {
            if (trial != null) {
                return resolveOnTrial(va, bytes, access, userAccess);
            }
            matchWatchpoints(va, bytes, access);
        }
        return resolveIn(va, bytes, access, userAccess, openClass());
    }

    // ---------------------------------------------------------------- trials

    /**
     * From now on stores do not reach guest memory, but go where later loads find them; accesses to devices raise a fault.
     * Every access takes the slow path meanwhile, with translations from the TLB. Page tables get their accessed and dirty
     * bits as ever.
     *
     * <p>For semantics that load and store as data; what is not memory is the caller's to save.
     */
    public void beginTrial(TrialMemory memoryOnTrial) {
        beginTrial(memoryOnTrial, false);
    }

    /**
     * The same.
     *
     * @param again repeats the last trial in this memory, or the first part of it, although guest memory may by now be what
     *     the trial has made of it
     */
    public void beginTrial(TrialMemory memoryOnTrial, boolean again) {
        memoryOnTrial.begin(again);
        trial = memoryOnTrial;
        refreshAccessClass();
    }

    /** Loads and stores reach guest memory again. */
    public void endTrial() {
        trial = null;
        refreshAccessClass();
    }

    private long resolveOnTrial(long va, int bytes, int access, boolean userAccess) {
        int table = openClass();
        long e = Tlb.entry(tlb.table(table), va);
        boolean write = access == Paging.WRITE;
        long tag = Raw.getLong(e + (write ? Tlb.WRITE : Tlb.READ)) & ~Tlb.WATCHED;
        long host = tag == (va & -4096L)
                ? va + Raw.getLong(e + Tlb.ADDEND)
                : resolveIn(va, bytes, access, userAccess, table);
        if (host == 0) {
            throw fault(NOT_MEMORY);
        }
        return write ? trial.forStore(va, host, bytes) : trial.forLoad(va, host, bytes);
    }

    /** The class that accesses at the current privilege belong to, watchpoints or not. */
    private int openClass() {
        if (accessClass != Tlb.CLOSED) {
            return accessClass;
        }
        return cpl == 3
                ? Tlb.USER
                : (control(VcpuState.CR4) & Cr4.SMAP) != 0 && !flag(Flags.AC) ? Tlb.SUPERVISOR : Tlb.SUPERVISOR_OPEN;
    }

    /**
     * The TLB fill path: the one place that turns a guest address into a host address. Returns the host address of
     * {@code va}, or 0 with {@code paging.gpaPage} set when no memory is there.
     */
    private long resolveIn(long va, int bytes, int access, boolean userAccess, int table) {
        long page = va & -4096L;
        if (access == Paging.WRITE) {
            long e = Tlb.entry(tlb.table(table), va);
            if (Raw.getLong(e + Tlb.WRITE) == (page | Tlb.WATCHED)) {
                long host = va + Raw.getLong(e + Tlb.ADDEND);
                writingCode(host, bytes);
                return host;
            }
        }
        if (longMode && va << 16 >> 16 != va) {
            throw fault(GuestFault.GP, NON_CANONICAL);
        }
        boolean open = table != Tlb.SUPERVISOR;
        int error = paging.walk(va, access, userAccess, open, true);
        if (error >= 0) {
            throw pageFault(va, error);
        }
        long gfn = paging.gpaPage >>> 12;
        long readFrame = memory.frameForRead(gfn);
        if (readFrame == 0) {
            return 0;
        }
        boolean write = paging.writable || !userAccess && (control(VcpuState.CR0) & Cr0.WP) == 0;
        long frame = readFrame;
        boolean canWrite = false;
        if (access == Paging.WRITE || write && paging.dirty) {
            long writeFrame = memory.frameForWrite(gfn);
            if (writeFrame != 0) {
                frame = writeFrame;
                canWrite = write && (access == Paging.WRITE || paging.dirty);
            } else if (access == Paging.WRITE) {
                return 0;
            }
        }
        boolean readable = userAccess ? paging.user : open || !paging.user;
        boolean hasCode = canWrite && (code.hasCode(frame) || shared != null && !shared.openForWriting(frame));
        tlb.fill(table, page, frame, readable, canWrite && readable, hasCode, paging.global);
        long host = frame + (va & 4095);
        if (access == Paging.WRITE && hasCode) {
            writingCode(host, bytes);
        }
        return host;
    }

    /** Vector of what an access to something else than memory raises during a trial; no guest ever sees it. */
    private static final int NOT_MEMORY = -1;

    /** Error code of a #GP for a non-canonical address, until the engine decides between #GP(0) and #SS(0). */
    public static final int NON_CANONICAL = 0x10000;

    private void writingCode(long host, int bytes) {
        long frame = host & -4096L;
        int offset = (int) (host - frame);
        boolean none = codeWritten(frame, offset, bytes);
        if (shared != null) {
            shared.storing(frame, offset, bytes);
            none = none && shared.openForWriting(frame);
        }
        if (none) {
            tlb.unwatch(frame);
        }
    }

    /** Sends stores to a host frame through {@link CodeWatch#written} from now on. */
    public void watchFrame(long hostFrame) {
        tlb.watch(hostFrame);
        if (shared != null) {
            shared.watched(hostFrame);
        }
    }

    /** Bytes of a frame are, or will be, others: this processor's code of them goes. True when none is left there. */
    boolean codeWritten(long hostFrame, int offset, int bytes) {
        boolean none = code.written(hostFrame, offset, bytes);
        if (none && shared != null) {
            shared.vacate(hostFrame);
        }
        return none;
    }

    // ---------------------------------------------------------------- other processors of the domain

    /**
     * Code is about to be decoded from a frame and kept. Returns true when other processors may have been waited for, and
     * code dropped on their behalf, so that what was decoded before must be decoded again.
     */
    public boolean announceCode(long hostFrame) {
        return shared != null && shared.announce(hostFrame);
    }

    /** The hypervisor has written to memory on behalf of this processor; tells the other ones. */
    public void hypervisorWrote(long hostFrame, int offset, int bytes) {
        if (shared != null) {
            shared.stored(hostFrame, offset, bytes);
        }
    }

    /** Guest code is about to run, until {@link #leaveGuest}. Nested calls count as one. */
    public void enterGuest() {
        if (shared != null) {
            shared.enter();
        }
    }

    public void leaveGuest() {
        if (shared != null) {
            shared.leave();
        }
    }

    /** Answers {@link VcpuState#EVENT_CODE}, between two instructions. */
    public void serveOthers() {
        if (shared != null) {
            shared.serve();
        }
    }

    private void checkAlignment(long va, int bytes) {
        if ((va & bytes - 1) != 0 && cpl == 3 && flag(Flags.AC) && (control(VcpuState.CR0) & Cr0.AM) != 0) {
            throw fault(GuestFault.AC, 0);
        }
    }

    /** Alignment check (#AC) of an access whose natural alignment is {@code bytes}, for wide loads done in pieces. */
    public void requireAlignment(long va, int bytes) {
        if (accessClass == Tlb.CLOSED) {
            checkAlignment(va, bytes);
        }
    }

    private void matchWatchpoints(long va, int bytes, int access) {
        long dr7 = control(VcpuState.DR + 7 * 8);
        for (int i = 0; i < 4; i++) {
            int type = (int) (dr7 >>> 16 + i * 4) & 3;
            if ((dr7 >>> i * 2 & 3) == 0 || type == 0 || type == 2 || type == 1 && access != Paging.WRITE) {
                continue;
            }
            int encoded = (int) (dr7 >>> 18 + i * 4) & 3;
            int length = encoded == 2 ? 8 : encoded + 1;
            long from = control(VcpuState.DR + i * 8) & -length;
            if (va < from + length && from < va + bytes) {
                pendingDebug |= 1L << i;
            }
        }
    }

    /**
     * Host address of the frame that holds code at {@code va}; raises #PF, or #GP for a non-canonical address.
     *
     * @return 0 when no memory is there
     */
    public long fetchPage(long va) {
        boolean fromUser = cpl == 3;
        long known = tlb.fetched(va, fromUser);
        if (known != 0) {
            return known;
        }
        if (longMode && va << 16 >> 16 != va) {
            throw fault(GuestFault.GP, 0);
        }
        int error = paging.walk(va, Paging.EXEC, fromUser, true, true);
        if (error >= 0) {
            throw pageFault(va, error);
        }
        long frame = memory.frameForRead(paging.gpaPage >>> 12);
        if (frame == 0) {
            return 0;
        }
        if (!tlb.fetch(va, fromUser, frame, paging.global)) {
            code.mappingsChanged(true);
        }
        return frame;
    }

    /** Whether the page that {@link #fetchPage} has just answered for is mapped globally. */
    public boolean fetchedGlobal(long va) {
        return tlb.fetchedGlobal(va, cpl == 3);
    }

    /** Walks the page tables for tools: no faults, no accessed bits, no TLB. Returns the guest-physical address or -1. */
    public long translateForTools(long va) {
        if (longMode && va << 16 >> 16 != va) {
            return -1;
        }
        int error = paging.walk(va, Paging.READ, false, true, false);
        return error >= 0 ? -1 : paging.gpaPage | va & 4095;
    }

    // ---------------------------------------------------------------- segmentation outside 64-bit mode

    /** Checks an access against a segment and returns its linear address (32 bits); legacy and compatibility modes. */
    public long segmentLinear(int segment, long offset, int bytes, boolean write) {
        int at = VcpuState.SEGMENTS + segment * VcpuState.SEGMENT_SIZE;
        long segBase = Raw.getLong(base + at + VcpuState.SEG_BASE);
        long limit = Raw.getInt(base + at + VcpuState.SEG_LIMIT) & 0xffffffffL;
        int access = Raw.getShort(base + at + VcpuState.SEG_ACCESS);
        if (protectedMode) {
            if ((access & VcpuState.UNUSABLE) != 0) {
                throw segmentFault(segment);
            }
            boolean codeSegment = (access & 8) != 0;
            if (write ? codeSegment || (access & 2) == 0 : codeSegment && (access & 2) == 0) {
                throw segmentFault(segment);
            }
            if (!codeSegment && (access & 4) != 0) {
                long top = (access & 0x4000) != 0 ? 0xffffffffL : 0xffffL;
                if (offset <= limit || offset + bytes - 1 > top) {
                    throw segmentFault(segment);
                }
                return segBase + offset & 0xffffffffL;
            }
        }
        if (offset + bytes - 1 > limit) {
            throw segmentFault(segment);
        }
        return segBase + offset & 0xffffffffL;
    }

    private GuestFault segmentFault(int segment) {
        return fault(segment == VcpuState.SS ? GuestFault.SS : GuestFault.GP, 0);
    }

    /** Linear address of an instruction pointer; raises #GP(0) beyond the code segment's limit. */
    public long codeLinear(long ip) {
        if (mode == 3) {
            return ip;
        }
        int at = VcpuState.SEGMENTS + VcpuState.CS * VcpuState.SEGMENT_SIZE;
        if ((ip & 0xffffffffL) > (Raw.getInt(base + at + VcpuState.SEG_LIMIT) & 0xffffffffL)) {
            throw generalProtection(0);
        }
        return Raw.getLong(base + at + VcpuState.SEG_BASE) + ip & 0xffffffffL;
    }

    // ---------------------------------------------------------------- stack

    /** Linear address of a stack slot at offset {@code sp}. */
    public long stackLinear(long sp, int bytes, boolean write) {
        if (mode == 3) {
            return sp;
        }
        return segmentLinear(VcpuState.SS, stackSize == 2 ? sp & 0xffffffffL : sp & 0xffff, bytes, write);
    }

    /** Stack pointer cut to the stack's width. */
    public long stackPointer() {
        long sp = Raw.getLong(base + VcpuState.RSP * 8);
        return stackSize == 3 ? sp : stackSize == 2 ? sp & 0xffffffffL : sp & 0xffff;
    }

    /** Writes the stack pointer at the stack's width. */
    public void setStackPointer(long sp) {
        put(stackSize, VcpuState.RSP * 8, sp);
    }

    /** Pushes {@code 1 << w} bytes; the stack pointer moves only after the store went through. */
    public void push(int w, long value) {
        if (mode == 3) {
            long sp = Raw.getLong(base + VcpuState.RSP * 8) - (1L << w);
            store(w, sp, value);
            Raw.putLong(base + VcpuState.RSP * 8, sp);
        } else {
            long sp = stackPointer() - (1L << w);
            store(w, stackLinear(sp, 1 << w, true), value);
            setStackPointer(sp);
        }
    }

    /** The value that a pop would give, {@code delta} bytes above the stack pointer; moves nothing. */
    public long peek(int w, long delta) {
        if (mode == 3) {
            return load(w, Raw.getLong(base + VcpuState.RSP * 8) + delta);
        }
        return load(w, stackLinear(stackPointer() + delta, 1 << w, false));
    }

    /** Moves the stack pointer up. */
    public void drop(long bytes) {
        setStackPointer(stackPointer() + bytes);
    }

    @Override
    public void close() {
        tlb.close();
    }
}
