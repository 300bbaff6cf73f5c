package org.xenolith.hypervisor.schedule;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.abi.Errno;

/**
 * Xen's credit2 scheduler: shares in proportion to weights, caps, soft and hard affinity, run queues with load balancing.
 *
 * <p>Each unit has credit, which it burns while it runs, the faster the smaller its weight; most credit runs first. When the
 * next one to run has none left, everybody in the run queue gets more. Who sleeps keeps its credit, and so preempts busy ones
 * when it wakes. A domain with a cap gets a budget each {@link #CAP_PERIOD}; its units take it in quotas, and are parked
 * without.
 *
 * <p>Differences from Xen: a CPU that goes idle takes work from other run queues at once, and so does a unit that wakes when
 * its own queue has no idle CPU; what a unit overruns its budget by is paid back to the nanosecond; a slice is not
 * limited while nobody waits, and ends when the unit is {@link #SLICE} of credit behind who waits, not when it has
 * less; a unit that wakes under the rate limit, or with too little credit, runs when that ends, not at the end of the slice.
 */
final class Credit2 extends Policy {
    /** What everybody has after a reset, in nanoseconds of the greatest weight. */
    static final long CREDIT_INIT = 10_000_000;

    /**
     * Deepest debt. In Xen that is {@code -CREDIT_INIT}; there a unit runs when it holds a CPU. Here the host may take the thread
     * off its processor for a while, with the CPU held and others waiting for it, and that has to be paid back too.
     */
    static final long CREDIT_MIN = -1_000_000_000;
    /** Shortest slice, and how much credit beyond {@link #CREDIT_INIT} a reset leaves. */
    static final long MIN_TIMER = 500_000;

    static final long MAX_TIMER = CREDIT_INIT;
    /**
     * A unit that has a CPU keeps it until it has so much less credit than who waits. Without this, busy units with equal
     * credit change places each time that the rate limit lets them, and a unit that wakes finds all CPUs under the limit.
     */
    static final long SLICE = 4_000_000;
    /** A unit changes the CPU only for somebody with so much less credit. */
    static final long MIGRATE_RESIST = 500_000;

    static final long CAP_PERIOD = 10_000_000;
    private static final long RATELIMIT_TOLERANCE = 50_000;
    private static final long UNCAPPED = Long.MAX_VALUE;
    private static final long SHORTEST_BUDGET = 100_000;
    /** Running time beyond this makes no difference: the credit is at its minimum. */
    private static final long LONGEST_BURN = 2 * CREDIT_INIT - CREDIT_MIN;
    /** By how much a move must make the loads of two queues more even. */
    private static final double IMBALANCE = 0.25;

    /** Budget that a domain can have saved, in periods. */
    private static final int MOST_PERIODS = 4;

    private static final int MIN_RATELIMIT = 100;
    private static final int MAX_RATELIMIT = 500_000;

    /** A unit in a pool with this scheduler. */
    static final class Unit {
        RunQueue queue;
        long credit = CREDIT_INIT;
        /** Remainder of the division of burnt credit. */
        private long residual;
        /** Time that it may run before it asks its domain for more. */
        private long budget = UNCAPPED;

        boolean active;
        double load;
        long loadSince;
    }

    /** A domain in a pool with this scheduler. */
    static final class Share {
        Credit2Parameters parameters = Credit2Parameters.DEFAULT;
        /** Budget of each period, and what is left of it; may be negative. */
        private long total;

        private long budget;
        private long quota;
        private long nextReplenishment;
        private final List<SchedUnit> parked = new ArrayList<>();

        void reset() {
            parameters = Credit2Parameters.DEFAULT;
            parked.clear();
        }

        boolean isCapped() {
            return parameters.cap() > 0;
        }

        /**
         * Gives the budget of the periods that have begun.
         *
         * @param wanted whether a unit of the domain has wanted to run all the time: then what it could not use, because the
         *     host was busy with something else, is kept for a few periods; else it is lost. What was used too much is not
         *     forgiven.
         */
        private void replenish(long now, boolean wanted) {
            if (now >= nextReplenishment) {
                long periods = (now - nextReplenishment) / CAP_PERIOD + 1;
                nextReplenishment += periods * CAP_PERIOD;
                long most = wanted ? MOST_PERIODS * total : total;
                budget = periods > 1000 ? most : Math.min(most, budget + periods * total);
            }
        }
    }

