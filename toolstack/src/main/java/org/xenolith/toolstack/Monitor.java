package org.xenolith.toolstack;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.function.Function;
import org.xenolith.abi.EventChannelOp;
import org.xenolith.cpu.VcpuState;
import org.xenolith.hypervisor.HypercallException;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.events.EventChannels;
import org.xenolith.services.symbols.SymbolTable;
import org.xenolith.services.xenstore.StoreException;
import org.xenolith.services.xenstore.XenStore;
import org.xenolith.toolstack.inspect.Activity;
import org.xenolith.toolstack.inspect.Backtrace;
import org.xenolith.toolstack.inspect.CodeText;
import org.xenolith.toolstack.inspect.GuestLog;
import org.xenolith.toolstack.inspect.GuestView;
import org.xenolith.toolstack.inspect.MemoryText;
import org.xenolith.toolstack.inspect.PageWalk;
import org.xenolith.toolstack.inspect.Registers;

/**
 * Commands that look into a guest, a line in and text out: the monitor behind the console's escape key, and whoever
 * scripts a domain.
 *
 * <p>The guest is paused while a command looks and runs on afterwards, unless {@code pause} has stopped it until
 * {@code continue}. Nothing is thrown for a wrong command: the answer says what was wrong. Safe from any thread, one
 * command at a time.
 */
