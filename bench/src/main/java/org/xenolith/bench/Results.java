package org.xenolith.bench;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Outcomes by contestant, workload and round, and what follows from them. */
public final class Results {
    private final List<Workload> workloads;
    private final Map<Contestant, Map<String, List<Outcome>>> outcomes = new EnumMap<>(Contestant.class);

    /** @param workloads what is measured, in order of the report */
    public Results(List<Workload> workloads) {
        this.workloads = List.copyOf(workloads);
    }

    /** Adds one round of a contestant. Rounds of different contestants are paired by their order. */
    public void add(Contestant contestant, Map<String, Outcome> round) {
        Map<String, List<Outcome>> mine = outcomes.computeIfAbsent(contestant, c -> new LinkedHashMap<>());
        round.forEach((name, outcome) ->
                mine.computeIfAbsent(name, n -> new ArrayList<>()).add(outcome));
    }

    public List<Workload> workloads() {
        return workloads;
    }

    public Set<Contestant> contestants() {
        return outcomes.keySet();
    }

    /** Outcomes of all rounds; empty when the contestant does not run the workload. */
    public List<Outcome> outcomes(Contestant contestant, Workload workload) {
        return outcomes.getOrDefault(contestant, Map.of()).getOrDefault(workload.name(), List.of());
    }

    private List<Double> times(Contestant contestant, Workload workload) {
        List<Double> times = new ArrayList<>();
        for (Outcome outcome : outcomes(contestant, workload)) {
            if (outcome instanceof Outcome.Measured measured) {
                times.add(measured.secondsPerUnit());
            }
        }
        return times;
    }

    /** Seconds per unit over the rounds. */
    public Optional<Statistics> time(Contestant contestant, Workload workload) {
        List<Double> times = times(contestant, workload);
        return times.isEmpty() ? Optional.empty() : Optional.of(Statistics.of(times));
    }

    /** Time of {@code slow} divided by time of {@code fast}, round by round: above 1 when {@code fast} is faster. */
    public Optional<Statistics> ratio(Contestant slow, Contestant fast, Workload workload) {
        List<Outcome> left = outcomes(slow, workload);
        List<Outcome> right = outcomes(fast, workload);
        List<Double> ratios = new ArrayList<>();
        for (int round = 0; round < Math.min(left.size(), right.size()); round++) {
            if (left.get(round) instanceof Outcome.Measured a && right.get(round) instanceof Outcome.Measured b) {
                ratios.add(a.secondsPerUnit() / b.secondsPerUnit());
            }
        }
        return ratios.isEmpty() ? Optional.empty() : Optional.of(Statistics.of(ratios));
    }

    /**
     * Geometric mean of a group's ratios, over the workloads that both ran.
     *
     * @param group null for all workloads
     */
    public Optional<Double> meanRatio(Contestant slow, Contestant fast, Group group) {
        List<Double> ratios = new ArrayList<>();
        for (Workload workload : workloads) {
            if (group == null || workload.group() == group) {
                ratio(slow, fast, workload).ifPresent(r -> ratios.add(r.median()));
            }
        }
        return ratios.isEmpty() ? Optional.empty() : Optional.of(Statistics.geometricMean(ratios));
    }

    /** Guest instructions per second, for workloads whose instructions are counted. */
    public Optional<Double> instructionsPerSecond(Contestant contestant, Workload workload) {
        return workload.instructionsPerUnit() == 0
                ? Optional.empty()
                : time(contestant, workload).map(t -> workload.instructionsPerUnit() / t.median());
    }

    /** Everything that is not as it should be: failures, wrong checksums, wrong clocks; each once. */
    public List<String> problems() {
        Set<String> problems = new LinkedHashSet<>();
        for (Workload workload : workloads) {
            Map<String, Set<String>> checksums = new LinkedHashMap<>();
            for (Contestant contestant : outcomes.keySet()) {
                for (Outcome outcome : outcomes(contestant, workload)) {
                    String who = contestant.label() + ": " + workload.name() + ": ";
                    switch (outcome) {
                        case Outcome.Failure failure -> problems.add(who + failure.reason());
                        case Outcome.Measured measured -> {
                            checksums
                                    .computeIfAbsent(measured.checksum(), c -> new LinkedHashSet<>())
                                    .add(contestant.label());
                            if (!measured.clockAgrees()) {
                                problems.add(String.format(
                                        Locale.ROOT,
                                        "%sthe guest's clock counted %.3f s in %.3f s; host time is used",
                                        who,
                                        measured.guestSeconds(),
                                        measured.hostSeconds()));
                            }
                        }
                    }
                }
            }
            if (checksums.size() > 1) {
                problems.add(workload.name() + ": different checksums: " + checksums);
            }
        }
        return List.copyOf(problems);
    }
}
