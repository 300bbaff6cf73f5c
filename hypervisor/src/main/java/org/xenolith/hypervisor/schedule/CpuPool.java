package org.xenolith.hypervisor.schedule;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.xenolith.abi.Errno;
import org.xenolith.abi.RunstateInfo;

/**
 * A set of physical CPUs with a scheduler of their own, and the domains that run on them.
 *
 * <p>This is the state machine that all schedulers share: who holds a CPU, who waits, who is being preempted. A {@link Policy}
 * chooses. One short lock guards it all; it is taken when a virtual CPU sleeps, wakes, gets or loses a CPU, never while it
 * keeps one.
 */
public final class CpuPool {
    private final Scheduler scheduler;
    private final int id;
    private final String name;
    private final SchedulerKind kind;
    private final Policy policy;
    private final ReentrantLock lock = new ReentrantLock();

    private final List<PhysicalCpu> cpus = new ArrayList<>();
    private CpuSet cpuSet = CpuSet.none();
    private final Set<SchedUnit> units = new LinkedHashSet<>();
    /** Domains, with the scheduler's monitor held. */
    final Set<SchedDomain> domains = new LinkedHashSet<>();

    /** Units that got a CPU while the lock was held, and whose threads are to be told afterwards. */
    private List<SchedUnit> assigned = new ArrayList<>();
    /** When {@link #tick} is to be called. */
    private volatile long nextDeadline = PhysicalCpu.NEVER;

    CpuPool(Scheduler scheduler, int id, String name, SchedulerKind kind) {
        this.scheduler = scheduler;
        this.id = id;
        this.name = name;
        this.kind = kind;
        policy = switch (kind) {
            case CREDIT2 -> new Credit2(this);
            case RTDS -> new Rtds(this);
            case NULL -> new NullPolicy(this);
        };
    }

    /** Its number; 0 is the pool that is always there. */
    public int id() {
        return id;
    }

    public String name() {
        return name;
    }

    public SchedulerKind kind() {
        return kind;
    }

    /** Its physical CPUs. */
    public CpuSet cpus() {
        lock.lock();
        try {
            return cpuSet;
        } finally {
            lock.unlock();
        }
    }

    /** Identifiers of the domains in it, in the order in which they came. */
    public List<Integer> domainIds() {
        synchronized (scheduler) {
            return domains.stream().map(SchedDomain::id).toList();
        }
    }

    /** The time for which a virtual CPU is not preempted once it runs, in microseconds. EINVAL without credit2. */
    public int ratelimitMicros() {
        lock.lock();
        try {
            return credit2().ratelimitMicros();
        } finally {
            lock.unlock();
        }
    }

    /** Sets {@link #ratelimitMicros()}: 0 for none, or 100 to 500000. */
    public void setRatelimitMicros(int micros) {
        lock();
        try {
            credit2().setRatelimitMicros(micros);
        } finally {
            unlock();
        }
    }

    /** The part of its CPUs' time that is reserved, in CPUs. EINVAL without rtds. */
    public double reserved() {
        lock.lock();
        try {
            if (policy instanceof Rtds rtds) {
                return rtds.reserved();
            }
            throw new SchedulingException(Errno.EINVAL, this + " has no reservations");
        } finally {
            lock.unlock();
        }
    }

    Scheduler scheduler() {
        return scheduler;
    }

    Policy policy() {
        return policy;
    }

    Credit2 credit2() {
        if (policy instanceof Credit2 credit2) {
            return credit2;
        }
        throw new SchedulingException(Errno.EINVAL, this + " does not use credit2");
    }

    Rtds rtds() {
        if (policy instanceof Rtds rtds) {
            return rtds;
        }
        throw new SchedulingException(Errno.EINVAL, this + " does not use rtds");
    }

    List<PhysicalCpu> cpuList() {
        return cpus;
    }

    Collection<SchedUnit> units() {
        return units;
    }

    // Lock.

    void lock() {
        lock.lock();
    }

