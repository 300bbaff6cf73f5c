package org.xenolith.cli.host;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** Every verb over the host process: its name, and what makes it. Only what was asked for is made, which starts faster. */
public final class HostVerbs {
    private static final Map<String, Function<HostAccess, Object>> VERBS = new LinkedHashMap<>();

    /** What {@code xl} has and we do not, yet or ever; each is answered with one line. */
    private static final Set<String> MISSING = Set.of(
            "save",
            "restore",
            "migrate",
            "migrate-receive",
            "suspend",
            "resume",
            "config-update",
            "pci-attach",
            "pci-detach",
            "pci-list",
            "pci-assignable-add",
            "pci-assignable-remove",
            "pci-assignable-list",
            "vncviewer",
            "cd-insert",
            "cd-eject",
            "button-press",
            "sharing",
            "sched-credit",
            "set-parameters",
            "network-attach",
            "network-list",
            "network-detach",
            "channel-list",
            "block-attach",
            "block-list",
            "block-detach",
            "vtpm-attach",
            "vtpm-list",
            "vtpm-detach",
            "vkb-attach",
            "vkb-list",
            "vkb-detach",
            "vdispl-attach",
            "vdispl-list",
            "vdispl-detach",
            "vsnd-attach",
            "vsnd-list",
            "vsnd-detach",
            "usbctrl-attach",
            "usbctrl-detach",
            "usbdev-attach",
            "usbdev-detach",
            "usb-list",
            "devd",
            "qemu-monitor-command",
            "remus",
            "loadpolicy",
            "getenforce",
            "setenforce",
            "claims",
            "psr-hwinfo",
            "psr-cat-show",
            "psr-mba-show",
            "dt-overlay");

    static {
        VERBS.put("create", CreateVerb::new);
        VERBS.put("list", ListVerbs.ListDomainsVerb::new);
        VERBS.put("console", ConsoleVerb::new);
        VERBS.put("pause", DomainVerbs.Pause::new);
        VERBS.put("unpause", DomainVerbs.Unpause::new);
        VERBS.put("shutdown", DomainVerbs.Shutdown::new);
        VERBS.put("reboot", DomainVerbs.Reboot::new);
        VERBS.put("destroy", DomainVerbs.Destroy::new);
        VERBS.put("rename", DomainVerbs.Rename::new);
        VERBS.put("domid", DomainVerbs.DomId::new);
        VERBS.put("domname", DomainVerbs.DomName::new);
        VERBS.put("vm-list", ListVerbs.VmList::new);
        VERBS.put("vcpu-list", ListVerbs.VcpuList::new);
        VERBS.put("vcpu-set", ResourceVerbs.VcpuSet::new);
        VERBS.put("vcpu-pin", ResourceVerbs.VcpuPin::new);
        VERBS.put("mem-set", ResourceVerbs.MemSet::new);
        VERBS.put("mem-max", ResourceVerbs.MemMax::new);
        VERBS.put("sched-credit2", ResourceVerbs.SchedCredit2::new);
        VERBS.put("sched-rtds", ResourceVerbs.SchedRtds::new);
        VERBS.put("cpupool-list", PoolVerbs.ListPools::new);
        VERBS.put("cpupool-create", PoolVerbs.CreatePool::new);
        VERBS.put("cpupool-destroy", PoolVerbs.DestroyPool::new);
        VERBS.put("cpupool-rename", PoolVerbs.RenamePool::new);
        VERBS.put("cpupool-cpu-add", PoolVerbs.AddCpus::new);
        VERBS.put("cpupool-cpu-remove", PoolVerbs.RemoveCpus::new);
        VERBS.put("cpupool-migrate", PoolVerbs.MigratePool::new);
        VERBS.put("cpupool-numa-split", PoolVerbs.SplitPools::new);
        VERBS.put("info", HostInfoVerbs.Info::new);
        VERBS.put("top", ListVerbs.Top::new);
        VERBS.put("uptime", ListVerbs.Uptime::new);
        VERBS.put("dmesg", HostInfoVerbs.Dmesg::new);
        VERBS.put("sysrq", DomainVerbs.SysRq::new);
        VERBS.put("trigger", DomainVerbs.Trigger::new);
        VERBS.put("debug-keys", HostInfoVerbs.DebugKeys::new);
        VERBS.put("dump-core", DomainVerbs.DumpCore::new);
        VERBS.put("xenstore-ls", StoreVerbs.Tree::new);
        VERBS.put("xenstore-read", StoreVerbs.Read::new);
        VERBS.put("xenstore-write", StoreVerbs.Write::new);
        VERBS.put("xenstore-rm", StoreVerbs.Remove::new);
        VERBS.put("xenstore-list", StoreVerbs.ListChildren::new);
        VERBS.put("xenstore-exists", StoreVerbs.Exists::new);
        VERBS.put("xenstore-chmod", StoreVerbs.Chmod::new);
        VERBS.put("xenstore-watch", StoreVerbs.WatchPaths::new);
        VERBS.put("daemon", access -> new DaemonVerb());
    }

    private HostVerbs() {}

    public static Set<String> names() {
        return VERBS.keySet();
    }

    public static boolean isVerb(String name) {
        return VERBS.containsKey(name);
    }

    /** Whether Xen's xl has the verb, and nothing here has. */
    public static boolean isMissing(String name) {
        return MISSING.contains(name);
    }

    /** The picocli command of a verb. */
    public static Object command(String name, HostAccess access) {
        return VERBS.get(name).apply(access);
    }
}
