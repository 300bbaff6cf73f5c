package org.xenolith.cpu.interpret;

import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.Predicate;
import org.xenolith.cpu.CpuTracer;
import org.xenolith.cpu.CpuidPolicy;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.EngineMeter;
import org.xenolith.cpu.LinearMemory;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.World;
import org.xenolith.cpu.core.CodeWatch;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.core.Interrupts;
import org.xenolith.cpu.core.SharedCode;
import org.xenolith.cpu.core.Uncounted;
import org.xenolith.cpu.decode.CodeBytes;
import org.xenolith.cpu.decode.Decoder;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * The interpreter engine: decodes once into blocks of operations, runs blocks, looks at events between them.
 *
 * <p>Two gears. The fast one runs whole blocks found through a jump cache, which is indexed by linear address and
 * forgotten when translations change, in front of {@link CodePages}, which is indexed by host frame. The slow one runs one
 * instruction with every check: it serves single-stepping, breakpoints, interrupt shadows, instruction traces, and the
 * last instructions of a budget.
 */
public final class Interpreter implements Engine, AutoCloseable {
    private static final int MAX_BLOCK = 48;
    /** Decoded operations to keep, about 100 bytes each; a boot to a shell needs 400,000. */
    private static final int MAX_OPERATIONS = 800_000;

    private static final int JUMP_CACHE = 1 << 13;
    private static final int JUMP_PAGES = 1 << 12;
    private static final int MAX_GENERATION = 1 << 13;
    private static final long LINEAR_MASK = (1L << 48) - 1;

    private static final long DR6_SINGLE_STEP = 1L << 14;
    private static final int SHADOW_MOV_SS = 2;
    private static final long DEBUGCTL_BRANCH_STEPS = 2;
    /** The host keeps the order that x86 guests expect, if the compiler does. */
    private static final boolean TSO_HOST = System.getProperty("os.arch").equals("amd64");

    private static final byte[] FORCED_EMULATION = {0x0F, 0x0B, 'x', 'e', 'n'};

    private final VcpuState state;
    private final World world;
    private final Cpu c;
    private final CodePages pages = new CodePages();
    private final Decoder decoder = new Decoder();
    private final Fetcher fetcher = new Fetcher();
    private final Linear linear = new Linear();
    private final Watch watch = new Watch();
    private Predicate<String> features = feature -> true;
    private boolean forcedEmulation;

    /** Tag: low 48 bits of the linear address, above them generation, mode and privilege. Zero never matches: mode is 1..3. */
    private final long[] jumpTags = new long[JUMP_CACHE];

    private final Block[] jumpBlocks = new Block[JUMP_CACHE];
    /**
     * Generations of the jump cache for the lower and the upper half of the address space. A change of CR3 spares global
     * pages, which are a kernel's, so the upper half survives it unless a page there was not global.
     */
    private int lowGeneration;

    private int highGeneration;
    private boolean highHasLocalPages;
    /** Pages, by the low bits of their number, that jumps were cached into: spares INVLPG of data the flush. */
    private final long[] jumpPages = new long[JUMP_PAGES / 64];

    /** Instructions that a block made now may have. */
    private int blockLimit = MAX_BLOCK;

    private final EngineMeter meter = new EngineMeter();
    private CpuTracer tracer;
    private long seenCr0;
    private long seenCr3;
    private long seenCr4;
    private long seenEfer;

    /** An engine for one virtual CPU that implements every instruction of the table. */
    public Interpreter(VcpuState state, World world, GuestPhysical memory) {
        this.state = state;
        this.world = world;
        c = new Cpu(state, world, memory);
        c.setCodeWatch(watch);
    }

    /** An engine that refuses (#UD) the instructions whose CPUID feature the policy hides. */
    public Interpreter(VcpuState state, World world, GuestPhysical memory, CpuidPolicy policy) {
        this(state, world, memory);
        features = policy::has;
        forcedEmulation = policy.isForcedEmulation();
    }

    /** Whether the guest has the instructions of a CPUID feature; without them they are #UD. */
    public boolean hasFeature(String name) {
        return features.test(name);
    }

    @Override
    public VcpuState state() {
        return state;
    }