    /** Sets the timer, unlocks, and tells the threads that got a CPU. */
    void unlock() {
        if (lock.getHoldCount() > 1) {
            lock.unlock();
            return;
        }
        long next = policy.nextTimer();
        for (PhysicalCpu cpu : cpus) {
            next = Math.min(next, cpu.deadline);
        }
        boolean sooner = next < nextDeadline;
        nextDeadline = next;
        List<SchedUnit> tell = List.of();
        if (!assigned.isEmpty()) {
            tell = assigned;
            assigned = new ArrayList<>(2);
        }
        lock.unlock();
        if (sooner) {
            scheduler.deadlineMoved(next);
        }
        for (SchedUnit unit : tell) {
            unit.callbacks.assigned();
        }
    }

    long nextDeadline() {
        return nextDeadline;
    }

    long now() {
        return scheduler.now();
    }

    // Life of a unit. With the lock held.

    boolean tryAcquire(SchedUnit unit) {
        long now = now();
        if (unit.cpu == null) {
            if (unit.state != RunstateInfo.RUNNABLE) {
                unit.woken = true;
                changeState(unit, RunstateInfo.RUNNABLE, now);
                enqueue(unit, now);
            }
            if (unit.cpu == null) {
                return false;
            }
            assigned.remove(unit);
        }
        if (!unit.running) {
            confirm(unit, now);
        }
        if (unit.preempt) {
            unit.preempt = false;
            review(unit, now);
        }
        return unit.running;
    }

    void wake(SchedUnit unit) {
        long now = now();
        unit.woken = true;
        changeState(unit, RunstateInfo.RUNNABLE, now);
        enqueue(unit, now);
        // Who wakes it unparks it: see SchedUnit.wake.
        assigned.remove(unit);
    }

    void leave(SchedUnit unit, int newState) {
        long now = now();
        PhysicalCpu cpu = unit.cpu;
        if (cpu != null) {
            release(unit, now);
        } else if (unit.waiting) {
            remove(unit, now);
        }
        changeState(unit, newState, now);
        if (cpu != null) {
            schedule(cpu, now);
        }
    }

    boolean yield(SchedUnit unit) {
        PhysicalCpu cpu = unit.cpu;
        if (cpu == null || !policy.hasWaiting(cpu)) {
            return false;
        }
        unit.yielding = true;
        unit.preempt = true;
        return true;
    }

    long cpuNanos(SchedUnit unit) {
        return unit.running ? unit.cpuNanos + now() - unit.accounted : unit.cpuNanos;
    }

    private static void changeState(SchedUnit unit, int state, long now) {
        unit.state = state;
        unit.callbacks.runstate(state, now);
    }

    private void enqueue(SchedUnit unit, long now) {
        if (!unit.frozen) {
            insert(unit, now);
            dispatch(unit, now);
        }
    }

    private void insert(SchedUnit unit, long now) {
        unit.waiting = true;
        policy.insert(unit, now);
    }

    private void remove(SchedUnit unit, long now) {
        unit.waiting = false;
        policy.remove(unit, now);
    }

    /** Finds a place for a unit that waits, and lets those who run know that somebody does. */
    void dispatch(SchedUnit unit, long now) {
        if (!unit.waiting) {
            return;
        }
        PhysicalCpu cpu = policy.place(unit, now);
        if (cpu != null) {
            if (cpu.current == null) {
                schedule(cpu, now);
            } else {
                preempt(cpu, now);
            }
        }
        if (unit.waiting) {
            for (PhysicalCpu other : cpus) {
                SchedUnit holder = other.current;
                if (holder != null && holder.running && !holder.preempt) {
                    account(holder, now);
                    other.deadline = Math.min(other.deadline, policy.sliceEnd(other, now));
                }
            }
        }
    }

    /** The holder of a CPU is to ask for it again. */
    void preempt(PhysicalCpu cpu, long now) {
        SchedUnit holder = cpu.current;
        if (holder.running) {
            holder.preempt = true;
            cpu.deadline = PhysicalCpu.NEVER;
            holder.callbacks.kick();
        } else {
            // Its thread has not begun: it goes back in line, and need not be disturbed.
            release(holder, now);
            if (!holder.frozen) {
                insert(holder, now);
            }
            schedule(cpu, now);
            dispatch(holder, now);
        }
    }

