package org.xenolith.daemon.protocol;

import java.util.List;
import org.xenolith.toolstack.config.GuestConfig;

/**
 * What a host process can be asked for. A {@code domain} is a name or a decimal identifier. Whatever cannot be done is answered
 * with {@link Answer.Failed}.
 *
 * @param <A> what the answer is when all is well
 */
public sealed interface Command<A extends Answer> {
    /** The first command on each connection: tells who we are. Any domain of another build is refused everything else. */
    record Hello(int protocol, String build) implements Command<Answer.Welcome> {}

    /**
     * Builds a domain, and starts it unless it is to stay paused.
     *
     * @param config the guest
     * @param kernel the kernel's file, absolute; {@code config.kernel()} may be a mere name
     * @param busybox a statically linked busybox to make an initial file system of, absolute; null when the guest brings its own
     *     or needs none
     * @param kernelCache directory for unpacked kernels, absolute; may be null
     * @param paused whether it stays paused
     */
    record Create(GuestConfig config, String kernel, String busybox, String kernelCache, boolean paused)
            implements Command<Answer.DomainRef> {}

    /** Domains in the order of their identifiers, domain 0 first; all of them when none is named. */
    record ListDomains(List<String> domains) implements Command<Answer.Domains> {}

    /** Who is meant by a name or an identifier. */
    record Resolve(String domain) implements Command<Answer.DomainRef> {}

    record Pause(String domain) implements Command<Answer.Done> {}

    record Unpause(String domain) implements Command<Answer.Done> {}

    /**
     * Asks a guest to end.
     *
     * @param reboot whether to start again
     * @param fallback whether a guest that does not listen to xenstore is shut down by its virtual hardware
     */
    record Shutdown(String domain, boolean reboot, boolean fallback) implements Command<Answer.DomainRef> {}

    /**
     * Waits for the end of a domain.
     *
     * @param destroyed until it is gone; otherwise its guest's end is enough
     */
    record AwaitEnd(int id, boolean destroyed) implements Command<Answer.Ended> {}

    record Destroy(String domain) implements Command<Answer.Done> {}

    record Rename(String domain, String newName) implements Command<Answer.Done> {}

    /** Asks the guest to bring virtual CPUs on line or take them off. */
    record SetVcpus(String domain, int count) implements Command<Answer.Done> {}

    /**
     * Sets affinities.
     *
     * @param vcpu which virtual CPU; null for all
     * @param hard where it may run, as {@code cpus=} writes it; null to leave it
     * @param soft where it should run; null to leave it
     */
    record Pin(String domain, Integer vcpu, String hard, String soft) implements Command<Answer.Done> {}

    /** The balloon's target, in KiB. */
    record SetMemory(String domain, long kib) implements Command<Answer.Done> {}

    /** The most memory that the domain may own, in KiB. */
    record SetMaxMemory(String domain, long kib) implements Command<Answer.Done> {}

    /** Scheduling parameters of domains, all of them when none is named. */
    record GetScheduling(List<String> domains) implements Command<Answer.SchedulingOf> {}

    /**
     * Changes scheduling parameters; null leaves one as it is.
     *
     * @param weight credit2's weight
     * @param cap in percent of a CPU, 0 for none
     */
    record SetCredit(String domain, Integer weight, Integer cap) implements Command<Answer.Done> {}

    /**
     * Sets reservations of the RTDS scheduler.
     *
     * @param vcpus which virtual CPUs; empty for all
     * @param periods in microseconds, one for each of {@code vcpus}, or one
     * @param budgets likewise
     * @param extraTime likewise
     */
    record SetReservation(
            String domain, List<Integer> vcpus, List<Integer> periods, List<Integer> budgets, List<Boolean> extraTime)
            implements Command<Answer.Done> {}

    /** The rate limit of a pool's credit2 scheduler in microseconds. */
    record SetRateLimit(String pool, int micros) implements Command<Answer.Done> {}

    record ListPools() implements Command<Answer.Pools> {}

    /**
     * Makes a CPU pool.
     *
     * @param cpus as {@code cpus=} writes it; null for none yet
     */
    record CreatePool(String name, String scheduler, String cpus) implements Command<Answer.Done> {}

    record DestroyPool(String name) implements Command<Answer.Done> {}

    record RenamePool(String name, String newName) implements Command<Answer.Done> {}

    /** Gives host CPUs to a pool, or takes them away. */
    record ChangePoolCpus(String name, String cpus, boolean remove) implements Command<Answer.Done> {}

    record MoveToPool(String domain, String pool) implements Command<Answer.Done> {}

    /** One pool for each NUMA node. */
    record SplitPools() implements Command<Answer.Done> {}

    record GetHost() implements Command<Answer.HostFacts> {}

    /** The hypervisor's log: {@code xl dmesg}. */
    record ReadLog(boolean clear) implements Command<Answer.Text> {}

    /** One letter for the guest kernel's magic SysRq. */
    record SysRq(String domain, String letter) implements Command<Answer.Done> {}

    /**
     * Does something to the virtual hardware.
     *
     * @param trigger nmi, init, reset, power, sleep or s3resume
     */
    record SendTrigger(String domain, String trigger, int vcpu) implements Command<Answer.Done> {}

    /** Has the hypervisor write about itself into its log, a letter a subject. */
    record DebugKeys(String keys) implements Command<Answer.Done> {}

    /** Writes a guest's memory and registers to a file, absolute. */
    record DumpCore(String domain, String file) implements Command<Answer.Done> {}

    /** Joins a console: frames follow the answer. The domain may have ended lately. */
    record Attach(String domain) implements Command<Answer.Attached> {}

    /** Values of xenstore nodes, all at the same moment. Bytes are characters U+0000 to U+00FF throughout. */
    record StoreRead(List<String> paths) implements Command<Answer.Values> {}

    /** Sets xenstore nodes, all or none. */
    record StoreWrite(List<String> paths, List<String> values) implements Command<Answer.Done> {}

    /**
     * Removes xenstore nodes, all or none.
     *
     * @param tidy whether parents that are left without value and children go too
     */
    record StoreRemove(List<String> paths, boolean tidy) implements Command<Answer.Done> {}

    /** Names of the children of xenstore nodes, one list for each path. */
    record StoreList(List<String> paths) implements Command<Answer.Children> {}

    /** A xenstore node and all below it. */
    record StoreTree(String path) implements Command<Answer.Tree> {}

    /**
     * Sets permissions of a xenstore node.
     *
     * @param permissions as {@code xenstore-chmod} takes them: {@code n0}, {@code r5}; the first is the owner's
     * @param upTo whether to do the same to all parents
     * @param recurse whether to do the same to all below
     */
    record StoreChmod(String path, List<String> permissions, boolean upTo, boolean recurse)
            implements Command<Answer.Done> {}

    /** Watches xenstore: {@link Answer.Event} follows for each change, until the connection is closed. */
    record StoreWatch(List<String> paths, Integer depth) implements Command<Answer.Done> {}

    /** Ends the host process; {@code force} even when there are guests. */
    record Stop(boolean force) implements Command<Answer.Done> {}
}
