package org.xenolith.cpu.semantics;

import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.HashMap;
import java.util.Map;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * One processor in flat 32-bit protected mode with two pages of memory, that takes its x87 state from a 108-byte FSAVE
 * image, runs one instruction whose memory operand is at [ESI], and gives the state back as such an image.
 */
final class X87Rig implements AutoCloseable {
    static final int IMAGE = 108;
    private static final long OPERAND = 0x1100;

    final VcpuState state = new VcpuState();
    final Cpu cpu;
    private final Arena arena = Arena.ofConfined();
    private final long memory = arena.allocate(8192, 4096).address();
    private final Decoder decoder = new Decoder();
    private final Map<String, MethodHandle> bindings = new HashMap<>();

    private final class Pages implements GuestPhysical {
        @Override
        public long frameForRead(long gfn) {
            return gfn < 2 ? memory + gfn * 4096 : 0;
        }

        @Override
        public long frameForWrite(long gfn) {
            return frameForRead(gfn);
        }
    }

    X87Rig() {
        for (int segment = VcpuState.ES; segment <= VcpuState.GS; segment++) {
            state.setSegment(segment, 0x2b, 0, -1, 0xC093);
        }
        state.setSegment(VcpuState.CS, 0x33, 0, -1, 0xC09B);
        state.setLong(VcpuState.CR0, 0x33);
        state.setGpr(VcpuState.RSI, OPERAND);
        cpu = new Cpu(state, null, new Pages());
    }

    /** Address of the memory operand. */
    long operand() {
        return memory + OPERAND;
    }

    /** The decoded instruction, or null when it is not one. */
    Insn decode(int... bytes) {
        return decoder.decode(offset -> offset < bytes.length ? bytes[offset] & 0xff : 0x90, 0, 2);
    }

    /** Runs an instruction; -1 or the vector of the fault that it raised. */
    int run(Insn insn) {
        try {
            bindings.computeIfAbsent(insn.row.semantics, X87Rig::bind).invokeExact(cpu, insn);
            return -1;
        } catch (GuestFault fault) {
            return fault.vector;
        } catch (Throwable e) {
            throw new IllegalStateException(insn.row.text, e);
        }
    }

    private static MethodHandle bind(String semantics) {
        int hash = semantics.indexOf('#');
        String name = hash < 0 ? semantics : semantics.substring(0, hash);
        int dot = name.indexOf('.');
        try {
            Class<?> family = Class.forName("org.xenolith.cpu.semantics." + name.substring(0, dot));
            MethodType type = MethodType.methodType(void.class, Cpu.class, Insn.class);
            if (hash < 0) {
                return MethodHandles.lookup().findStatic(family, name.substring(dot + 1), type);
            }
            MethodHandle handle = MethodHandles.lookup()
                    .findStatic(family, name.substring(dot + 1), type.appendParameterTypes(int.class));
            return MethodHandles.insertArguments(handle, 2, Integer.parseInt(semantics.substring(hash + 1)));
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(semantics, e);
        }
    }

    /** Takes state from an image in 32-bit protected format. */
    void load(byte[] image, int at) {
        Raw.copy(image, at, operand(), IMAGE);
        state.setShort(VcpuState.FSW, 0);
        run(decode(0xDD, 0x26));
    }

    /** Stores the state as an image, and initializes the x87. */
    void save(byte[] image, int at) {
        run(decode(0xDD, 0x36));
        Raw.copy(operand(), image, at, IMAGE);
    }

    void setFlags(long rflags) {
        Flags.set(cpu, rflags);
    }

    long flags() {
        return Flags.get(cpu);
    }

    @Override
    public void close() {
        cpu.close();
        state.close();
        arena.close();
    }
}
