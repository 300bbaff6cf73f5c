package org.xenolith.toolstack.config;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Every key of {@code xl.cfg(5)}, and what becomes of it here. A key that is not in this table is one that Xen does not know
 * either.
 */
public enum GuestKey {
    NAME,
    UUID,
    TYPE,
    BUILDER,
    KERNEL,
    RAMDISK,
    CMDLINE,
    ROOT,
    EXTRA,
    FIRMWARE_OVERRIDE,
    LOADER,
    MEMORY,
    MAXMEM,
    VCPUS,
    MAXVCPUS,
    CPUS,
    CPUS_SOFT,
    CPU_WEIGHT,
    CAP,
    PERIOD,
    SLICE,
    EXTRATIME,
    POOL,
    ON_POWEROFF,
    ON_REBOOT,
    ON_CRASH,
    ON_WATCHDOG,
    ON_SOFT_RESET,
    NESTEDHVM,
    VIRIDIAN,
    MAX_EVENT_CHANNELS,
    MAX_GRANT_FRAMES,
    MAX_MAPTRACK_FRAMES,
    MAX_GRANT_VERSION,
    SERIAL,
    /** Xenolith's: who executes the instructions. */
    XENO_ENGINE,
    /** Xenolith's: the processor that the guest sees. */
    XENO_CPU,

    DISK("block devices have no back-end yet"),
    VIF("network interfaces have no back-end yet"),
    P9("shared directories have no back-end yet"),
    VFB("displays have no back-end yet"),
    VKB("keyboards have no back-end yet"),
    VTPM("TPMs have no back-end"),
    VDISPL("displays have no back-end yet"),
    VSND("sound has no back-end"),
    CHANNEL("channels have no back-end yet"),
    PVCALLS("sockets have no back-end"),
    USBCTRL("USB has no back-end"),
    USBDEV("USB has no back-end"),
    USBDEVICE("USB has no back-end"),
    VIRTIO("virtio has no back-end"),
    PCI("there is no PCI bus, so nothing can be passed through"),
    DTDEV("there is no hardware to pass through"),
    IOPORTS("there is no hardware to pass through"),
    IOMEM("there is no hardware to pass through"),
    IRQS("there is no hardware to pass through"),
    GFX_PASSTHRU("there is no hardware to pass through"),
    BOOTLOADER("boot loaders are not run: name a kernel"),
    DRIVER_DOMAIN("driver domains are not supported yet"),
    DEVICE_TREE("this is no ARM machine"),
    PVSHIM("the shim is not needed and not there"),
    VNUMA("virtual NUMA is not supported yet"),
    XENSTORE_QUOTA("quotas are the same for all domains");

    /** Keys that only tune what is not there, or the machines of others. */
    private static final String NO_EFFECT = """
            acpi acpi_firmware acpi_laptop_slate acpi_s3 acpi_s4 altp2m altp2m_count altp2mhvm apic arm_sci bios
            bios_path_override boot bootloader_args bootloader_restrict bootloader_user cpuid device_model
            device_model_args device_model_args_hvm device_model_args_pv device_model_override
            device_model_stubdomain_override device_model_stubdomain_seclabel device_model_user device_model_version
            display dm_restrict e820_host firmware gic_version hap hdtype hpet hvm_pirq init_seclabel keymap latency
            llc_colors localtime mca_caps mmio_hole ms_vm_genid msr_relaxed nographic nomigrate nr_spis nx oos opengl pae
            passthrough pci_msitranslate pci_permissive pci_power_mgmt pci_seize pvshim_cmdline pvshim_extra pvshim_path
            rdm rdm_mem_boundary rtc_timeoffset sdl seclabel shadow_memory smbios smbios_firmware soundhw spice
            spice_clipboard_sharing spice_image_compression spice_streaming_video spiceagent_mouse
            spicedisable_ticketing spicehost spicepasswd spiceport spicetls_port spiceusbredirection spicevdagent stdvga
            stubdomain_cmdline stubdomain_kernel stubdomain_memory stubdomain_ramdisk sve tee timer_mode
            trap_unmapped_accesses tsc_mode usb usbversion vendor_device vga videoram vif2 vkb_device vmtrace_buf_kb
            vnc vncdisplay vnclisten vncpasswd vncunused vncviewer vpmu vpt_align vuart xauthority xen_platform_pci
            xen_platform_pci_bar_uc xend_suspend_evtchn_compat xenstore_feature_mask
            """;

    private static final Map<String, Boolean> WITHOUT_EFFECT = new HashMap<>();
    private static final Map<String, GuestKey> BY_NAME = new HashMap<>();

    static {
        Arrays.stream(NO_EFFECT.strip().split("\\s+")).forEach(name -> WITHOUT_EFFECT.put(name, true));
        Arrays.stream(values()).forEach(key -> BY_NAME.put(key.toString(), key));
    }

    private final String refusal;

    GuestKey() {
        this(null);
    }

    GuestKey(String refusal) {
        this.refusal = refusal;
    }

    /** The key of that name, if it means something here. */
    public static Optional<GuestKey> of(String name) {
        return Optional.ofNullable(BY_NAME.get(name));
    }

    /** Whether Xen knows the key, and it changes nothing here. */
    public static boolean hasNoEffect(String name) {
        return WITHOUT_EFFECT.containsKey(name);
    }

    /** Why a guest that asks for this is refused; empty when it is not. */
    public Optional<String> refusal() {
        return Optional.ofNullable(refusal);
    }

    /** As configurations write it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
