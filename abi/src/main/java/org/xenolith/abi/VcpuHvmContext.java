package org.xenolith.abi;

/**
 * The state in which {@link VcpuOp#INITIALISE} starts a virtual CPU of a hardware container ({@value #SIZE} bytes).
 *
 * <pre>
 *    0 u32 mode   0 = 32-bit, 1 = 64-bit; u32 reserved
 *    8 32-bit: u32 eax ecx edx ebx esp ebp esi edi eip eflags cr0 cr3 cr4, u32 0, u64 efer @64,
 *              u32 bases @72 and limits @92 of cs ds ss es tr, u16 attributes @112 of the same, u16 0 [3]
 *    8 64-bit: u64 rax rcx rdx rbx rsp rbp rsi rdi rip rflags cr0 cr3 cr4 efer
 * </pre>
 *
 * <p>Attributes are bits 0-7 type, S, DPL, P; 8 AVL, 9 L, 10 D/B, 11 G. Limits are in bytes.
 */
public final class VcpuHvmContext {
    public static final int MODE = 0;
    public static final int MODE_32 = 0;
    public static final int MODE_64 = 1;
    /** General registers in encoding order, then instruction pointer, flags, cr0, cr3, cr4: 4 or 8 bytes each. */
    public static final int REGISTERS = 8;

    public static final int EFER_32 = 64;
    public static final int BASES_32 = 72;
    public static final int LIMITS_32 = 92;
    public static final int ATTRIBUTES_32 = 112;
    public static final int EFER_64 = 112;
    public static final int SIZE = 128;

    private VcpuHvmContext() {}
}
