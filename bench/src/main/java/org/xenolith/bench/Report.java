package org.xenolith.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.json.JsonMapper;

/** Results as a table for people and as JSON for programs. */
final class Report {
    private static final String ABSENT = "-";

    /** A ratio column: its heading, its key in JSON, and the two contestants. */
    private record Column(String heading, String key, Contestant slow, Contestant fast) {}

    private static final List<Column> COLUMNS = List.of(
            new Column("tcg/xeno", "tcgOverXenolith", Contestant.TCG, Contestant.XENOLITH),
            new Column("xeno/native", "xenolithOverNative", Contestant.XENOLITH, Contestant.NATIVE),
            new Column("tcg/native", "tcgOverNative", Contestant.TCG, Contestant.NATIVE));

    private final Results results;
    private final Map<String, String> environment;
    private final List<String> remarks;

    /**
     * @param environment what was measured on: names and values, in order
     * @param remarks what was left out, and why
     */
    Report(Results results, Map<String, String> environment, List<String> remarks) {
        this.results = results;
        this.environment = new LinkedHashMap<>(environment);
        this.remarks = List.copyOf(remarks);
    }

    /** A table with one line for each workload and one for each group's geometric mean. */
    String table() {
        List<Column> columns = COLUMNS.stream().filter(this::isPresent).toList();
        Optional<Column> spread = columns.stream().findFirst();
        List<List<String>> rows = new ArrayList<>();
        List<String> heading = new ArrayList<>(List.of("workload"));
        results.contestants().forEach(c -> heading.add(c.label()));
        columns.forEach(c -> heading.add(c.heading()));
        heading.add(spread.map(c -> c.heading() + " min..max").orElse("min..max"));
        rows.add(heading);
        for (Group group : Group.values()) {
            List<Workload> members =
                    results.workloads().stream().filter(w -> w.group() == group).toList();
            members.forEach(w -> rows.add(row(w, columns, spread)));
            if (members.size() > 1) {
                rows.add(meanRow("= " + group.label(), group, columns));
            }
        }
        rows.add(meanRow("= all", null, columns));
        StringBuilder text = new StringBuilder();
        environment.forEach(
                (name, value) -> text.append(name).append(": ").append(value).append('\n'));
        text.append("time per unit, median of rounds; ratios of times, tcg/xeno above 1: Xenolith is faster;"
                + " '=' geometric mean\n\n");
        text.append(align(rows));
        results.workloads()
                .forEach(w -> results.contestants()
                        .forEach(c -> results.instructionsPerSecond(c, w)
                                .ifPresent(rate -> text.append(String.format(
                                        Locale.ROOT,
                                        "%n%s: %s: %.1f million guest instructions a second",
                                        c.label(),
                                        w.name(),
                                        rate / 1e6)))));
        text.append('\n');
        remarks.forEach(remark -> text.append("\nnote: ").append(remark));
        results.problems().forEach(problem -> text.append("\nPROBLEM: ").append(problem));
        return text.toString().stripTrailing() + "\n";
    }

    private boolean isPresent(Column column) {
        return results.contestants().contains(column.slow())
                && results.contestants().contains(column.fast());
    }

    private List<String> row(Workload workload, List<Column> columns, Optional<Column> spread) {
        List<String> cells = new ArrayList<>(List.of(workload.name()));
        for (Contestant contestant : results.contestants()) {
            boolean failed =
                    results.outcomes(contestant, workload).stream().anyMatch(o -> o instanceof Outcome.Failure);
            cells.add(results.time(contestant, workload)
                    .map(t -> seconds(t.median()))
                    .orElse(failed ? "failed" : ABSENT));
        }
        columns.forEach(c -> cells.add(results.ratio(c.slow(), c.fast(), workload)
                .map(r -> ratio(r.median()))
                .orElse(ABSENT)));
        cells.add(spread.flatMap(c -> results.ratio(c.slow(), c.fast(), workload))
                .map(r -> ratio(r.min()) + ".." + ratio(r.max()))
                .or(() -> results.contestants().stream()
                        .findFirst()
                        .flatMap(c -> results.time(c, workload))
                        .map(t -> seconds(t.min()) + ".." + seconds(t.max())))
                .orElse(ABSENT));
        return cells;
    }

