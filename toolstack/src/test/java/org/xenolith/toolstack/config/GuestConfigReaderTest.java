package org.xenolith.toolstack.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.toolstack.GuestType;
import org.xenolith.toolstack.LifecycleAction;
import org.xenolith.toolstack.LifecycleActions;

class GuestConfigReaderTest {
    private static final String LEAST = "name='g'\nkernel='k'\n";

    private static GuestConfigReader.Result read(String text) throws ConfigException {
        return GuestConfigReader.read(ConfigFile.parse("g.cfg", text), "g.cfg");
    }

    private static GuestConfig config(String more) throws ConfigException {
        return read(LEAST + more).config();
    }

    private static void refuses(String text, String... parts) {
        assertThatThrownBy(() -> read(text))
                .as(text)
                .isInstanceOf(ConfigException.class)
                .hasMessageContainingAll(parts)
                .message()
                .doesNotContain("\n");
    }

    @Test
    void aNameAndAKernelAreEnough() throws ConfigException {
        GuestConfigReader.Result result = read(LEAST);
        assertThat(result.warnings()).isEmpty();
        GuestConfig config = result.config();
        assertThat(config.name()).isEqualTo("g");
        assertThat(config.kernel()).isEqualTo("k");
        assertThat(config.type()).isEqualTo(GuestType.PVH);
        assertThat(config.vcpus()).isEqualTo(1);
        assertThat(config.maxVcpus()).isEqualTo(1);
        assertThat(config.memoryMib()).isEqualTo(512);
        assertThat(config.maxMemoryMib()).isEqualTo(512);
        assertThat(config.commandLine()).isEmpty();
        assertThat(config.actions()).isEqualTo(LifecycleActions.DEFAULT);
        assertThat(config.cpus()).isEmpty();
        assertThat(config.cpuWeight()).isNull();
    }

    @Test
    void everyKeyOfAnOrdinaryFileArrives() throws ConfigException {
        GuestConfigReader.Result result = read("""
                # web server
                name = "web"
                uuid = "06ed00fe-1162-4fc4-b5d8-11993ee4a8b9"
                type = "pvh"
                kernel = "/boot/vmlinuz"
                ramdisk = "/boot/initrd"
                root = "/dev/xvda1 ro"
                extra = "quiet"
                memory = 0x100
                maxmem = 512
                vcpus = 2; maxvcpus = 4
                cpus = ["0", "1-3,^2"]
                cpus_soft = "all"
                cpu_weight = 512
                cap = 50
                period = 10000
                slice = 4000
                extratime = 1
                pool = "Pool-0"
                on_poweroff = "preserve"
                on_reboot = 'destroy'
                on_crash = "coredump-restart"
                on_watchdog = "rename-restart"
                nestedhvm = 0
                viridian = ["base", "freq"]
                max_event_channels = 1023
                max_grant_frames = 64
                max_maptrack_frames = 1024
                max_grant_version = 2
                serial = "file:console.log"
                xeno_engine = "interpret"
                xeno_cpu = "v3"
                disk = [ ]
                vif = []
                """);
        assertThat(result.warnings())
                .containsExactly(
                        "g.cfg: without effect here: max_grant_frames, max_grant_version," + " max_maptrack_frames");
        assertThat(result.config())
                .isEqualTo(new GuestConfig(
                        "web",
                        "06ed00fe-1162-4fc4-b5d8-11993ee4a8b9",
                        GuestType.PVH,
                        "/boot/vmlinuz",
                        "/boot/initrd",
                        "root=/dev/xvda1 ro quiet",
                        256,
                        512,
                        2,
                        4,
                        List.of("0", "1-3,^2"),
                        List.of("all", "all", "all", "all"),
                        512,
                        50,
                        10000,
                        4000,
                        true,
                        "Pool-0",
                        new LifecycleActions(
                                LifecycleAction.PRESERVE,
                                LifecycleAction.DESTROY,
                                LifecycleAction.COREDUMP_RESTART,
                                LifecycleAction.RENAME_RESTART,
                                LifecycleAction.RESTART),
                        false,
                        List.of("base", "freq"),
                        1023,
                        64,
                        1024,
                        2,
                        "interpret",
                        "v3",
                        "console.log"));
    }

