package org.xenolith.toolstack;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.xenolith.abi.RunstateInfo;
import org.xenolith.cpu.EngineMeter;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.ShutdownDetail;
import org.xenolith.hypervisor.Trace;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.services.builder.BuiltGuest;
import org.xenolith.services.symbols.SymbolTable;
import org.xenolith.toolstack.inspect.Activity;
import org.xenolith.toolstack.inspect.Backtrace;
import org.xenolith.toolstack.inspect.CrashReport;
import org.xenolith.toolstack.inspect.GuestLog;
import org.xenolith.toolstack.inspect.GuestView;
import org.xenolith.toolstack.inspect.Registers;

/**
 * Looks into a domain: holds its counters and its trace, steps it, and reports its state when it crashed. The monitor's
 * commands are in {@link Monitor}.
 */
public final class Inspector {
    /** Stack traces of our own defects are for those who can mend them. */
    private static final boolean DEBUG = Boolean.getBoolean("xenolith.debug") || System.getenv("XENO_DEBUG") != null;

    private static final int MOST_HANDED_BACK = 15;

    /** Frames of a processor that did not stop the domain itself. */
    private static final int OTHER_FRAMES = 8;
    /** Longest wait for the other processors of a domain that stops, in nanoseconds. */
    private static final long PATIENCE = 1_000_000_000L;

    private final TraceWriter writer;
    private final Activity activity;
    private final List<Interpreter> engines = new ArrayList<>();
    private final StallDetector stalls = new StallDetector(this);
    private final EngineSampler sampler = new EngineSampler(this);
    private final Optional<SymbolTable> givenSymbols;
    private final Supplier<String> name;
    /** Held while somebody looks, so that the state blocks and the memory do not go away meanwhile. */
    private final Object looking = new Object();

    private Domain domain;
    private GuestView view;
    private boolean closed;
    private String lastStatistics = "";

    /** @param name of the domain at any time */
    Inspector(Optional<TraceConfig> config, Optional<SymbolTable> symbols, Supplier<String> name) {
        givenSymbols = symbols;
        this.name = name;
        writer = config.map(TraceWriter::new).orElse(null);
        activity = new Activity(writer);
    }

    /** A domain was made, and has no memory yet. */
    void watch(Domain empty) {
        if (writer != null) {
            writer.watch(empty);
        }
    }

    void inspect(Domain inspected, BuiltGuest guest) {
        domain = inspected;
        view = new GuestView(
                inspected.memory().map(),
                guest.kernelStart(),
                guest.kernelEnd(),
                () -> givenSymbols.orElseGet(
                        () -> SymbolTable.of(inspected.memory().map(), guest.kernelStart(), guest.kernelEnd())));
        if (writer != null) {
            writer.inspect(inspected, view);
        }
    }

    /** What the domain reports to. */
    Trace trace() {
        return activity;
    }

    void attach(Interpreter engine) {
        engine.setTracer(writer == null ? null : writer.forProcessor(engines.size()));
        engines.add(engine);
    }

    void start() {
        stalls.start();
    }

    /** From now on nobody looks. Returns when nobody does. */
    void close() {
        synchronized (looking) {
            if (!closed && domain != null) {
                lastStatistics = statistics();
            }
            closed = true;
        }
        stalls.close();
        sampler.close();
    }

    /** Runs something that looks at the domain, unless the domain is gone: then {@code otherwise} is the answer. */
    <T> T whileOpen(Supplier<T> look, T otherwise) {
        synchronized (looking) {
            return closed ? otherwise : look.get();
        }
    }

    void warning(String text) {
        if (writer != null) {
            writer.note(text);
        }
    }

    /** The guest's memory and symbols. */
    public GuestView view() {
        return view;
    }

    /** What the guest did at its boundary so far. */
    public Activity activity() {
        return activity;
    }

    Domain domain() {
        return domain;
    }

    Vcpu vcpu(int id) {
        return domain.vcpus().get(id);
    }

    /**
     * A line that says where the guest is when it has been spinning with interrupts off for seconds, and has done
     * nothing else: nothing but a reset gets it out of there. Empty while it is well.
     */
    public Optional<String> stall() {
        return stalls.stall();
    }

    StallDetector stalls() {
        return stalls;
    }

    EngineMeter meter(int vcpu) {
        return engines.get(vcpu).meter();
    }

    /**
     * From now on measures what the virtual CPUs spend their time with, and counts by name the instructions that the
     * translator hands to the interpreter.
     */
    public void collectStatistics() {
        engines.forEach(engine -> engine.meter().collectDetails());
        sampler.start();
    }

    /** What the engines have done so far, or did until the domain was destroyed; it should be paused, or have ended. */
    public String statistics() {
        return whileOpen(
                () -> {
                    StringBuilder s = new StringBuilder();
                    domain.vcpus().forEach(vcpu -> statistics(vcpu, s));
                    return s.toString();
                },
                lastStatistics);
    }

