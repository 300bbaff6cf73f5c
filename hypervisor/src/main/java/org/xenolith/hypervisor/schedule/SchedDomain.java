package org.xenolith.hypervisor.schedule;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.xenolith.abi.Errno;

/**
 * A domain as the scheduler sees it: its virtual CPUs, the pool that they run in, and what they get there. Everything can be
 * changed while the domain runs.
 *
 * <p>Methods throw {@link SchedulingException} when a request is refused, and change nothing then. Those that change something
 * are not for threads of virtual CPUs: they may wait for one to leave its engine.
 */
public final class SchedDomain {
    private final Scheduler scheduler;
    private final int id;
    private final List<SchedUnit> units = new CopyOnWriteArrayList<>();
    /** Changes with the scheduler's monitor and the locks of both pools held. */
    volatile CpuPool pool;

    boolean removed;

    /** What credit2 keeps. Guarded by the pool's lock. */
    final Credit2.Share credit2 = new Credit2.Share();

    SchedDomain(Scheduler scheduler, int id, CpuPool pool) {
        this.scheduler = scheduler;
        this.id = id;
        this.pool = pool;
    }

    public int id() {
        return id;
    }

    public CpuPool pool() {
        return pool;
    }

    /** Adds the next virtual CPU, offline. ENOSPC when its pool cannot give it what virtual CPUs get by default there. */
    public SchedUnit addVcpu(SchedUnit.Callbacks callbacks) {
        synchronized (scheduler) {
            SchedUnit unit = new SchedUnit(this, units.size(), callbacks);
            unit.pool = pool;
            scheduler.join(List.of(unit), pool);
            units.add(unit);
            return unit;
        }
    }

    List<SchedUnit> units() {
        return units;
    }

    /** EINVAL when there is none with this number. */
    private SchedUnit unit(int vcpu) {
        if (vcpu < 0 || vcpu >= units.size()) {
            throw new SchedulingException(Errno.EINVAL, "domain " + id + " has no virtual CPU " + vcpu);
        }
        return units.get(vcpu);
    }

    /** Moves the domain into another pool, where it starts with that pool's default parameters. Affinities stay. */
    public void moveTo(CpuPool target) {
        scheduler.move(this, target);
    }

    /** What the domain gets. EINVAL in a pool without credit2. */
    public Credit2Parameters credit2() {
        CpuPool locked = lockPool();
        try {
            locked.credit2();
            return credit2.parameters;
        } finally {
            locked.unlock();
        }
    }

    /** Locks the pool without the monitor, which may be held by somebody who waits for the calling thread. */
    private CpuPool lockPool() {
        while (true) {
            CpuPool now = pool;
            now.lock();
            if (now == pool) {
                return now;
            }
            now.unlock();
        }
    }

    /** Sets what the domain gets. EINVAL for values out of range and in a pool without credit2. */
    public void setCredit2(Credit2Parameters parameters) {
        synchronized (scheduler) {
            parameters.check(units.size());
            pool.lock();
            try {
                pool.credit2().setParameters(this, parameters);
            } finally {
                pool.unlock();
            }
        }
    }

    /** What a virtual CPU gets. EINVAL in a pool without rtds. */
    public RtdsParameters rtds(int vcpu) {
        SchedUnit unit = unit(vcpu);
        CpuPool locked = lockPool();
        try {
            locked.rtds();
            return unit.rtds.parameters;
        } finally {
            locked.unlock();
        }
    }

    /** Sets what a virtual CPU gets. EINVAL for values out of range; ENOSPC when that cannot be guaranteed. */
    public void setRtds(int vcpu, RtdsParameters parameters) {
        synchronized (scheduler) {
            setRtds(List.of(unit(vcpu)), parameters);
        }
    }

    /** Sets what each virtual CPU gets, all or none of them. */
    public void setRtds(RtdsParameters parameters) {
        synchronized (scheduler) {
            setRtds(units, parameters);
        }
    }

    private void setRtds(List<SchedUnit> which, RtdsParameters parameters) {
        parameters.check();
        pool.lock();
        try {
            pool.rtds().setParameters(which, parameters);
        } finally {
            pool.unlock();
        }
    }

    /** The CPUs that a virtual CPU may run on. Those outside of its pool are without effect until it is moved. */
    public CpuSet hardAffinity(int vcpu) {
        return info(vcpu).hard();
    }

    /** The CPUs that a virtual CPU prefers. */
    public CpuSet softAffinity(int vcpu) {
        return info(vcpu).soft();
    }

    /**
     * Sets where a virtual CPU may run and where it prefers to: EINVAL when {@code hard} has no CPU of its pool, or {@code soft}
     * none at all.
     *
     * @param hard null to leave it
     * @param soft null to leave it
     */
    public void setAffinity(int vcpu, CpuSet hard, CpuSet soft) {
        synchronized (scheduler) {
            SchedUnit unit = unit(vcpu);
            CpuSet all = scheduler.allCpus();
            pool.lock();
            try {
                if (hard != null && !hard.intersects(pool.cpus())) {
                    throw new SchedulingException(
                            Errno.EINVAL,
                            "hard affinity {" + hard + "} of " + unit + " has no CPU of " + pool + ", which has {"
                                    + pool.cpus() + "}");
                }
                if (soft != null && !soft.intersects(all)) {
                    throw new SchedulingException(
                            Errno.EINVAL,
                            "soft affinity {" + soft + "} of " + unit + " has no CPU of this host, which has {" + all
                                    + "}");
                }
                CpuSet newHard = hard == null ? unit.hard : hard.containsAll(all) ? null : hard.and(all);
                CpuSet newSoft = soft == null ? unit.soft : soft.containsAll(all) ? null : soft.and(all);
                pool.setAffinity(unit, newHard, newSoft);
            } finally {
                pool.unlock();
            }
        }
    }

    /** A virtual CPU, for tools. EINVAL when there is none with this number. */
    public VcpuSchedInfo info(int vcpu) {
        return unit(vcpu).info(scheduler.allCpus());
    }

    /** The virtual CPUs, for tools. */
    public List<VcpuSchedInfo> vcpus() {
        CpuSet all = scheduler.allCpus();
        return units.stream().map(unit -> unit.info(all)).toList();
    }

    /** CPU time that all virtual CPUs have used, in nanoseconds. */
    public long cpuNanos() {
        return units.stream().mapToLong(SchedUnit::cpuNanos).sum();
    }

    /** The domain is gone: its threads have ended. */
    public void remove() {
        scheduler.remove(this);
    }
}