    @Test
    void theConfigurationOfTheXenTestFrameworkIsUnderstood() throws ConfigException {
        GuestConfigReader.Result result = read("""
                name="test-hvm64-example"

                vcpus=1

                type="hvm"
                builder="hvm" # Legacy for before Xen 4.10

                memory=128
                firmware_override="/xtf/tests/example/test-hvm64-example"

                # The framework doesn't reboot.
                on_reboot = "destroy"
                hap=1
                """);
        assertThat(result.config().type()).isEqualTo(GuestType.HVM);
        assertThat(result.config().kernel()).isEqualTo("/xtf/tests/example/test-hvm64-example");
        assertThat(result.config().memoryMib()).isEqualTo(128);
        assertThat(result.config().actions().onReboot()).isEqualTo(LifecycleAction.DESTROY);
        assertThat(result.warnings()).containsExactly("g.cfg: without effect here: hap");
    }

    @Test
    void rootAndExtraGiveWayToCmdline() throws ConfigException {
        assertThat(config("root='/dev/xvda'").commandLine()).isEqualTo("root=/dev/xvda");
        assertThat(config("extra='quiet'").commandLine()).isEqualTo("quiet");
        GuestConfigReader.Result both = read(LEAST + "cmdline='a b'\nextra='c'");
        assertThat(both.config().commandLine()).isEqualTo("a b");
        assertThat(both.warnings()).singleElement().asString().contains("g.cfg:3:9", "root and extra are ignored");
    }

    @Test
    void viridianGroupsAreResolvedAsXlDoes() throws ConfigException {
        assertThat(config("viridian=1").viridian())
                .containsExactlyInAnyOrder("base", "freq", "time_ref_count", "apic_assist", "crash_ctl");
        assertThat(config("viridian=0").viridian()).isEmpty();
        assertThat(config("viridian=['defaults','stimer','!freq']").viridian())
                .contains("base", "stimer")
                .doesNotContain("freq");
        assertThat(config("viridian=['all']").viridian()).contains("cpu_hotplug");
        refuses(LEAST + "viridian=['nosuch']", "g.cfg:3:10", "'nosuch' is none of all, defaults, base");
    }

    @Test
    void maxmemAloneIsMemoryToo() throws ConfigException {
        assertThat(config("maxmem=300").memoryMib()).isEqualTo(300);
        assertThat(config("vcpus=0\nmaxvcpus=3").vcpus()).isEqualTo(1);
        assertThat(config("vcpus=0\nmaxvcpus=3").maxVcpus()).isEqualTo(3);
    }

