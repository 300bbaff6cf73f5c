package org.xenolith.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.xenolith.memory.Raw;

/**
 * The architectural state of one virtual CPU, in one off-heap block with fixed offsets.
 *
 * <p>The interpreter reads it, translated machine code addresses it, hardware engines load from it and migration saves
 * it; so a guest can change engine between two {@link Engine#run} calls. The layout (offsets in bytes, little endian):
 *
 * <pre>
 *   0x000  16 x u64  general registers in encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8..r15
 *   0x080  u64       rip (while an engine runs: start of the current block)
 *   0x088  u64       rflags (complete outside run; inside, arithmetic flags may be held lazily by the engine)
 *   0x090  u64       always zero: stands for an absent base or index register
 *   0x0A0  6 x 24 B  segment registers ES CS SS DS FS GS: u64 base, u32 limit (bytes, expanded), u16 selector, u16 access
 *   0x130  24 B      LDTR, then TR
 *   0x160  u64 base, u32 limit   GDTR (0x160), IDTR (0x170)
 *   0x180  u64       cr0, cr2, cr3, cr4 (0x180..0x198), cr8 is the interrupt controller's
 *   0x1A0  u64       xcr0
 *   0x1A8  u64       efer
 *   0x1B0  8 x u64   dr0..dr7
 *   0x1F0  u64       star, lstar, cstar, sfmask (0x1F0..0x208), kernel_gs_base (0x210),
 *                    sysenter_cs, sysenter_esp, sysenter_eip (0x218..0x228), tsc_aux (0x230), pat (0x238), misc_enable (0x240),
 *                    misc_features_enables (0x248)
 *   0x250  i32       events: non-zero asks the engine to look outside at the next block boundary
 *   0x254  i32       interrupt shadow: 1 after STI, 2 after MOV SS or POP SS
 *   0x258  i32       activity: 0 running, 1 halted, 2 shut down, 3 waiting for SIPI
 *   0x25C  i32       1 from the delivery of an NMI to the next IRET: further NMIs wait
 *   0x260  u64       retired guest instructions since creation
 *   0x268  u64       debugctl
 *   0x270  u64       debug exceptions (as DR6 bits) owed for an instruction that left the engine
 *   0x280  512+ B    x87, MMX and SSE state, nearly in FXSAVE format (Intel SDM vol. 1, table 10-2): fcw u16 +0, fsw +2 (with TOP),
 *                    abridged ftw u8 +4, fop +6, fip u64 +8, fdp u64 +16, mxcsr u32 +24, mxcsr_mask +28,
 *                    r0..r7 at +32 (10 bytes each, 16 apart), xmm0..15 at +160. Unlike in an FXSAVE
 *                    image the x87 registers are in physical order: ST(i) is register (TOP + i) & 7, and MMn is register n
 *   0x500  512 B     upper halves: ymm_hi 0..15 (16 bytes each), room for more
 *   0x700  256 B     scratch of the engine, never saved
 * </pre>
 *
 * <p>Access rights are in the format of VMX: bits 0-3 type, 4 S, 5-6 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G, and
 * {@link #UNUSABLE} for a null segment.
 */
public final class VcpuState implements AutoCloseable {
    /** Size of the block. */
    public static final int SIZE = 0x800;

    public static final int GPR = 0;
    public static final int RIP = 0x80;
    public static final int RFLAGS = 0x88;
    /** A slot that always holds zero. */
    public static final int ZERO = 0x90;

    /** Segment registers: {@code SEGMENTS + n * SEGMENT_SIZE}, n in encoding order. */
    public static final int SEGMENTS = 0xA0;

    public static final int SEGMENT_SIZE = 24;
    public static final int SEG_BASE = 0;
    public static final int SEG_LIMIT = 8;
    public static final int SEG_SELECTOR = 12;
    public static final int SEG_ACCESS = 14;
    public static final int ES = 0;
    public static final int CS = 1;
    public static final int SS = 2;
    public static final int DS = 3;
    public static final int FS = 4;
    public static final int GS = 5;
    /** LDTR and TR follow the six segment registers in the same format. */
    public static final int LDTR = 6;