    @Override
    public String name() {
        return "interpret";
    }

    @Override
    public LinearMemory linear() {
        return linear;
    }

    @Override
    public void flushTlb() {
        c.flushTlb();
    }

    @Override
    public void forEachWritableFrame(LongConsumer hostFrame) {
        c.tlb().forEachWritable(hostFrame);
    }

    @Override
    public void invalidateFrame(long gfn) {
        long frame = c.memory.frameForRead(gfn);
        if (frame != 0) {
            pages.written(frame, 0, GuestPhysical.FRAME_SIZE);
        }
    }

    /** Joins the other processors that run on the same memory; before the first instruction. */
    public void share(SharedCode code) {
        c.share(code);
    }

    /** Hears exceptions, interrupts and, if it wants, every instruction; null for silence. */
    public void setTracer(CpuTracer tracer) {
        this.tracer = tracer;
        if (isTracingInstructions()) {
            state.raise(VcpuState.EVENT_STEP);
        }
    }

    /** Whether somebody wants to hear every instruction, so that this engine must execute them. */
    public boolean isTracingInstructions() {
        return tracer != null && tracer.instructions();
    }

    /** The guest-physical address behind a linear address for tools, or -1: no faults, no accessed bits. */
    public long translateForTools(long va) {
        return c.translateForTools(va);
    }

    // ---------------------------------------------------------------- the loop

    @Override
    public VcpuExit run(long budget) {
        c.enterGuest();
        try {
            enter();
            return execute(budget);
        } finally {
            c.leaveGuest();
        }
    }

    /**
     * Runs a few instructions that translated code leaves to this engine, within a run that began with {@link #enter}:
     * since then nobody but translated code has changed the state block, and nothing of it that {@link Cpu#refresh} reads.
     * Decodes no more than what is to run.
     */
    public VcpuExit step(int count) {
        Flags.setArithmetic(c, state.rflags());
        blockLimit = count;
        try {
            return execute(count);
        } finally {
            blockLimit = MAX_BLOCK;
        }
    }

    private VcpuExit execute(long budget) {
        int outer = meter.begin(EngineMeter.Phase.INTERPRETER);
        long before = state.retired();
        try {
            return loop(budget);
        } finally {
            c.uncounted = false;
            Raw.putLong(c.base + VcpuState.RFLAGS, Flags.get(c));
            meter.addInterpreted(state.retired() - before);
            meter.resume(outer);
        }
    }

    /** Where this engine, and those that are built on it, account for what they do. */
    public EngineMeter meter() {
        return meter;
    }

    @Override
    public String statistics() {
        return String.format(
                "%,14d  instructions retired by the interpreter%n%,14d  operations decoded since its cache was emptied%n"
                        + "%,14d  TLB fills%n",
                meter.interpreted(), pages.operations(), c.tlb().fills());
    }

    /**
     * Names the instructions that come next to somebody who counts them: up to {@code count}, as far as they lie in one
     * block. Nothing else happens, faults neither.
     */
    public void upcoming(int count, Consumer<Insn> to) {
        long cr2 = state.getLong(VcpuState.CR2);
        blockLimit = count;
        try {
            Block block = lookup();
            for (int i = 0; i < count && i < block.instructions; i++) {
                to.accept(block.ops[i].insn);
            }
        } catch (GuestFault fault) {
            state.setLong(VcpuState.CR2, cr2);
        } finally {
            blockLimit = MAX_BLOCK;
        }
    }

    /** The processor, for an engine that runs translated code on it between two calls of {@link #run}. */
    public Cpu cpu() {
        return c;
    }

    /** What this engine must hear about stores to code, for an engine that puts its own watch in front. */
    public CodeWatch codeWatch() {
        return watch;
    }

    /** Takes over what others changed in the state block since the last run; {@link #run} begins with it. */
    public void enter() {
        Flags.setArithmetic(c, state.rflags());
        c.exit = null;
        c.refresh();
        long cr0 = state.getLong(VcpuState.CR0);
        long cr3 = state.getLong(VcpuState.CR3);
        long cr4 = state.getLong(VcpuState.CR4);
        long efer = state.getLong(VcpuState.EFER);
        if (cr0 != seenCr0 || cr3 != seenCr3 || cr4 != seenCr4 || efer != seenEfer) {
            c.flushTlb();
            remember();
        }
        if (stepping()) {
            state.raise(VcpuState.EVENT_STEP);
        }
    }

