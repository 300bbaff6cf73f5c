package org.xenolith.abi;

/** Flags that the domain builder gives a kernel, in {@link HvmStartInfo} and in a PV guest's start info. */
public final class StartInfoFlags {
    public static final int PRIVILEGED = 1;
    public static final int INITDOMAIN = 2;
    public static final int MULTIBOOT_MODULE = 4;
    public static final int MODULE_START_PFN = 8;
    public static final int VIRT_P2M_4TOOLS = 16;

    private StartInfoFlags() {}
}
