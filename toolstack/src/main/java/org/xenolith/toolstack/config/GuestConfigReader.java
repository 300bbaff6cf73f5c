package org.xenolith.toolstack.config;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.xenolith.hypervisor.viridian.ViridianFeature;
import org.xenolith.toolstack.GuestType;
import org.xenolith.toolstack.LifecycleAction;
import org.xenolith.toolstack.LifecycleActions;

/**
 * Makes a {@link GuestConfig} of settings, by the rules of {@code xl create}: the same defaults, the same keys that give way to others.
 * What a guest cannot get here is refused, unknown keys are warned about.
 */
public final class GuestConfigReader {
    private static final int DEFAULT_MEMORY_MIB = 512;
    private static final int MOST_MEMORY_MIB = 1 << 24;
    private static final int MOST_PORTS = 1 << 17;
    private static final int LONGEST_NAME = 255;

    /** Read and checked, but there is nothing yet that would heed them. */
    private static final Set<GuestKey> UNHEEDED = EnumSet.of(
            GuestKey.NESTEDHVM, GuestKey.MAX_GRANT_FRAMES, GuestKey.MAX_MAPTRACK_FRAMES, GuestKey.MAX_GRANT_VERSION);

    private final ConfigFile file;
    private final String source;
    private final List<String> warnings = new ArrayList<>();

    private GuestConfigReader(ConfigFile file, String source) {
        this.file = file;
        this.source = source;
    }

    /**
     * A guest and what there is to say about its description.
     *
     * @param config the guest
     * @param warnings one line each
     */
    public record Result(GuestConfig config, List<String> warnings) {
        public Result {
            warnings = List.copyOf(warnings);
        }
    }

    /**
     * Reads a guest.
     *
     * @param source the name of the whole, for messages that belong to no place in it
     * @throws ConfigException when a value is wrong or missing, or asks for what cannot be had
     */
    public static Result read(ConfigFile file, String source) throws ConfigException {
        GuestConfigReader reader = new GuestConfigReader(file, source);
        reader.checkKeys();
        return new Result(reader.config(), reader.warnings);
    }

    private void checkKeys() throws ConfigException {
        TreeSet<String> idle = new TreeSet<>();
        for (ConfigSetting setting : file.settings()) {
            Optional<GuestKey> key = GuestKey.of(setting.key());
            if (key.isPresent()) {
                Optional<String> refusal = key.get().refusal();
                if (refusal.isPresent() && asks(setting.value())) {
                    throw new ConfigException(
                            setting.place(), "'" + key.get() + "': " + refusal.get() + "; leave the key out");
                }
                if (UNHEEDED.contains(key.get()) && asks(setting.value())) {
                    idle.add(setting.key());
                }
            } else if (!GuestKey.hasNoEffect(setting.key())) {
                warnings.add(setting.place() + ": unknown key '" + setting.key() + "' is ignored");
            } else if (asks(setting.value())) {
                idle.add(setting.key());
            }
        }
        if (!idle.isEmpty()) {
            warnings.add(source + ": without effect here: " + String.join(", ", idle));
        }
    }

    /** Whether a device list has an entry, or a switch is on. */
    private static boolean asks(ConfigValue value) {
        return switch (value) {
            case ConfigValue.Items items -> !items.values().isEmpty();
            case ConfigValue.Text text -> !text.text().isBlank() && !text.text().matches("0+");
        };
    }