    /**
     * Executes up to {@code most} instructions behind {@link #enter}, and looks at no event. Stops before one that faults: of that one nothing
     * has happened, and nobody has delivered anything.
     *
     * @return how many were executed; registers, rip and flags are behind the last of them, and nothing is counted as retired
     */
    public int attempt(int most) {
        long cr2 = state.getLong(VcpuState.CR2);
        Flags.setArithmetic(c, state.rflags());
        int done = 0;
        Block block = null;
        int i = 0;
        while (done < most) {
            // Instructions that cast a shadow end their block: it is over with the next one.
            int shadow = state.getInt(VcpuState.SHADOW);
            state.setInt(VcpuState.SHADOW, 0);
            try {
                i = 0;
                block = null;
                block = lookup();
                int n = Math.min(block.instructions, most - done);
                int length = n == block.instructions ? block.ops.length : n;
                for (i = 0; i < length; i++) {
                    block.ops[i].execute(c);
                }
                done += n;
                if (n < block.instructions) {
                    c.setRip(c.wrapRip(c.rip() + block.offsets[n], block.mode));
                }
            } catch (GuestFault fault) {
                state.setLong(VcpuState.CR2, cr2);
                if (i == 0) {
                    state.setInt(VcpuState.SHADOW, shadow);
                }
                if (block != null) {
                    done += i;
                    c.setRip(c.wrapRip(c.rip() + block.offsets[i], block.mode));
                }
                break;
            } catch (Op.Stale.Stop stop) {
                done += i;
                c.setRip(c.wrapRip(c.rip() + block.offsets[i], block.mode));
            } catch (RuntimeException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IllegalStateException("semantics threw a checked exception", e);
            }
        }
        Raw.putLong(c.base + VcpuState.RFLAGS, Flags.get(c));
        return done;
    }

    private VcpuExit loop(long budget) {
        final Cpu c = this.c;
        final long eventsAt = c.base + VcpuState.EVENTS;
        final long retiredAt = c.base + VcpuState.RETIRED;
        long left = budget;
        long retired = Raw.getLong(retiredAt);
        final boolean ordered = TSO_HOST || c.isShared();
        Block block = null;
        int i = 0;
        while (true) {
            try {
                // Events and interrupt shadow are neighbours: one load sees both.
                while (left > 0 && quiet(Raw.getLong(eventsAt))) {
                    block = null;
                    block = lookup();
                    int n = block.instructions;
                    if (n > left) {
                        break;
                    }
                    c.uncounted = n > 1;
                    Op[] ops = block.ops;
                    int length = ops.length;
                    for (i = 0; i < length; i++) {
                        ops[i].execute(c);
                        if (ordered) {
                            // Other processors see this one's loads and stores in program order, but for loads that
                            // pass stores. On x86 hosts these are no instructions and hold back the compiler only.
                            VarHandle.acquireFence();
                            VarHandle.releaseFence();
                        }
                    }
                    left -= n;
                    retired += n;
                    Raw.putLong(retiredAt, retired);
                    if (c.exit != null) {
                        return leave();
                    }
                }
                c.uncounted = false;
                block = null;
                if (left <= 0) {
                    return leave(VcpuExit.BudgetSpent.INSTANCE);
                }
                VcpuExit exit = events();
                if (exit != null) {
                    return leave(exit);
                }
                if (state.getInt(VcpuState.SHADOW) == 0 && quiet(Raw.getLong(eventsAt)) && left >= MAX_BLOCK) {
                    continue;
                }
                if (slowly()) {
                    left--;
                    retired++;
                    Raw.putLong(retiredAt, retired);
                }
                if (c.exit != null) {
                    return leave();
                }
            } catch (GuestFault fault) {
                c.uncounted = false;
                if (block != null && i < block.ops.length && i >= 0) {
                    int done = Math.min(i, block.instructions);
                    left -= done;
                    retired += done;
                    Raw.putLong(retiredAt, retired);
                    c.setRip(c.wrapRip(c.rip() + block.offsets[done], block.mode));
                }
                if (forcedEmulation && fault.vector == GuestFault.UD && skipForcedEmulationPrefix()) {
                    block = null;
                    continue;
                }
                VcpuExit exit = raise(fault, block != null ? block.ops[i].insn : stepped);
                block = null;
                if (exit != null) {
                    return leave(exit);
                }
            } catch (Op.Stale.Stop stop) {
                left -= i;
                retired += i;
                Raw.putLong(retiredAt, retired);
                c.setRip(c.wrapRip(c.rip() + block.offsets[i], block.mode));
                block = null;
            } catch (Uncounted alone) {
                left -= i;
                retired += i;
                Raw.putLong(retiredAt, retired);
                c.setRip(c.wrapRip(c.rip() + block.offsets[i], block.mode));
                block = null;
                // Sends the instruction through the slow gear, which counts it by itself and then looks at events.
                state.raise(VcpuState.EVENT_STEP);
            } catch (RuntimeException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IllegalStateException("semantics threw a checked exception", e);
            }
        }
    }

