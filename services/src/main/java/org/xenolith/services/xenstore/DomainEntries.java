package org.xenolith.services.xenstore;

import java.util.List;
import java.util.Locale;
import java.util.UUID;

/**
 * The keys that a domain finds under {@code /local/domain/N} when it starts, as xl writes them, and what the host
 * writes there later.
 *
 * @param domain domain identifier
 * @param name its name
 * @param uuid its identity across hosts
 * @param maxKib most memory that it may have
 * @param targetKib memory that it should balloon to
 * @param vcpus processors that it has
 * @param onlineVcpus processors that should be online, the first ones
 * @param storePort its end of the xenstore event channel
 * @param storeGfn frame of its xenstore ring
 * @param consolePort its end of the console event channel
 * @param consoleGfn frame of its console ring
 */
public record DomainEntries(
        int domain,
        String name,
        UUID uuid,
        long maxKib,
        long targetKib,
        int vcpus,
        int onlineVcpus,
        int storePort,
        long storeGfn,
        int consolePort,
        long consoleGfn) {
    /** The default limit of the console's log in xenconsoled. */
    private static final String CONSOLE_LIMIT = "1048576";
    /** XenbusStateInitialising. */
    private static final String INITIALISING = "1";

    /** The values that a guest understands in control/shutdown. */
    public enum Shutdown {
        POWEROFF,
        HALT,
        REBOOT,
        SUSPEND;

        String value() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Home of the domain in the store. */
    public String home() {
        return StorePath.home(domain);
    }

    /** Writes all keys at once. */
    public void write(XenStore store) {
        store.atomically(() -> {
            List<Permission> readable = Permission.list("n0", "r" + domain);
            List<Permission> own = Permission.list("n" + domain);
            String home = home();
            String vm = "/vm/" + uuid;
            String libxl = "/libxl/" + domain;
            for (String path : List.of(home, vm)) {
                store.remove(path);
                store.mkdir(path);
                store.setPermissions(path, readable);
            }
            store.remove(libxl);
            store.mkdir(libxl + "/device");
            store.write(libxl + "/type", "pvh");
            store.write(vm + "/uuid", uuid.toString());
            store.write(vm + "/name", name);

            store.write(home + "/vm", vm);
            store.write(home + "/name", name);
            store.write(home + "/domid", Integer.toString(domain));
            store.write(home + "/memory/static-max", Long.toString(maxKib));
            store.write(home + "/memory/target", Long.toString(targetKib));
            store.write(home + "/memory/videoram", "0");
            store.write(home + "/store/port", Integer.toString(storePort));
            store.write(home + "/store/ring-ref", Long.toString(storeGfn));
            for (int vcpu = 0; vcpu < vcpus; vcpu++) {
                setVcpuOnline(store, vcpu, vcpu < onlineVcpus);
            }
            store.mkdir(home + "/device");
            store.write(home + "/control/platform-feature-multiprocessor-suspend", "1");
            store.write(home + "/control/platform-feature-xs_reset_watches", "1");
            for (String path : List.of(
                    "control/shutdown",
                    "control/feature-poweroff",
                    "control/feature-reboot",
                    "control/feature-suspend",
                    "control/sysrq",
                    "device/suspend/event-channel",
                    "data",
                    "drivers",
                    "feature",
                    "attr",
                    "error")) {
                store.write(home + '/' + path, "");
                store.setPermissions(home + '/' + path, own);
            }
            writeConsole(store, readable);
            return null;
        });
    }

    private void writeConsole(XenStore store, List<Permission> readable) {
        String front = home() + "/console";
        String back = "/local/domain/0/backend/console/" + domain + "/0";
        store.write(front + "/backend", back);
        store.write(front + "/backend-id", "0");
        store.write(front + "/limit", CONSOLE_LIMIT);
        store.write(front + "/type", "xenconsoled");
        store.write(front + "/output", "pty");
        store.write(front + "/tty", "");
        store.write(front + "/port", Integer.toString(consolePort));
        store.write(front + "/ring-ref", Long.toString(consoleGfn));
        store.remove(back);
        store.mkdir(back);
        store.setPermissions(back, readable);
        store.write(back + "/frontend", front);
        store.write(back + "/frontend-id", Integer.toString(domain));
        store.write(back + "/online", "1");
        store.write(back + "/state", INITIALISING);
        store.write(back + "/protocol", "vt100");
    }

    /** Removes everything that {@link #write} and devices left for the domain. */
    public void remove(XenStore store) {
        store.atomically(() -> {
            for (String path : List.of(home(), "/vm/" + uuid, "/libxl/" + domain)) {
                store.remove(path);
            }
            if (store.exists("/local/domain/0/backend")) {
                for (String kind : store.list("/local/domain/0/backend")) {
                    store.remove("/local/domain/0/backend/" + kind + '/' + domain);
                }
            }
            return null;
        });
    }

    /** Gives the domain another name and identity: what a domain is called that stays beside its successor. */
    public DomainEntries rename(XenStore store, String newName, UUID newUuid) {
        return store.atomically(() -> {
            String home = home();
            String vm = "/vm/" + newUuid;
            if (!newUuid.equals(uuid)) {
                store.remove("/vm/" + uuid);
                store.mkdir(vm);
                store.setPermissions(vm, Permission.list("n0", "r" + domain));
                store.write(vm + "/uuid", newUuid.toString());
                store.write(home + "/vm", vm);
            }
            store.write(vm + "/name", newName);
            store.write(home + "/name", newName);
            return new DomainEntries(
                    domain,
                    newName,
                    newUuid,
                    maxKib,
                    targetKib,
                    vcpus,
                    onlineVcpus,
                    storePort,
                    storeGfn,
                    consolePort,
                    consoleGfn);
        });
    }

    /** Asks the guest to shut down. It clears the key when it has seen it. */
    public void requestShutdown(XenStore store, Shutdown how) {
        store.write(home() + "/control/shutdown", how.value());
    }

    /** True while the guest has not seen the last request. */
    public boolean shutdownPending(XenStore store) {
        return !store.read(home() + "/control/shutdown", "").isEmpty();
    }

    /** True when the guest said that it looks at control/shutdown. */
    public boolean understandsShutdown(XenStore store) {
        return store.read(home() + "/control/feature-poweroff", "").equals("1");
    }

    /** Sends a magic SysRq key. */
    public void sendSysrq(XenStore store, char key) {
        store.write(home() + "/control/sysrq", String.valueOf(key));
    }

    /** Asks the guest to balloon. */
    public void setMemoryTarget(XenStore store, long kib) {
        store.write(home() + "/memory/target", Long.toString(kib));
    }

    /** Tells how much memory the guest can ever have. */
    public void setMaxMemory(XenStore store, long kib) {
        store.write(home() + "/memory/static-max", Long.toString(kib));
    }

    /** Asks the guest to take a processor online or offline. */
    public void setVcpuOnline(XenStore store, int vcpu, boolean online) {
        store.write(home() + "/cpu/" + vcpu + "/availability", online ? "online" : "offline");
    }
}