public final class Monitor implements AutoCloseable {
    private static final String GONE = "the guest is gone\n";
    private static final int MOST_BYTES = 64 << 10;
    private static final int MOST_INSTRUCTIONS = 2000;
    private static final int MOST_STEPS = 1_000_000;
    private static final int FRAMES = 30;
    private static final String[] REGISTERS = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
    };

    /** A command: its names, what follows them, what it does. */
    private record Command(String names, String arguments, String help, Handler handler) {
        boolean answersTo(String word) {
            return Arrays.asList(names.split(" ")).contains(word);
        }
    }

    private interface Handler {
        String run(List<String> arguments);
    }

    /** What a person did wrong; the message is the answer. */
    private static final class Mistake extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Mistake(String message) {
            super(message, null, false, false);
        }
    }

    private final List<Command> commands = List.of(
            new Command("help h ?", "", "this list", this::help),
            new Command("registers r", "[all]", "the registers of the chosen processor, or of all", this::registers),
            new Command("backtrace bt", "[all]", "who called whom; ? marks what may be a leftover", this::backtrace),
            new Command("disassemble u", "[ADDRESS] [COUNT]", "instructions, from rip by default", this::disassemble),
            new Command("x", "ADDRESS [BYTES]", "memory by linear address", this::dumpLinear),
            new Command("xp", "ADDRESS [BYTES]", "memory by guest-physical address", this::dumpPhysical),
            new Command("pt", "ADDRESS", "every level of the page tables for a linear address", this::walk),
            new Command(
                    "symbols sym", "NAME|ADDRESS", "address of a symbol, or the symbol at an address", this::symbol),
            new Command("dmesg", "[LINES]", "the kernel's log, from guest memory", this::dmesg),
            new Command("xenstore xs", "[PATH]", "the xenstore below a path", this::xenstore),
            new Command("events", "", "event channels", a -> events()),
            new Command(
                    "hypercalls",
                    "",
                    "how often each hypercall was made",
                    a -> activity().hypercalls()),
            new Command(
                    "stats", "", "instructions, speed, engines, memory; more from the second time on", a -> stats()),
            new Command(
                    "engine", "[NAME]", "who executes the instructions; interpret, translate or verify", this::engine),
            new Command("cpu", "[NUMBER]", "chooses a processor", this::chooseCpu),
            new Command("vcpus", "[COUNT]", "what all processors do; with COUNT, asks for so many online", this::vcpus),
            new Command("step s", "[COUNT]", "executes instructions, and pauses", this::step),
            new Command("pause", "", "stops the guest until 'continue'", a -> pause()),
            new Command("continue c", "", "lets the guest run", a -> resume()),
            new Command("stop", "", "destroys the guest", a -> stop()),
            new Command("quit q", "", "leaves the monitor; the guest runs on", a -> quit()));

    private final Domain domain;
    private final Inspector inspector;
    private int cpu;
    private boolean paused;
    private boolean finished;
    private boolean stopping;
    private long lastTime = System.nanoTime();
    private long lastRetired;
    private boolean asked;

    Monitor(Domain domain) {
        this.domain = domain;
        inspector = domain.inspector();
        lastRetired = inspector.whileOpen(
                () -> domain.retiredInstructions().stream()
                        .mapToLong(Long::longValue)
                        .sum(),
                0L);
    }

    /**
     * Executes a command line.
     *
     * @return its answer, lines that each end with a newline; empty for an empty line
     */
    public synchronized String execute(String line) {
        String[] words = line.strip().split("\\s+");
        if (words[0].isEmpty()) {
            return "";
        }
        Command command = null;
        for (Command candidate : commands) {
            if (candidate.answersTo(words[0].toLowerCase(Locale.ROOT))) {
                command = candidate;
            }
        }
        if (command == null) {
            return "no command '" + words[0] + "': 'help' lists them\n";
        }
        Command found = command;
        List<String> arguments = List.of(words).subList(1, words.length);
        String answer = inspector.whileOpen(() -> run(found, arguments), GONE);
        if (stopping) {
            // Not while we look: whoever destroys waits until nobody does.
            stopping = false;
            domain.destroy();
        }
        return answer;
    }

    private String run(Command command, List<String> arguments) {
        boolean hold = !paused;
        if (hold) {
            inspector.domain().pause();
        }
        try {
            return command.handler.run(arguments);
        } catch (Mistake e) {
            return e.getMessage() + "\n";
        } catch (RuntimeException e) {
            return command.names + " failed: " + e + "\n";
        } finally {
            if (hold && !paused) {
                inspector.domain().unpause();
            }
        }
    }

    /** Whether {@code quit} or {@code stop} was said. */
    public synchronized boolean isFinished() {
        return finished;
    }

    /** Whether the guest stays paused between commands. */
    public synchronized boolean isPaused() {
        return paused;
    }

    /** Leaves: a paused guest goes on. */
    @Override
    public synchronized void close() {
        finished = true;
        inspector.whileOpen(
                () -> {
                    if (paused) {
                        paused = false;
                        inspector.domain().unpause();
                    }
                    return true;
                },
                false);
    }

    // Commands.

    private String help(List<String> arguments) {
        StringBuilder s = new StringBuilder();
        for (Command command : commands) {
            s.append(String.format(
                    "  %-34s %s%n",
                    command.names.replace(" ", ", ") + (command.arguments.isEmpty() ? "" : " " + command.arguments),
                    command.help));
        }
        return s.append("addresses: hexadecimal, a register, a symbol, or SYMBOL+OFFSET; counts are decimal\n")
                .toString();
    }

    private String registers(List<String> arguments) {
        return each(arguments, state -> Registers.format(state, view()));
    }

    private String backtrace(List<String> arguments) {
        return each(arguments, state -> String.join("\n", Backtrace.of(state, view(), FRAMES)) + "\n");
    }

    /** What there is to say about the chosen processor, or about each one. */
    private String each(List<String> arguments, Function<VcpuState, String> text) {
        if (arguments.isEmpty()) {
            return text.apply(state());
        }
        if (!arguments.getFirst().equals("all")) {
            throw new Mistake("'" + arguments.getFirst() + "': say 'all', or nothing for processor " + cpu);
        }
        StringBuilder s = new StringBuilder();
        for (Vcpu vcpu : inspector.domain().vcpus()) {
            s.append(inspector.summary(vcpu)).append('\n').append(text.apply(vcpu.state()));
        }
        return s.toString();
    }

    private String vcpus(List<String> arguments) {
        if (!arguments.isEmpty()) {
            try {
                domain.setVcpus(count(arguments, 0, 0, Integer.MAX_VALUE));
            } catch (IllegalArgumentException e) {
                throw new Mistake(e.getMessage());
            }
        }
        StringBuilder s = new StringBuilder();
        for (Vcpu vcpu : inspector.domain().vcpus()) {
            s.append(inspector.summary(vcpu)).append('\n');
        }
        return s.toString();
    }

    private String disassemble(List<String> arguments) {
        long from = arguments.isEmpty() ? linearRip() : address(arguments.getFirst());
        return CodeText.listing(state(), view(), from, count(arguments, 1, 12, MOST_INSTRUCTIONS));
    }

    private String dumpLinear(List<String> arguments) {
        return MemoryText.linear(state(), view(), address(needed(arguments, "x")), count(arguments, 1, 64, MOST_BYTES));
    }

    private String dumpPhysical(List<String> arguments) {
        return MemoryText.physical(view(), address(needed(arguments, "xp")), count(arguments, 1, 64, MOST_BYTES));
    }

    private String walk(List<String> arguments) {
        long address = address(needed(arguments, "pt"));
        return PageWalk.of(state(), view().memory(), address).format(address);
    }

    private String symbol(List<String> arguments) {
        String word = needed(arguments, "symbols");
        SymbolTable symbols = view().symbols();
        if (symbols.size() == 0) {
            return "this kernel carries no symbols: give a System.map\n";
        }
        OptionalLong named = symbols.address(word);
        if (named.isPresent()) {
            return String.format("%016x %s%n", named.getAsLong(), word);
        }
        if (isHex(word)) {
            return view().describe(address(word)) + "\n";
        }
        List<String> like = new ArrayList<>();
        for (int i = 0; i < symbols.size() && like.size() < 20; i++) {
            if (symbols.get(i).name().contains(word)) {
                like.add(String.format(
                        "%016x %s", symbols.get(i).address(), symbols.get(i).name()));
            }
        }
        return like.isEmpty() ? "no symbol '" + word + "'\n" : String.join("\n", like) + "\n";
    }

    private String dmesg(List<String> arguments) {
        List<String> lines = arguments.isEmpty()
                ? GuestLog.lines(state(), view())
                : GuestLog.last(state(), view(), count(arguments, 0, 20, 1 << 20));
        return String.join("\n", lines) + "\n";
    }

    private String xenstore(List<String> arguments) {
        String root = arguments.isEmpty() ? "/" : arguments.getFirst();
        XenStore store = domain.store();
        if (!root.startsWith("/") || !store.exists(root)) {
            throw new Mistake("no node '" + root + "' in the xenstore");
        }
        StringBuilder s = new StringBuilder();
        tree(store, root, 0, s);
        return s.toString();
    }

    private void tree(XenStore store, String path, int depth, StringBuilder s) {
        String name = depth == 0 ? path : path.substring(path.lastIndexOf('/') + 1);
        s.append("  ".repeat(depth)).append(name);
        String value = store.read(path, "");
        if (!value.isEmpty()) {
            s.append(" = \"").append(value.replace("\n", "\\n")).append('"');
        }
        s.append('\n');
        try {
            for (String child : store.list(path)) {
                tree(store, path.equals("/") ? "/" + child : path + "/" + child, depth + 1, s);
            }
        } catch (StoreException e) {
            s.append("  ".repeat(depth + 1)).append("(removed meanwhile)\n");
        }
    }

    private String events() {
        EventChannels channels = inspector.domain().eventChannels();
        StringBuilder s = new StringBuilder(channels.isFifo() ? "FIFO event channels\n" : "2-level event channels\n");
        try {
            for (int port = 1; ; port++) {
                EventChannels.Status status = channels.status(port);
                if (status.state() != EventChannelOp.STATUS_CLOSED) {
                    s.append(String.format(
                            "port %-4d vcpu %-3d %s%s%n",
                            port, status.vcpu(), kind(status), channels.isPendingOrGone(port) ? "  pending" : ""));
                }
            }
        } catch (HypercallException e) {
            // Behind the last port that there can be.
            return s.toString();
        }
    }

    private static String kind(EventChannels.Status status) {
        return switch (status.state()) {
            case EventChannelOp.STATUS_UNBOUND -> "waits for domain " + status.first();
            case EventChannelOp.STATUS_INTERDOMAIN -> "domain " + status.first() + " port " + status.second();
            case EventChannelOp.STATUS_VIRQ ->
                "virq "
                        + switch (status.first()) {
                            case 0 -> "timer";
                            case 1 -> "debug";
                            case 2 -> "console";
                            default -> Integer.toString(status.first());
                        };
            case EventChannelOp.STATUS_IPI -> "ipi";
            default -> "state " + status.state();
        };
    }

    private String stats() {
        StringBuilder s = new StringBuilder();
        long total = 0;
        s.append(String.format(
                "%,14.3f  s of guest time%n", inspector.domain().clock().now() / 1e9));
        for (Vcpu vcpu : inspector.domain().vcpus()) {
            total += vcpu.state().retired();
        }
        s.append(inspector.statistics());
        inspector.collectStatistics();
        long now = System.nanoTime();
        s.append(String.format(
                "%,14.1f  million instructions/s of host time since %s%n",
                (total - lastRetired) * 1e3 / Math.max(now - lastTime, 1),
                asked ? "the last 'stats'" : "the monitor was opened"));
        asked = true;
        lastTime = now;
        lastRetired = total;
        s.append(String.format(
                "%,14d  KiB of memory belong to the guest%n",
                inspector.domain().memory().ownedFrames() * 4));
        return s.append(activity().counters()).toString();
    }

    private String engine(List<String> arguments) {
        if (!arguments.isEmpty()) {
            try {
                domain.changeEngine(EngineKind.valueOf(arguments.getFirst().toUpperCase(Locale.ROOT)));
            } catch (IllegalArgumentException e) {
                throw new Mistake("no engine '" + arguments.getFirst() + "': interpret, translate or verify");
            } catch (IllegalStateException e) {
                throw new Mistake(e.getMessage());
            }
        }
        StringBuilder s = new StringBuilder();
        for (Vcpu vcpu : inspector.domain().vcpus()) {
            String now = vcpu.engine().name();
            String next = domain.engine(vcpu.id()).toString();
            s.append("processor ").append(vcpu.id()).append(": ").append(now);
            s.append(now.equals(next) ? "" : ", " + next + " from its next instruction on")
                    .append('\n');
        }
        return s.toString();
    }

    private String chooseCpu(List<String> arguments) {
        int count = inspector.domain().vcpus().size();
        if (!arguments.isEmpty()) {
            int chosen = count(arguments, 0, 0, Integer.MAX_VALUE);
            if (chosen >= count) {
                throw new Mistake("there are processors 0 to " + (count - 1));
            }
            cpu = chosen;
        }
        return "processor " + cpu + " of " + count + "\n";
    }

    private String step(List<String> arguments) {
        int count = count(arguments, 0, 1, MOST_STEPS);
        if (count == 0) {
            return "";
        }
        paused = true;
        return String.join("\n", inspector.step(cpu, count)) + "\n";
    }

    private String pause() {
        paused = true;
        return "paused at " + view().describe(state().rip()) + "\n";
    }

    private String resume() {
        if (!paused) {
            return "the guest is running\n";
        }
        paused = false;
        inspector.domain().unpause();
        return "the guest runs\n";
    }

    private String stop() {
        finished = true;
        stopping = true;
        return "the guest was destroyed\n";
    }

    private String quit() {
        finished = true;
        if (paused) {
            resume();
        }
        return "";
    }

    // Words.

    private VcpuState state() {
        return inspector.vcpu(cpu).state();
    }

    private GuestView view() {
        return inspector.view();
    }

    private Activity activity() {
        return inspector.activity();
    }

    private long linearRip() {
        VcpuState state = state();
        return state.in64BitMode() ? state.rip() : state.rip() + state.segmentBase(VcpuState.CS) & 0xffffffffL;
    }

    private static String needed(List<String> arguments, String command) {
        if (arguments.isEmpty()) {
            throw new Mistake(command + " needs an address");
        }
        return arguments.getFirst();
    }

    private static int count(List<String> arguments, int index, int otherwise, int most) {
        if (arguments.size() <= index) {
            return otherwise;
        }
        try {
            int count = Integer.decode(arguments.get(index));
            if (count < 0) {
                throw new Mistake("'" + arguments.get(index) + "' is no count");
            }
            return Math.min(count, most);
        } catch (NumberFormatException e) {
            throw new Mistake("'" + arguments.get(index) + "' is no count");
        }
    }

    private static boolean isHex(String word) {
        return word.matches("(0[xX])?[0-9a-fA-F]{1,16}");
    }

    /** A register, a symbol, a hexadecimal number, or one of them plus or minus a hexadecimal offset. */
    private long address(String word) {
        int sign = Math.max(word.lastIndexOf('+'), word.lastIndexOf('-'));
        if (sign > 0 && isHex(word.substring(sign + 1))) {
            long offset = hex(word.substring(sign + 1));
            long base = address(word.substring(0, sign));
            return word.charAt(sign) == '+' ? base + offset : base - offset;
        }
        String name = word.startsWith("$") ? word.substring(1) : word;
        VcpuState state = state();
        for (int i = 0; i < REGISTERS.length; i++) {
            if (REGISTERS[i].equals(name)) {
                return state.gpr(i);
            }
        }
        switch (name) {
            case "rip" -> {
                return linearRip();
            }
            case "cr2" -> {
                return state.getLong(VcpuState.CR2);
            }
            case "cr3" -> {
                return state.getLong(VcpuState.CR3) & 0x000f_ffff_ffff_f000L;
            }
            default -> {}
        }
        OptionalLong symbol = view().symbols().address(word);
        if (symbol.isPresent()) {
            return symbol.getAsLong();
        }
        if (!isHex(word)) {
            throw new Mistake("'" + word + "' is no address, register or symbol");
        }
        return hex(word);
    }

    private static long hex(String word) {
        return Long.parseUnsignedLong(word.startsWith("0x") || word.startsWith("0X") ? word.substring(2) : word, 16);
    }
}