    private VcpuExit leave() {
        VcpuExit exit = (VcpuExit) c.exit;
        c.exit = null;
        return leave(exit);
    }

    private VcpuExit leave(VcpuExit exit) {
        remember();
        return exit;
    }

    private void remember() {
        seenCr0 = state.getLong(VcpuState.CR0);
        seenCr3 = state.getLong(VcpuState.CR3);
        seenCr4 = state.getLong(VcpuState.CR4);
        seenEfer = state.getLong(VcpuState.EFER);
    }

    // ---------------------------------------------------------------- events

    /** True when nothing asks for the slow gear: no event, no shadow, or only an interrupt that is not open to delivery. */
    private boolean quiet(long eventsAndShadow) {
        return eventsAndShadow == 0 || eventsAndShadow == VcpuState.EVENT_INTERRUPT && !c.flag(Flags.IF);
    }

    /** Deals with what the outside asked for; an exit, or null to go on. */
    private VcpuExit events() {
        if (state.getInt(VcpuState.SHADOW) != 0) {
            return null;
        }
        long owed = state.getLong(VcpuState.PENDING_DEBUG);
        if (owed != 0) {
            state.setLong(VcpuState.PENDING_DEBUG, 0);
            return debugTrap(owed);
        }
        int events = Raw.getIntVolatile(c.base + VcpuState.EVENTS);
        if ((events & VcpuState.EVENT_CODE) != 0) {
            c.serveOthers();
        }
        if ((events & VcpuState.EVENT_EXIT) != 0) {
            state.lower(VcpuState.EVENT_EXIT);
            return VcpuExit.Kicked.INSTANCE;
        }
        if ((events & VcpuState.EVENT_NMI) != 0 && state.getInt(VcpuState.NMI_BLOCKED) == 0) {
            state.lower(VcpuState.EVENT_NMI);
            return deliver(GuestFault.NMI, 0, false, Interrupts.Kind.EXTERNAL);
        }
        if ((events & VcpuState.EVENT_INTERRUPT) != 0 && c.flag(Flags.IF)) {
            // Lowered first: what arrives from now on raises it again.
            state.lower(VcpuState.EVENT_INTERRUPT);
            int vector = world.acknowledgeInterrupt();
            if (vector >= 0) {
                state.raise(VcpuState.EVENT_INTERRUPT);
                if (tracer != null) {
                    tracer.interrupt(state, vector);
                }
                return deliver(vector, 0, false, Interrupts.Kind.EXTERNAL);
            }
        }
        return null;
    }

    /**
     * Forced emulation: UD2 and the letters "xen" before an instruction ask the hypervisor to emulate it. Here all
     * instructions are, so that the prefix is stepped over; a fault then points behind it.
     */
    private boolean skipForcedEmulationPrefix() {
        long rip = c.rip();
        long cr2 = c.control(VcpuState.CR2);
        try {
            fetcher.start(c.codeLinear(rip));
            for (int n = 0; n < FORCED_EMULATION.length; n++) {
                if (fetcher.at(n) != FORCED_EMULATION[n]) {
                    return false;
                }
            }
        } catch (GuestFault unreadable) {
            c.setControl(VcpuState.CR2, cr2);
            return false;
        }
        c.setRip(c.wrapRip(rip + FORCED_EMULATION.length, c.mode));
        Raw.putLong(c.base + VcpuState.RFLAGS, c.systemFlags() & ~Flags.RF);
        return true;
    }

