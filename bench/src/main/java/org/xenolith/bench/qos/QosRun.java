package org.xenolith.bench.qos;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.Domains;
import org.xenolith.hypervisor.schedule.CpuPool;
import org.xenolith.hypervisor.schedule.Credit2Parameters;
import org.xenolith.hypervisor.schedule.RtdsParameters;
import org.xenolith.hypervisor.schedule.Scheduler;
import org.xenolith.hypervisor.schedule.SchedulerKind;
import org.xenolith.memory.MachineMemory;
import org.xenolith.translate.SwitchableEngine;
import tools.jackson.databind.json.JsonMapper;

/**
 * Measures shares by weight, caps, reservations and wake-up delays.
 *
 * <p>Time is the scheduler's account of it; work is what the guests got done, which host processes that compete for the
 * processors disturb. A share of work is relative to the same guest with the CPU for itself, right before.
 */
public final class QosRun {
    private static final long SECOND = 1_000_000_000L;
    private static final long MEMORY = 16L << 20;
    /** Interval of the mostly idle guest: it needs about 1 % of a CPU. */
    private static final long INTERVAL = 5_000_000;

    private final double seconds;
    private final PrintStream out;
    private final PrintStream err;
    private final boolean json;
    private final SwitchableEngine.Choice engine;

    /**
     * A measurement to be made.
     *
     * @param seconds for each number
     */
    public QosRun(double seconds, PrintStream out, PrintStream err, boolean json) {
        this.seconds = seconds;
        this.out = out;
        this.err = err;
        this.json = json;
        engine = SwitchableEngine.obstacle().isEmpty()
                ? SwitchableEngine.Choice.TRANSLATE
                : SwitchableEngine.Choice.INTERPRET;
    }

    /** Measures everything; whether all promises are kept. */
    public boolean run() {
        List<QosFinding> findings = new ArrayList<>();
        findings.addAll(weights());
        findings.addAll(cap());
        findings.addAll(reservation());
        findings.addAll(delays(0, 2, Competition.CREDIT2));
        findings.addAll(delays(4, 2, Competition.CREDIT2));
        findings.addAll(delays(4, 2, Competition.UNLIMITED));
        findings.addAll(delays(4, 2, Competition.HOST));
        if (json) {
            out.println(JsonMapper.builder()
                    .build()
                    .writerWithDefaultPrettyPrinter()
                    .writeValueAsString(findings));
        } else {
            findings.forEach(out::println);
        }
        out.flush();
        return findings.stream().allMatch(QosFinding::ok);
    }

    /** Who decides between the guests of a measurement of delays. */
    private enum Competition {
        CREDIT2("2 CPUs"),
        UNLIMITED("2 CPUs without a rate limit"),
        HOST("the host's scheduler alone");

        private final String text;

        Competition(String text) {
            this.text = text;
        }
    }

    /** A host of its own for each measurement, with its guests. */
    private final class Bed implements AutoCloseable {
        private final MachineMemory machine = new MachineMemory(MEMORY);
        private final Domains domains;
        private int ids;

        Bed(int cpus) {
            domains = new Domains(Scheduler.ofHost(cpus));
        }

        TinyGuest busy() {
            return TinyGuest.busy(machine, domains, ++ids, engine);
        }

        TinyGuest sleeper() {
            return TinyGuest.sleeper(machine, domains, ++ids, engine, INTERVAL);
        }

        TinyGuest waiter() {
            return TinyGuest.waiter(machine, domains, ++ids, engine);
        }

        @Override
        public void close() {
            domains.all().forEach(Domain::destroy);
            machine.close();
        }
    }

