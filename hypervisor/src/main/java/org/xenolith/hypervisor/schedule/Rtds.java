package org.xenolith.hypervisor.schedule;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.xenolith.abi.RunstateInfo;

/**
 * Xen's RTDS scheduler: each unit has a budget of CPU time in each of its periods; among those with budget, the one whose
 * period ends first runs. One run queue for the pool.
 *
 * <p>A unit whose budget is used up waits for its next period; with extra time it may go on behind everybody who has budget,
 * and behind those who have had less extra time in their periods. What a unit overruns its budget by, because a
 * processor leaves its engine late, is taken from its next one, so that shares are exact in the long run. What it could not use
 * because the host kept its thread from running is added to its next one, up to a whole budget.
 *
 * <p>Unlike Xen's, this scheduler refuses what it cannot guarantee: see {@link Admission}.
 */
final class Rtds extends Policy {
    private static final long MANY = 1000;

    /** A unit in a pool with this scheduler. */
    static final class Unit {
        RtdsParameters parameters = RtdsParameters.DEFAULT;
        /** End of the present period. */
        private long deadline;
        /** What is left of the budget; negative what is owed. */
        private long left;
        /** How often the budget was used up in this period. */
        private long level;
        /** Runs before all others, for the guarantee's sake. */
        private boolean heavy;

        /** It runs or wants to; and since when. */
        private boolean active;

        private long wantsSince;

        private long period() {
            return parameters.periodMicros() * 1000;
        }

        private long budget() {
            return parameters.budgetMicros() * 1000;
        }

        private boolean isDepleted() {
            return left <= 0;
        }
    }

    /** Those with budget that wait, first to run first. */
    private final List<SchedUnit> waiting = new ArrayList<>();
    /** Those without that would. */
    private final List<SchedUnit> depleted = new ArrayList<>();

    Rtds(CpuPool pool) {
        super(pool);
    }

    double reserved() {
        return pool.units().stream()
                .mapToDouble(unit -> unit.rtds.parameters.utilization())
                .sum();
    }

    // Admission.

    @Override
    void admit(Collection<SchedUnit> newcomers) {
        List<Admission.Demand> demands = demands(List.of(), null, pool.cpus());
        for (SchedUnit unit : newcomers) {
            CpuSet allowed = unit.hard == null ? pool.cpus() : unit.hard.and(pool.cpus());
            demands.add(new Admission.Demand(
                    unit, RtdsParameters.DEFAULT.utilization(), allowed.isEmpty() ? pool.cpus() : allowed));
        }
        Admission.check(pool, pool.cpus(), demands);
    }

    void admitWithout(PhysicalCpu cpu) {
        CpuSet rest = pool.cpus().without(cpu.id);
        try {
            Admission.check(pool, rest, demands(List.of(), null, rest));
        } catch (SchedulingException e) {
            throw new SchedulingException(
                    org.xenolith.abi.Errno.EBUSY, "CPU " + cpu.id + " is needed: without it, " + e.getMessage());
        }
    }

    /** What is asked for with {@code changed} units having other parameters, on some CPUs of the pool. */
    private List<Admission.Demand> demands(Collection<SchedUnit> changed, RtdsParameters parameters, CpuSet cpus) {
        List<Admission.Demand> demands = new ArrayList<>();
        for (SchedUnit unit : pool.units()) {
            CpuSet allowed = unit.allowed.and(cpus);
            demands.add(new Admission.Demand(
                    unit,
                    (changed.contains(unit) ? parameters : unit.rtds.parameters).utilization(),
                    allowed.isEmpty() ? cpus : allowed));
        }
        return demands;
    }

    private void markHeavyOnes() {
        Set<SchedUnit> heavy;
        try {
            heavy = Admission.check(pool, pool.cpus(), demands(List.of(), null, pool.cpus()));
        } catch (SchedulingException e) {
            // An affinity lost its last CPU in the pool, which Xen allows as well: as good as it goes.
            heavy = Set.of();
        }
        List<SchedUnit> queued = List.copyOf(waiting);
        waiting.clear();
        for (SchedUnit unit : pool.units()) {
            unit.rtds.heavy = heavy.contains(unit);
        }
        queued.forEach(this::enqueue);
    }