    private GuestConfig config() throws ConfigException {
        String name = text(GuestKey.NAME)
                .orElseThrow(() -> new ConfigException(source + ": a guest needs a name: name=\"web\""));
        if (name.isBlank()
                || name.length() > LONGEST_NAME
                || name.chars().anyMatch(c -> c < ' ' || c == 0x7F || c == '/')) {
            throw wrong(
                    GuestKey.NAME,
                    "a name has 1 to " + LONGEST_NAME + " characters, none of them '/' or a control character");
        }
        GuestType type = type();
        Optional<String> kernel = kernel(type);
        int vcpus = number(GuestKey.VCPUS, 0, GuestConfig.MOST_VCPUS)
                .map(n -> Math.max(n, 1))
                .orElse(1);
        int maxVcpus = number(GuestKey.MAXVCPUS, 0, GuestConfig.MOST_VCPUS)
                .filter(n -> n > 0)
                .orElse(vcpus);
        if (maxVcpus < vcpus) {
            throw wrong(GuestKey.MAXVCPUS, "maxvcpus=" + maxVcpus + " is less than vcpus=" + vcpus);
        }
        Optional<Integer> most = number(GuestKey.MAXMEM, 1, MOST_MEMORY_MIB);
        int memory = number(GuestKey.MEMORY, 1, MOST_MEMORY_MIB).or(() -> most).orElse(DEFAULT_MEMORY_MIB);
        if (most.isPresent() && most.get() < memory) {
            throw wrong(GuestKey.MAXMEM, "maxmem=" + most.get() + " is less than memory=" + memory);
        }
        Optional<Integer> period = number(GuestKey.PERIOD, 1, Integer.MAX_VALUE);
        Optional<Integer> slice = number(GuestKey.SLICE, 1, Integer.MAX_VALUE);
        if (period.isPresent() && slice.isPresent() && slice.get() > period.get()) {
            throw wrong(
                    GuestKey.SLICE,
                    "slice=" + slice.get() + " is more than period=" + period.get() + " (microseconds)");
        }
        return new GuestConfig(
                name,
                uuid().orElse(null),
                type,
                kernel.orElse(null),
                text(GuestKey.RAMDISK).orElse(null),
                commandLine(),
                memory,
                most.orElse(memory),
                vcpus,
                maxVcpus,
                affinity(GuestKey.CPUS, maxVcpus),
                affinity(GuestKey.CPUS_SOFT, maxVcpus),
                number(GuestKey.CPU_WEIGHT, 1, 65535).orElse(null),
                number(GuestKey.CAP, 0, 100 * GuestConfig.MOST_VCPUS).orElse(null),
                period.orElse(null),
                slice.orElse(null),
                bool(GuestKey.EXTRATIME).orElse(null),
                text(GuestKey.POOL).orElse(null),
                actions(),
                bool(GuestKey.NESTEDHVM).orElse(false),
                viridian(),
                number(GuestKey.MAX_EVENT_CHANNELS, 1, MOST_PORTS).orElse(null),
                number(GuestKey.MAX_GRANT_FRAMES, 0, Integer.MAX_VALUE).orElse(null),
                number(GuestKey.MAX_MAPTRACK_FRAMES, 0, Integer.MAX_VALUE).orElse(null),
                number(GuestKey.MAX_GRANT_VERSION, 0, 2).orElse(null),
                choice(GuestKey.XENO_ENGINE, List.of("auto", "interpret", "translate", "verify"))
                        .orElse(null),
                choice(GuestKey.XENO_CPU, List.of("v2", "v3", "host")).orElse(null),
                consoleFile().orElse(null));
    }

    /** Xen's default, PV, is for kernels that Xen starts as PVH just as well: so a guest without a type is PVH here. */
    private GuestType type() throws ConfigException {
        Optional<String> type = choice(GuestKey.TYPE, List.of("pv", "pvh", "hvm"));
        Optional<String> builder = choice(GuestKey.BUILDER, List.of("generic", "hvm"));
        if (type.isPresent()
                && builder.isPresent()
                && type.get().equals("hvm") != builder.get().equals("hvm")) {
            throw wrong(GuestKey.BUILDER, "builder and type contradict each other: leave builder out");
        }
        if (type.equals(Optional.of("pv")) || type.isEmpty() && builder.equals(Optional.of("generic"))) {
            throw wrong(
                    type.isPresent() ? GuestKey.TYPE : GuestKey.BUILDER,
                    "PV guests are not implemented: give the same kernel with type=\"pvh\"");
        }
        return type.or(() -> builder).equals(Optional.of("hvm")) ? GuestType.HVM : GuestType.PVH;
    }

    private Optional<String> kernel(GuestType type) throws ConfigException {
        Optional<String> kernel = text(GuestKey.KERNEL).filter(path -> !path.isBlank());
        Optional<String> firmware = text(GuestKey.FIRMWARE_OVERRIDE).filter(path -> !path.isBlank());
        if (type == GuestType.HVM) {
            if (firmware.isEmpty()) {
                throw new ConfigException(
                        file.get("type").map(ConfigSetting::place).orElse(new ConfigPlace(source, 0, 0)),
                        "HVM guests have no firmware here: give firmware_override, or type=\"pvh\" with a kernel");
            }
            return firmware;
        }
        if (kernel.isEmpty()) {
            throw new ConfigException(
                    source + ": a guest needs a kernel: kernel=\"vmlinuz\", or kernel=\"debian:cloud\"");
        }
        if (firmware.isPresent()) {
            warnings.add(place(GuestKey.FIRMWARE_OVERRIDE) + ": firmware_override is for type=\"hvm\" and is ignored");
        }
        return kernel;
    }

    private String commandLine() throws ConfigException {
        Optional<String> line = text(GuestKey.CMDLINE);
        Optional<String> root = text(GuestKey.ROOT);
        Optional<String> extra = text(GuestKey.EXTRA);
        if (line.isPresent()) {
            if (root.isPresent() || extra.isPresent()) {
                warnings.add(place(GuestKey.CMDLINE) + ": cmdline is there, so root and extra are ignored");
            }
            return line.get();
        }
        String words = root.map(value -> "root=" + value).orElse("");
        return extra.map(more -> words.isEmpty() ? more : words + " " + more).orElse(words);
    }