    private VcpuExit raise(GuestFault fault, Insn insn) {
        int vector = fault.vector;
        int error = fault.errorCode;
        if (error == Cpu.NON_CANONICAL) {
            // A non-canonical stack access is #SS; only here is it known which operand it was.
            boolean stack = insn != null && (insn.mem != null ? insn.mem.segment == VcpuState.SS : insn.row.has("st"));
            vector = stack ? GuestFault.SS : GuestFault.GP;
            error = 0;
        }
        return deliver(vector, error, GuestFault.hasErrorCode(vector), Interrupts.Kind.FAULT_OR_TRAP);
    }

    /** Delivers an exception or interrupt, and the ones that delivering it raises (Intel SDM vol. 3, 6.15, table 6-5). */
    private VcpuExit deliver(int vector, int error, boolean hasError, Interrupts.Kind kind) {
        while (true) {
            if (tracer != null && kind == Interrupts.Kind.FAULT_OR_TRAP) {
                tracer.exception(state, vector, error);
            }
            if (vector == GuestFault.DB && kind == Interrupts.Kind.FAULT_OR_TRAP) {
                // The handler is neither recorded nor stepped through by branches.
                c.setControl(VcpuState.DEBUG_CONTROL, 0);
            }
            try {
                Interrupts.deliver(c, vector, error, hasError, kind, c.rip());
                return null;
            } catch (GuestFault second) {
                int next = second.vector;
                int code = second.errorCode == Cpu.NON_CANONICAL ? 0 : second.errorCode;
                if (vector == GuestFault.DF && kind == Interrupts.Kind.FAULT_OR_TRAP) {
                    return new VcpuExit.TripleFault("#" + GuestFault.name(next) + "(0x" + Integer.toHexString(code)
                            + ") while delivering a double fault at 0x" + Long.toHexString(c.rip()));
                }
                boolean doubleFault = kind == Interrupts.Kind.FAULT_OR_TRAP
                        && (contributory(vector) && contributory(next)
                                || vector == GuestFault.PF && (next == GuestFault.PF || contributory(next)));
                vector = doubleFault ? GuestFault.DF : next;
                error = doubleFault ? 0 : code;
                hasError = GuestFault.hasErrorCode(vector);
                kind = Interrupts.Kind.FAULT_OR_TRAP;
            }
        }
    }

    private static boolean contributory(int vector) {
        return vector == GuestFault.DE || vector >= GuestFault.TS && vector <= GuestFault.GP;
    }

    // ---------------------------------------------------------------- one instruction, with every check

    private Insn stepped;

    private boolean stepping() {
        return (state.getLong(VcpuState.RFLAGS) & Flags.TF) != 0
                || (state.getLong(VcpuState.DR + 7 * 8) & 0xff) != 0
                || isTracingInstructions();
    }