    void setParameters(Collection<SchedUnit> changed, RtdsParameters wanted) {
        Admission.check(pool, pool.cpus(), demands(changed, wanted, pool.cpus()));
        long now = pool.now();
        for (SchedUnit unit : changed) {
            boolean queued = unit.waiting;
            if (queued) {
                takeOut(unit);
            }
            pool.account(unit, now);
            Unit data = unit.rtds;
            data.parameters = wanted;
            // A new period begins, but for what is owed.
            data.deadline = now + data.period();
            data.left = data.budget() + Math.min(0, data.left);
            data.level = 0;
            if (queued) {
                enqueue(unit);
            }
        }
        markHeavyOnes();
        for (SchedUnit unit : changed) {
            if (unit.running) {
                pool.preempt(unit.cpu, now);
            }
            pool.dispatch(unit, now);
        }
    }

    // Membership.

    @Override
    void attach(SchedUnit unit, long now) {
        unit.rtds = new Unit();
        unit.rtds.deadline = now + unit.rtds.period();
        unit.rtds.left = unit.rtds.budget();
        markHeavyOnes();
    }

    @Override
    void detach(SchedUnit unit, long now) {
        unit.rtds = null;
        markHeavyOnes();
    }

    @Override
    void cpusChanged(long now) {
        markHeavyOnes();
    }

    @Override
    void affinityChanged(SchedUnit unit, long now) {
        markHeavyOnes();
    }

    // Order.

    private static boolean precedes(SchedUnit a, SchedUnit b) {
        Unit x = a.rtds;
        Unit y = b.rtds;
        boolean xFirst = x.heavy && x.level == 0;
        boolean yFirst = y.heavy && y.level == 0;
        if (xFirst != yFirst) {
            return xFirst;
        }
        return x.level != y.level ? x.level < y.level : x.deadline < y.deadline;
    }

    private void enqueue(SchedUnit unit) {
        if (unit.rtds.isDepleted()) {
            depleted.add(unit);
            return;
        }
        int at = waiting.size();
        while (at > 0 && precedes(unit, waiting.get(at - 1))) {
            at--;
        }
        waiting.add(at, unit);
    }

    private void takeOut(SchedUnit unit) {
        if (!waiting.remove(unit)) {
            depleted.remove(unit);
        }
    }

    @Override
    void insert(SchedUnit unit, long now) {
        Unit data = unit.rtds;
        if (unit.woken) {
            renew(data, now);
            data.wantsSince = now;
        }
        data.active = true;
        renew(data, now);
        enqueue(unit);
    }

    @Override
    void remove(SchedUnit unit, long now) {
        unit.rtds.active = false;
        takeOut(unit);
    }

    // Budget.

    /** Begins the period that {@code now} is in, when the present one has ended. */
    private static void renew(Unit unit, long now) {
        if (now < unit.deadline) {
            return;
        }
        long periods = (now - unit.deadline) / unit.period() + 1;
        boolean missed = unit.active && unit.level == 0 && unit.wantsSince <= unit.deadline - unit.period();
        long kept = missed ? Math.min(unit.left, unit.budget()) : Math.min(0, unit.left);
        unit.deadline += periods * unit.period();
        unit.level = 0;
        unit.left = periods > MANY
                ? unit.budget()
                : Math.min(missed ? 2 * unit.budget() : unit.budget(), kept + periods * unit.budget());
    }

    private static void consume(Unit unit, long time) {
        unit.left -= time;
        if (unit.left <= 0 && unit.parameters.extratime()) {
            long times = -unit.left / unit.budget() + 1;
            unit.level += times;
            unit.left += times * unit.budget();
        }
    }

    @Override
    void burn(SchedUnit unit, long from, long to) {
        Unit data = unit.rtds;
        long at = from;
        if (data.deadline <= at) {
            renew(data, at);
        }
        for (long rounds = 0; data.deadline <= to; rounds++) {
            if (rounds > MANY) {
                // It has run unseen for a long time, so nobody waited.
                renew(data, to);
                return;
            }
            consume(data, data.deadline - at);
            at = data.deadline;
            renew(data, at);
        }
        consume(data, to - at);
    }

    @Override
    void stopped(SchedUnit unit, long now) {
        unit.rtds.active = false;
    }