    private Optional<String> uuid() throws ConfigException {
        Optional<String> text = text(GuestKey.UUID);
        if (text.isPresent()) {
            String digits = text.get().replace("-", "");
            if (!digits.matches("[0-9a-fA-F]{32}") || !text.get().matches("[0-9a-fA-F-]{32,36}")) {
                throw wrong(GuestKey.UUID, "'" + text.get() + "' is no UUID: 8-4-4-4-12 hexadecimal digits");
            }
            return Optional.of(new UUID(
                            Long.parseUnsignedLong(digits.substring(0, 16), 16),
                            Long.parseUnsignedLong(digits.substring(16), 16))
                    .toString());
        }
        return text;
    }

    private List<String> affinity(GuestKey key, int maxVcpus) throws ConfigException {
        Optional<ConfigSetting> setting = file.get(key.toString());
        if (setting.isEmpty()) {
            return List.of();
        }
        List<String> lists = new ArrayList<>();
        switch (setting.get().value()) {
            case ConfigValue.Text text -> {
                String all = cpuList(key, text);
                for (int i = 0; i < maxVcpus; i++) {
                    lists.add(all);
                }
            }
            case ConfigValue.Items items -> {
                // As in Xen, entries for virtual CPUs that there are not say nothing.
                for (ConfigValue item : items.values()
                        .subList(0, Math.min(maxVcpus, items.values().size()))) {
                    lists.add(cpuList(key, item));
                }
            }
        }
        return lists;
    }

    private String cpuList(GuestKey key, ConfigValue value) throws ConfigException {
        if (!(value instanceof ConfigValue.Text text)) {
            throw new ConfigException(value.place(), "'" + key + "': a list in a list; write [\"0-1\", \"2\"]");
        }
        try {
            return CpuList.parse(text.text()).toString();
        } catch (IllegalArgumentException e) {
            throw new ConfigException(value.place(), "'" + key + "': " + e.getMessage());
        }
    }

    /** Names of groups, with {@code all}, {@code defaults} and {@code !name} resolved as xl does it. */
    private List<String> viridian() throws ConfigException {
        Optional<ConfigSetting> setting = file.get(GuestKey.VIRIDIAN.toString());
        if (setting.isEmpty()) {
            return List.of();
        }
        EnumSet<ViridianFeature> shown = EnumSet.noneOf(ViridianFeature.class);
        if (setting.get().value() instanceof ConfigValue.Text) {
            if (bool(GuestKey.VIRIDIAN).orElse(false)) {
                shown.addAll(ViridianFeature.DEFAULTS);
            }
        } else {
            for (String word : texts(GuestKey.VIRIDIAN)) {
                switch (word) {
                    case "all" -> shown.addAll(EnumSet.allOf(ViridianFeature.class));
                    case "defaults" -> shown.addAll(ViridianFeature.DEFAULTS);
                    default -> change(shown, word);
                }
            }
        }
        return shown.stream().map(ViridianFeature::toString).toList();
    }

    private void change(Set<ViridianFeature> shown, String word) throws ConfigException {
        boolean remove = word.startsWith("!");
        Optional<ViridianFeature> feature = ViridianFeature.named(remove ? word.substring(1) : word);
        if (feature.isEmpty()) {
            throw wrong(
                    GuestKey.VIRIDIAN,
                    "'" + word + "' is none of all, defaults, "
                            + Arrays.stream(ViridianFeature.values())
                                    .map(ViridianFeature::toString)
                                    .collect(Collectors.joining(", ")));
        }
        if (remove) {
            shown.remove(feature.get());
        } else {
            shown.add(feature.get());
        }
    }

    /** {@code serial="file:PATH"} copies the console to a file; {@code pty} is what a guest has anyway. */
    private Optional<String> consoleFile() throws ConfigException {
        Optional<ConfigSetting> setting = file.get(GuestKey.SERIAL.toString());
        if (setting.isEmpty()) {
            return Optional.empty();
        }
        List<String> lines =
                setting.get().value() instanceof ConfigValue.Text text ? List.of(text.text()) : texts(GuestKey.SERIAL);
        for (String line : lines) {
            if (line.startsWith("file:") && line.length() > 5 && lines.size() == 1) {
                return Optional.of(line.substring(5));
            }
            if (!line.equals("pty") && !line.equals("none") && !line.isEmpty()) {
                throw wrong(
                        GuestKey.SERIAL, "'" + line + "' cannot be had: give \"pty\", \"none\" or one \"file:PATH\"");
            }
        }
        return Optional.empty();
    }

