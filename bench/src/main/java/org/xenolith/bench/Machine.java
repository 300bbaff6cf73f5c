package org.xenolith.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * How a guest is started.
 *
 * @param contestant whose guest it is
 * @param command the command up to the guest's own arguments
 * @param console the guest kernel's console device
 * @param memory for example {@code 512M}
 */
record Machine(Contestant contestant, List<String> command, String console, String memory) {
    /** Quiet, because a serial port's speed is not our subject; a dead kernel ends the machine. */
    private static final String KERNEL_ARGUMENTS = "quiet loglevel=1 panic=-1";

    /** Xenolith, as a user starts it. */
    static Machine xenolith(Path launcher, String memory, int processors, List<String> more) {
        List<String> command = new ArrayList<>(List.of(launcher.toString(), "run"));
        if (processors > 1) {
            command.addAll(List.of("--vcpus", Integer.toString(processors)));
        }
        command.addAll(more);
        return new Machine(Contestant.XENOLITH, List.copyOf(command), "hvc0", memory);
    }

    /**
     * QEMU's TCG with nothing but a serial port; several processors run in threads of their own.
     *
     * @param type machine type; q35 has timers enough for a kernel to calibrate against on a busy host, microvm has not:
     *     there a start now and then hangs at "Unable to calibrate against PIT"
     */
    static Machine tcg(String qemu, String type, String memory, int processors) {
        return new Machine(
                Contestant.TCG,
                List.of(
                        qemu,
                        "-accel",
                        processors > 1 ? "tcg,thread=multi" : "tcg",
                        "-cpu",
                        "max",
                        "-smp",
                        Integer.toString(processors),
                        "-M",
                        type,
                        "-nodefaults",
                        "-display",
                        "none",
                        "-serial",
                        "stdio",
                        "-no-reboot"),
                "ttyS0",
                memory);
    }

    /** The memory's size in bytes. */
    long memoryBytes() {
        long number = Long.parseLong(memory.substring(0, memory.length() - 1));
        return number << (memory.endsWith("G") ? 30 : 20);
    }

    /** The whole command for a kernel and an initramfs. */
    List<String> boot(Path kernel, Path initrd, String append) {
        String line = ("console=" + console + " " + KERNEL_ARGUMENTS + " " + append).strip();
        List<String> whole = new ArrayList<>(command);
        String dash = contestant == Contestant.XENOLITH ? "--" : "-";
        whole.addAll(List.of(dash + "kernel", kernel.toString(), dash + "initrd", initrd.toString()));
        whole.addAll(List.of(dash + "append", line));
        whole.addAll(List.of(contestant == Contestant.XENOLITH ? "--memory" : "-m", memory));
        return whole;
    }

    Console start(Path kernel, Path initrd, String append) throws BenchException {
        return Console.start(boot(kernel, initrd, append), Map.of(), null);
    }
}
