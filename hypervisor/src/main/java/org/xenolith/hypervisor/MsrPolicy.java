package org.xenolith.hypervisor;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The model specific registers that neither the processor nor its interrupt controller implements: one table of what a
 * stock kernel touches. A register without a row is #GP, for which kernels are prepared.
 */
final class MsrPolicy {
    /** What a register does. */
    private enum Behaviour {
        /** Reads as the row's value; writes are ignored, as kernels set and clear workaround bits there. */
        FIXED,
        /** Reads as the row's value; only that value may be written. */
        CONSTANT,
        /** Keeps what is written; bits outside of the row's {@code writable} must be zero. */
        STORED
    }

    private record Row(int first, int count, String name, Behaviour behaviour, long value, long writable) {
        Row(int first, int count, String name, Behaviour behaviour, long value) {
            this(first, count, name, behaviour, value, -1);
        }
    }

    private static final long MTRR_CAPABILITIES = 0x508; // 8 variable ranges, fixed ranges, write combining
    private static final long MTRR_DEFAULT_WRITABLE = 0xCFF; // type, fixed ranges on, all on
    private static final long MTRR_DEFAULT = 0x806; // enabled, default type write-back
    private static final long MTRR_FIXED = 0x0606060606060606L; // write-back everywhere
    /** Immunity: RDCL, L1 flush on entry, SSB, MDS, page size change, TAA, SBDR, FBSDP, PSDP, PBRSB, GDS, RFDS. */
    private static final long ARCH_CAPABILITIES =
            1L | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 24 | 1 << 26 | 1 << 27;

    private static final int CPUID7_EDX_ARCH_CAPABILITIES = 1 << 29;

    private static final int MSR_ARCH_CAPABILITIES = 0x10A;

    private static final List<Row> ROWS = List.of(
            new Row(0x17, 1, "PLATFORM_ID", Behaviour.CONSTANT, 0),
            new Row(0x3A, 1, "FEATURE_CONTROL", Behaviour.CONSTANT, 1),
            new Row(0x8B, 1, "MICROCODE_REVISION", Behaviour.FIXED, 0),
            new Row(0xFE, 1, "MTRR_CAP", Behaviour.CONSTANT, MTRR_CAPABILITIES),
            new Row(MSR_ARCH_CAPABILITIES, 1, "ARCH_CAPABILITIES", Behaviour.CONSTANT, ARCH_CAPABILITIES),
            new Row(0x179, 1, "MCG_CAP", Behaviour.CONSTANT, 0),
            new Row(0x17A, 1, "MCG_STATUS", Behaviour.STORED, 0),
            new Row(0x1DB, 4, "LAST_BRANCH", Behaviour.CONSTANT, 0),
            new Row(0x200, 16, "MTRR_VARIABLE", Behaviour.STORED, 0),
            new Row(0x250, 1, "MTRR_FIX_64K", Behaviour.STORED, MTRR_FIXED),
            new Row(0x258, 2, "MTRR_FIX_16K", Behaviour.STORED, MTRR_FIXED),
            new Row(0x268, 8, "MTRR_FIX_4K", Behaviour.STORED, MTRR_FIXED),
            new Row(0x2FF, 1, "MTRR_DEF_TYPE", Behaviour.STORED, MTRR_DEFAULT, MTRR_DEFAULT_WRITABLE),
            // AMD.
            new Row(0xC0010010, 1, "SYSCFG", Behaviour.FIXED, 0),
            new Row(0xC0010015, 1, "HWCR", Behaviour.FIXED, 1 << 24), // the counter runs at P0 frequency
            new Row(0xC001001A, 1, "TOP_MEM", Behaviour.FIXED, 0),
            new Row(0xC001001D, 1, "TOP_MEM2", Behaviour.FIXED, 0),
            new Row(0xC001001F, 1, "NB_CFG", Behaviour.FIXED, 0),
            new Row(0xC0010055, 1, "INT_PENDING", Behaviour.FIXED, 0),
            new Row(0xC0010058, 1, "MMIO_CFG_BASE", Behaviour.FIXED, 0),
            new Row(0xC0010114, 1, "VM_CR", Behaviour.CONSTANT, 0x10), // SVM disabled by firmware
            new Row(0xC0010117, 1, "VM_HSAVE_PA", Behaviour.CONSTANT, 0),
            new Row(0xC0010140, 2, "OSVW", Behaviour.CONSTANT, 0),
            new Row(0xC0011020, 4, "LS_IC_DC_TW_CFG", Behaviour.FIXED, 0),
            new Row(0xC0011029, 1, "DE_CFG", Behaviour.FIXED, 2), // LFENCE serialises
            new Row(0xC001102A, 1, "BU_CFG2", Behaviour.FIXED, 0));

    private static final Map<Integer, Row> BY_NUMBER = index();

    private static Map<Integer, Row> index() {
        Map<Integer, Row> index = new HashMap<>();
        List<String> clashes = new ArrayList<>();
        for (Row row : ROWS) {
            for (int i = 0; i < row.count; i++) {
                if (index.put(row.first + i, row) != null) {
                    clashes.add(row.name);
                }
            }
        }
        if (!clashes.isEmpty()) {
            throw new IllegalStateException("two rows for an MSR: " + clashes);
        }
        return index;
    }

    private final CpuidSource policy;
    /** What was written to stored registers of this virtual CPU; used by its own thread only. */
    private final Map<Integer, Long> stored = new HashMap<>();

    MsrPolicy(CpuidSource policy) {
        this.policy = policy;
    }

    boolean read(int msr, long[] result) {
        Row row = BY_NUMBER.get(msr);
        if (row == null || msr == MSR_ARCH_CAPABILITIES && !hasArchCapabilities()) {
            return false;
        }
        result[0] = row.behaviour == Behaviour.STORED ? stored.getOrDefault(msr, row.value) : row.value;
        return true;
    }

    boolean write(int msr, long value) {
        Row row = BY_NUMBER.get(msr);
        if (row == null || row.behaviour == Behaviour.CONSTANT && value != row.value || msr == MSR_ARCH_CAPABILITIES) {
            return false;
        }
        if (row.behaviour == Behaviour.STORED) {
            if ((value & ~row.writable) != 0) {
                return false;
            }
            stored.put(msr, value);
        }
        return true;
    }

    private boolean hasArchCapabilities() {
        int[] features = new int[4];
        policy.leaf(7, 0, features);
        return (features[3] & CPUID7_EDX_ARCH_CAPABILITIES) != 0;
    }
}