    private LifecycleActions actions() throws ConfigException {
        LifecycleActions standard = LifecycleActions.DEFAULT;
        return new LifecycleActions(
                action(GuestKey.ON_POWEROFF, standard.onPoweroff()),
                action(GuestKey.ON_REBOOT, standard.onReboot()),
                action(GuestKey.ON_CRASH, standard.onCrash()),
                action(GuestKey.ON_WATCHDOG, standard.onWatchdog()),
                action(GuestKey.ON_SOFT_RESET, standard.onSoftReset()));
    }

    /** A reset that keeps memory is not implemented: {@code soft-reset} is what a guest gets that says nothing. */
    private LifecycleAction action(GuestKey key, LifecycleAction otherwise) throws ConfigException {
        List<String> allowed = new ArrayList<>(Arrays.stream(LifecycleAction.values())
                .map(LifecycleAction::toString)
                .toList());
        if (key == GuestKey.ON_SOFT_RESET) {
            allowed.add("soft-reset");
        }
        Optional<String> text = choice(key, allowed).filter(word -> !word.equals("soft-reset"));
        return text.map(word ->
                        LifecycleAction.valueOf(word.toUpperCase(Locale.ROOT).replace('-', '_')))
                .orElse(otherwise);
    }

    private Optional<String> choice(GuestKey key, List<String> allowed) throws ConfigException {
        Optional<String> text = text(key);
        if (text.isPresent() && !allowed.contains(text.get())) {
            throw wrong(
                    key,
                    "'" + text.get() + "' is none of "
                            + allowed.stream().map(word -> '"' + word + '"').collect(Collectors.joining(", ")));
        }
        return text;
    }

    private Optional<Boolean> bool(GuestKey key) throws ConfigException {
        return number(key, Integer.MIN_VALUE, Integer.MAX_VALUE, "1 or 0").map(number -> number != 0);
    }

    private Optional<Integer> number(GuestKey key, int least, int most) throws ConfigException {
        return number(key, least, most, "a number from " + least + (most == Integer.MAX_VALUE ? " up" : " to " + most));
    }

    private Optional<Integer> number(GuestKey key, int least, int most, String wanted) throws ConfigException {
        Optional<String> text = text(key);
        if (text.isEmpty()) {
            return Optional.empty();
        }
        if (file.get(key.toString()).orElseThrow().added()) {
            throw wrong(key, "+= adds to strings and lists, not to numbers");
        }
        long value = parse(text.get())
                .orElseThrow(() -> wrong(key, "'" + text.get() + "' is no number: " + wanted + " is wanted"));
        if (value < least || value > most) {
            throw wrong(key, text.get() + " is out of range: " + wanted + " is wanted");
        }
        return Optional.of((int) value);
    }

    /** Decimal, hexadecimal with 0x, octal with 0; empty for anything else. Huge numbers become {@link Long#MAX_VALUE}. */
    private static Optional<Long> parse(String text) {
        String digits = text.strip();
        boolean negative = digits.startsWith("-");
        digits = negative || digits.startsWith("+") ? digits.substring(1) : digits;
        int radix = digits.matches("0[xX][0-9a-fA-F]+") ? 16 : digits.matches("0[0-7]*") ? 8 : 10;
        digits = radix == 16 ? digits.substring(2) : digits;
        if (radix == 10 && !digits.matches("[1-9][0-9]*")) {
            return Optional.empty();
        }
        try {
            long value = Long.parseLong(digits, radix);
            return Optional.of(negative ? -value : value);
        } catch (NumberFormatException tooLong) {
            return Optional.of(negative ? Long.MIN_VALUE : Long.MAX_VALUE);
        }
    }

    private Optional<String> text(GuestKey key) throws ConfigException {
        Optional<ConfigSetting> setting = file.get(key.toString());
        if (setting.isEmpty()) {
            return Optional.empty();
        }
        if (setting.get().value() instanceof ConfigValue.Text text) {
            return Optional.of(text.text());
        }
        throw wrong(key, "a single value is wanted, not a list");
    }

    private List<String> texts(GuestKey key) throws ConfigException {
        List<String> all = new ArrayList<>();
        if (file.get(key.toString()).orElseThrow().value() instanceof ConfigValue.Items items) {
            for (ConfigValue item : items.values()) {
                if (!(item instanceof ConfigValue.Text text)) {
                    throw new ConfigException(item.place(), "'" + key + "': a list of strings is wanted");
                }
                all.add(text.text());
            }
        }
        return all;
    }

    private ConfigPlace place(GuestKey key) {
        Function<ConfigSetting, ConfigPlace> where = setting -> setting.value().place();
        return file.get(key.toString()).map(where).orElse(new ConfigPlace(source, 0, 0));
    }

    private ConfigException wrong(GuestKey key, String message) {
        return new ConfigException(place(key), "'" + key + "': " + message);
    }
}
