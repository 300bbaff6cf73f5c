package org.xenolith.hypervisor;

import org.xenolith.abi.XenVersionOp;

/** What guests and tools are told about this hypervisor, as the fields of xen_version. */
public final class HypervisorVersion {
    public static final int MAJOR = XenVersionOp.MAJOR;
    public static final int MINOR = XenVersionOp.MINOR;
    public static final String EXTRA = ".0-xenolith";
    public static final String CAPABILITIES = "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";
    public static final String CHANGESET = "xenolith";
    public static final String COMPILER = "javac (Java " + Runtime.version().feature() + ")";
    public static final String COMPILED_BY = "xenolith";
    public static final String COMPILE_DOMAIN = "xenolith";
    public static final String COMPILE_DATE = "";

    private HypervisorVersion() {}
}