    private final List<RunQueue> queues = new ArrayList<>();
    /** Domains with parked units. */
    private final List<SchedDomain> starved = new ArrayList<>();

    private long ratelimit = 1_000_000;

    Credit2(CpuPool pool) {
        super(pool);
    }

    int ratelimitMicros() {
        return (int) (ratelimit / 1000);
    }

    void setRatelimitMicros(int micros) {
        if (micros != 0 && (micros < MIN_RATELIMIT || micros > MAX_RATELIMIT)) {
            throw new SchedulingException(
                    Errno.EINVAL,
                    "a rate limit of " + micros + " us: it must be 0 (none) or " + MIN_RATELIMIT + " to "
                            + MAX_RATELIMIT + " us");
        }
        ratelimit = micros * 1000L;
    }

    void setParameters(SchedDomain domain, Credit2Parameters wanted) {
        Share share = domain.credit2;
        long now = pool.now();
        for (SchedUnit unit : domain.units()) {
            pool.account(unit, now);
        }
        Credit2Parameters before = share.parameters;
        share.parameters = wanted;
        for (RunQueue queue : queues) {
            queue.weightChanged();
        }
        if (wanted.cap() == before.cap()) {
            return;
        }
        share.total = CAP_PERIOD * wanted.cap() / 100;
        share.quota = Math.max(share.total / Math.max(1, domain.units().size()), MIN_TIMER);
        if (before.cap() == 0) {
            share.budget = share.total;
            share.nextReplenishment = now + CAP_PERIOD;
        } else {
            share.budget = Math.min(share.budget, share.total);
        }
        for (SchedUnit unit : domain.units()) {
            if (before.cap() > 0 && unit.credit2.budget < 0) {
                share.budget += unit.credit2.budget;
            }
            unit.credit2.budget = wanted.cap() == 0 ? UNCAPPED : 0;
            if (unit.running) {
                pool.preempt(unit.cpu, now);
            }
        }
        unpark(domain, now);
    }

    // Membership.

    @Override
    void attach(SchedUnit unit, long now) {
        unit.credit2 = new Unit();
        unit.credit2.loadSince = now;
        if (unit.domain().credit2.isCapped()) {
            unit.credit2.budget = 0;
            Share share = unit.domain().credit2;
            share.quota =
                    Math.max(share.total / Math.max(1, unit.domain().units().size()), MIN_TIMER);
        }
        RunQueue queue = leastLoaded(unit, now);
        if (queue != null) {
            queue.join(unit);
        }
    }

    @Override
    void detach(SchedUnit unit, long now) {
        if (unit.credit2.queue != null) {
            unit.credit2.queue.part(unit);
        }
        unit.domain().credit2.parked.remove(unit);
        if (unit.domain().credit2.parked.isEmpty()) {
            starved.remove(unit.domain());
        }
        unit.credit2 = null;
    }

    @Override
    void cpusChanged(long now) {
        queues.forEach(queue -> queue.cpus.clear());
        for (PhysicalCpu cpu : pool.cpuList()) {
            RunQueue queue = null;
            for (RunQueue known : queues) {
                if (known.node == cpu.node) {
                    queue = known;
                }
            }
            if (queue == null) {
                queue = new RunQueue(cpu.node);
                queues.add(queue);
            }
            queue.cpus.add(cpu);
        }
        queues.removeIf(queue -> {
            if (queue.cpus.isEmpty()) {
                List.copyOf(queue.members).forEach(queue::part);
            }
            return queue.cpus.isEmpty();
        });
        for (SchedUnit unit : pool.units()) {
            affinityChanged(unit, now);
        }
    }

    @Override
    void affinityChanged(SchedUnit unit, long now) {
        RunQueue queue = unit.credit2.queue;
        if (queue == null || !queue.serves(unit) || unit.preferred != null && !queue.prefers(unit)) {
            RunQueue better = leastLoaded(unit, now);
            if (better != null && better != queue) {
                migrate(unit, better);
            }
        }
    }