    /** Gives a free CPU to who deserves it most. */
    private void schedule(PhysicalCpu cpu, long now) {
        if (cpu.leaving || cpu.current != null) {
            return;
        }
        SchedUnit next = policy.pick(cpu, null, now);
        if (next != null) {
            assign(cpu, next, now);
        }
    }

    private void assign(PhysicalCpu cpu, SchedUnit unit, long now) {
        unit.waiting = false;
        unit.woken = false;
        unit.cpu = cpu;
        unit.lastCpu = cpu.id;
        unit.since = now;
        cpu.taken(unit, now);
        assigned.add(unit);
    }

    private void confirm(SchedUnit unit, long now) {
        unit.running = true;
        unit.since = now;
        unit.accounted = now;
        changeState(unit, RunstateInfo.RUNNING, now);
        unit.cpu.deadline = policy.sliceEnd(unit.cpu, now);
    }

    private void release(SchedUnit unit, long now) {
        PhysicalCpu cpu = unit.cpu;
        account(unit, now);
        unit.running = false;
        unit.preempt = false;
        unit.yielding = false;
        unit.cpu = null;
        cpu.released(now);
        assigned.remove(unit);
        policy.stopped(unit, now);
    }

    /** Brings the running time of a unit up to date. */
    void account(SchedUnit unit, long now) {
        if (unit.running && now > unit.accounted) {
            unit.cpuNanos += now - unit.accounted;
            policy.burn(unit, unit.accounted, now);
            unit.accounted = now;
        }
    }

    /** Its thread has left the engine: does it go on, or somebody else? */
    private void review(SchedUnit unit, long now) {
        PhysicalCpu cpu = unit.cpu;
        account(unit, now);
        SchedUnit next = null;
        if (!unit.frozen && !cpu.leaving && unit.allowed.contains(cpu.id)) {
            next = policy.pick(cpu, unit, now);
        }
        unit.yielding = false;
        if (next == unit) {
            cpu.deadline = policy.sliceEnd(cpu, now);
            return;
        }
        release(unit, now);
        changeState(unit, RunstateInfo.RUNNABLE, now);
        if (!unit.frozen) {
            insert(unit, now);
        }
        if (next != null) {
            assign(cpu, next, now);
        }
        // First, as it may have left for a CPU that it likes better.
        dispatch(unit, now);
        schedule(cpu, now);
    }

    /** Time has come for what the pool wanted to be called for. */
    void tick(long now) {
        lock();
        try {
            for (PhysicalCpu cpu : cpus) {
                if (cpu.deadline <= now && cpu.current != null) {
                    preempt(cpu, now);
                }
            }
            if (policy.nextTimer() <= now) {
                policy.timer(now);
            }
        } finally {
            unlock();
        }
    }

    // Management, with the scheduler's monitor and the lock held.

    /** Takes a unit out of its line and, soon, off its CPU. */
    void freeze(SchedUnit unit, long now) {
        unit.frozen = true;
        if (unit.waiting) {
            remove(unit, now);
        } else if (unit.cpu != null) {
            evict(unit.cpu, now);
        }
    }

    private void evict(PhysicalCpu cpu, long now) {
        if (cpu.current.running) {
            preempt(cpu, now);
        } else {
            SchedUnit unit = cpu.current;
            release(unit, now);
            if (!unit.frozen) {
                insert(unit, now);
                dispatch(unit, now);
            }
            schedule(cpu, now);
        }
    }

    void thaw(SchedUnit unit, long now) {
        unit.frozen = false;
        if (unit.state == RunstateInfo.RUNNABLE && unit.cpu == null) {
            enqueue(unit, now);
        }
    }

    void join(SchedUnit unit, long now) {
        units.add(unit);
        unit.pool = this;
        updateAllowed(unit);
        policy.attach(unit, now);
    }

    void part(SchedUnit unit, long now) {
        units.remove(unit);
        policy.detach(unit, now);
    }

    private void updateAllowed(SchedUnit unit) {
        CpuSet allowed = unit.hard == null ? cpuSet : unit.hard.and(cpuSet);
        // Without a CPU of its own left in the pool it runs anywhere in it, as in Xen, until one comes back.
        unit.allowed = allowed.isEmpty() ? cpuSet : allowed;
        CpuSet preferred = unit.soft == null ? CpuSet.none() : unit.soft.and(unit.allowed);
        unit.preferred = preferred.isEmpty() || preferred.equals(unit.allowed) ? null : preferred;
        unit.binding = scheduler.binding(unit.allowed);
    }