    @Override
    long nextTimer() {
        long next = PhysicalCpu.NEVER;
        for (SchedUnit unit : depleted) {
            next = Math.min(next, unit.rtds.deadline);
        }
        for (SchedUnit unit : waiting) {
            next = Math.min(next, unit.rtds.deadline);
        }
        for (PhysicalCpu cpu : pool.cpuList()) {
            SchedUnit holder = cpu.current;
            if (holder != null && (!holder.rtds.parameters.extratime() || !waiting.isEmpty())) {
                next = Math.min(next, holder.rtds.deadline);
            }
        }
        return next;
    }

    @Override
    void timer(long now) {
        List<SchedUnit> renewed = new ArrayList<>();
        for (List<SchedUnit> list : List.of(waiting, depleted)) {
            for (SchedUnit unit : list) {
                if (unit.rtds.deadline <= now) {
                    renewed.add(unit);
                }
            }
        }
        for (SchedUnit unit : renewed) {
            takeOut(unit);
            renew(unit.rtds, now);
            enqueue(unit);
        }
        for (PhysicalCpu cpu : pool.cpuList()) {
            SchedUnit holder = cpu.current;
            if (holder != null && holder.rtds.deadline <= now) {
                pool.account(holder, now);
                renew(holder.rtds, now);
                SchedUnit first = firstWaiting(cpu);
                if (!holder.running) {
                    continue;
                }
                if (first != null && precedes(first, holder) && !holder.preempt) {
                    pool.preempt(cpu, now);
                } else if (!holder.preempt) {
                    cpu.deadline = sliceEnd(cpu, now);
                }
            }
        }
        for (SchedUnit unit : renewed) {
            pool.dispatch(unit, now);
        }
    }

    // Choice.

    private SchedUnit firstWaiting(PhysicalCpu cpu) {
        for (SchedUnit unit : waiting) {
            if (unit.allowed.contains(cpu.id)) {
                return unit;
            }
        }
        return null;
    }

    @Override
    PhysicalCpu place(SchedUnit unit, long now) {
        if (unit.rtds.isDepleted()) {
            return null;
        }
        PhysicalCpu idle = null;
        PhysicalCpu last = null;
        for (PhysicalCpu cpu : pool.cpuList()) {
            if (cpu.leaving || !unit.allowed.contains(cpu.id)) {
                continue;
            }
            SchedUnit holder = cpu.current;
            if (holder == null) {
                idle = idle == null || cpu.id == unit.lastCpu ? cpu : idle;
            } else if (!holder.preempt) {
                pool.account(holder, now);
                if (precedes(unit, holder) && (last == null || precedes(last.current, holder))) {
                    last = cpu;
                }
            }
        }
        return idle != null ? idle : last;
    }

    @Override
    SchedUnit pick(PhysicalCpu cpu, SchedUnit holder, long now) {
        SchedUnit first = firstWaiting(cpu);
        if (holder != null) {
            renew(holder.rtds, now);
            if (!holder.rtds.isDepleted() && (first == null || !precedes(first, holder))) {
                return holder;
            }
        }
        if (first != null) {
            waiting.remove(first);
        }
        return first;
    }

    @Override
    long sliceEnd(PhysicalCpu cpu, long now) {
        SchedUnit holder = cpu.current;
        Unit data = holder.rtds;
        long end = now + Math.max(0, data.left);
        if (data.parameters.extratime()) {
            return firstWaiting(cpu) == null ? PhysicalCpu.NEVER : end;
        }
        // At its deadline it gets more: the timer looks then.
        return end < data.deadline ? end : PhysicalCpu.NEVER;
    }

    @Override
    boolean hasWaiting(PhysicalCpu cpu) {
        return firstWaiting(cpu) != null;
    }

    @Override
    String describe(SchedUnit unit) {
        Unit data = unit.rtds;
        return "period " + data.parameters.periodMicros() + " us, budget " + data.parameters.budgetMicros()
                + " us, left "
                + data.left / 1000 + " us, level " + data.level + ", deadline in "
                + (data.deadline - pool.now()) / 1000 + " us"
                + (unit.state == RunstateInfo.RUNNABLE && data.isDepleted() ? ", depleted" : "");
    }
}
