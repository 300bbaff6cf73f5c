package org.xenolith.hypervisor.schedule;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import org.xenolith.abi.Errno;

/**
 * The physical CPUs of a host and who may use them.
 *
 * <p>Physical CPUs are tokens: as many virtual CPUs execute guest code at a time as there are, on whichever host processors
 * the operating system chooses, unless an affinity or a pool binds them: see {@link HostProcessors}. Each belongs to one
 * {@link CpuPool} or to none. Pool 0 is always there, uses credit2 and has all CPUs at first.
 *
 * <p>Management methods are for tools, not for threads of virtual CPUs: they may wait until a virtual CPU has left its engine.
 */
public final class Scheduler {
    /** Name of pool 0. */
    public static final String FIRST_POOL = "Pool-0";

    private final LongSupplier clock;
    private final HostProcessors host;
    private final List<PhysicalCpu> cpus;
    private final CpuSet all;
    private final ConcurrentSkipListMap<Integer, CpuPool> pools = new ConcurrentSkipListMap<>();
    private final Timer timer;
    /** Guarded by the monitor. */
    private int domains;

    /**
     * A scheduler on its own.
     *
     * @param nodes for each physical CPU, which node it belongs to
     * @param clock nanoseconds that pass
     * @param host what the physical CPUs stand for, or null for nothing
     * @param timed whether a thread of the scheduler calls {@link #tick} in time
     */
    Scheduler(int[] nodes, LongSupplier clock, HostProcessors host, boolean timed) {
        if (nodes.length < 1) {
            throw new IllegalArgumentException("a host without CPUs");
        }
        this.clock = clock;
        this.host = host;
        timer = timed ? new Timer() : null;
        long now = clock.getAsLong();
        cpus = IntStream.range(0, nodes.length)
                .mapToObj(id -> new PhysicalCpu(id, nodes[id], now))
                .toList();
        all = CpuSet.first(nodes.length);
        CpuPool first = new CpuPool(this, 0, FIRST_POOL, SchedulerKind.CREDIT2);
        pools.put(0, first);
        first.lock();
        try {
            cpus.forEach(first::addCpu);
        } finally {
            first.unlock();
        }
    }

    /** A scheduler with a physical CPU for each processor that this JVM may use. */
    public static Scheduler ofHost() {
        return ofHost(Runtime.getRuntime().availableProcessors());
    }

    /** A scheduler with {@code cpus} physical CPUs, at least 1. More than the host has are shared by the host as it likes. */
    public static Scheduler ofHost(int cpus) {
        HostProcessors host = new HostProcessors();
        return new Scheduler(host.nodes(cpus), System::nanoTime, host, true);
    }

    long now() {
        return clock.getAsLong();
    }

    /** All physical CPUs. */
    public CpuSet allCpus() {
        return all;
    }

    /** The physical CPUs that belong to no pool. */
    public synchronized CpuSet freeCpus() {
        CpuSet free = CpuSet.none();
        for (PhysicalCpu cpu : cpus) {
            if (cpu.pool == null) {
                free = free.with(cpu.id);
            }
        }
        return free;
    }

    /** The physical CPUs, for tools. */
    public synchronized List<CpuInfo> cpus() {
        return cpus.stream().map(this::info).toList();
    }

    private CpuInfo info(PhysicalCpu cpu) {
        CpuPool pool = cpu.pool;
        int hostCpu = host == null ? cpu.id : host.number(cpu.id);
        if (pool == null) {
            return new CpuInfo(cpu.id, hostCpu, -1, cpu.idleNanos(now()), "");
        }
        pool.lock();
        try {
            SchedUnit current = cpu.current;
            return new CpuInfo(
                    cpu.id, hostCpu, pool.id(), cpu.idleNanos(now()), current == null ? "" : current.toString());
        } finally {
            pool.unlock();
        }
    }

    // Pools.

    /** The pools by identifier. */
    public List<CpuPool> pools() {
        return List.copyOf(pools.values());
    }

    /** A pool by identifier; ENOENT when there is none. */
    public CpuPool pool(int id) {
        CpuPool pool = pools.get(id);
        if (pool == null) {
            throw new SchedulingException(Errno.ENOENT, "there is no CPU pool " + id);
        }
        return pool;
    }