    private List<String> meanRow(String name, Group group, List<Column> columns) {
        List<String> cells = new ArrayList<>(List.of(name));
        results.contestants().forEach(c -> cells.add(""));
        columns.forEach(c -> cells.add(
                results.meanRatio(c.slow(), c.fast(), group).map(Report::ratio).orElse("")));
        cells.add("");
        return cells;
    }

    /** Columns as wide as their widest cell; the first to the left, the others to the right. */
    static String align(List<List<String>> rows) {
        int[] widths = new int[rows.getFirst().size()];
        rows.forEach(row -> {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        });
        StringBuilder text = new StringBuilder();
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < widths.length; i++) {
                String padding = " ".repeat(widths[i] - row.get(i).length());
                line.append(i == 0 ? row.get(i) + padding : "  " + padding + row.get(i));
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }

    /** Three significant digits with a unit. */
    static String seconds(double value) {
        double microseconds = value * 1e6;
        if (microseconds < 1000) {
            return significant(microseconds) + " us";
        }
        return microseconds < 1_000_000 ? significant(microseconds / 1e3) + " ms" : significant(value) + " s";
    }

    static String ratio(double value) {
        return significant(value);
    }

    private static String significant(double value) {
        int decimals = value >= 100 ? 0 : value >= 10 ? 1 : 2;
        return String.format(Locale.ROOT, "%." + decimals + "f", value);
    }

    /** One object: environment, workloads, groups, notes, problems. Field names are stable. */
    String json() {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("environment", environment);
        root.put("workloads", results.workloads().stream().map(this::workload).toList());
        List<Object> groups = new ArrayList<>();
        for (Group group : Group.values()) {
            if (results.workloads().stream().anyMatch(w -> w.group() == group)) {
                groups.add(mean(group.label(), group));
            }
        }
        groups.add(mean("all", null));
        root.put("geometricMeans", groups);
        root.put("notes", remarks);
        root.put("problems", results.problems());
        return JsonMapper.builder().build().writerWithDefaultPrettyPrinter().writeValueAsString(root);
    }

    private Map<String, Object> workload(Workload workload) {
        Map<String, Object> node = new LinkedHashMap<>();
        node.put("name", workload.name());
        node.put("group", workload.group().label());
        Map<String, Object> engines = new LinkedHashMap<>();
        for (Contestant contestant : results.contestants()) {
            Map<String, Object> engine = new LinkedHashMap<>();
            results.time(contestant, workload).ifPresent(t -> engine.put("secondsPerUnit", statistics(t)));
            results.instructionsPerSecond(contestant, workload)
                    .ifPresent(rate -> engine.put("instructionsPerSecond", rate));
            engine.put("rounds", results.outcomes(contestant, workload));
            engines.put(contestant.label(), engine);
        }
        node.put("engines", engines);
        for (Column column : COLUMNS) {
            results.ratio(column.slow(), column.fast(), workload).ifPresent(r -> node.put(column.key(), statistics(r)));
        }
        return node;
    }

    private static Map<String, Object> statistics(Statistics value) {
        Map<String, Object> node = new LinkedHashMap<>();
        node.put("median", value.median());
        node.put("min", value.min());
        node.put("max", value.max());
        return node;
    }

    private Map<String, Object> mean(String name, Group group) {
        Map<String, Object> node = new LinkedHashMap<>();
        node.put("group", name);
        for (Column column : COLUMNS) {
            results.meanRatio(column.slow(), column.fast(), group).ifPresent(r -> node.put(column.key(), r));
        }
        return node;
    }
}
