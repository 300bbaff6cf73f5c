package org.xenolith.toolstack;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.xenolith.cpu.CpuTracer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Disassembler;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.StateHash;
import org.xenolith.hypervisor.Trace;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.toolstack.inspect.GuestView;
import org.xenolith.toolstack.inspect.HypercallText;

/**
 * Writes the lines of {@code --trace}. A line begins with the domain's time, the virtual CPU and the instructions that
 * it has retired: {@code [    1.234567] v0 #98765432 hypercall event_channel_op(send, 0xffff…) {port 5} = 0 at
 * notify_…}.
 */
final class TraceWriter implements Trace {
    private static final String[] GENERAL = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
    };

    private final Set<TraceConfig.Kind> kinds;
    private final Consumer<String> sink;
    private final Map<Integer, Processor> processors = new ConcurrentHashMap<>();
    private final long hashInterval;
    private Domain domain;
    private GuestView view;
    private StateHash hash;

    TraceWriter(TraceConfig config) {
        kinds = config.kinds();
        hashInterval = config.hashInterval();
        sink = config.sink();
    }

    /** Hears of every store from now on, for the hashes. Before the domain has memory. */
    void watch(Domain empty) {
        if (kinds.contains(TraceConfig.Kind.HASH)) {
            hash = new StateHash(empty.memory());
        }
    }

    void inspect(Domain inspected, GuestView guest) {
        domain = inspected;
        view = guest;
    }

    /** The part of the trace that an engine must tell; null when nothing of it is wanted. */
    CpuTracer forProcessor(int id) {
        if (!kinds.contains(TraceConfig.Kind.INSN) && !kinds.contains(TraceConfig.Kind.EXCEPTION)) {
            return null;
        }
        Processor processor = new Processor(id);
        processors.put(id, processor);
        return processor;
    }

    /** Writes the line of the last instruction, which waits for what it changes. On the processor's thread. */
    void finish(int id, VcpuState state) {
        Processor processor = processors.get(id);
        if (processor != null) {
            processor.finish(state);
        }
    }

    private void line(int id, long retired, String text) {
        long now = domain == null ? 0 : domain.clock().now();
        sink.accept(
                String.format("[%5d.%06d] v%d #%d %s", now / 1_000_000_000, now / 1000 % 1_000_000, id, retired, text));
    }

    /** Something that a service found worth saying. */
    void note(String text) {
        sink.accept(text);
    }

    private void line(Vcpu vcpu, String text) {
        line(vcpu.id(), vcpu.state().retired(), text);
    }

    /** Where in the guest: a stub that only makes the hypercall is nobody's news, so its caller is named. */
    private String place(VcpuState state) {
        String name = view == null ? null : view.symbolAt(state.rip());
        if (name != null && (name.startsWith("xen_hypercall_") || name.startsWith("hypercall_page"))) {
            String caller = view.symbolAt(view.readLong(state, state.gpr(VcpuState.RSP), 0));
            return " at " + (caller == null ? name : caller);
        }
        return " at " + (name == null ? "0x" + Long.toHexString(state.rip()) : name);
    }

    @Override
    public void hypercall(Vcpu vcpu, long number, long[] arguments, long result) {
        if (kinds.contains(TraceConfig.Kind.HYPERCALL)) {
            line(
                    vcpu,
                    "hypercall " + HypercallText.format(vcpu.state(), view, number, arguments, result)
                            + place(vcpu.state()));
        }
    }

    @Override
    public void port(Vcpu vcpu, boolean write, int port, int bytes, int value) {
        if (kinds.contains(TraceConfig.Kind.PORT)) {
            String size = bytes == 1 ? "byte" : bytes == 2 ? "word" : "dword";
            line(
                    vcpu,
                    String.format(
                            "%s port 0x%x %s 0x%x%s", write ? "out" : "in", port, size, value, place(vcpu.state())));
        }
    }

    @Override
    public void msr(Vcpu vcpu, boolean write, int msr, long value, boolean accepted) {
        if (kinds.contains(TraceConfig.Kind.MSR)) {
            String outcome = !accepted
                    ? write ? " 0x" + Long.toHexString(value) + " -> #GP" : " -> #GP"
                    : " 0x" + Long.toHexString(value);
            line(vcpu, String.format("%s msr 0x%08x%s%s", write ? "write" : "read", msr, outcome, place(vcpu.state())));
        }
    }

    @Override
    public void mmio(Vcpu vcpu, boolean write, long gpa, int bytes, long value) {
        if (kinds.contains(TraceConfig.Kind.MMIO)) {
            line(
                    vcpu,
                    String.format(
                            "%s mmio 0x%x %d bytes 0x%x%s",
                            write ? "write" : "read", gpa, bytes, value, place(vcpu.state())));
        }
    }

    @Override
    public void interrupt(Vcpu vcpu, int vector) {
        if (kinds.contains(TraceConfig.Kind.INTERRUPT)) {
            line(vcpu, String.format("interrupt 0x%02x%s", vector, place(vcpu.state())));
        }
    }

    @Override
    public long checkpointInterval() {
        return kinds.contains(TraceConfig.Kind.HASH) ? hashInterval : 0;
    }

    @Override
    public void checkpoint(Vcpu vcpu) {
        line(
                vcpu,
                String.format(
                        "hash cpu %016x memory %016x", StateHash.ofProcessor(vcpu.state()), hash.ofMemory(domain)));
    }

    @Override
    public void event(Vcpu vcpu, int port) {
        // Locks are held: nothing here looks into the domain.
        if (kinds.contains(TraceConfig.Kind.EVENT)) {
            line(vcpu, "event port " + port + " raised");
        }
    }

    /** One processor's instructions and exceptions. */
    private final class Processor implements CpuTracer {
        private final int id;
        private final boolean instructions = kinds.contains(TraceConfig.Kind.INSN);
        private final boolean exceptions = kinds.contains(TraceConfig.Kind.EXCEPTION);
        private final long[] before = new long[16];
        private Disassembler disassembler;
        /** The instruction that is executing: its line waits for what it changes. */
        private String pending;

        private long pendingRetired;

        Processor(int id) {
            this.id = id;
        }

        @Override
        public boolean instructions() {
            return instructions;
        }

        @Override
        public void instruction(VcpuState state, long linear, Insn insn) {
            finish(state);
            if (disassembler == null) {
                disassembler = new Disassembler(view == null ? Disassembler.Symbols.NONE : view.names());
            }
            String name = view == null ? null : view.symbolAt(linear);
            pending = String.format(
                    "%x %s%s", linear, name == null ? "" : "<" + name + "> ", disassembler.text(insn, linear));
            pendingRetired = state.retired();
            for (int i = 0; i < 16; i++) {
                before[i] = state.gpr(i);
            }
        }

        private void finish(VcpuState state) {
            if (pending == null) {
                return;
            }
            StringBuilder s = new StringBuilder(pending);
            String separator = "  ;";
            for (int i = 0; i < 16; i++) {
                if (state.gpr(i) != before[i]) {
                    s.append(separator)
                            .append(' ')
                            .append(GENERAL[i])
                            .append('=')
                            .append(Long.toHexString(state.gpr(i)));
                    separator = "";
                }
            }
            pending = null;
            line(id, pendingRetired, s.toString());
        }

        @Override
        public void exception(VcpuState state, int vector, int errorCode) {
            finish(state);
            if (!exceptions) {
                return;
            }
            StringBuilder s = new StringBuilder("exception #").append(GuestFault.name(vector));
            if (GuestFault.hasErrorCode(vector)) {
                s.append(" error 0x").append(Integer.toHexString(errorCode));
            }
            if (vector == GuestFault.PF) {
                s.append(pageFault(errorCode))
                        .append(" address 0x")
                        .append(Long.toHexString(state.getLong(VcpuState.CR2)));
            }
            line(id, state.retired(), s.append(place(state)).toString());
        }

        private String pageFault(int error) {
            return " (" + ((error & 0x10) != 0 ? "fetch" : (error & 2) != 0 ? "write" : "read")
                    + ((error & 4) != 0 ? ", user" : ", kernel")
                    + ((error & 1) != 0 ? ", protection)" : ", not present)");
        }

        @Override
        public void interrupt(VcpuState state, int vector) {
            finish(state);
        }
    }
}
