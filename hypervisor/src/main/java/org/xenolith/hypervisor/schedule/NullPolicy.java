package org.xenolith.hypervisor.schedule;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Xen's null scheduler: each unit has a physical CPU of its own, as long as there are any. Those without one do not run until one
 * becomes free.
 */
final class NullPolicy extends Policy {
    private final Map<SchedUnit, PhysicalCpu> owned = new LinkedHashMap<>();
    /** In the order in which they came. */
    private final Set<SchedUnit> without = new LinkedHashSet<>();

    NullPolicy(CpuPool pool) {
        super(pool);
    }

    @Override
    void attach(SchedUnit unit, long now) {
        settle(unit);
    }

    private void settle(SchedUnit unit) {
        PhysicalCpu best = null;
        for (PhysicalCpu cpu : pool.cpuList()) {
            if (!cpu.leaving && unit.allowed.contains(cpu.id) && !owned.containsValue(cpu)) {
                boolean preferred = unit.preferred != null && unit.preferred.contains(cpu.id);
                best = best == null || preferred ? cpu : best;
                if (preferred) {
                    break;
                }
            }
        }
        if (best == null) {
            without.add(unit);
        } else {
            without.remove(unit);
            owned.put(unit, best);
        }
    }

    @Override
    void detach(SchedUnit unit, long now) {
        owned.remove(unit);
        without.remove(unit);
        settleOthers(now);
    }

    private void settleOthers(long now) {
        for (SchedUnit unit : List.copyOf(without)) {
            settle(unit);
            pool.dispatch(unit, now);
        }
    }

    @Override
    void insert(SchedUnit unit, long now) {
        affinityChanged(unit, now);
    }

    @Override
    void remove(SchedUnit unit, long now) {}

    @Override
    void affinityChanged(SchedUnit unit, long now) {
        PhysicalCpu cpu = owned.get(unit);
        if (cpu == null || !unit.allowed.contains(cpu.id)) {
            owned.remove(unit);
            settle(unit);
            settleOthers(now);
        }
    }

    @Override
    void cpusChanged(long now) {
        owned.values().removeIf(cpu -> !pool.cpuList().contains(cpu));
        for (SchedUnit unit : pool.units()) {
            affinityChanged(unit, now);
        }
    }

    @Override
    PhysicalCpu place(SchedUnit unit, long now) {
        PhysicalCpu cpu = owned.get(unit);
        return cpu != null && cpu.current == null && !cpu.leaving ? cpu : null;
    }

    @Override
    SchedUnit pick(PhysicalCpu cpu, SchedUnit holder, long now) {
        if (holder != null && owned.get(holder) == cpu) {
            return holder;
        }
        for (Map.Entry<SchedUnit, PhysicalCpu> entry : owned.entrySet()) {
            if (entry.getValue() == cpu && entry.getKey().waiting) {
                return entry.getKey();
            }
        }
        return null;
    }

    @Override
    void burn(SchedUnit unit, long from, long to) {}

    @Override
    long sliceEnd(PhysicalCpu cpu, long now) {
        return PhysicalCpu.NEVER;
    }

    @Override
    boolean hasWaiting(PhysicalCpu cpu) {
        return false;
    }

    @Override
    String describe(SchedUnit unit) {
        PhysicalCpu cpu = owned.get(unit);
        return cpu == null ? "no CPU" : "CPU " + cpu.id;
    }
}