    @Test
    void unknownKeysAreNamedWithTheirPlaces() throws ConfigException {
        assertThat(read(LEAST + "memmory=5\nvnc=1\nsdl=0\nacpi=1\n").warnings())
                .containsExactly(
                        "g.cfg:3:1: unknown key 'memmory' is ignored", "g.cfg: without effect here: acpi, vnc");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "disk=['phy:/dev/vg/a,xvda,w']",
                "vif=['']",
                "vif=['bridge=xenbr0']",
                "pci=['01:00.0']",
                "vfb=['vnc=1']",
                "p9=['tag=x']",
                "bootloader='pygrub'",
                "driver_domain=1",
                "usbdev=['x']"
            })
    void whatHasNoBackEndIsRefusedAndNotPretended(String line) {
        refuses(LEAST + line, "g.cfg:3:1: '" + line.substring(0, line.indexOf('=')) + "'", "leave the key out");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
                    memory=0             | g.cfg:3:8 | 0 is out of range: a number from 1 to 16777216 is wanted
                    memory='lots'        | g.cfg:3:8 | 'lots' is no number: a number from 1
                    memory=99999999999999999999999 | g.cfg:3:8 | out of range
                    memory=[1]           | g.cfg:3:8 | a single value is wanted, not a list
                    memory+=5            | g.cfg:3:9 | += adds to strings and lists
                    memory=09            | g.cfg:3:8 | '09' is no number
                    memory=0xg           | g.cfg:3:10| 'g' after a value
                    vcpus=33             | g.cfg:3:7 | a number from 0 to 32
                    vcpus='-1'           | g.cfg:3:7 | a number from 0 to 32
                    cpu_weight=0         | g.cfg:3:12| a number from 1 to 65535
                    cap='x'              | g.cfg:3:5 | 'x' is no number
                    type='vm'            | g.cfg:3:6 | 'vm' is none of "pv", "pvh", "hvm"
                    type='pv'            | g.cfg:3:6 | PV guests are not implemented
                    builder='generic'    | g.cfg:3:9 | PV guests are not implemented
                    on_crash='explode'   | g.cfg:3:10| none of "destroy", "restart", "rename-restart", "preserve"
                    uuid='123'           | g.cfg:3:6 | '123' is no UUID
                    cpus='0-'            | g.cfg:3:6 | '0-' is no CPU or range
                    cpus='3-1'           | g.cfg:3:6 | no range of CPUs
                    cpus='^all'          | g.cfg:3:6 | '^' and 'all'
                    cpus=''              | g.cfg:3:6 | names no CPU
                    cpus=[['1']]         | g.cfg:3:7 | a list in a list
                    nestedhvm='yes'      | g.cfg:3:11| 'yes' is no number: 1 or 0 is wanted
                    max_grant_version=3  | g.cfg:3:19| a number from 0 to 2
                    serial='tcp:1'       | g.cfg:3:8 | 'tcp:1' cannot be had
                    viridian=[[1]]       | g.cfg:3:11| a list of strings is wanted
                    xeno_engine='kvm'    | g.cfg:3:13| 'kvm' is none of "auto", "interpret"
                    name='a/b'           | g.cfg:3:6 | a name has 1 to 255 characters
                    name=''              | g.cfg:3:6 | a name has 1 to 255 characters
                    """)
    void wrongValuesAreErrorsWithPlaceAndWhatIsAllowed(String line, String place, String message) {
        refuses(LEAST + line, place + ": ", message);
    }

    @Test
    void valuesThatContradictEachOtherAreErrors() {
        refuses(LEAST + "vcpus=4\nmaxvcpus=2", "g.cfg:4:10", "maxvcpus=2 is less than vcpus=4");
        refuses(LEAST + "memory=400\nmaxmem=300", "g.cfg:4:8", "maxmem=300 is less than memory=400");
        refuses(LEAST + "period=100\nslice=200", "g.cfg:4:7", "slice=200 is more than period=100");
        refuses(LEAST + "type='hvm'\nbuilder='generic'", "g.cfg:4:9", "contradict");
    }

    @Test
    void whatIsMissingIsSaid() {
        refuses("kernel='k'", "g.cfg: a guest needs a name");
        refuses("name='g'", "g.cfg: a guest needs a kernel");
        refuses("name='g'\ntype='hvm'\nkernel='k'", "g.cfg:2:1: HVM guests have no firmware here");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    all            | all
                    0-3            | all
                    0,2-3          | 0,2-3
                    0-3,^1         | 0,2-3
                    all,^node:1    | 0-1
                    1,node:1,^2    | 1,3
                    nodes:0-1      | all
                    3,1            | 1,3
                    0-9            | all
                    """)
    void cpuListsAreSetsAndArePrintedAsXlDoes(String text, String printed) {
        java.util.BitSet first = java.util.BitSet.valueOf(new long[] {0b0011});
        java.util.BitSet second = java.util.BitSet.valueOf(new long[] {0b1100});
        assertThat(CpuList.format(CpuList.parse(text).on(4, List.of(first, second)), 4))
                .isEqualTo(printed);
        assertThat(CpuList.parse(CpuList.parse(text).toString())).isEqualTo(CpuList.parse(text));
    }

    @Test
    void cpusThatTheHostLacksAreNamed() {
        assertThatThrownBy(() -> CpuList.parse("7").on(4, List.of()))
                .hasMessage("'7' names no CPU of this host, which has 0 to 3");
    }

    /** Every key with every kind of value: a guest or one line. */
    @Test
    void anyKeyWithAnyValueGivesAGuestOrOneLine() {
        long seed = Long.getLong("xenolith.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        String[] values = {
            "0",
            "1",
            "-1",
            "''",
            "'x'",
            "[]",
            "['a']",
            "[[]]",
            "[1,2,]",
            "99999999999",
            "0x7fffffff",
            "'0-3,^2'",
            "'all'",
            "'node:0'",
            "'^1'",
            "'preserve'",
            "'pvh'",
            "'hvm'",
            "'file:'",
            "'file:x'",
            "['pty','pty']",
            "'-0x8'",
            "'+5'"
        };
        GuestKey[] keys = GuestKey.values();
        int guests = 0;
        for (int i = 0; i < 40_000; i++) {
            StringBuilder text = new StringBuilder(random.nextInt(8) == 0 ? "" : LEAST);
            for (int n = random.nextInt(5); n >= 0; n--) {
                text.append(keys[random.nextInt(keys.length)])
                        .append(random.nextInt(6) == 0 ? "+=" : "=")
                        .append(values[random.nextInt(values.length)])
                        .append('\n');
            }
            try {
                GuestConfig config = read(text.toString()).config();
                assertThat(config.maxVcpus()).isBetween(config.vcpus(), GuestConfig.MOST_VCPUS);
                assertThat(config.maxMemoryMib()).isGreaterThanOrEqualTo(config.memoryMib());
                guests++;
            } catch (ConfigException e) {
                assertThat(e.getMessage()).as("seed " + seed + ", text " + text).doesNotContain("\n");
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ", text\n" + text, e);
            }
        }
        assertThat(guests).as("seed " + seed).isPositive();
    }
}
