package org.xenolith.hypervisor.schedule;

import java.util.ArrayList;
import java.util.List;

/**
 * A run queue of {@link Credit2}: the CPUs of one node, the units that belong to it, and those of them that wait, most credit
 * first.
 */
final class RunQueue {
    /** How long a load is remembered: time constant of the average. */
    private static final double WINDOW = 1e9;

    final int node;
    final List<PhysicalCpu> cpus = new ArrayList<>();
    /** All units that belong here, whatever they do. */
    final List<SchedUnit> members = new ArrayList<>();

    final List<SchedUnit> waiting = new ArrayList<>();
    /** Of the members; credit is counted in the time of a unit with this weight. */
    int maxWeight = 1;

    RunQueue(int node) {
        this.node = node;
    }

    void join(SchedUnit unit) {
        members.add(unit);
        unit.credit2.queue = this;
        weightChanged();
    }

    void part(SchedUnit unit) {
        members.remove(unit);
        unit.credit2.queue = null;
        weightChanged();
    }

    void weightChanged() {
        int max = 1;
        for (SchedUnit unit : members) {
            max = Math.max(max, unit.domain().credit2.parameters.weight());
        }
        maxWeight = max;
    }

    /** Behind those with the same credit. */
    void insert(SchedUnit unit) {
        int at = waiting.size();
        while (at > 0 && waiting.get(at - 1).credit2.credit < unit.credit2.credit) {
            at--;
        }
        waiting.add(at, unit);
    }

    /** Whether some member may run here at all. */
    boolean serves(SchedUnit unit) {
        for (PhysicalCpu cpu : cpus) {
            if (unit.allowed.contains(cpu.id)) {
                return true;
            }
        }
        return false;
    }

    boolean prefers(SchedUnit unit) {
        for (PhysicalCpu cpu : cpus) {
            if (unit.preferred != null && unit.preferred.contains(cpu.id)) {
                return true;
            }
        }
        return false;
    }

    /** Average number of units that run or want to, for each CPU. */
    double load(long now) {
        double sum = 0;
        for (SchedUnit unit : members) {
            sum += load(unit, now);
        }
        return cpus.isEmpty() ? Double.MAX_VALUE : sum / cpus.size();
    }

    /** Average of how a unit runs or wants to: 0..1. */
    static double load(SchedUnit unit, long now) {
        Credit2.Unit data = unit.credit2;
        double part = 1 - Math.exp(-(now - data.loadSince) / WINDOW);
        data.load += ((data.active ? 1 : 0) - data.load) * part;
        data.loadSince = now;
        return data.load;
    }
}
