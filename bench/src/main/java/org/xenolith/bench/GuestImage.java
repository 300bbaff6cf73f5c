package org.xenolith.bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;

/** Makes the initramfs: busybox, our programs, our init and what it shall do. Every engine boots the same file. */
final class GuestImage {
    private static final int DIRECTORY = CpioConstants.C_ISDIR | 0755;
    private static final int EXECUTABLE = CpioConstants.C_ISREG | 0755;
    private static final int DATA = CpioConstants.C_ISREG | 0644;
    private static final int CONSOLE_MAJOR = 5;
    private static final int CONSOLE_MINOR = 1;

    private final Path busybox;
    private final Map<String, Path> programs;

    /**
     * @param busybox a static busybox
     * @param programs program name to executable
     */
    GuestImage(Path busybox, Map<String, Path> programs) {
        this.busybox = busybox;
        this.programs = programs;
    }

    /**
     * An image that runs workloads.
     *
     * @param seconds for how long each repeats its unit
     */
    void writePlan(Path target, List<Workload> workloads, double seconds) throws BenchException {
        write(
                target,
                Map.of(
                        "bench/plan", plan(workloads).getBytes(StandardCharsets.UTF_8),
                        "bench/seconds", (seconds + "\n").getBytes(StandardCharsets.UTF_8)));
    }

    /** An image that runs the accuracy checks. */
    void writeChecks(Path target) throws BenchException {
        write(target, Map.of("bench/check.sh", Programs.resource("check.sh")));
    }

    /** A line for each workload: name and program. */
    static String plan(List<Workload> workloads) {
        StringBuilder plan = new StringBuilder();
        for (Workload workload : workloads) {
            if (!workload.isBoot()) {
                plan.append(workload.name()).append(' ').append(workload.program()).append('\n');
            }
        }
        return plan.toString();
    }

    private void write(Path target, Map<String, byte[]> data) throws BenchException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (CpioArchiveOutputStream cpio = new CpioArchiveOutputStream(bytes, CpioConstants.FORMAT_NEW)) {
            Inodes inodes = new Inodes(cpio);
            for (String directory : List.of("bin", "bench", "dev", "proc", "sys", "tmp")) {
                inodes.add(directory, DIRECTORY, new byte[0]);
            }
            inodes.addConsole();
            inodes.add("init", EXECUTABLE, Programs.resource("init.sh"));
            inodes.add("bin/busybox", EXECUTABLE, Files.readAllBytes(busybox));
            for (Map.Entry<String, Path> program : programs.entrySet()) {
                inodes.add("bench/" + program.getKey(), EXECUTABLE, Files.readAllBytes(program.getValue()));
            }
            for (Map.Entry<String, byte[]> file : data.entrySet()) {
                inodes.add(file.getKey(), DATA, file.getValue());
            }
        } catch (IOException e) {
            throw new BenchException("cannot make the initramfs: " + e.getMessage(), e);
        }
        try {
            Files.write(target, bytes.toByteArray());
        } catch (IOException e) {
            throw new BenchException("cannot write " + target + ": " + e.getMessage(), e);
        }
    }

    /** Entries with inode numbers of their own: the kernel takes equal ones for hard links. */
    private static final class Inodes {
        private final CpioArchiveOutputStream cpio;
        private long next = 1;

        Inodes(CpioArchiveOutputStream cpio) {
            this.cpio = cpio;
        }

        void add(String name, int mode, byte[] content) throws IOException {
            CpioArchiveEntry entry = entry(name, mode);
            entry.setSize(content.length);
            put(entry, content);
        }

        /** Init's standard streams are opened before init can mount anything. */
        void addConsole() throws IOException {
            CpioArchiveEntry entry = entry("dev/console", CpioConstants.C_ISCHR | 0600);
            entry.setRemoteDeviceMaj(CONSOLE_MAJOR);
            entry.setRemoteDeviceMin(CONSOLE_MINOR);
            put(entry, new byte[0]);
        }

        private CpioArchiveEntry entry(String name, int mode) {
            CpioArchiveEntry entry = new CpioArchiveEntry(CpioConstants.FORMAT_NEW, name);
            entry.setMode(mode);
            entry.setInode(next++);
            entry.setNumberOfLinks((mode & CpioConstants.S_IFMT) == CpioConstants.C_ISDIR ? 2 : 1);
            return entry;
        }

        private void put(CpioArchiveEntry entry, byte[] content) throws IOException {
            cpio.putArchiveEntry(entry);
            cpio.write(content);
            cpio.closeArchiveEntry();
        }
    }
}