    /** A pool by name; ENOENT when there is none. */
    public CpuPool pool(String name) {
        for (CpuPool pool : pools.values()) {
            if (pool.name().equals(name)) {
                return pool;
            }
        }
        throw new SchedulingException(Errno.ENOENT, "there is no CPU pool '" + name + "'");
    }

    /** Makes a pool without CPUs, under the lowest free identifier. EEXIST when the name is taken. */
    public synchronized CpuPool createPool(String name, SchedulerKind kind) {
        if (name.isEmpty()) {
            throw new SchedulingException(Errno.EINVAL, "a CPU pool needs a name");
        }
        if (pools.values().stream().anyMatch(pool -> pool.name().equals(name))) {
            throw new SchedulingException(Errno.EEXIST, "a CPU pool '" + name + "' exists");
        }
        int id = 0;
        while (pools.containsKey(id)) {
            id++;
        }
        CpuPool pool = new CpuPool(this, id, name, kind);
        pools.put(id, pool);
        return pool;
    }

    /** Takes a pool away. EBUSY while it has CPUs or domains, and for pool 0. */
    public synchronized void destroyPool(CpuPool pool) {
        requireKnown(pool);
        if (pool.id() == 0) {
            throw new SchedulingException(Errno.EBUSY, pool + " cannot be destroyed");
        }
        if (!pool.domains.isEmpty()) {
            throw new SchedulingException(Errno.EBUSY, pool + " has domains: " + pool.domainIds());
        }
        if (!pool.cpus().isEmpty()) {
            throw new SchedulingException(Errno.EBUSY, pool + " has CPUs: " + pool.cpus());
        }
        pools.remove(pool.id());
    }

    private void requireKnown(CpuPool pool) {
        if (pools.get(pool.id()) != pool) {
            throw new SchedulingException(Errno.ENOENT, "there is no CPU pool " + pool.id() + " (" + pool.name() + ")");
        }
    }

    private PhysicalCpu cpu(int id) {
        if (id < 0 || id >= cpus.size()) {
            throw new SchedulingException(Errno.EINVAL, "there is no CPU " + id + ": this host has {" + all + "}");
        }
        return cpus.get(id);
    }

    /** Gives a free CPU to a pool. EINVAL when there is no such CPU, EBUSY when it is not free. */
    public synchronized void addCpu(CpuPool pool, int id) {
        requireKnown(pool);
        PhysicalCpu cpu = cpu(id);
        if (cpu.pool != null) {
            throw new SchedulingException(Errno.EBUSY, "CPU " + id + " belongs to " + cpu.pool);
        }
        pool.lock();
        try {
            pool.addCpu(cpu);
        } finally {
            pool.unlock();
        }
    }

    /**
     * Takes a CPU out of a pool; it is free then. EINVAL when it is not in the pool, and for CPU 0 of pool 0; EBUSY for the last
     * one of a pool with domains, and when the rest could not keep what was promised.
     */
    public synchronized void removeCpu(CpuPool pool, int id) {
        requireKnown(pool);
        PhysicalCpu cpu = cpu(id);
        if (cpu.pool != pool) {
            throw new SchedulingException(Errno.EINVAL, "CPU " + id + " does not belong to " + pool);
        }
        if (pool.id() == 0 && id == 0) {
            throw new SchedulingException(Errno.EINVAL, "CPU 0 stays in " + pool);
        }
        pool.lock();
        try {
            pool.startRemoval(cpu);
        } finally {
            pool.unlock();
        }
        while (cpu.current != null) {
            LockSupport.parkNanos(50_000);
        }
        pool.lock();
        try {
            pool.finishRemoval(cpu);
        } finally {
            pool.unlock();
        }
    }

    // Domains.

    /** Makes a domain without virtual CPUs known, in pool 0. */
    public synchronized SchedDomain addDomain(int id) {
        CpuPool pool = pools.get(0);
        SchedDomain domain = new SchedDomain(this, id, pool);
        pool.domains.add(domain);
        domains++;
        if (timer != null) {
            timer.start();
        }
        return domain;
    }

    void join(Collection<SchedUnit> units, CpuPool pool) {
        pool.lock();
        try {
            pool.policy().admit(units);
            units.forEach(unit -> pool.join(unit, now()));
        } finally {
            pool.unlock();
        }
    }

