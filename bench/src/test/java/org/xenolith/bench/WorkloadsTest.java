package org.xenolith.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

final class WorkloadsTest {
    private static final Pattern ENTRY = Pattern.compile("\\{\"([a-z0-9]+)\", ([a-z0-9]+)_unit,");

    @Test
    void theTableAndTheSourcesNameTheSameWorkloadsInTheSamePrograms() throws BenchException {
        Set<String> inSources = new TreeSet<>();
        for (Programs.Recipe recipe : Programs.RECIPES) {
            for (String source : recipe.sources()) {
                Matcher entry = ENTRY.matcher(new String(Programs.resource(source), StandardCharsets.UTF_8));
                while (entry.find()) {
                    assertThat(entry.group(2)).isEqualTo(entry.group(1));
                    inSources.add(recipe.name() + " " + entry.group(1));
                }
            }
        }
        Set<String> inTable = Workloads.all().stream()
                .filter(w -> !w.isBoot())
                .map(w -> w.program() + " " + w.name())
                .collect(Collectors.toCollection(TreeSet::new));
        assertThat(inSources).isEqualTo(inTable);
    }

    @Test
    void namesAndGroupsAreDifferentWords() {
        for (Group group : Group.values()) {
            if (group != Group.BOOT) {
                assertThat(Workloads.find(group.label())).as(group.label()).isEmpty();
            }
        }
        assertThat(Workloads.all().stream().map(Workload::name)).doesNotHaveDuplicates();
    }

    @Test
    void aSelectionKeepsTheTablesOrderAndTakesGroups() throws BenchException {
        assertThat(Workloads.select(List.of("pipe", "control", "boot")).stream().map(Workload::name))
                .containsExactly("boot", "calls", "indirect", "bytecode", "pipe");
        assertThat(Workloads.select(List.of())).isEqualTo(Workloads.all());
    }

    @Test
    void anUnknownNameIsNamed() {
        assertThatThrownBy(() -> Workloads.select(List.of("sleeve")))
                .isInstanceOf(BenchException.class)
                .hasMessageContaining("'sleeve'");
    }
}