    /** Sets an affinity; null for all CPUs. */
    void setAffinity(SchedUnit unit, CpuSet hard, CpuSet soft) {
        long now = now();
        boolean waited = unit.waiting;
        if (waited) {
            remove(unit, now);
        }
        CpuSet oldHard = unit.hard;
        CpuSet oldSoft = unit.soft;
        unit.hard = hard;
        unit.soft = soft;
        updateAllowed(unit);
        try {
            policy.admit(List.of());
        } catch (SchedulingException e) {
            unit.hard = oldHard;
            unit.soft = oldSoft;
            updateAllowed(unit);
            throw e;
        } finally {
            if (unit.cpu == null) {
                policy.affinityChanged(unit, now);
            }
            if (waited) {
                enqueue(unit, now);
            } else if (unit.cpu != null) {
                // It moves if it must, and its thread is bound anew.
                evict(unit.cpu, now);
            }
        }
    }

    void addCpu(PhysicalCpu cpu) {
        long now = now();
        List<SchedUnit> waiting = unplug(now);
        cpus.add(cpu);
        cpuSet = cpuSet.with(cpu.id);
        cpu.pool = this;
        replug(waiting, now);
    }

    /** Nobody gets this CPU any more, and its holder leaves soon. EBUSY when the rest could not keep what was promised. */
    void startRemoval(PhysicalCpu cpu) {
        if (cpus.size() == 1 && !domains.isEmpty()) {
            throw new SchedulingException(
                    Errno.EBUSY, "CPU " + cpu.id + " is the last one of " + this + ", which has domains");
        }
        if (policy instanceof Rtds rtds) {
            rtds.admitWithout(cpu);
        }
        cpu.leaving = true;
        if (cpu.current != null) {
            evict(cpu, now());
        }
    }

    void finishRemoval(PhysicalCpu cpu) {
        long now = now();
        List<SchedUnit> waiting = unplug(now);
        cpus.remove(cpu);
        cpuSet = cpuSet.without(cpu.id);
        cpu.leaving = false;
        cpu.pool = null;
        replug(waiting, now);
    }

    private List<SchedUnit> unplug(long now) {
        List<SchedUnit> waiting = units.stream().filter(unit -> unit.waiting).toList();
        waiting.forEach(unit -> remove(unit, now));
        return waiting;
    }

    private void replug(List<SchedUnit> waiting, long now) {
        units.forEach(this::updateAllowed);
        policy.cpusChanged(now);
        for (SchedUnit unit : waiting) {
            enqueue(unit, now);
        }
        for (PhysicalCpu cpu : cpus) {
            // Threads are bound anew, and preferred CPUs may have come.
            if (cpu.current != null && scheduler.bindsThreads()) {
                evict(cpu, now);
            }
        }
    }

    @Override
    public String toString() {
        return "pool " + name;
    }

    /** What runs and what waits, in lines for people. */
    String describe() {
        lock.lock();
        try {
            long now = now();
            StringBuilder s = new StringBuilder();
            s.append(name)
                    .append(": id ")
                    .append(id)
                    .append(", ")
                    .append(kind)
                    .append(", CPUs ")
                    .append(cpuSet)
                    .append('\n');
            for (PhysicalCpu cpu : cpus) {
                SchedUnit unit = cpu.current;
                s.append("  CPU ").append(cpu.id).append(": ");
                if (unit == null) {
                    s.append("idle\n");
                } else {
                    s.append(unit).append(unit.running ? " for " : " assigned for ");
                    s.append((now - unit.since) / 1000)
                            .append(" us, ")
                            .append(policy.describe(unit))
                            .append('\n');
                }
            }
            for (SchedUnit unit : units) {
                if (unit.waiting) {
                    s.append("  waiting: ")
                            .append(unit)
                            .append(", ")
                            .append(policy.describe(unit))
                            .append('\n');
                }
            }
            return s.toString();
        } finally {
            lock.unlock();
        }
    }
}