    synchronized void remove(SchedDomain domain) {
        if (domain.removed) {
            return;
        }
        domain.removed = true;
        CpuPool pool = domain.pool;
        for (SchedUnit unit : domain.units()) {
            unit.offline();
            pool.lock();
            try {
                pool.part(unit, now());
            } finally {
                pool.unlock();
            }
        }
        pool.domains.remove(domain);
        domains--;
        if (domains == 0 && timer != null) {
            timer.stop();
        }
    }

    /** Moves a domain: ENODEV when the pool has no CPUs, ENOSPC when it cannot give the domain what it gets there. */
    synchronized void move(SchedDomain domain, CpuPool target) {
        requireKnown(target);
        CpuPool source = domain.pool;
        if (source == target || domain.removed) {
            return;
        }
        target.lock();
        try {
            if (target.cpus().isEmpty()) {
                throw new SchedulingException(Errno.ENODEV, target + " has no CPUs");
            }
            target.policy().admit(domain.units());
        } finally {
            target.unlock();
        }
        source.lock();
        try {
            domain.units().forEach(unit -> source.freeze(unit, now()));
        } finally {
            source.unlock();
        }
        for (SchedUnit unit : domain.units()) {
            while (unit.cpu != null) {
                LockSupport.parkNanos(50_000);
            }
        }
        CpuPool first = source.id() < target.id() ? source : target;
        CpuPool second = first == source ? target : source;
        first.lock();
        second.lock();
        try {
            long now = now();
            domain.units().forEach(unit -> source.part(unit, now));
            domain.credit2.reset();
            domain.units().forEach(unit -> target.join(unit, now));
            for (SchedUnit unit : domain.units()) {
                target.thaw(unit, now);
            }
            source.domains.remove(domain);
            target.domains.add(domain);
            domain.pool = target;
        } finally {
            second.unlock();
            first.unlock();
        }
    }

    // Host.

    boolean bindsThreads() {
        return host != null;
    }

    /** The host's processors for threads that may use some physical CPUs, or null for all that there are. */
    CpuSet binding(CpuSet allowed) {
        return host == null || allowed.isEmpty() || allowed.equals(all) ? null : host.numbers(allowed);
    }

    void bindThread(CpuSet processors) {
        if (host != null) {
            host.bindThread(processors);
        }
    }

    /** Pools, CPUs and virtual CPUs with what the schedulers know of them, in lines for people. */
    public String describe() {
        StringBuilder s = new StringBuilder();
        pools.values().forEach(pool -> s.append(pool.describe()));
        return s.toString();
    }

    // Time.

    /** When {@link #tick} should be called. */
    long nextDeadline() {
        long next = PhysicalCpu.NEVER;
        for (Map.Entry<Integer, CpuPool> entry : pools.entrySet()) {
            next = Math.min(next, entry.getValue().nextDeadline());
        }
        return next;
    }

    /** Does what is due. */
    void tick() {
        for (CpuPool pool : pools.values()) {
            long now = now();
            if (pool.nextDeadline() <= now) {
                pool.tick(now);
            }
        }
    }

    void deadlineMoved(long deadline) {
        if (timer != null) {
            timer.deadlineMoved(deadline);
        }
    }

    /** The thread that calls {@link #tick}. It lives while there are domains, and sleeps while nothing is due. */
    private final class Timer implements Runnable {
        private volatile Thread thread;
        /** Until when the thread sleeps. Written before it looks at the pools' deadlines for the last time. */
        private volatile long armed;

        void start() {
            if (thread == null) {
                Thread made = new Thread(this, "scheduler");
                made.setDaemon(true);
                thread = made;
                made.start();
            }
        }

        void stop() {
            Thread ended = thread;
            thread = null;
            LockSupport.unpark(ended);
        }

        void deadlineMoved(long deadline) {
            if (deadline < armed) {
                LockSupport.unpark(thread);
            }
        }

        @Override
        public void run() {
            while (thread == Thread.currentThread()) {
                long next = nextDeadline();
                armed = next;
                if (nextDeadline() >= next && next > now()) {
                    if (next == PhysicalCpu.NEVER) {
                        LockSupport.park(Scheduler.this);
                    } else {
                        LockSupport.parkNanos(Scheduler.this, next - now());
                    }
                }
                armed = Long.MIN_VALUE;
                tick();
            }
        }
    }
}
