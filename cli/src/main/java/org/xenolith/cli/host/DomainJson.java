package org.xenolith.cli.host;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.xenolith.daemon.protocol.Answer.DomainEntry;
import org.xenolith.toolstack.config.GuestConfig;
import tools.jackson.core.util.DefaultIndenter;
import tools.jackson.core.util.DefaultPrettyPrinter;
import tools.jackson.databind.json.JsonMapper;

/** Domains and their descriptions for programs; the member names of descriptions are those of {@code xl list -l}. */
final class DomainJson {
    private static final DefaultIndenter INDENTER = new DefaultIndenter("    ", "\n");
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .defaultPrettyPrinter(
                    new DefaultPrettyPrinter().withArrayIndenter(INDENTER).withObjectIndenter(INDENTER))
            .build();

    private DomainJson() {}

    /** What {@code xl list -l} prints. */
    static String details(List<DomainEntry> domains) {
        return json(domains.stream()
                .map(entry -> {
                    Map<String, Object> one = new LinkedHashMap<>();
                    one.put("domid", entry.id());
                    one.put(
                            "config",
                            entry.config() == null ? unknown(entry) : description(entry.config(), entry.uuid()));
                    return one;
                })
                .toList());
    }

    private static Map<String, Object> unknown(DomainEntry entry) {
        Map<String, Object> about = new LinkedHashMap<>();
        about.put("c_info", map("type", entry.type(), "name", entry.name(), "uuid", entry.uuid()));
        about.put(
                "b_info",
                map(
                        "max_vcpus", entry.vcpus().size(),
                        "avail_vcpus", vcpus(entry.onlineVcpus()),
                        "max_memkb", entry.maxMemoryKib(),
                        "target_memkb", entry.targetKib()));
        return about;
    }

    /** A guest's description, as {@code xl create -n} prints it. */
    static Map<String, Object> description(GuestConfig config, String uuid) {
        Map<String, Object> creation = map("type", config.type().toString(), "name", config.name(), "uuid", uuid);
        putKnown(creation, "pool_name", config.pool());
        Map<String, Object> build = new LinkedHashMap<>();
        build.put("max_vcpus", config.maxVcpus());
        build.put("avail_vcpus", vcpus(config.vcpus()));
        if (!config.cpus().isEmpty()) {
            build.put("vcpu_hard_affinity", config.cpus());
        }
        if (!config.cpusSoft().isEmpty()) {
            build.put("vcpu_soft_affinity", config.cpusSoft());
        }
        build.put("max_memkb", (long) config.maxMemoryMib() << 10);
        build.put("target_memkb", (long) config.memoryMib() << 10);
        Map<String, Object> scheduling = new LinkedHashMap<>();
        putKnown(scheduling, "weight", config.cpuWeight());
        putKnown(scheduling, "cap", config.cap());
        putKnown(scheduling, "period", config.periodMicros());
        putKnown(scheduling, "budget", config.sliceMicros());
        putKnown(scheduling, "extratime", config.extraTime());
        build.put("sched_params", scheduling);
        putKnown(build, "kernel", config.kernel());
        putKnown(build, "cmdline", config.commandLine().isEmpty() ? null : config.commandLine());
        putKnown(build, "ramdisk", config.ramdisk());
        putKnown(build, "event_channels", config.maxEventChannels());
        putKnown(build, "max_grant_frames", config.maxGrantFrames());
        putKnown(build, "max_maptrack_frames", config.maxMaptrackFrames());
        putKnown(build, "max_grant_version", config.maxGrantVersion());
        putKnown(build, "xeno_engine", config.engine());
        putKnown(build, "xeno_cpu", config.cpuLevel());
        build.put("type." + config.type(), Map.of());
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("c_info", creation);
        all.put("b_info", build);
        all.put("on_poweroff", config.actions().onPoweroff().toString());
        all.put("on_reboot", config.actions().onReboot().toString());
        all.put("on_watchdog", config.actions().onWatchdog().toString());
        all.put("on_crash", config.actions().onCrash().toString());
        all.put("on_soft_reset", config.actions().onSoftReset().toString());
        return all;
    }

    private static List<Integer> vcpus(int count) {
        return IntStream.range(0, count).boxed().toList();
    }

    private static void putKnown(Map<String, Object> map, String key, Object value) {
        if (value != null) {
            map.put(key, value);
        }
    }

    private static Map<String, Object> map(Object... pairs) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            putKnown(map, (String) pairs[i], pairs[i + 1]);
        }
        return map;
    }

    static String json(Object value) {
        return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(value);
    }

    /** A list of flat maps; each value is written as JSON, which YAML reads as well. */
    static String yaml(List<Map<String, Object>> list) {
        if (list.isEmpty()) {
            return "[]\n";
        }
        StringBuilder out = new StringBuilder();
        for (Map<String, Object> one : list) {
            String lead = "- ";
            for (Map.Entry<String, Object> field : one.entrySet()) {
                out.append(lead)
                        .append(field.getKey())
                        .append(": ")
                        .append(MAPPER.writeValueAsString(field.getValue()))
                        .append('\n');
                lead = "  ";
            }
        }
        return out.toString();
    }
}