    /** The queue where a unit is best off; null when the pool has no CPU. */
    private RunQueue leastLoaded(SchedUnit unit, long now) {
        RunQueue best = null;
        double bestLoad = 0;
        boolean bestPreferred = false;
        for (RunQueue queue : queues) {
            if (!queue.serves(unit)) {
                continue;
            }
            boolean preferred = queue.prefers(unit);
            double load = queue.load(now);
            if (best == null || preferred && !bestPreferred || preferred == bestPreferred && load < bestLoad) {
                best = queue;
                bestLoad = load;
                bestPreferred = preferred;
            }
        }
        return best;
    }

    /** Moves a unit that does not wait in its queue. Its credit stays as it relates to what the others have. */
    private static void migrate(SchedUnit unit, RunQueue to) {
        RunQueue from = unit.credit2.queue;
        if (from != null) {
            from.part(unit);
        }
        to.join(unit);
    }

    // Waiting.

    @Override
    void insert(SchedUnit unit, long now) {
        Share share = unit.domain().credit2;
        if (share.isCapped()) {
            replenish(unit.domain(), now);
        }
        setActive(unit, true, now);
        affinityChanged(unit, now);
        if (share.isCapped()) {
            if (share.budget <= 0) {
                park(unit);
                return;
            }
        }
        RunQueue queue = unit.credit2.queue;
        if (queue != null) {
            if (queue.waiting.isEmpty()) {
                // What ran up to now ran without anybody waiting.
                for (SchedUnit member : queue.members) {
                    pool.account(member, now);
                }
            }
            queue.insert(unit);
        }
    }

    @Override
    void remove(SchedUnit unit, long now) {
        takeOut(unit);
        setActive(unit, false, now);
    }

    private void takeOut(SchedUnit unit) {
        RunQueue queue = unit.credit2.queue;
        Share share = unit.domain().credit2;
        if (share.parked.remove(unit)) {
            if (share.parked.isEmpty()) {
                starved.remove(unit.domain());
            }
        } else if (queue != null) {
            queue.waiting.remove(unit);
        }
    }

    private static void setActive(SchedUnit unit, boolean active, long now) {
        RunQueue.load(unit, now);
        unit.credit2.active = active;
    }

    private void park(SchedUnit unit) {
        Share share = unit.domain().credit2;
        if (share.parked.isEmpty()) {
            starved.add(unit.domain());
        }
        share.parked.add(unit);
    }

    private void unpark(SchedDomain domain, long now) {
        List<SchedUnit> released = List.copyOf(domain.credit2.parked);
        domain.credit2.parked.clear();
        starved.remove(domain);
        for (SchedUnit unit : released) {
            unit.credit2.queue.insert(unit);
        }
        for (SchedUnit unit : released) {
            pool.dispatch(unit, now);
        }
    }

    @Override
    long nextTimer() {
        long next = PhysicalCpu.NEVER;
        for (SchedDomain domain : starved) {
            next = Math.min(next, domain.credit2.nextReplenishment);
        }
        return next;
    }

    @Override
    void timer(long now) {
        for (SchedDomain domain : List.copyOf(starved)) {
            if (domain.credit2.nextReplenishment <= now) {
                replenish(domain, now);
                if (domain.credit2.budget > 0) {
                    unpark(domain, now);
                }
            }
        }
    }

    private static void replenish(SchedDomain domain, long now) {
        boolean wanted = false;
        for (SchedUnit unit : domain.units()) {
            wanted |= unit.credit2 != null && unit.credit2.active;
        }
        domain.credit2.replenish(now, wanted);
    }

    /** Makes sure that a unit may run for a while; false when its domain has used up its budget. */
    private static boolean takeBudget(SchedUnit unit, long now) {
        Share share = unit.domain().credit2;
        Unit data = unit.credit2;
        if (!share.isCapped()) {
            return true;
        }
        if (data.budget > 0) {
            return true;
        }
        // What is owed first: a replenishment after it counts in full.
        share.budget += data.budget;
        data.budget = 0;
        replenish(unit.domain(), now);
        if (share.budget <= 0) {
            return false;
        }
        data.budget = Math.min(share.quota, share.budget);
        share.budget -= data.budget;
        return true;
    }