    /** Runs one instruction; false when an exception was delivered instead of completing it. */
    private boolean slowly() throws Throwable {
        stepped = null;
        if (!stepping()) {
            state.lower(VcpuState.EVENT_STEP);
            firstOfBlock();
            return true;
        }
        int shadow = state.getInt(VcpuState.SHADOW);
        boolean trap = c.flag(Flags.TF);
        boolean resume = c.flag(Flags.RF);
        long va = c.codeLinear(c.rip());
        if (!resume && shadow != SHADOW_MOV_SS) {
            long hit = executionBreakpoint(va);
            if (hit != 0) {
                c.setControl(VcpuState.DR + 6 * 8, c.control(VcpuState.DR + 6 * 8) & ~0xfL | hit);
                c.exit = deliver(GuestFault.DB, 0, false, Interrupts.Kind.FAULT_OR_TRAP);
                return false;
            }
        }
        Block one = decode(va, 1);
        state.setInt(VcpuState.SHADOW, 0);
        Insn insn = one.ops[0].insn;
        stepped = insn;
        long next = insn.nextRip(c);
        if (isTracingInstructions()) {
            tracer.instruction(state, va, insn);
        }
        c.pendingDebug = shadow == SHADOW_MOV_SS ? c.pendingDebug : 0;
        for (Op op : one.ops) {
            op.execute(c);
        }
        if (resume && !insn.row.mnemonic.equals("iret")) {
            Raw.putLong(c.base + VcpuState.RFLAGS, c.systemFlags() & ~Flags.RF);
        }
        if (state.getInt(VcpuState.SHADOW) == SHADOW_MOV_SS) {
            return true;
        }
        // Entering the kernel clears TF and takes no step trap; POPF that clears it still takes one.
        boolean step = trap && (c.flag(Flags.TF) || insn.row.mnemonic.equals("popf"));
        if (step && (c.control(VcpuState.DEBUG_CONTROL) & DEBUGCTL_BRANCH_STEPS) != 0) {
            step = branched(insn, next);
        }
        long pending = c.pendingDebug | (step ? DR6_SINGLE_STEP : 0);
        c.pendingDebug = 0;
        if (pending == 0) {
            return true;
        }
        if (c.exit == VcpuExit.Halt.INSTANCE) {
            // The trap comes before the processor sleeps.
            c.exit = null;
        }
        if (c.exit == null) {
            c.exit = debugTrap(pending);
        } else {
            state.setLong(VcpuState.PENDING_DEBUG, pending);
            state.raise(VcpuState.EVENT_STEP);
        }
        return true;
    }

    private VcpuExit debugTrap(long pending) {
        c.setControl(VcpuState.DR + 6 * 8, c.control(VcpuState.DR + 6 * 8) & ~0xfL | pending);
        return deliver(GuestFault.DB, 0, false, Interrupts.Kind.FAULT_OR_TRAP);
    }

    /** Whether an instruction that has just run was a taken branch; {@code next} is the address behind it. */
    private boolean branched(Insn insn, long next) {
        String name = insn.row.mnemonic;
        if (name.startsWith("loop") || name.startsWith("j") && !name.startsWith("jmp")) {
            return c.rip() != next;
        }
        return name.startsWith("jmp")
                || name.startsWith("call")
                || name.startsWith("ret")
                || name.equals("iret")
                || name.equals("sysret")
                || name.equals("sysexit");
    }

    /** Runs the first instruction of a cached block, for what must happen between two instructions without being traced. */
    private void firstOfBlock() throws Throwable {
        Block block = lookup();
        Op op = block.ops[0];
        int next = block.offsets[1];
        stepped = op.insn;
        state.setInt(VcpuState.SHADOW, 0);
        op.execute(c);
        if (!stepped.row.endsBlock) {
            c.setRip(c.wrapRip(c.rip() + next, block.mode));
        }
    }

    private long executionBreakpoint(long va) {
        long dr7 = c.control(VcpuState.DR + 7 * 8);
        if ((dr7 & 0xff) == 0) {
            return 0;
        }
        long hit = 0;
        for (int i = 0; i < 4; i++) {
            if ((dr7 >>> i * 2 & 3) != 0 && (dr7 >>> 16 + i * 4 & 3) == 0 && c.control(VcpuState.DR + i * 8) == va) {
                hit |= 1L << i;
            }
        }
        return hit;
    }

    // ---------------------------------------------------------------- finding and making blocks

    private Block lookup() {
        long rip = c.rip();
        long va = c.mode == 3 ? rip : c.codeLinear(rip);
        int generation = va < 0 ? highGeneration : lowGeneration;
        long tag = va & LINEAR_MASK | (long) (generation << 3 | c.mode << 1 | (c.cpl == 3 ? 1 : 0)) << 48;
        int slot = (int) (va ^ va >>> 13) & JUMP_CACHE - 1;
        Block block = jumpBlocks[slot];
        if (jumpTags[slot] == tag && block.valid) {
            if (c.mode == 3 || withinLimit(rip, block)) {
                return block;
            }
            return decode(va, 1);
        }
        return lookupSlow(rip, va, tag, slot);
    }