    private void statistics(Vcpu vcpu, StringBuilder s) {
        long[] runstate = vcpu.runstate();
        long running = runstate[2 + RunstateInfo.RUNNING];
        long blocked = runstate[2 + RunstateInfo.BLOCKED];
        long retired = vcpu.state().retired();
        s.append(String.format(
                "%,14d  instructions on processor %d (%s), %.1f million/s over %.3f s of running, and %.3f s of sleep%n",
                retired,
                vcpu.id(),
                vcpu.engine().name(),
                running == 0 ? 0 : retired * 1e3 / running,
                running / 1e9,
                blocked / 1e9));
        s.append(vcpu.engine().statistics());
        EngineMeter meter = meter(vcpu.id());
        if (!meter.shares().isEmpty()) {
            s.append("time of running: ").append(meter.shares()).append('\n');
        }
        List<EngineMeter.Entry> handedBack = meter.mostHandedBack(MOST_HANDED_BACK);
        if (!handedBack.isEmpty()) {
            s.append("handed to the interpreter most often (* for operands that are not emitted):\n");
            handedBack.forEach(entry -> s.append(String.format("%,14d  %s%n", entry.count(), entry.name())));
        }
    }

    /** Registers of all processors; the domain should be paused. */
    public String state() {
        return whileOpen(
                () -> {
                    if (domain.vcpus().size() == 1) {
                        return Registers.format(vcpu(0).state(), view);
                    }
                    StringBuilder s = new StringBuilder();
                    for (Vcpu vcpu : domain.vcpus()) {
                        s.append(summary(vcpu)).append('\n').append(Registers.format(vcpu.state(), view));
                    }
                    return s.toString();
                },
                "the guest is gone\n");
    }

    /** A line about a processor: what it is doing, and where. */
    String summary(Vcpu vcpu) {
        VcpuState state = vcpu.state();
        String doing =
                vcpu.isDown() ? "offline" : state.getInt(VcpuState.ACTIVITY) == VcpuState.HALTED ? "halted" : "running";
        return String.format(
                "processor %d: %s at %s, engine %s",
                vcpu.id(), doing, view.describe(state.rip()), vcpu.engine().name());
    }

    /** What all processors but one do; in full for those that were not asleep. */
    private String others(int id) {
        StringBuilder s = new StringBuilder();
        boolean all = domain.awaitOutside(PATIENCE);
        if (!all) {
            s.append("some of the other processors have not stopped: what follows about them may be old\n");
        }
        for (Vcpu vcpu : domain.vcpus()) {
            if (vcpu.id() == id) {
                continue;
            }
            s.append(summary(vcpu)).append('\n');
            if (!vcpu.isDown() && vcpu.state().getInt(VcpuState.ACTIVITY) == VcpuState.ACTIVE) {
                s.append(Registers.format(vcpu.state(), view));
                s.append("calls:\n")
                        .append(String.join("\n", Backtrace.of(vcpu.state(), view, OTHER_FRAMES)))
                        .append('\n');
            }
        }
        return s.toString();
    }

    /** What the guest's kernel said when it panicked, or {@code otherwise}. On the thread that stops the domain. */
    String panicReason(ShutdownDetail detail, String otherwise) {
        try {
            String reason =
                    GuestLog.panicReason(vcpu(Math.max(detail.vcpu(), 0)).state(), view);
            return reason == null ? otherwise : reason;
        } catch (RuntimeException e) {
            return otherwise + " (its log cannot be read: " + e + ")";
        }
    }

    /** One screen about why the domain stopped. On the thread that stops it. */
    String crashReport(ShutdownDetail detail, String reason) {
        int id = Math.max(detail.vcpu(), 0);
        VcpuState state = vcpu(id).state();
        if (writer != null) {
            writer.finish(id, state);
        }
        String processor = String.format(
                "virtual CPU %d of %d, engine %s, %.3f s of guest time",
                id,
                domain.vcpus().size(),
                vcpu(id).engine().name(),
                domain.clock().now() / 1e9);
        String details = detail.cause() != null
                ? ""
                : detail.message().lines().skip(1).map(line -> line + "\n").collect(Collectors.joining());
        return CrashReport.format(
                "guest \"" + name.get() + "\": " + reason,
                details,
                processor,
                state,
                view,
                () -> others(id),
                detail.cause(),
                DEBUG);
    }

    /**
     * Lets a paused processor execute instructions, with interrupts as they come, and pauses the domain again.
     *
     * @return a line for each of the last instructions
     */
    List<String> step(int vcpu, int count) {
        Interpreter engine = engines.get(vcpu);
        Stepper stepper = new Stepper(domain, view, count);
        engine.setTracer(stepper);
        domain.unpause();
        boolean done = false;
        try {
            done = stepper.await(2 + count / 50_000, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (!done && stepper.giveUp()) {
            domain.pause();
        }
        // The second pause returns when the processor has really left the guest.
        domain.pause();
        domain.unpause();
        engine.setTracer(writer == null ? null : writer.forProcessor(vcpu));
        return stepper.lines(vcpu(vcpu).state(), done);
    }
}
