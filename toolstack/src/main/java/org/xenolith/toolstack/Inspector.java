package org.xenolith.toolstack;

import java.util.Optional;
import org.xenolith.cpu.CpuTracer;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.ShutdownDetail;
import org.xenolith.hypervisor.Trace;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.services.builder.BuiltGuest;

/** Looks into a domain: traces what it does, and reports its state when it crashed. */
public final class Inspector {
    private final TraceConfig config;
    private Domain domain;
    private BuiltGuest built;

    Inspector(Optional<TraceConfig> config) {
        this.config = config.orElse(null);
    }

    void inspect(Domain inspected, BuiltGuest guest) {
        domain = inspected;
        built = guest;
    }

    Trace trace() {
        if (config == null) {
            return null;
        }
        return new Trace() {
            @Override
            public void hypercall(Vcpu vcpu, long number, long[] arguments, long result) {
                if (config.kinds().contains(TraceConfig.Kind.HYPERCALL)) {
                    StringBuilder s = new StringBuilder("hypercall ").append(number);
                    for (long a : arguments) {
                        s.append(" 0x").append(Long.toHexString(a));
                    }
                    config.sink().accept(s.append(" = ").append(result).toString());
                }
            }

            @Override
            public void port(Vcpu vcpu, boolean write, int port, int bytes, int value) {
                if (config.kinds().contains(TraceConfig.Kind.PORT)) {
                    config.sink().accept((write ? "out " : "in ") + Integer.toHexString(port) + "/" + bytes + " "
                            + Integer.toHexString(value));
                }
            }

            @Override
            public void msr(Vcpu vcpu, boolean write, int msr, long value, boolean accepted) {
                if (config.kinds().contains(TraceConfig.Kind.MSR)) {
                    config.sink().accept((write ? "wrmsr " : "rdmsr ") + Integer.toHexString(msr) + " "
                            + Long.toHexString(value) + (accepted ? "" : " #GP"));
                }
            }

            @Override
            public void mmio(Vcpu vcpu, boolean write, long gpa, int bytes, long value) {
                if (config.kinds().contains(TraceConfig.Kind.MMIO)) {
                    config.sink().accept((write ? "mmio write " : "mmio read ") + Long.toHexString(gpa) + "/" + bytes + " "
                            + Long.toHexString(value));
                }
            }
        };
    }

    void attach(Interpreter engine) {
        if (config == null) {
            return;
        }
        boolean insns = config.kinds().contains(TraceConfig.Kind.INSN);
        engine.setTracer(new CpuTracer() {
            @Override
            public boolean instructions() {
                return insns;
            }

            @Override
            public void instruction(VcpuState state, long linear, Insn insn) {
                config.sink().accept(String.format("%x %-8s rax %x rbx %x rcx %x rdx %x rsp %x fl %x", linear, insn.row.mnemonic, state.gpr(0), state.gpr(3), state.gpr(1), state.gpr(2), state.gpr(4), state.rflags()));
            }

            @Override
            public void exception(VcpuState state, int vector, int errorCode) {
                if (config.kinds().contains(TraceConfig.Kind.EXCEPTION)) {
                    config.sink().accept("exception #" + GuestFault.name(vector) + " " + Integer.toHexString(errorCode)
                            + " at " + Long.toHexString(state.rip()) + " cr2 " + Long.toHexString(state.getLong(VcpuState.CR2)));
                }
            }

            @Override
            public void interrupt(VcpuState state, int vector) {
                if (config.kinds().contains(TraceConfig.Kind.INTERRUPT)) {
                    config.sink().accept("interrupt " + vector + " at " + Long.toHexString(state.rip()));
                }
            }
        });
    }

    void hypervisorConsole(byte[] bytes, int offset, int length) {
        System.err.write(bytes, offset, length);
    }

    void warning(String text) {
        if (config != null) {
            config.sink().accept(text);
        }
    }

    /** Registers of processor 0; the domain should be paused. */
    public String state() {
        return crashReport(new ShutdownDetail(0, "state", 0, null));
    }

    String crashReport(ShutdownDetail detail) {
        VcpuState state = domain.vcpus().get(Math.max(detail.vcpu(), 0)).state();
        StringBuilder s = new StringBuilder(detail.toString()).append('\n');
        for (int n = 0; n < 16; n++) {
            s.append(String.format("r%-2d %016x%s", n, state.gpr(n), n % 4 == 3 ? "\n" : "  "));
        }
        s.append(String.format(
                "rip %016x rflags %x cr0 %x cr2 %x cr3 %x cr4 %x cpl %d%n",
                state.rip(),
                state.rflags(),
                state.getLong(VcpuState.CR0),
                state.getLong(VcpuState.CR2),
                state.getLong(VcpuState.CR3),
                state.getLong(VcpuState.CR4),
                state.cpl()));
        if (detail.cause() != null) {
            java.io.StringWriter w = new java.io.StringWriter();
            detail.cause().printStackTrace(new java.io.PrintWriter(w));
            s.append(w);
        }
        return s.toString();
    }
}