    /** Blocks do not know the limit of the code segment that they run in; near it, instructions go one by one. */
    private boolean withinLimit(long rip, Block block) {
        return (rip & 0xffffffffL) + block.length - 1 <= (state.segmentLimit(VcpuState.CS) & 0xffffffffL);
    }

    private Block lookupSlow(long rip, long va, long tag, int slot) {
        long frame = c.fetchPage(va);
        if (frame == 0) {
            // No memory there: the bus reads all ones, and FF FF is no instruction.
            throw c.undefined();
        }
        CodePages.Page page = pages.page(frame);
        int offset = (int) va & 4095;
        Block block = page == null ? null : page.find(offset, c.mode);
        if (block == null) {
            if (pages.operations() > MAX_OPERATIONS) {
                forgetCode();
            }
            do {
                c.announceCode(frame);
                block = decode(va, blockLimit);
                // Bytes of the second page count only if they were read after they were announced.
            } while (block.straddles && c.announceCode(fetcher.second));
            if (pages.add(block)) {
                c.watchFrame(frame);
            }
            if (block.straddles && pages.addTail(block, fetcher.second)) {
                c.watchFrame(fetcher.second);
            }
        }
        if (c.mode != 3 && !withinLimit(rip, block)) {
            return decode(va, 1);
        }
        // Real linear addresses of 64-bit mode are canonical, so 48 bits identify them.
        if (va << 16 >> 16 == va) {
            jumpTags[slot] = tag;
            jumpBlocks[slot] = block;
            rememberPage(va);
            if (block.straddles) {
                rememberPage(va + block.length - 1);
            }
            highHasLocalPages |= va < 0 && (!c.fetchedGlobal(va) || block.straddles);
        }
        return block;
    }

    /**
     * Starts the cache of decoded code anew: it must not grow with everything that a guest ever ran. The TLB stays: when it
     * forgets must not depend on how much an engine has decoded. Pages still watched there cost one slow store.
     */
    private void forgetCode() {
        pages.clear();
        Arrays.fill(jumpTags, 0);
        Arrays.fill(jumpBlocks, null);
    }

    private void rememberPage(long va) {
        int page = (int) (va >>> 12) & JUMP_PAGES - 1;
        jumpPages[page >> 6] |= 1L << page;
    }

    private void forgetJumps(boolean low, boolean high) {
        if (low) {
            lowGeneration++;
        }
        if (high) {
            highGeneration++;
            highHasLocalPages = false;
        }
        if (low && high) {
            Arrays.fill(jumpPages, 0);
        }
        if (lowGeneration == MAX_GENERATION || highGeneration == MAX_GENERATION) {
            lowGeneration = 0;
            highGeneration = 0;
            Arrays.fill(jumpTags, 0);
        }
    }

    /** Decodes up to {@code most} instructions at a linear address. */
    private Block decode(long va, int most) {
        fetcher.start(va);
        int offset = 0;
        int pageLeft = 4096 - ((int) va & 4095);
        List<Op> ops = new ArrayList<>(16);
        short[] offsets = new short[most + 1];
        int count = 0;
        boolean ended = false;
        boolean straddles = false;
        while (count < most && !ended) {
            if (count > 0 && offset >= pageLeft) {
                break;
            }
            Insn insn;
            try {
                insn = decoder.decode(fetcher, offset, c.mode);
            } catch (GuestFault fault) {
                if (count > 0) {
                    break;
                }
                throw fault;
            }
            fetcher.mayCross = false;
            if (insn == null || !insn.row.allowed(features, insn.vexL) || insn.row.vex && !c.protectedMode) {
                if (count > 0) {
                    break;
                }
                throw insn == null && decoder.result() == Decoder.Result.TOO_LONG
                        ? c.generalProtection(0)
                        : c.undefined();
            }
            if (count > 0 && insn.row.beginsBlock) {
                break;
            }
            if (insn.next > pageLeft) {
                straddles = true;
                ended = true;
            }
            if (c.mode != 3 && count == 0) {
                checkLimit(insn.next);
            }
            ops.add(Binder.bind(insn));
            offsets[count++] = insn.offset;
            offset = insn.next;
            ended |= insn.row.endsBlock;
        }
        offsets[count] = (short) offset;
        Op last = ops.getLast();
        if (!last.insn.row.endsBlock) {
            ops.add(new Op.FallThrough(offset, c.mode));
        }
        return new Block(
                ops.toArray(new Op[0]),
                Arrays.copyOf(offsets, count + 1),
                count,
                offset,
                fetcher.hostOfStart(),
                c.mode,
                straddles);
    }

