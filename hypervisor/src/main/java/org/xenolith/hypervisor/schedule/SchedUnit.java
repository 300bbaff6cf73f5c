package org.xenolith.hypervisor.schedule;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.xenolith.abi.RunstateInfo;

/**
 * What is scheduled: a virtual CPU.
 *
 * <p>Its thread asks with {@link #acquire} before it enters the engine, and says when it sleeps ({@link #block},
 * {@link #offline}, {@link #suspend}). A virtual CPU that holds a physical CPU asks again before each entry: that is two
 * reads of memory as long as nobody else wants the CPU.
 */
public final class SchedUnit {
    /** The virtual CPU, as the scheduler sees it. Called with locks of the scheduler held. */
    public interface Callbacks {
        /** The thread must leave the engine soon and call {@link #acquire} again. */
        void kick();

        /** The unit got a physical CPU while its thread waited: unpark it. Called without locks. */
        void assigned();

        /** A new state, of {@link RunstateInfo}, since {@code now} by the scheduler's clock. */
        void runstate(int state, long now);
    }

    private final SchedDomain domain;
    private final int vcpu;
    final Callbacks callbacks;

    /** Changes with the locks of both pools held. */
    volatile CpuPool pool;

    // Guarded by the lock of the pool; volatile for those who only look.

    volatile int state = RunstateInfo.OFFLINE;
    /** The physical CPU that it holds, or null. */
    volatile PhysicalCpu cpu;
    /** It holds a CPU, and its thread knows. */
    volatile boolean running;
    /** It is to ask for its CPU again. */
    volatile boolean preempt;
    /** The policy has it: it is runnable and does not hold a CPU. */
    boolean waiting;
    /** Leaves the CPU and does not wait for another: it is being moved. */
    boolean frozen;
    /** A wake-up makes it runnable when it is blocked. */
    private volatile boolean wakeable;

    boolean yielding;
    /** It waits for the first time since it was not runnable. */
    boolean woken;

    int lastCpu = -1;
    /** When it got its CPU. */
    long since;
    /** Up to when its running time is accounted for. */
    long accounted;

    long cpuNanos;

    /** As asked for; null for all. */
    CpuSet hard;

    CpuSet soft;
    /** The CPUs of its pool that it may run on: never empty while the pool has any. */
    CpuSet allowed = CpuSet.none();
    /** The part of {@link #allowed} that it prefers, or null when it prefers none. */
    CpuSet preferred;

    /** What the policy keeps: one of these. */
    Credit2.Unit credit2;

    Rtds.Unit rtds;

    /** Host processors that the thread should be bound to, or null for all; and what it is bound to. */
    volatile CpuSet binding;

    private CpuSet bound;

    /** The thread waits in {@link #acquire}. */
    private volatile boolean parked;

    SchedUnit(SchedDomain domain, int vcpu, Callbacks callbacks) {
        this.domain = domain;
        this.vcpu = vcpu;
        this.callbacks = callbacks;
    }

    public SchedDomain domain() {
        return domain;
    }

    public int vcpu() {
        return vcpu;
    }

    /** Locks the pool, which may change until that is done. */
    CpuPool lockPool() {
        while (true) {
            CpuPool now = pool;
            now.lock();
            if (now == pool) {
                return now;
            }
            now.unlock();
        }
    }

    // The thread of the virtual CPU.

    /** Whether the thread may enter its engine now. */
    public boolean mayRun() {
        return running && !preempt;
    }

    /**
     * Waits for a physical CPU. On the virtual CPU's thread, outside of the engine.
     *
     * @param giveUp looked at before the thread sleeps, and after each time that it is unparked
     * @return false when it gave up; the unit is still in line then, and {@link #suspend} takes it out
     */
    public boolean acquire(BooleanSupplier giveUp) {
        if (mayRun()) {
            return true;
        }
        parked = true;
        try {
            while (!tryAcquire()) {
                if (giveUp.getAsBoolean()) {
                    return false;
                }
                LockSupport.park(this);
            }
        } finally {
            parked = false;
        }
        if (bound != binding) {
            bind();
        }
        return true;
    }

    private void bind() {
        CpuSet wanted = binding;
        pool.scheduler().bindThread(wanted);
        bound = wanted;
    }

    /** One attempt of {@link #acquire}: gets in line, takes what it was given, or makes room for somebody else. */
    boolean tryAcquire() {
        CpuPool locked = lockPool();
        try {
            return locked.tryAcquire(this);
        } finally {
            locked.unlock();
        }
    }

    /**
     * Gives the CPU up until {@link #wake} or {@link #acquire}. What the thread waits for must be looked at afterwards.
     *
     * @return false when it was blocked already
     */
    public boolean block() {
        wakeable = true;
        if (state == RunstateInfo.BLOCKED) {
            return false;
        }
        leave(RunstateInfo.BLOCKED);
        return true;
    }

    /**
     * Gives the CPU up until {@link #acquire}.
     *
     * @return false when it was offline already
     */
    public boolean offline() {
        wakeable = false;
        if (state == RunstateInfo.OFFLINE) {
            return false;
        }
        leave(RunstateInfo.OFFLINE);
        return true;
    }

    /** The domain is paused: gives the CPU up until {@link #acquire}. Who was blocked stays that. */
    public void suspend() {
        wakeable = false;
        CpuPool locked = lockPool();
        try {
            // Under the lock: a wake-up that had begun is over now, and later ones find that they are not wanted.
            if (state == RunstateInfo.RUNNING || state == RunstateInfo.RUNNABLE) {
                locked.leave(this, RunstateInfo.OFFLINE);
            }
        } finally {
            locked.unlock();
        }
    }

    private void leave(int newState) {
        CpuPool locked = lockPool();
        try {
            locked.leave(this, newState);
        } finally {
            locked.unlock();
        }
    }

    /** SCHEDOP_yield: lets others run first that wait for the same CPU. Returns whether there are any. */
    public boolean yieldCpu() {
        CpuPool locked = lockPool();
        try {
            return locked.yield(this);
        } finally {
            locked.unlock();
        }
    }

    // Others.

    /**
     * Something happened that a blocked virtual CPU waits for. From any thread.
     *
     * @return whether the thread should be unparked; otherwise that happens when it gets a CPU, or it is not needed
     */
    public boolean wake() {
        if (wakeable && state == RunstateInfo.BLOCKED) {
            CpuPool locked = lockPool();
            try {
                if (wakeable && state == RunstateInfo.BLOCKED) {
                    locked.wake(this);
                }
            } finally {
                locked.unlock();
            }
        }
        return !(state == RunstateInfo.RUNNABLE && (parked || wakeable) && cpu == null);
    }

    /** CPU time used so far, in nanoseconds of the host's clock. */
    public long cpuNanos() {
        CpuPool locked = lockPool();
        try {
            return locked.cpuNanos(this);
        } finally {
            locked.unlock();
        }
    }

    VcpuSchedInfo info(CpuSet all) {
        CpuPool locked = lockPool();
        try {
            return new VcpuSchedInfo(
                    vcpu,
                    cpu != null ? cpu.id : lastCpu,
                    state,
                    locked.cpuNanos(this),
                    hard == null ? all : hard,
                    soft == null ? all : soft);
        } finally {
            locked.unlock();
        }
    }

    @Override
    public String toString() {
        return "d" + domain.id() + "v" + vcpu;
    }
}
