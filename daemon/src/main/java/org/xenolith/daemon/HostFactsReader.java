package org.xenolith.daemon;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.xenolith.daemon.protocol.Answer;
import org.xenolith.hypervisor.HypervisorVersion;
import org.xenolith.toolstack.Host;
import org.xenolith.toolstack.HostInfo;

/** What {@code xl info} tells of this host, in its order. */
final class HostFactsReader {
    private static final int MIB_SHIFT = 20;

    private HostFactsReader() {}

    static Answer.HostFacts read(Host host, HostCpus cpus) {
        HostInfo info = host.info();
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("host", kernel("hostname"));
        facts.put("release", kernel("osrelease"));
        facts.put("version", kernel("version"));
        facts.put("machine", System.getProperty("os.arch").equals("amd64") ? "x86_64" : System.getProperty("os.arch"));
        facts.put("nr_cpus", Integer.toString(cpus.count()));
        facts.put("max_cpu_id", Integer.toString(cpus.count() - 1));
        facts.put("nr_nodes", Integer.toString(cpus.nodes().size()));
        facts.put(
                "cores_per_socket",
                Integer.toString(Math.max(1, cpus.count() / cpus.nodes().size())));
        facts.put("threads_per_core", "1");
        // The guests' TSC, whatever the host's is.
        facts.put("cpu_mhz", "1000.000");
        facts.put("virt_caps", "hvm hap shadow gnttab-v1 gnttab-v2");
        facts.put("total_memory", Long.toString(info.memoryBytes() >> MIB_SHIFT));
        facts.put("free_memory", Long.toString(info.availableBytes() >> MIB_SHIFT));
        facts.put("sharing_freed_memory", "0");
        facts.put("sharing_used_memory", "0");
        facts.put("outstanding_claims", Long.toString(info.claimedBytes() >> MIB_SHIFT));
        facts.put("free_cpus", Integer.toString(host.scheduler().freeCpus().size()));
        facts.put("xen_major", Integer.toString(HypervisorVersion.MAJOR));
        facts.put("xen_minor", Integer.toString(HypervisorVersion.MINOR));
        facts.put("xen_extra", HypervisorVersion.EXTRA);
        facts.put("xen_version", HypervisorVersion.MAJOR + "." + HypervisorVersion.MINOR + HypervisorVersion.EXTRA);
        facts.put("xen_caps", HypervisorVersion.CAPABILITIES);
        facts.put("xen_scheduler", host.scheduler().pools().getFirst().kind().toString());
        facts.put("xen_pagesize", "4096");
        facts.put("platform_params", "virt_start=0xffff800000000000");
        facts.put("xen_changeset", HypervisorVersion.CHANGESET);
        facts.put("xen_commandline", "");
        facts.put("cc_compiler", HypervisorVersion.COMPILER);
        facts.put("cc_compile_by", HypervisorVersion.COMPILED_BY);
        facts.put("cc_compile_domain", HypervisorVersion.COMPILE_DOMAIN);
        facts.put("cc_compile_date", HypervisorVersion.COMPILE_DATE);
        facts.put("build_id", Build.ID);
        facts.put("xend_config_format", "4");
        return new Answer.HostFacts(
                facts,
                cpus.count(),
                info.memoryBytes() >> 10,
                info.availableBytes() >> 10,
                info.started().toEpochMilli());
    }

    private static String kernel(String what) {
        try {
            return Files.readString(Path.of("/proc/sys/kernel", what)).strip();
        } catch (IOException e) {
            return "";
        }
    }
}