    private void checkLimit(int length) {
        long end = (c.rip() & 0xffffffffL) + length - 1;
        if (end > (state.segmentLimit(VcpuState.CS) & 0xffffffffL)) {
            throw c.generalProtection(0);
        }
    }

    /**
     * Guest code as the decoder reads it. Only the first instruction of a block may cross into the next page, because it is
     * executed at once: looking ahead would set the accessed bit of a page that the guest perhaps never comes to.
     */
    private final class Fetcher implements CodeBytes {
        private long va;
        private long first;
        private int start;
        /** Host frame of the second page, or 0 while nobody looked. */
        private long second;

        private boolean mayCross;

        void start(long linearAddress) {
            va = linearAddress;
            second = 0;
            mayCross = true;
            first = c.fetchPage(linearAddress);
            if (first == 0) {
                throw c.undefined();
            }
            start = (int) linearAddress & 4095;
        }

        long hostOfStart() {
            return first + start;
        }

        @Override
        public int at(int offset) {
            int at = start + offset;
            if (at < 4096) {
                return Raw.getByte(first + at) & 0xff;
            }
            if (second == 0) {
                if (!mayCross) {
                    throw c.undefined();
                }
                second = c.fetchPage(c.wrapLinear((va | 4095) + 1));
                if (second == 0) {
                    throw c.undefined();
                }
            }
            return Raw.getByte(second + at - 4096) & 0xff;
        }
    }

    /** What memory accesses tell about code. */
    private final class Watch implements CodeWatch {
        @Override
        public boolean hasCode(long hostFrame) {
            return pages.hasCode(hostFrame);
        }

        @Override
        public boolean written(long hostFrame, int offset, int bytes) {
            return pages.written(hostFrame, offset, bytes);
        }

        @Override
        public void mappingsChanged(boolean all) {
            forgetJumps(true, all || highHasLocalPages);
        }

        @Override
        public void mappingChanged(long va) {
            int page = (int) (va >>> 12) & JUMP_PAGES - 1;
            if ((jumpPages[page >> 6] & 1L << page) != 0) {
                forgetJumps(va >= 0, va < 0);
            }
        }
    }

    /** Guest memory by linear address for the hypervisor. */
    private final class Linear implements LinearMemory {
        @Override
        public boolean read(long at, byte[] to, int offset, int length) {
            return move(at, to, offset, length, false);
        }

        @Override
        public boolean write(long at, byte[] from, int offset, int length) {
            return move(at, from, offset, length, true);
        }

        private boolean move(long at, byte[] array, int offset, int length, boolean write) {
            long cr2 = state.getLong(VcpuState.CR2);
            c.refresh();
            try {
                while (length > 0) {
                    int chunk = (int) Math.min(length, 4096 - (at & 4095));
                    long host = c.systemHost(at, write);
                    if (host == 0) {
                        return false;
                    }
                    if (write) {
                        Raw.copy(array, offset, host, chunk);
                        pages.written(host & -4096L, (int) host & 4095, chunk);
                        c.hypervisorWrote(host & -4096L, (int) host & 4095, chunk);
                    } else {
                        Raw.copy(host, array, offset, chunk);
                    }
                    at = c.wrapLinear(at + chunk);
                    offset += chunk;
                    length -= chunk;
                }
                return true;
            } catch (GuestFault fault) {
                state.setLong(VcpuState.CR2, cr2);
                return false;
            }
        }

        @Override
        public long translate(long at, boolean write) {
            long cr2 = state.getLong(VcpuState.CR2);
            c.refresh();
            try {
                c.systemHost(at, write);
                return c.translateForTools(at);
            } catch (GuestFault fault) {
                state.setLong(VcpuState.CR2, cr2);
                return -1;
            }
        }
    }

    @Override
    public void close() {
        c.close();
    }
}
