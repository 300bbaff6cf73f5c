package org.xenolith.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * An amount of memory as people write it: {@code 512M}, {@code 2G}, {@code 65536K}; a bare number is MiB, as in {@code xl}.
 *
 * @param bytes the amount
 */
record MemorySize(long bytes) {
    /** No kernel comes up with less; with less than about 64M the stock ones do not either, and say so themselves. */
    static final long MINIMUM = 32L << 20;

    private static final Pattern FORM = Pattern.compile("([0-9]{1,12})([KMGT]?)(I?B)?");

    static MemorySize parse(String text) {
        Matcher matcher = FORM.matcher(text.strip().toUpperCase(Locale.ROOT));
        if (!matcher.matches()) {
            throw new IllegalArgumentException("'" + text + "' is no amount of memory: write 512M, 2G or 65536K");
        }
        int shift = switch (matcher.group(2)) {
            case "K" -> 10;
            case "G" -> 30;
            case "T" -> 40;
            default -> 20;
        };
        long number = Long.parseLong(matcher.group(1));
        if (number > Long.MAX_VALUE >> shift) {
            throw new IllegalArgumentException("'" + text + "' is more memory than any machine has");
        }
        return new MemorySize(number << shift);
    }

    /** The amount if a guest can have it on a host with that much memory. */
    MemorySize check(long hostBytes) {
        if (bytes < MINIMUM) {
            throw new CliException(
                    ExitStatus.USAGE,
                    "--memory " + this + " is too little for a kernel: give at least " + new MemorySize(MINIMUM)
                            + " (the default is 512M)");
        }
        if (bytes > hostBytes) {
            throw new CliException(
                    ExitStatus.USAGE,
                    "--memory " + this + " is more than this machine has (" + new MemorySize(hostBytes >> 20 << 20)
                            + "): give less");
        }
        // Guest memory is counted in pages.
        return new MemorySize(bytes & -4096L);
    }

    /** The machine's memory in bytes; when it does not tell, a terabyte, which stops only absurd sizes. */
    static long ofHost() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
                if (line.startsWith("MemTotal:")) {
                    return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
                }
            }
        } catch (IOException | NumberFormatException e) {
            return 1L << 40;
        }
        return 1L << 40;
    }

    @Override
    public String toString() {
        if (bytes % (1L << 30) == 0) {
            return (bytes >> 30) + "G";
        }
        return bytes % (1L << 20) == 0 ? (bytes >> 20) + "M" : (bytes >> 10) + "K";
    }

    /** For picocli. */
    static final class Converter implements ITypeConverter<MemorySize> {
        @Override
        public MemorySize convert(String value) {
            try {
                return parse(value);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
