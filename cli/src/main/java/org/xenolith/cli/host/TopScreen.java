package org.xenolith.cli.host;

import java.io.IOException;
import java.time.LocalTime;
import java.time.format.DateTimeFormatter;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.xenolith.cli.HostTerminal;
import org.xenolith.daemon.HostConnection;
import org.xenolith.daemon.HostException;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.daemon.protocol.Answer.DomainEntry;
import org.xenolith.daemon.protocol.Command.GetHost;

/** Rounds of {@code xentop}'s table; in batch mode exactly that. */
final class TopScreen {
    private static final long NANOS = 1_000_000_000L;
    private static final String CLEAR = "\033[H\033[2J";
    private static final String BOLD = "\033[7m";
    private static final String PLAIN = "\033[0m";
    private static final int POLL_MILLIS = 50;

    private final HostConnection host;
    private final boolean batch;
    private final boolean fullNames;
    private final Map<Integer, Long> before = new HashMap<>();
    private long beforeNanos;

    TopScreen(HostConnection host, boolean batch, boolean fullNames) {
        this.host = host;
        this.batch = batch;
        this.fullNames = fullNames;
    }

    int run(int delay, int iterations) throws HostException, InterruptedException {
        boolean live = !batch && HostTerminal.present();
        try (HostTerminal terminal = live ? HostTerminal.open() : null) {
            if (live) {
                terminal.enterRaw();
            }
            for (int round = 1; ; round++) {
                String text = round();
                HostVerb.print(live ? CLEAR + text.replace("\n", "\r\n") : text);
                if (iterations > 0 && round >= iterations || System.out.checkError()) {
                    return 0;
                }
                if (live ? quits(delay) : sleeps(delay)) {
                    HostVerb.print("\r\n");
                    return 0;
                }
            }
        }
    }

    private static boolean sleeps(int delay) throws InterruptedException {
        Thread.sleep(delay * 1000L);
        return false;
    }

    /** Waits for the next round, and whether somebody typed q or Ctrl-C meanwhile. */
    private static boolean quits(int delay) throws InterruptedException {
        try {
            for (int waited = 0; waited < Math.max(1, delay) * 1000; waited += POLL_MILLIS) {
                while (System.in.available() > 0) {
                    int key = System.in.read();
                    if (key == 'q' || key == 'Q' || key == 3 || key < 0) {
                        return true;
                    }
                }
                Thread.sleep(POLL_MILLIS);
            }
            return false;
        } catch (IOException e) {
            return true;
        }
    }

    private String round() throws HostException {
        List<DomainEntry> domains = ListVerbs.all(host);
        Answer.HostFacts facts = host.ask(new GetHost());
        long now = System.nanoTime();
        StringBuilder out = new StringBuilder();
        if (!batch) {
            summary(domains, facts, out);
        }
        String header = row(
                "NAME",
                "STATE",
                "CPU(sec)",
                "CPU(%)",
                "MEM(k)",
                "MEM(%)",
                "MAXMEM(k)",
                "MAXMEM(%)",
                "VCPUS",
                "NETS",
                "NETTX(k)",
                "NETRX(k)",
                "VBDS",
                "VBD_OO",
                "VBD_RD",
                "VBD_WR",
                "VBD_RSECT",
                "VBD_WSECT",
                "SSID");
        out.append(batch ? header : BOLD + header.stripTrailing() + PLAIN + "\n");
        for (DomainEntry entry : domains) {
            out.append(row(entry, facts, now));
        }
        before.clear();
        domains.forEach(entry -> before.put(entry.id(), entry.cpuNanos()));
        beforeNanos = now;
        return out.toString();
    }

    private static void summary(List<DomainEntry> domains, Answer.HostFacts facts, StringBuilder out) {
        out.append(HostVerb.line(
                "xentop - %s   Xen %s",
                LocalTime.now().format(DateTimeFormatter.ofPattern("HH:mm:ss")),
                facts.facts().getOrDefault("xen_version", "")));
        out.append(HostVerb.line(
                "%d domains: %d running, %d blocked, %d paused, %d crashed, %d dying, %d shutdown",
                domains.size(),
                with(domains, 'r'),
                with(domains, 'b'),
                with(domains, 'p'),
                with(domains, 'c'),
                with(domains, 'd'),
                with(domains, 's')));
        out.append(HostVerb.line(
                "Mem: %dk total, %dk used, %dk free    CPUs: %d @ %sMHz",
                facts.totalMemoryKib(),
                facts.totalMemoryKib() - facts.freeMemoryKib(),
                facts.freeMemoryKib(),
                facts.cpus(),
                facts.facts().getOrDefault("cpu_mhz", "0").replaceAll("\\..*", "")));
    }

    private static long with(List<DomainEntry> domains, char flag) {
        return domains.stream()
                .filter(entry -> entry.flags().indexOf(flag) >= 0)
                .count();
    }

    private String row(DomainEntry entry, Answer.HostFacts facts, long now) {
        Long earlier = before.get(entry.id());
        double busy = earlier == null || now == beforeNanos
                ? 0
                : 100.0 * Math.max(0, entry.cpuNanos() - earlier) / (now - beforeNanos);
        double total = Math.max(1, facts.totalMemoryKib());
        return row(
                entry.name(),
                state(entry.flags()),
                entry.cpuNanos() / NANOS,
                decimal(busy),
                entry.memoryKib(),
                decimal(100 * entry.memoryKib() / total),
                entry.id() == 0 ? "no limit" : entry.maxMemoryKib(),
                entry.id() == 0 ? "n/a" : decimal(100 * entry.maxMemoryKib() / total),
                entry.onlineVcpus(),
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0);
    }

    /** xentop's order: dying, shut down, blocked, crashed, paused, running. */
    private static String state(String flags) {
        StringBuilder state = new StringBuilder();
        for (char flag : "dsbcpr".toCharArray()) {
            state.append(flags.indexOf(flag) >= 0 ? flag : '-');
        }
        return state.toString();
    }

    private static String decimal(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }

    private String row(Object... fields) {
        int[] widths = {10, 6, 10, 6, 10, 6, 10, 9, 5, 4, 8, 8, 4, 8, 8, 8, 10, 10, 4};
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < fields.length; i++) {
            String text = fields[i].toString();
            text = i == 0 && !fullNames && text.length() > widths[0] ? text.substring(0, widths[0]) : text;
            out.append(i == 0 ? "" : " ")
                    .append(" ".repeat(Math.max(0, widths[i] - text.length())))
                    .append(text);
        }
        return out.append('\n').toString();
    }
}
