package org.xenolith.services.builder;

import java.util.List;
import org.xenolith.cpu.VcpuState;

/**
 * A guest whose memory is ready.
 *
 * @param entry guest-physical address at which processor 0 starts
 * @param startInfo guest-physical address of the {@link org.xenolith.abi.HvmStartInfo}
 * @param consoleGfn frame of the console ring (HVM parameter CONSOLE_PFN)
 * @param storeGfn frame of the xenstore ring (HVM parameter STORE_PFN)
 * @param kernelStart lowest guest-physical address of the kernel
 * @param kernelEnd first guest-physical address after it
 * @param initrdStart guest-physical address of the initrd, 0 when there is none
 * @param initrdSize its bytes
 * @param rsdp guest-physical address of the ACPI root pointer
 * @param memoryMap the guest's memory map, sorted
 * @param ramFrames frames of RAM (what {@code max_mem} of the domain is)
 */
public record BuiltGuest(
        long entry,
        long startInfo,
        long consoleGfn,
        long storeGfn,
        long kernelStart,
        long kernelEnd,
        long initrdStart,
        long initrdSize,
        long rsdp,
        List<MemoryRange> memoryMap,
        long ramFrames) {
    private static final long CR0_PE = 1;
    private static final long CR0_ET = 0x10;
    /** Present, code, execute-read, accessed; 32-bit, limit in pages. */
    private static final int FLAT_CODE = 0xC09B;
    /** Present, data, read-write, accessed; 32-bit, limit in pages. */
    private static final int FLAT_DATA = 0xC093;
    /** Present, busy 32-bit TSS. */
    private static final int BUSY_TSS = 0x8B;

    public BuiltGuest {
        memoryMap = List.copyOf(memoryMap);
    }

    /**
     * Puts processor 0 where a PVH guest starts: 32-bit protected mode, no paging, flat segments, interrupts off, ebx =
     * start info. The protocol leaves selectors open, and FS and GS too; flat is the kinder choice.
     */
    public void applyTo(VcpuState state) {
        state.reset();
        state.setRip(entry);
        state.setGpr(VcpuState.RBX, startInfo);
        state.setRflags(2);
        state.setLong(VcpuState.CR0, CR0_PE | CR0_ET);
        state.setLong(VcpuState.CR4, 0);
        state.setLong(VcpuState.EFER, 0);
        for (int segment = VcpuState.ES; segment <= VcpuState.GS; segment++) {
            state.setSegment(segment, 0, 0, -1, segment == VcpuState.CS ? FLAT_CODE : FLAT_DATA);
        }
        state.setSegment(VcpuState.TR, 0, 0, 0x67, BUSY_TSS);
        state.setSegment(VcpuState.LDTR, 0, 0, 0, VcpuState.UNUSABLE);
    }
}
