package org.xenolith.daemon;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.xenolith.toolstack.config.CpuList;

/**
 * The host's CPUs and which NUMA node each belongs to.
 *
 * @param count CPUs that this process may use
 * @param nodes the CPUs of each node; one node where the operating system does not tell
 */
record HostCpus(int count, List<BitSet> nodes) {
    private static final Path NODES = Path.of("/sys/devices/system/node");

    static HostCpus ofThisMachine() {
        int count = Runtime.getRuntime().availableProcessors();
        TreeMap<Integer, BitSet> nodes = new TreeMap<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(NODES, "node[0-9]*")) {
            for (Path entry : entries) {
                String list = Files.readString(entry.resolve("cpulist")).strip();
                BitSet cpus = new BitSet();
                if (!list.isEmpty()) {
                    cpus = CpuList.parse(list).on(CpuList.HIGHEST + 1, List.of());
                    cpus.clear(count, CpuList.HIGHEST + 1);
                }
                nodes.put(Integer.parseInt(entry.getFileName().toString().substring(4)), cpus);
            }
        } catch (IOException | IllegalArgumentException e) {
            nodes.clear();
        }
        List<BitSet> known = new ArrayList<>(nodes.values());
        if (known.stream().mapToInt(BitSet::cardinality).sum() != count) {
            BitSet all = new BitSet();
            all.set(0, count);
            known = List.of(all);
        }
        return new HostCpus(count, known);
    }

    /** The CPUs that a list names; empty when it names all of them, as the toolstack wants it. */
    Set<Integer> named(String list) {
        BitSet cpus = CpuList.parse(list).on(count, nodes);
        return cpus.cardinality() == count ? Set.of() : cpus.stream().boxed().collect(Collectors.toUnmodifiableSet());
    }

    /** As xl prints a set; an empty one stands for all. */
    String format(Set<Integer> cpus) {
        BitSet bits = new BitSet();
        if (cpus.isEmpty()) {
            bits.set(0, count);
        }
        cpus.forEach(bits::set);
        return CpuList.format(bits, count);
    }
}
