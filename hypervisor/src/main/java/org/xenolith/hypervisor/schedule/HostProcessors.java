package org.xenolith.hypervisor.schedule;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The processors of the host that physical CPUs stand for: physical CPU n is the n-th processor that this process may use.
 *
 * <p>Threads are bound to them where an affinity or a pool leaves a virtual CPU only some physical CPUs, with Linux's
 * sched_setaffinity. On other hosts, and when the host refuses, physical CPUs are tokens and no more.
 */
final class HostProcessors {
    /** Hosts of this size are taken for one node without a look. */
    private static final int SMALL = 8;

    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Path NODES = Path.of("/sys/devices/system/node");

    /** Processors that this process may use, lowest first; empty when the host does not tell. */
    private volatile List<Integer> usable;

    private List<Integer> usable() {
        List<Integer> known = usable;
        if (known == null) {
            known = readUsable();
            usable = known;
        }
        return known;
    }

    private static List<Integer> readUsable() {
        try {
            for (String line : Files.readAllLines(STATUS)) {
                if (line.startsWith("Cpus_allowed_list:")) {
                    return CpuSet.parse(line.substring(line.indexOf(':') + 1)).toList();
                }
            }
        } catch (IOException | IllegalArgumentException e) {
            // No Linux: nothing is known, and nothing can be bound.
            return List.of();
        }
        return List.of();
    }

    /** The processor that a physical CPU stands for. */
    int number(int cpu) {
        List<Integer> known = usable();
        return known.isEmpty() ? cpu : known.get(cpu % known.size());
    }

    CpuSet numbers(CpuSet cpus) {
        return CpuSet.of(cpus.toList().stream().mapToInt(this::number).toArray());
    }

    /** For each of {@code cpus} physical CPUs, which NUMA node of the host it belongs to. */
    int[] nodes(int cpus) {
        int[] nodes = new int[cpus];
        if (cpus <= SMALL || !Files.isDirectory(NODES)) {
            return nodes;
        }
        try (DirectoryStream<Path> found = Files.newDirectoryStream(NODES, "node[0-9]*")) {
            for (Path node : found) {
                int number = Integer.parseInt(node.getFileName().toString().substring("node".length()));
                String list = Files.readString(node.resolve("cpulist")).trim();
                CpuSet members = list.isEmpty() ? CpuSet.none() : CpuSet.parse(list);
                for (int cpu = 0; cpu < cpus; cpu++) {
                    if (members.contains(number(cpu))) {
                        nodes[cpu] = number;
                    }
                }
            }
        } catch (IOException | IllegalArgumentException e) {
            // One node is as right as any: it decides about run queues only.
            return new int[cpus];
        }
        return nodes;
    }

    /** Binds the calling thread to processors, or to all that this process may use when {@code processors} is null. */
    void bindThread(CpuSet processors) {
        List<Integer> known = usable();
        if (!known.isEmpty() && Native.SET_AFFINITY.isPresent()) {
            Native.setAffinity(
                    processors != null
                            ? processors
                            : CpuSet.of(
                                    known.stream().mapToInt(Integer::intValue).toArray()));
        }
    }

    /** {@code int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *mask)}; pid 0 is the calling thread. */
    private static final class Native {
        static final Optional<MethodHandle> SET_AFFINITY = link();

        private static Optional<MethodHandle> link() {
            Linker linker = Linker.nativeLinker();
            return linker.defaultLookup()
                    .find("sched_setaffinity")
                    .map(function -> linker.downcallHandle(
                            function,
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.ADDRESS)));
        }

        /** Best effort: a host that refuses (a container with a smaller set by now) schedules as it likes. */
        static void setAffinity(CpuSet processors) {
            byte[] bits = processors.toBitmap();
            long size = (bits.length + Long.BYTES - 1) / Long.BYTES * (long) Long.BYTES;
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment mask = arena.allocate(size, Long.BYTES);
                MemorySegment.copy(bits, 0, mask, ValueLayout.JAVA_BYTE, 0, bits.length);
                int unused = (int) SET_AFFINITY.orElseThrow().invokeExact(0, size, mask);
            } catch (RuntimeException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IllegalStateException("sched_setaffinity", e);
            }
        }
    }
}
