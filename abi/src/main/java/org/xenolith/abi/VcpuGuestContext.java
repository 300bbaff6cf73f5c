package org.xenolith.abi;

/**
 * A virtual CPU as tools see it on x86-64, {@code vcpu_guest_context} ({@value #SIZE} bytes).
 *
 * <pre>
 *    0 u8  fpu[512]        as FXSAVE writes it
 *  512 u64 flags           {@link #I387_VALID}, {@link #IN_KERNEL}, {@link #ONLINE}
 *  520 user_regs           u64 r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi; u32 error code, u32 vector;
 *                          u64 rip; u16 cs (in 8 bytes); u64 rflags rsp; u16 ss es ds fs gs (in 8 bytes each)
 *  720 trap_ctxt[256]      16 bytes each, of PV guests
 * 4816 u64 ldt_base, ldt_ents; gdt_frames[16]; gdt_ents
 * 4968 u64 kernel_ss, kernel_sp
 * 4984 u64 ctrlreg[8]
 * 5048 u64 debugreg[8]
 * 5112 u64 event, failsafe, syscall callbacks; vm_assist
 * 5144 u64 fs_base, gs_base_kernel, gs_base_user
 * </pre>
 */
public final class VcpuGuestContext {
    public static final int FPU = 0;
    public static final int FPU_SIZE = 512;
    public static final int FLAGS = 512;
    public static final int REGISTERS = 520;
    public static final int ERROR_CODE = 640;
    public static final int ENTRY_VECTOR = 644;
    public static final int RIP = 648;
    public static final int CS = 656;
    public static final int RFLAGS = 664;
    public static final int RSP = 672;
    public static final int SS = 680;
    public static final int ES = 688;
    public static final int DS = 696;
    public static final int FS = 704;
    public static final int GS = 712;
    public static final int CTRLREG = 4984;
    public static final int DEBUGREG = 5048;
    public static final int FS_BASE = 5144;
    public static final int GS_BASE_KERNEL = 5152;
    public static final int GS_BASE_USER = 5160;
    public static final int SIZE = 5168;

    /** The FPU state is there. */
    public static final int I387_VALID = 1;
    /** It runs at privilege level 0. */
    public static final int IN_KERNEL = 4;
    /** It is up. */
    public static final int ONLINE = 32;

    private VcpuGuestContext() {}
}
