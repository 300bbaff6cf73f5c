package org.xenolith.abi;

/**
 * The page that a domain shares with the hypervisor (64-bit layout, {@value #SIZE} bytes).
 *
 * <pre>
 *      0  vcpu_info[32]         see {@link VcpuInfo}
 *   2048  u64 evtchn_pending[64]   two-level ABI: one bit for each port
 *   2560  u64 evtchn_mask[64]
 *   3072  u32 wc_version        wall clock: odd while it is updated
 *   3076  u32 wc_sec            seconds and nanoseconds since 1970 at system time 0
 *   3080  u32 wc_nsec
 *   3084  u32 wc_sec_hi
 *   3088  u64 max_pfn, pfn_to_mfn_frame_list_list, nmi_reason, p2m_cr3, p2m_vaddr, p2m_generation
 * </pre>
 *
 * <p>Two-level event delivery: the hypervisor sets the port's pending bit; if it was clear and the port is not masked, it
 * sets bit {@code port / 64} of the target's {@code evtchn_pending_sel}, and if that was clear, {@code upcall_pending}.
 */
public final class SharedInfo {
    public static final int VCPU_INFO = 0;
    public static final int VCPUS = 32;
    public static final int EVTCHN_PENDING = 2048;
    public static final int EVTCHN_MASK = 2560;
    public static final int WC_VERSION = 3072;
    public static final int WC_SEC = 3076;
    public static final int WC_NSEC = 3080;
    public static final int WC_SEC_HI = 3084;
    public static final int ARCH_MAX_PFN = 3088;
    public static final int ARCH_NMI_REASON = 3104;
    public static final int SIZE = 3136;

    private SharedInfo() {}
}