    public static final int TR = 7;
    /** Access-rights bit of a segment that must not be used; it lies above the 16 architectural bits' used ones (bit 8). */
    public static final int UNUSABLE = 0x100;

    public static final int GDTR_BASE = 0x160;
    public static final int GDTR_LIMIT = 0x168;
    public static final int IDTR_BASE = 0x170;
    public static final int IDTR_LIMIT = 0x178;
    public static final int CR0 = 0x180;
    public static final int CR2 = 0x188;
    public static final int CR3 = 0x190;
    public static final int CR4 = 0x198;
    public static final int XCR0 = 0x1A0;
    public static final int EFER = 0x1A8;
    public static final int DR = 0x1B0;
    public static final int STAR = 0x1F0;
    public static final int LSTAR = 0x1F8;
    public static final int CSTAR = 0x200;
    public static final int SFMASK = 0x208;
    public static final int KERNEL_GS_BASE = 0x210;
    public static final int SYSENTER_CS = 0x218;
    public static final int SYSENTER_ESP = 0x220;
    public static final int SYSENTER_EIP = 0x228;
    public static final int TSC_AUX = 0x230;
    public static final int PAT = 0x238;
    public static final int MISC_ENABLE = 0x240;
    /** MISC_FEATURES_ENABLES: bit 0 makes CPUID fault outside ring 0. */
    public static final int MISC_FEATURES = 0x248;

    public static final int EVENTS = 0x250;
    public static final int SHADOW = 0x254;
    public static final int ACTIVITY = 0x258;
    public static final int NMI_BLOCKED = 0x25C;
    public static final int RETIRED = 0x260;
    /** DEBUGCTL: bit 0 last-branch records (there are none), bit 1 single-stepping from branch to branch. */
    public static final int DEBUG_CONTROL = 0x268;
    /** Debug exceptions, as DR6 bits, of an instruction that left the engine: due before the next one. */
    public static final int PENDING_DEBUG = 0x270;

    public static final int FXSAVE = 0x280;
    public static final int FCW = FXSAVE;
    public static final int FSW = FXSAVE + 2;
    /** Abridged tag word, one byte: bit n set when physical register n is not empty. */
    public static final int FTW = FXSAVE + 4;

    public static final int FOP = FXSAVE + 6;
    public static final int FIP = FXSAVE + 8;
    public static final int FDP = FXSAVE + 16;
    public static final int MXCSR = FXSAVE + 24;
    public static final int ST = FXSAVE + 32;
    public static final int XMM = FXSAVE + 160;
    public static final int YMM_HIGH = 0x500;
    public static final int SCRATCH = 0x700;

    public static final int RAX = 0;
    public static final int RCX = 1;
    public static final int RDX = 2;
    public static final int RBX = 3;
    public static final int RSP = 4;
    public static final int RBP = 5;
    public static final int RSI = 6;
    public static final int RDI = 7;

    /** {@link #EVENTS} bits: an external interrupt may be deliverable; an NMI is pending; leave {@link Engine#run} soon. */
    public static final int EVENT_INTERRUPT = 1;

    public static final int EVENT_NMI = 2;
    public static final int EVENT_EXIT = 4;
    /** TF or a breakpoint is on: the engine must look at every instruction. Kept by the processor itself. */
    public static final int EVENT_STEP = 8;
    /** Another processor wrote code or asks to watch a frame: the processor serves that between two instructions. */
    public static final int EVENT_CODE = 16;

    public static final int ACTIVE = 0;
    public static final int HALTED = 1;
    public static final int SHUT_DOWN = 2;
    public static final int WAIT_FOR_SIPI = 3;

    private final Arena arena = Arena.ofShared();
    private final long address;

    /** A processor as it is after power-on reset, except that the caller sets what its boot protocol wants. */
    public VcpuState() {
        MemorySegment block = arena.allocate(SIZE, 64);
        address = block.address();
        reset();
    }

    /** Address of the block. */
    public long address() {
        return address;
    }