    private static void sleep(double seconds) {
        long end = System.nanoTime() + (long) (seconds * SECOND);
        for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    /** What guests got in a while: as a part of its length, and in rounds for each nanosecond of it. */
    private record Share(double[] time, double[] work) {}

    private static Share share(double seconds, TinyGuest... guests) {
        long[] time = new long[guests.length];
        long[] work = new long[guests.length];
        long start = System.nanoTime();
        for (int i = 0; i < guests.length; i++) {
            time[i] = guests[i].vcpu().cpuNanos();
            work[i] = guests[i].rounds();
        }
        sleep(seconds);
        double passed = System.nanoTime() - start;
        double[] timeShare = new double[guests.length];
        double[] workShare = new double[guests.length];
        for (int i = 0; i < guests.length; i++) {
            timeShare[i] = (guests[i].vcpu().cpuNanos() - time[i]) / passed;
            workShare[i] = (guests[i].rounds() - work[i]) / passed;
        }
        return new Share(timeShare, workShare);
    }

    private List<QosFinding> weights() {
        err.println("xeno bench: weights");
        try (Bed bed = new Bed(1)) {
            TinyGuest light = bed.busy();
            TinyGuest heavy = bed.busy();
            heavy.scheduling().setCredit2(new Credit2Parameters(512, 0));
            light.start();
            heavy.start();
            sleep(Math.min(1, seconds));
            Share share = share(seconds, light, heavy);
            return List.of(new QosFinding(
                    "weights 256:512 on one CPU, second to first",
                    share.time[1] / share.time[0],
                    "",
                    2,
                    0.05,
                    String.format(
                            Locale.ROOT,
                            "work %.3f, unused %.1f %%",
                            share.work[1] / share.work[0],
                            (1 - share.time[0] - share.time[1]) * 100)));
        }
    }

    private List<QosFinding> cap() {
        err.println("xeno bench: cap");
        try (Bed bed = new Bed(1)) {
            TinyGuest guest = bed.busy();
            guest.start();
            sleep(Math.min(1, seconds));
            double full = share(Math.min(3, seconds), guest).work[0];
            guest.scheduling().setCredit2(new Credit2Parameters(256, 50));
            sleep(Math.min(0.2, seconds));
            Share share = share(seconds, guest);
            return List.of(new QosFinding(
                    "cap 50 % on an idle CPU",
                    share.time[0] * 100,
                    " %",
                    50,
                    0.03,
                    String.format(Locale.ROOT, "work %.1f %%", share.work[0] / full * 100)));
        }
    }

    private List<QosFinding> reservation() {
        err.println("xeno bench: reservation");
        try (Bed bed = new Bed(2)) {
            Scheduler scheduler = bed.domains.scheduler();
            CpuPool pool = scheduler.createPool("rtds", SchedulerKind.RTDS);
            scheduler.removeCpu(scheduler.pool(0), 1);
            scheduler.addCpu(pool, 1);
            List<TinyGuest> guests = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                TinyGuest guest = bed.busy();
                guest.scheduling().moveTo(pool);
                guest.scheduling()
                        .setRtds(
                                i == 0
                                        ? new RtdsParameters(10_000, 4_000, false)
                                        : new RtdsParameters(10_000, 100, true));
                guests.add(guest);
            }
            TinyGuest reserved = guests.getFirst();
            reserved.scheduling().setRtds(new RtdsParameters(10_000, 4_000, true));
            reserved.start();
            sleep(Math.min(1, seconds));
            double full = share(Math.min(3, seconds), reserved).work[0];
            reserved.scheduling().setRtds(new RtdsParameters(10_000, 4_000, false));
            guests.subList(1, 4).forEach(TinyGuest::start);
            sleep(Math.min(0.2, seconds));
            Share share = share(seconds, guests.toArray(TinyGuest[]::new));
            return List.of(new QosFinding(
                    "RTDS reservation of 40 % beside three busy guests",
                    share.time[0] * 100,
                    " %",
                    40,
                    0.02,
                    String.format(
                            Locale.ROOT,
                            "work %.1f %%, the others %.1f %.1f %.1f %%",
                            share.work[0] / full * 100,
                            share.time[1] * 100,
                            share.time[2] * 100,
                            share.time[3] * 100)));
        }
    }

    private List<QosFinding> delays(int busy, int cpus, Competition competition) {
        String title = busy + " busy guests, " + competition.text;
        err.println("xeno bench: wake-up delay, " + title);
        try (Bed bed = new Bed(competition == Competition.HOST ? busy + 2 : cpus)) {
            if (competition == Competition.UNLIMITED) {
                bed.domains.scheduler().pool(0).setRatelimitMicros(0);
            }
            for (int i = 0; i < busy; i++) {
                bed.busy().start();
            }
            TinyGuest sleeper = bed.sleeper();
            sleeper.start();
            TinyGuest waiter = bed.waiter();
            waiter.start();
            sleep(Math.min(1, seconds));
            long first = sleeper.rounds();
            List<Long> events = events(waiter);
            return List.of(
                    delay("delay of a wake-up by event, " + title, events),
                    delay("delay of a wake-up by timer, " + title, sleeper.samples(first)));
        }
    }

    private List<Long> events(TinyGuest waiter) {
        SplittableRandom random = new SplittableRandom();
        List<Long> delays = new ArrayList<>();
        long end = System.nanoTime() + (long) (seconds * SECOND);
        while (System.nanoTime() < end) {
            sleep(INTERVAL * (0.5 + random.nextDouble()) / SECOND);
            long round = waiter.rounds();
            long sent = waiter.now();
            waiter.wake();
            long limit = System.nanoTime() + 10 * SECOND;
            while (waiter.rounds() == round && System.nanoTime() < limit) {
                LockSupport.parkNanos(200_000);
            }
            if (waiter.rounds() == round) {
                throw new IllegalStateException("a guest did not wake up within 10 s");
            }
            delays.add(waiter.sample(round) - sent);
        }
        return delays;
    }

    private static QosFinding delay(String name, List<Long> delays) {
        if (delays.isEmpty()) {
            return QosFinding.report(name, Double.NaN, " us", "no wake-ups");
        }
        List<Long> sorted = new ArrayList<>(delays);
        Collections.sort(sorted);
        return QosFinding.report(
                name,
                at(sorted, 0.5),
                " us median",
                String.format(
                        Locale.ROOT,
                        "95 %% within %.0f us, 99 %% within %.0f us, of %d",
                        at(sorted, 0.95),
                        at(sorted, 0.99),
                        sorted.size()));
    }

    private static double at(List<Long> sorted, double part) {
        return sorted.get((int) (part * (sorted.size() - 1))) / 1000.0;
    }
}