    // Running.

    @Override
    void burn(SchedUnit unit, long from, long to) {
        Unit data = unit.credit2;
        if (data.budget != UNCAPPED) {
            data.budget -= to - from;
        }
        int weight = unit.domain().credit2.parameters.weight();
        int maxWeight = data.queue == null ? weight : data.queue.maxWeight;
        long scaled = Math.min(to - from, LONGEST_BURN) * maxWeight + data.residual;
        data.residual = scaled % weight;
        data.credit = Math.max(CREDIT_MIN, data.credit - scaled / weight);
        if (data.credit <= 0 && data.queue != null && data.queue.waiting.isEmpty()) {
            // Nobody was kept waiting: the resets that nobody called for meanwhile.
            addCredit(data.queue, data.credit);
        }
    }

    @Override
    void stopped(SchedUnit unit, long now) {
        setActive(unit, false, now);
        if (unit.domain().credit2.isCapped()) {
            unit.domain().credit2.budget += unit.credit2.budget;
            unit.credit2.budget = 0;
        }
    }

    private RunQueue queueOf(PhysicalCpu cpu) {
        for (RunQueue queue : queues) {
            if (queue.cpus.contains(cpu)) {
                return queue;
            }
        }
        return null;
    }

    @Override
    PhysicalCpu place(SchedUnit unit, long now) {
        RunQueue queue = unit.credit2.queue;
        if (queue == null || !queue.waiting.contains(unit)) {
            return null;
        }
        PhysicalCpu idle = idleCpu(queue, unit, true);
        if (idle == null) {
            idle = idleCpu(queue, unit, false);
        }
        if (idle != null) {
            return idle;
        }
        for (RunQueue other : queues) {
            idle = other == queue ? null : idleCpu(other, unit, false);
            if (idle != null) {
                queue.waiting.remove(unit);
                migrate(unit, other);
                other.insert(unit);
                return idle;
            }
        }
        return victim(queue, unit, now);
    }

    private static PhysicalCpu idleCpu(RunQueue queue, SchedUnit unit, boolean preferred) {
        CpuSet set = preferred ? unit.preferred : unit.allowed;
        PhysicalCpu found = null;
        for (PhysicalCpu cpu : queue.cpus) {
            if (set != null && cpu.current == null && !cpu.leaving && set.contains(cpu.id)) {
                if (cpu.id == unit.lastCpu) {
                    return cpu;
                }
                found = found == null ? cpu : found;
            }
        }
        return found;
    }

    /** The CPU whose holder should make room for a unit, or null. */
    private PhysicalCpu victim(RunQueue queue, SchedUnit unit, long now) {
        PhysicalCpu best = null;
        long bestScore = 0;
        for (PhysicalCpu cpu : queue.cpus) {
            SchedUnit holder = cpu.current;
            if (holder == null || holder.preempt || cpu.leaving || !unit.allowed.contains(cpu.id)) {
                continue;
            }
            pool.account(holder, now);
            long score = unit.credit2.credit - holder.credit2.credit;
            if (cpu.id != unit.lastCpu) {
                score -= MIGRATE_RESIST;
            }
            if (score > 0 && unit.preferred != null && unit.preferred.contains(cpu.id)) {
                score += CREDIT_INIT;
            }
            if (score > bestScore && now - holder.since >= ratelimit - RATELIMIT_TOLERANCE) {
                best = cpu;
                bestScore = score;
            }
        }
        return best;
    }