    /** The reset state of Intel SDM vol. 3, table 10-1 (real mode, F000:FFF0). */
    public void reset() {
        Raw.fill(address, SIZE, (byte) 0);
        setLong(RIP, 0xFFF0);
        setLong(RFLAGS, 2);
        for (int seg = ES; seg <= GS; seg++) {
            setSegment(seg, 0, 0, 0xFFFF, 0x93);
        }
        setSegment(CS, 0xF000, 0xFFFF0000L, 0xFFFF, 0x9B);
        setSegment(LDTR, 0, 0, 0xFFFF, 0x82);
        setSegment(TR, 0, 0, 0xFFFF, 0x8B);
        setInt(GDTR_LIMIT, 0xFFFF);
        setInt(IDTR_LIMIT, 0xFFFF);
        setLong(CR0, 0x60000010L);
        setLong(XCR0, 1);
        setLong(DR + 6 * 8, 0xFFFF0FF0L);
        setLong(DR + 7 * 8, 0x400);
        setLong(PAT, 0x0007040600070406L);
        setLong(MISC_ENABLE, 1);
        setShort(FCW, 0x37F);
        setInt(MXCSR, 0x1F80);
        setInt(MXCSR + 4, 0xFFFF);
    }

    public long getLong(int offset) {
        return Raw.getLong(address + offset);
    }

    public void setLong(int offset, long value) {
        Raw.putLong(address + offset, value);
    }

    public int getInt(int offset) {
        return Raw.getInt(address + offset);
    }

    public void setInt(int offset, int value) {
        Raw.putInt(address + offset, value);
    }

    public int getShort(int offset) {
        return Raw.getShort(address + offset) & 0xffff;
    }

    public void setShort(int offset, int value) {
        Raw.putShort(address + offset, (short) value);
    }

    /** General register {@code n} in encoding order. */
    public long gpr(int n) {
        return getLong(GPR + n * 8);
    }

    public void setGpr(int n, long value) {
        setLong(GPR + n * 8, value);
    }

    public long rip() {
        return getLong(RIP);
    }

    public void setRip(long value) {
        setLong(RIP, value);
    }

    public long rflags() {
        return getLong(RFLAGS);
    }

    public void setRflags(long value) {
        setLong(RFLAGS, value);
    }

    /** Loads a segment register and its hidden part; {@code limit} in bytes after scaling, {@code access} as described above. */
    public void setSegment(int segment, int selector, long base, int limit, int access) {
        int at = SEGMENTS + segment * SEGMENT_SIZE;
        setLong(at + SEG_BASE, base);
        setInt(at + SEG_LIMIT, limit);
        setShort(at + SEG_SELECTOR, selector);
        setShort(at + SEG_ACCESS, access);
    }

    public int selector(int segment) {
        return getShort(SEGMENTS + segment * SEGMENT_SIZE + SEG_SELECTOR);
    }

    public int access(int segment) {
        return getShort(SEGMENTS + segment * SEGMENT_SIZE + SEG_ACCESS);
    }

    public long segmentBase(int segment) {
        return getLong(SEGMENTS + segment * SEGMENT_SIZE + SEG_BASE);
    }

    public int segmentLimit(int segment) {
        return getInt(SEGMENTS + segment * SEGMENT_SIZE + SEG_LIMIT);
    }

    /** Current privilege level: the DPL of SS, as hardware keeps it. */
    public int cpl() {
        return access(SS) >>> 5 & 3;
    }

    /** True in 64-bit mode proper: long mode active and CS.L set. */
    public boolean in64BitMode() {
        return (getLong(EFER) & Efer.LMA) != 0 && (access(CS) & 0x2000) != 0;
    }

    /** Retired guest instructions. */
    public long retired() {
        return getLong(RETIRED);
    }

    /** Sets {@link #EVENTS} bits, from any thread; the engine looks at them at the next block boundary. */
    public void raise(int events) {
        Raw.getAndOrInt(address + EVENTS, events);
    }

    /** Clears {@link #EVENTS} bits. */
    public void lower(int events) {
        Raw.getAndAndInt(address + EVENTS, ~events);
    }

    /** Asks the engine to return {@link VcpuExit.Kicked} soon, from any thread. */
    public void requestExit() {
        raise(EVENT_EXIT);
    }

    @Override
    public void close() {
        arena.close();
    }
}
