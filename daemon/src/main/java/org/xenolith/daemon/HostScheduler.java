package org.xenolith.daemon;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Command;
import org.xenolith.hypervisor.schedule.CpuPool;
import org.xenolith.hypervisor.schedule.CpuSet;
import org.xenolith.hypervisor.schedule.Credit2Parameters;
import org.xenolith.hypervisor.schedule.RtdsParameters;
import org.xenolith.hypervisor.schedule.SchedDomain;
import org.xenolith.hypervisor.schedule.Scheduler;
import org.xenolith.hypervisor.schedule.SchedulerKind;
import org.xenolith.toolstack.Domain;
import org.xenolith.toolstack.config.CpuList;

/** The hypervisor's scheduler for the commands about it. */
final class HostScheduler {
    private final Scheduler scheduler;
    private final HostCpus cpus;

    HostScheduler(Scheduler scheduler, HostCpus cpus) {
        this.scheduler = scheduler;
        this.cpus = cpus;
    }

    List<Answer.SchedulingEntry> scheduling(List<Domain> domains) {
        return domains.stream().map(HostScheduler::entry).toList();
    }

    private static Answer.SchedulingEntry entry(Domain domain) {
        SchedDomain scheduling = domain.scheduling();
        CpuPool pool = scheduling.pool();
        Credit2Parameters credit =
                pool.kind() == SchedulerKind.CREDIT2 ? scheduling.credit2() : Credit2Parameters.DEFAULT;
        List<Answer.Reservation> reservations = new ArrayList<>();
        if (pool.kind() == SchedulerKind.RTDS) {
            for (int vcpu = 0; vcpu < scheduling.vcpus().size(); vcpu++) {
                RtdsParameters one = scheduling.rtds(vcpu);
                reservations.add(new Answer.Reservation(
                        vcpu,
                        Math.toIntExact(one.periodMicros()),
                        Math.toIntExact(one.budgetMicros()),
                        one.extratime()));
            }
        }
        return new Answer.SchedulingEntry(
                domain.id(),
                domain.name(),
                pool.name(),
                pool.kind().toString(),
                credit.weight(),
                credit.cap(),
                reservations);
    }

    void setCredit(Domain domain, Command.SetCredit command) {
        Credit2Parameters now = domain.scheduling().credit2();
        domain.scheduling()
                .setCredit2(new Credit2Parameters(
                        command.weight() == null ? now.weight() : command.weight(),
                        command.cap() == null ? now.cap() : command.cap()));
    }

    void setReservation(Domain domain, Command.SetReservation command) throws HostException {
        int count = Math.max(1, command.vcpus().size());
        if (command.periods().size() != count
                || command.budgets().size() != count
                || command.extraTime().size() != count) {
            throw new HostException(Answer.Reason.INVALID, "Incorrect number of period, budget and extratime");
        }
        for (int i = 0; i < count; i++) {
            RtdsParameters wanted = new RtdsParameters(
                    command.periods().get(i),
                    command.budgets().get(i),
                    command.extraTime().get(i));
            if (command.vcpus().isEmpty()) {
                domain.scheduling().setRtds(wanted);
            } else {
                domain.scheduling().setRtds(command.vcpus().get(i), wanted);
            }
        }
    }

    void setRateLimit(Command.SetRateLimit command) {
        scheduler.pool(command.pool()).setRatelimitMicros(command.micros());
    }

    void pin(Domain domain, Command.Pin command) {
        CpuSet hard = command.hard() == null ? null : named(command.hard());
        CpuSet soft = command.soft() == null ? null : named(command.soft());
        int first = command.vcpu() == null ? 0 : command.vcpu();
        int last = command.vcpu() == null ? domain.scheduling().vcpus().size() - 1 : command.vcpu();
        for (int vcpu = first; vcpu <= last; vcpu++) {
            domain.scheduling().setAffinity(vcpu, hard, soft);
        }
    }

    private CpuSet named(String list) {
        BitSet bits = CpuList.parse(list).on(cpus.count(), cpus.nodes());
        return CpuSet.of(bits.stream().toArray());
    }

    List<Answer.Pool> pools() {
        return scheduler.pools().stream()
                .map(pool -> new Answer.Pool(
                        pool.name(),
                        pool.kind().toString(),
                        pool.cpus().toList(),
                        pool.domainIds().size(),
                        pool.kind() == SchedulerKind.CREDIT2 ? pool.ratelimitMicros() : null))
                .toList();
    }

    void changePools(Command<Answer.Done> command) throws HostException {
        switch (command) {
            case Command.CreatePool create -> create(create);
            case Command.DestroyPool destroy -> destroy(scheduler.pool(destroy.name()));
            case Command.ChangePoolCpus change -> {
                CpuPool pool = scheduler.pool(change.name());
                for (int cpu : named(change.cpus()).toList()) {
                    if (change.remove()) {
                        scheduler.removeCpu(pool, cpu);
                    } else {
                        scheduler.addCpu(pool, cpu);
                    }
                }
            }
            case Command.SplitPools _ -> split();
            default ->
                throw new HostException(Answer.Reason.UNSUPPORTED, "a CPU pool keeps the name that it was made with");
        }
    }

    private void create(Command.CreatePool command) throws HostException {
        SchedulerKind kind = SchedulerKind.byName(command.scheduler())
                .orElseThrow(() ->
                        new HostException(Answer.Reason.INVALID, "Unknown scheduler '" + command.scheduler() + "'"));
        CpuSet wanted = command.cpus() == null ? CpuSet.none() : named(command.cpus());
        CpuSet free = scheduler.freeCpus();
        for (int cpu : wanted.toList()) {
            if (!free.contains(cpu)) {
                throw new HostException(
                        Answer.Reason.REFUSED,
                        "cpu " + cpu + " illegal or not free: 'cpupool-cpu-remove Pool-0 " + cpu + "' makes it so");
            }
        }
        CpuPool pool = scheduler.createPool(command.name(), kind);
        for (int cpu : wanted.toList()) {
            scheduler.addCpu(pool, cpu);
        }
    }

    /** As xl: a pool's CPUs are no obstacle, its domains are. */
    private void destroy(CpuPool pool) {
        if (pool.id() != 0 && pool.domainIds().isEmpty()) {
            for (int cpu : pool.cpus().toList()) {
                scheduler.removeCpu(pool, cpu);
            }
        }
        scheduler.destroyPool(pool);
    }

    private void split() throws HostException {
        if (scheduler.pools().size() > 1) {
            throw new HostException(Answer.Reason.REFUSED, "splitting not possible, already cpupools in use");
        }
        CpuPool first = scheduler.pools().getFirst();
        for (int node = 1; node < cpus.nodes().size(); node++) {
            CpuPool pool = scheduler.createPool("Pool-node" + node, first.kind());
            for (int cpu : cpus.nodes().get(node).stream().toArray()) {
                scheduler.removeCpu(first, cpu);
                scheduler.addCpu(pool, cpu);
            }
        }
    }

    void move(Domain domain, String pool) {
        domain.scheduling().moveTo(scheduler.pool(pool));
    }
}