    @Override
    SchedUnit pick(PhysicalCpu cpu, SchedUnit holder, long now) {
        RunQueue queue = queueOf(cpu);
        if (queue == null) {
            return null;
        }
        SchedUnit best = null;
        boolean yields = false;
        if (holder != null && takeBudget(holder, now)) {
            yields = holder.yielding;
            if (!yields && ratelimit > 0 && now - holder.since < ratelimit - RATELIMIT_TOLERANCE) {
                best = holder;
                return best;
            }
            if (!wantsAway(holder, cpu, queue)) {
                best = holder;
            }
        }
        int at = 0;
        while (at < queue.waiting.size()) {
            SchedUnit unit = queue.waiting.get(at);
            if (best != null && !yields && unit.credit2.credit <= best.credit2.credit) {
                break;
            }
            boolean resists = best != null
                    && !yields
                    && unit.lastCpu != cpu.id
                    && best.credit2.credit + MIGRATE_RESIST > unit.credit2.credit;
            if (!unit.allowed.contains(cpu.id) || resists) {
                at++;
                continue;
            }
            if (!takeBudget(unit, now)) {
                queue.waiting.remove(at);
                park(unit);
                continue;
            }
            best = unit;
            break;
        }
        if (best == null) {
            best = steal(queue, cpu, now);
        }
        if (best == null) {
            return null;
        }
        if (best != holder) {
            best.credit2.queue.waiting.remove(best);
        }
        if (best.credit2.credit <= 0) {
            resetCredit(queue, best, now);
            balance(queue, now);
        }
        return best;
    }

    /** Whether a holder should go because a CPU that it prefers is idle. */
    private static boolean wantsAway(SchedUnit holder, PhysicalCpu cpu, RunQueue queue) {
        return holder.preferred != null && !holder.preferred.contains(cpu.id) && idleCpu(queue, holder, true) != null;
    }

    /** Takes a unit that waits in another queue, the most loaded first. */
    private SchedUnit steal(RunQueue queue, PhysicalCpu cpu, long now) {
        SchedUnit best = null;
        double bestLoad = -1;
        for (RunQueue other : queues) {
            if (other == queue || other.waiting.isEmpty() || other.load(now) <= bestLoad) {
                continue;
            }
            for (SchedUnit unit : other.waiting) {
                if (unit.allowed.contains(cpu.id) && hasBudget(unit, now)) {
                    best = unit;
                    bestLoad = other.load(now);
                    break;
                }
            }
        }
        if (best != null) {
            takeBudget(best, now);
            best.credit2.queue.waiting.remove(best);
            migrate(best, queue);
        }
        return best;
    }

    private static boolean hasBudget(SchedUnit unit, long now) {
        Share share = unit.domain().credit2;
        if (!share.isCapped()) {
            return true;
        }
        replenish(unit.domain(), now);
        return share.budget > 0;
    }

    private void resetCredit(RunQueue queue, SchedUnit next, long now) {
        for (SchedUnit unit : queue.members) {
            pool.account(unit, now);
        }
        if (next.credit2.credit <= 0) {
            addCredit(queue, next.credit2.credit);
        }
    }

    /** As many resets as it takes to bring {@code credit} above 0. */
    private static void addCredit(RunQueue queue, long credit) {
        long more = (-credit / CREDIT_INIT + 1) * CREDIT_INIT;
        for (SchedUnit unit : queue.members) {
            unit.credit2.credit = Math.min(unit.credit2.credit + more, CREDIT_INIT + MIN_TIMER);
        }
    }

    @Override
    long sliceEnd(PhysicalCpu cpu, long now) {
        SchedUnit holder = cpu.current;
        RunQueue queue = queueOf(cpu);
        SchedUnit next = firstWaiting(queue, cpu);
        boolean capped = holder.credit2.budget != UNCAPPED;
        // Its CPU may become idle without anybody waiting.
        boolean elsewhere = holder.preferred != null && !holder.preferred.contains(cpu.id);
        if (next == null && !capped && !elsewhere) {
            return PhysicalCpu.NEVER;
        }
        long limited = ratelimit == 0 ? 0 : Math.max(0, holder.since + ratelimit - now);
        long time = elsewhere ? MAX_TIMER : PhysicalCpu.NEVER;
        if (next != null) {
            long ahead = holder.credit2.credit - Math.max(0, next.credit2.credit) + SLICE;
            int weight = holder.domain().credit2.parameters.weight();
            long own = Math.max(0, ahead) * weight / queue.maxWeight;
            time = Math.min(time, Math.min(Math.max(own, Math.max(MIN_TIMER, limited)), MAX_TIMER));
            SchedUnit woken = firstWoken(queue, cpu);
            if (woken != null) {
                // It does not wait for the end of the slice, but until the holder has less credit.
                long resist = woken.lastCpu == cpu.id ? 0 : MIGRATE_RESIST;
                long before = holder.credit2.credit + resist - woken.credit2.credit + 1;
                time = Math.min(time, Math.max(limited, Math.max(0, before) * weight / queue.maxWeight));
            }
        }
        if (capped) {
            time = Math.min(time, Math.max(holder.credit2.budget, SHORTEST_BUDGET));
        }
        return now + time;
    }

