package org.xenolith.bench;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The table of workloads, in the order in which they run and are reported. */
public final class Workloads {
    private static final String MAIN = "xbench";

    private static final List<Workload> ALL = List.of(
            row("boot", Group.BOOT, "", "start-up of the engine, translation of cold code, decompression, kernel init"),
            counted("integer", Group.INTEGER, "dispatch and flags of simple register instructions", 10_000_000),
            row("sieve", Group.INTEGER, MAIN, "byte stores with a stride: TLB write path"),
            row("crc", Group.INTEGER, MAIN, "table look-ups: loads with computed addresses"),
            row("chase", Group.INTEGER, MAIN, "dependent loads over 4 MiB: TLB capacity and fill"),
            row("sort", Group.INTEGER, MAIN, "unpredictable branches, calls through a pointer"),
            row("muldiv", Group.INTEGER, MAIN, "64-bit multiply and divide, 128-bit products"),
            row("calls", Group.CONTROL, MAIN, "call, return, push, pop: the return predictor"),
            row("indirect", Group.CONTROL, MAIN, "calls through a table: look-up of the next block"),
            row("bytecode", Group.CONTROL, MAIN, "an interpreter's loop: one indirect branch for each operation"),
            row("nbody", Group.FLOAT, MAIN, "scalar double precision with square root and division"),
            row("fmatrix", Group.FLOAT, MAIN, "packed single precision (SSE)"),
            row("sse2int", Group.FLOAT, MAIN, "packed integers (SSE2): sums, saturation, shuffles"),
            row("x87", Group.FLOAT, MAIN, "80-bit arithmetic on the x87 stack"),
            row("memcpy", Group.BULK, MAIN, "the C library's copy: vector loads and stores, page crossings"),
            row("memset", Group.BULK, MAIN, "the C library's fill"),
            row("repmovs", Group.BULK, MAIN, "rep movsb, rep movsq, rep stosq"),
            row("sha256", Group.BULK, MAIN, "our SHA-256: rotates and additions without branches"),
            row("sha256sum", Group.BULK, MAIN, "busybox's SHA-256 over a pipe"),
            row("aes", Group.BULK, MAIN, "table-driven AES: loads and byte extraction"),
            row("rsa", Group.BULK, MAIN, "1024-bit modular exponentiation: wide multiply, add with carry"),
            row("gzip", Group.PROGRAM, MAIN, "busybox gzip: hash chains, bit packing"),
            row("lz", Group.PROGRAM, MAIN, "our LZ77: byte comparison, overlapping copies"),
            row("xz", Group.PROGRAM, "xbench-xz", "liblzma: range coder, match finder"),
            row("sql", Group.PROGRAM, "xbench-sql", "SQLite in memory: parser, B-tree, virtual machine"),
            row("awk", Group.PROGRAM, MAIN, "busybox awk: tree walking, hashing, formatting of doubles"),
            row("shell", Group.SYSTEM, MAIN, "busybox sh in a loop, with its start as a process"),
            row("syscall", Group.SYSTEM, MAIN, "getppid: entry to and return from the kernel"),
            row("pipe", Group.SYSTEM, MAIN, "a byte to and fro between processes: switch of address space"),
            row("fork", Group.SYSTEM, MAIN, "fork, exec and wait: page tables, copy-on-write, fresh code pages"),
            row("pagefault", Group.SYSTEM, MAIN, "map, touch and unmap: faults, TLB invalidation"),
            row("tmpfs", Group.SYSTEM, MAIN, "files made, written, read and removed in memory"),
            row("futex", Group.SYSTEM, MAIN, "two threads taking turns: switch within an address space"),
            row("signal", Group.SYSTEM, MAIN, "delivery and return: FPU state saved and restored"),
            row("smc", Group.SYSTEM, MAIN, "an instruction patched and run: invalidation of code"),
            row("jit", Group.SYSTEM, MAIN, "new code emitted over old code and run a few times"),
            row(
                    "threads",
                    Group.PARALLEL,
                    MAIN,
                    "threads that compute and share nothing: what processors cost each other"),
            row("programs", Group.PARALLEL, MAIN, "busybox programs side by side: locks of the kernel, faults, IPIs"));

    private Workloads() {}

    private static Workload row(String name, Group group, String program, String cost) {
        return new Workload(name, group, program, cost, 0);
    }

    private static Workload counted(String name, Group group, String cost, long instructionsPerUnit) {
        return new Workload(name, group, MAIN, cost, instructionsPerUnit);
    }

    public static List<Workload> all() {
        return ALL;
    }

    public static Optional<Workload> find(String name) {
        return ALL.stream().filter(w -> w.name().equals(name)).findFirst();
    }

    /**
     * The workloads of a user's list; a name may also be a group's.
     *
     * @param names from {@code --only}; empty means all
     */
    public static List<Workload> select(List<String> names) throws BenchException {
        if (names.isEmpty()) {
            return ALL;
        }
        Set<Workload> chosen = new LinkedHashSet<>();
        for (String name : names) {
            List<Workload> found = ALL.stream()
                    .filter(w -> w.name().equals(name) || w.group().label().equals(name))
                    .toList();
            if (found.isEmpty()) {
                throw new BenchException("no workload or group is called '" + name + "'; see: xeno bench --list");
            }
            chosen.addAll(found);
        }
        List<Workload> ordered = new ArrayList<>(ALL);
        ordered.retainAll(chosen);
        return ordered;
    }
}