    private static SchedUnit firstWaiting(RunQueue queue, PhysicalCpu cpu) {
        if (queue != null) {
            for (SchedUnit unit : queue.waiting) {
                if (unit.allowed.contains(cpu.id)) {
                    return unit;
                }
            }
        }
        return null;
    }

    private static SchedUnit firstWoken(RunQueue queue, PhysicalCpu cpu) {
        for (SchedUnit unit : queue.waiting) {
            if (unit.woken && unit.allowed.contains(cpu.id)) {
                return unit;
            }
        }
        return null;
    }

    @Override
    boolean hasWaiting(PhysicalCpu cpu) {
        return firstWaiting(queueOf(cpu), cpu) != null;
    }

    // Load.

    /** Moves one unit between this queue and the one whose load differs most, or exchanges two, when that makes them more even. */
    private void balance(RunQueue queue, long now) {
        RunQueue other = null;
        double difference = 0;
        for (RunQueue candidate : queues) {
            double here = Math.abs(queue.load(now) - candidate.load(now));
            if (candidate != queue && here > difference) {
                other = candidate;
                difference = here;
            }
        }
        if (other == null || difference < IMBALANCE) {
            return;
        }
        RunQueue high = queue.load(now) > other.load(now) ? queue : other;
        RunQueue low = high == queue ? other : queue;
        SchedUnit push = null;
        SchedUnit pull = null;
        double best = difference - IMBALANCE;
        for (SchedUnit out : movable(high, low)) {
            double moved = RunQueue.load(out, now);
            double rest = Math.abs(difference - moved / high.cpus.size() - moved / low.cpus.size());
            if (rest < best) {
                best = rest;
                push = out;
                pull = null;
            }
            for (SchedUnit back : movable(low, high)) {
                double net = moved - RunQueue.load(back, now);
                rest = Math.abs(difference - net / high.cpus.size() - net / low.cpus.size());
                if (rest < best) {
                    best = rest;
                    push = out;
                    pull = back;
                }
            }
        }
        if (push != null) {
            relocate(push, low, now);
        }
        if (pull != null) {
            relocate(pull, high, now);
        }
    }

    /** Those who hold no CPU. */
    private static List<SchedUnit> movable(RunQueue from, RunQueue to) {
        List<SchedUnit> found = new ArrayList<>();
        for (SchedUnit unit : from.members) {
            if (unit.cpu == null && to.serves(unit) && (unit.preferred == null || to.prefers(unit))) {
                found.add(unit);
            }
        }
        return found;
    }

    private void relocate(SchedUnit unit, RunQueue to, long now) {
        boolean queued = unit.credit2.queue.waiting.remove(unit);
        migrate(unit, to);
        if (queued) {
            to.insert(unit);
            for (PhysicalCpu cpu : to.cpus) {
                if (cpu.current != null && cpu.current.running && !cpu.current.preempt) {
                    pool.account(cpu.current, now);
                    cpu.deadline = Math.min(cpu.deadline, sliceEnd(cpu, now));
                }
            }
        }
    }

    @Override
    String describe(SchedUnit unit) {
        Share share = unit.domain().credit2;
        return "weight " + share.parameters.weight() + ", cap " + share.parameters.cap() + ", credit "
                + unit.credit2.credit / 1000 + " us"
                + (unit.credit2.budget == UNCAPPED ? "" : ", budget " + unit.credit2.budget / 1000 + " us")
                + (share.parked.contains(unit) ? ", parked" : "");
    }
}
