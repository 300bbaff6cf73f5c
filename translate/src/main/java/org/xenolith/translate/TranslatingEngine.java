package org.xenolith.translate;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.LongConsumer;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.EngineMeter;
import org.xenolith.cpu.LinearMemory;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.CodeWatch;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.cpu.core.Flags;
import org.xenolith.cpu.core.GuestFault;
import org.xenolith.cpu.core.Tlb;
import org.xenolith.cpu.decode.Disassembler;
import org.xenolith.cpu.decode.Insn;
import org.xenolith.cpu.decode.OperandSpec;
import org.xenolith.cpu.interpret.Interpreter;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * The binary translator: runs 64-bit code as host code, and everything else through an interpreter on the same processor.
 *
 * <p>One loop: find or make the block at rip, enter it, see why it came back, act. Events, exceptions, other modes,
 * single-stepping and every instruction that {@link Emitted} does not list are the interpreter's.
 */
public final class TranslatingEngine implements Engine, AutoCloseable {
    private static final long BLOCK_BYTES = 64 << 10;
    /**
     * Instructions of one entry. Events are looked at between entries only, so this is what an interrupt from outside and a
     * safepoint of the JVM wait for: about 0.02 ms.
     */
    private static final long SLICE = 1 << 16;

    private static final long OTHER_MODE_SLICE = 1 << 12;
    private static final int CANONICAL_SHIFT = 16;
    private static final int MOST_GROUP_FAILURES = 4;
    /**
     * Samples at which a block is made into a trace, and that into a better one when more is known about the ways that
     * branches go. Slices end everywhere in proportion to time, so they are a profile for nothing.
     */
    private static final int[] HOT = {3, 20, 150};

    /** What a guest can make Java remember is bounded: blocks that hand back at once are small, and code memory holds millions. */
    private static final int MOST_BLOCKS = 1 << 19;

    private static final int MOST_GROUPS_THAT_FAILED = 1 << 14;

    private final VcpuState state;
    private final Interpreter inner;
    private final Cpu c;
    private final long base;
    private final long context;
    private final CodeMemory memory;
    private final Assembler assembler = new Assembler();
    private final Trampolines trampolines;
    private final BlockTranslator translator;
    private final HostFpu fpu;
    private final TranslatedPages pages = new TranslatedPages(this::kill);
    private final JumpCache userJumps = new JumpCache();
    private final JumpCache kernelJumps = new JumpCache();
    private final BlockTable table = new BlockTable();
    private final Linear linear = new Linear();
    private final byte[] patch = new byte[Context.SITE_BYTES];
    private final EngineMeter meter;
    /** By host address of a guest instruction. */
    private final Map<Long, Integer> groupFailures = new HashMap<>();

    /** Compares each block with the interpreter; null when nobody asked for it. */
    private LockStep lockStep;

    /** Instructions of the last {@link #execute}, and whether an event or the budget ended it. */
    private long lastExecuted;

    private boolean due;
    private long kills;
    /** Counts entries where traces are made of every other block that is entered; or -1. */
    private int eager = -1;

    /** Blocks made since code memory was last emptied. */
    private int blocks;

    private final Statistics statistics = new Statistics();

    /**
     * An engine around an interpreter, which nobody else may run from now on.
     *
     * @param exact give bit for bit what the interpreter gives, on every host, also where the manuals leave that open
     * @param memory for its code, closed with the engine
     */
    public TranslatingEngine(Interpreter inner, boolean exact, CodeMemory memory) {
        this.inner = inner;
        this.memory = memory;
        state = inner.state();
        c = inner.cpu();
        meter = inner.meter();
        base = c.base;
        context = base + Context.BIAS;
        Set<String> features = new HashSet<>(HostProcessor.features(memory, assembler));
        boolean avx = features.contains("AVX");
        // Java tells the time, whatever the host's processor can.
        features.add("RDTSCP");
        features.removeIf(name -> !inner.hasFeature(name));
        fpu = new HostFpu(c);
        trampolines = new Trampolines(memory, assembler, avx);
        translator = new BlockTranslator(memory, trampolines, assembler, features, exact, c.isShared());
        c.setCodeWatch(new Watch(inner.codeWatch()));
        c.setHostAtomics(NativeAtomics.instance());
    }

    /** Links the host's functions and asks its processor, which is slow the first time. */
    public static void prepare() {
        try (CodeMemory memory = new CodeMemory(BLOCK_BYTES)) {
            HostProcessor.features(memory, new Assembler());
        }
    }

    @Override
    public VcpuState state() {
        return state;
    }

    @Override
    public String name() {
        return lockStep == null ? "translate" : "verify";
    }

    /**
     * From the next {@link #run} on, compares each block with the interpreter, or no longer does.
     *
     * @param symbols names addresses in the report
     */
    void verify(boolean on, Disassembler.Symbols symbols) {
        boolean was = lockStep != null;
        if (was) {
            lockStep.close();
        }
        lockStep = on ? new LockStep(this, inner, statistics, symbols) : null;
        if (on != was) {
            translator.single(on);
            forget();
        }
    }

    /** Changes whenever blocks go away, so that a block found before is not to be run. */
    long kills() {
        return kills;
    }

    /** Where the emitted code is, for tests. */
    CodeMemory memory() {
        return memory;
    }

    @Override
    public LinearMemory linear() {
        return linear;
    }

    @Override
    public void flushTlb() {
        inner.flushTlb();
    }

    @Override
    public void forEachWritableFrame(LongConsumer hostFrame) {
        inner.forEachWritableFrame(hostFrame);
    }

    @Override
    public void invalidateFrame(long gfn) {
        inner.invalidateFrame(gfn);
        long frame = c.memory.frameForRead(gfn);
        if (frame != 0) {
            pages.written(frame, 0, GuestPhysical.FRAME_SIZE);
        }
    }

    @Override
    public String statistics() {
        return inner.statistics() + statistics.text(pages.size(), memory.used());
    }

    /** Instructions that emitted code has retired. */
    long executed() {
        return statistics.instructions;
    }

    /** Whether an instruction of 64-bit code is emitted for this guest on this host. */
    boolean emits(Insn insn) {
        return translator.entry(insn) != null;
    }

    /** How an instruction of 64-bit code is emitted for this guest on this host; null when it is not. */
    Emitted.Entry entry(Insn insn) {
        return translator.entry(insn);
    }

    // ---------------------------------------------------------------- the loop

    @Override
    public VcpuExit run(long budget) {
        int outer = meter.begin(EngineMeter.Phase.EXITS);
        c.enterGuest();
        try {
            return loop(budget);
        } finally {
            c.leaveGuest();
            meter.resume(outer);
        }
    }

    private VcpuExit loop(long budget) {
        inner.enter();
        long end = state.retired() + budget;
        while (true) {
            long left = end - state.retired();
            if (left <= 0) {
                return VcpuExit.BudgetSpent.INSTANCE;
            }
            VcpuExit exit;
            if (c.mode != 3 || inner.isTracingInstructions()) {
                exit = inner.run(Math.min(left, OTHER_MODE_SLICE));
            } else if (Raw.getIntVolatile(base + VcpuState.SHADOW) != 0 || eventPending()) {
                exit = inner.step(1);
            } else if (lockStep != null) {
                int outer = meter.begin(EngineMeter.Phase.COMPARISON);
                exit = lockStep.step(left);
                meter.resume(outer);
            } else {
                exit = translated(left);
            }
            if (exit != null && !(exit instanceof VcpuExit.BudgetSpent)) {
                return exit;
            }
        }
    }

    /** An interrupt that is not open to delivery stops nothing. */
    private int eventMask() {
        return c.flag(Flags.IF) ? -1 : ~VcpuState.EVENT_INTERRUPT;
    }

    private boolean eventPending() {
        return (Raw.getIntVolatile(base + VcpuState.EVENTS) & eventMask()) != 0;
    }

    /** Runs translated code, or one hand-back; null to go on. */
    private VcpuExit translated(long left) {
        if (eager >= 0) {
            sample(state.rip());
        }
        long code = find(state.rip());
        if (code == 0) {
            return handBack(1, left);
        }
        int exit = execute(code, Math.min(left, SLICE));
        if (Context.reason(exit) == Context.HEAD) {
            sample(state.rip());
        }
        return leave(exit, left - lastExecuted);
    }

    /** For tests: makes traces of blocks that are not hot, along any way that branches can go. */
    TranslatingEngine traceEagerly() {
        eager = 0;
        return this;
    }

    /** Code at a linear address was found running: makes a trace of it when that happens often. */
    void sample(long rip) {
        long frame = fetch(rip);
        TranslatedBlock block = frame == 0 ? null : pages.find(frame + (rip & 4095));
        if (block == null) {
            return;
        }
        block.samples++;
        boolean hot = block.attempts < HOT.length && block.samples >= HOT[block.attempts];
        if (hot || eager >= 0 && (++eager & 1) == 0) {
            block.attempts++;
            trace(frame, block);
        }
    }

    private void trace(long frame, TranslatedBlock block) {
        if (block.instructions == 0 || block.tail != 0 || memory.room() < BLOCK_BYTES) {
            return;
        }
        int outer = meter.begin(EngineMeter.Phase.TRANSLATION);
        c.announceCode(frame);
        if (!block.dead) {
            TranslatedBlock trace = translator.trace(block, ways -> choose(frame, ways));
            if (trace != null) {
                statistics.traces++;
                replace(block, trace);
            }
        }
        meter.resume(outer);
    }

    /** Of the ways that have been taken, the hottest, or the first. */
    private int choose(long frame, int[] ways) {
        int chosen = -1;
        int samples = -1;
        for (int way : ways) {
            TranslatedBlock block = pages.find(frame + way);
            if (block != null && block.samples > samples) {
                samples = block.samples;
                chosen = way;
            }
        }
        return eager >= 0 ? ways[eager++ % ways.length] : chosen;
    }

    /** Has everything that leads to a block lead to a trace that begins where it does. */
    private void replace(TranslatedBlock block, TranslatedBlock trace) {
        block.dead = true;
        trace.samples = block.samples;
        trace.attempts = block.attempts;
        for (int i = 0; i < block.incomingCount; i++) {
            trace.addIncoming(block.incoming[i]);
            jump(block.incoming[i], trace.code);
        }
        // Jump caches lead to the block's head.
        trace.addIncoming(block.code);
        jump(block.code, trace.code);
        table.put(trace);
        pages.add(trace);
    }

    /**
     * Runs translated code until it must be left, with TLB misses and branches dealt with. Registers, rip and flags are in
     * the state block then, and {@link #lastExecuted} says how many instructions that were.
     *
     * @param slice instructions at most
     * @return the exit word
     */
    int execute(long code, long slice) {
        Raw.putLong(context + Context.TABLE, c.dataTable());
        Raw.putLong(context + Context.BUDGET, slice);
        Raw.putLong(context + Context.SPARED, 0);
        Raw.putByte(context + Context.HELD, (byte) 0);
        Raw.putByte(context + Context.LOADABLE, (byte) fpu.loadable());
        Raw.putByte(context + Context.STORED, (byte) 0);
        Raw.putLong(context + Context.IMAGE, fpu.image());
        Raw.putLong(context + Context.PAGE, state.rip() & -4096L);
        Raw.putByte(context + Context.AF_CLEARED, (byte) 0);
        Raw.putShort(context + Context.FLAGS, (short) Context.flagsSlot(state.rflags()));
        Raw.putLong(context + Context.JUMPS, jumps().table());
        Raw.putLong(context + Context.JOURNAL, jumps().journal());
        Raw.putLong(context + Context.FETCH_TABLE, c.fetchTable());
        Raw.putLong(context + Context.BLOCKS, table.address());
        privilege(Context.USER, 3, userJumps);
        privilege(Context.SUPERVISOR, 0, kernelJumps);
        int exit;
        int reason;
        due = false;
        int outer = meter.begin(EngineMeter.Phase.EXITS);
        while (true) {
            meter.begin(EngineMeter.Phase.TRANSLATED_CODE);
            trampolines.run(base, code);
            meter.begin(EngineMeter.Phase.EXITS);
            int stored = Raw.getByte(context + Context.STORED);
            if (stored != 0) {
                if ((stored & Context.X87) != 0) {
                    fpu.takeImage();
                }
                Raw.putByte(context + Context.STORED, (byte) 0);
            }
            if (state.cpl() != c.cpl) {
                c.refresh();
            }
            exit = Raw.getInt(context + Context.EXIT);
            reason = Context.reason(exit);
            statistics.exits[reason]++;
            if ((reason == Context.CHAIN || reason == Context.LOOKUP || reason == Context.DEAD)
                    && (Raw.getLong(context + Context.BUDGET) == 0 || eventPending())) {
                // To look for the target would fetch from its page, and that is an access that the guest can see.
                due = true;
                code = 0;
            } else if (reason == Context.CHAIN) {
                code = chain(exit);
            } else if (reason == Context.LOOKUP) {
                code = find(state.rip());
                Raw.putLong(context + Context.PAGE, state.rip() & -4096L);
            } else if (reason == Context.DEAD) {
                code = look(Raw.getLong(context + Context.PAGE) + Context.offset(exit));
            } else if (reason == Context.MISS_READ || reason == Context.MISS_WRITE) {
                code = fill(exit, reason == Context.MISS_WRITE) ? resume(stored) : 0;
            } else if (reason == Context.TIME) {
                putTime();
                code = resume(stored);
            } else if (reason == Context.PAUSE) {
                c.world.pause();
                due = eventPending();
                code = due ? 0 : resume(stored);
            } else if (reason == Context.FPU_X87) {
                code = fpu.makeImage() ? Raw.getLong(context + Context.RESUME) : 0;
            } else {
                code = 0;
            }
            if (code == 0) {
                break;
            }
        }
        lastExecuted = slice
                - Raw.getLong(context + Context.BUDGET)
                - Raw.getLong(context + Context.SPARED)
                - Context.refund(exit);
        if (reason != Context.LOOKUP) {
            state.setRip(Raw.getLong(context + Context.PAGE) + Context.offset(exit));
        }
        meter.resume(outer);
        statistics.instructions += lastExecuted;
        Raw.putLong(base + VcpuState.RETIRED, state.retired() + lastExecuted);
        long flags = Context.arithmetic(Raw.getShort(context + Context.FLAGS) & 0xffff);
        if (Raw.getByte(context + Context.AF_CLEARED) != 0) {
            flags &= ~Flags.AF;
        }
        state.setRflags(state.rflags() & ~Flags.ARITHMETIC | flags);
        if (Context.isShadowed(exit)) {
            state.setInt(VcpuState.SHADOW, 1);
        }
        return exit;
    }

    /** Instructions of the last {@link #execute}. */
    long lastExecuted() {
        return lastExecuted;
    }

    /** Does what an exit asks for; null to go on. */
    VcpuExit leave(int exit, long left) {
        return switch (Context.reason(exit)) {
            case Context.INTERPRET, Context.MISS_READ, Context.MISS_WRITE -> handBack(Context.count(exit), left);
            case Context.HEAD -> left > 0 && left < Context.refund(exit) ? inner.run(left) : null;
            case Context.FPU, Context.FPU_X87 -> handBack(Context.refund(exit), left);
            default -> due ? null : handBack(1, left);
        };
    }

    /** What emitted code needs to enter a privilege level by itself. */
    private void privilege(int slots, int level, JumpCache jumps) {
        Raw.putLong(context + slots, c.dataTable(level));
        Raw.putLong(context + slots + 8, c.fetchTable(level));
        Raw.putLong(context + slots + 16, jumps.table());
        Raw.putLong(context + slots + 24, jumps.journal());
    }

    /** RDTSC for emitted code. */
    private void putTime() {
        long time = c.world.timeStampCounter();
        c.setGpr(VcpuState.RAX, time & 0xffffffffL);
        c.setGpr(VcpuState.RDX, time >>> 32);
    }

    /** Where to go on behind an exit in the middle of a block, with the FPU registers that were there. */
    private long resume(int stored) {
        if (stored == 0) {
            return Raw.getLong(context + Context.RESUME);
        }
        if ((stored & Context.X87) != 0 && !fpu.makeImage()) {
            throw new IllegalStateException("x87 code left an unmasked exception");
        }
        Raw.putByte(context + Context.STORED, (byte) stored);
        return trampolines.resume;
    }

    VcpuExit handBack(int count, long left) {
        if (left <= 0) {
            return null;
        }
        int now = (int) Math.min(count, left);
        statistics.handedBack += now;
        if (meter.details()) {
            inner.upcoming(now, this::countHandedBack);
        }
        return inner.step(now);
    }

    /** A star marks what is emitted, and was handed back for its operand. */
    private void countHandedBack(Insn insn) {
        String name = (insn.rep || insn.repne ? "rep " : "") + insn.row.mnemonic + operands(insn);
        meter.addHandedBack(emits(insn) ? name + " *" : name);
    }

    private static String operands(Insn insn) {
        StringBuilder s = new StringBuilder();
        for (OperandSpec spec : insn.row.operands) {
            s.append(s.isEmpty() ? " " : ",").append(spec.text());
        }
        return insn.mem == null ? s.toString() : s.append(" (memory)").toString();
    }

    private JumpCache jumps() {
        return c.cpl == 3 ? userJumps : kernelJumps;
    }

    // ---------------------------------------------------------------- exits

    /** Code for a linear address; 0 when the interpreter must go on there. */
    private long find(long rip) {
        long code = jumps().find(rip);
        return code != 0 ? code : look(rip);
    }

    /** The same, whatever the jump cache says: it may know a dead block. */
    private long look(long rip) {
        TranslatedBlock block = blockAt(rip);
        if (block == null) {
            return 0;
        }
        jumps().put(rip, block.code);
        return block.code;
    }

    /** The block at a linear address; null when the interpreter must go on there. */
    TranslatedBlock blockAt(long rip) {
        long frame = fetch(rip);
        return frame == 0 ? null : block(frame, rip);
    }

    /** Host frame of code at a linear address; 0 when fetching faults or nothing is there, for the interpreter to meet again. */
    private long fetch(long va) {
        if (va << CANONICAL_SHIFT >> CANONICAL_SHIFT != va) {
            return 0;
        }
        long cr2 = state.getLong(VcpuState.CR2);
        try {
            return c.fetchPage(va);
        } catch (GuestFault fault) {
            state.setLong(VcpuState.CR2, cr2);
            return 0;
        }
    }

    private TranslatedBlock block(long frame, long rip) {
        int offset = (int) rip & 4095;
        TranslatedBlock block = pages.find(frame + offset);
        if (block == null) {
            int outer = meter.begin(EngineMeter.Phase.TRANSLATION);
            if (memory.room() < BLOCK_BYTES || blocks >= MOST_BLOCKS) {
                statistics.flushes++;
                forget();
            }
            blocks++;
            do {
                c.announceCode(frame);
                block = translator.translate(frame, offset, () -> fetch((rip | 4095) + 1));
                // Bytes of the second page count only if they were read after they were announced.
            } while (block.tail != 0 && c.announceCode(block.tail));
            statistics.blocks++;
            table.put(block);
            if (pages.add(block)) {
                c.watchFrame(frame);
            }
            if (block.tail != 0 && pages.addTail(block)) {
                c.watchFrame(block.tail);
            }
            meter.resume(outer);
        }
        return block;
    }

    /** Forgets all translations: less than a millisecond, however much there is. */
    private void forget() {
        kills++;
        blocks = 0;
        pages.clear();
        table.clear();
        userJumps.clear();
        kernelJumps.clear();
        memory.reset(trampolines.size);
    }

    /** Finds the target of a direct branch and makes the branch go there from now on. */
    private long chain(int exit) {
        long site = Raw.getLong(context + Context.RESUME) - Context.SITE_BYTES;
        long rip = Raw.getLong(context + Context.PAGE) + Context.offset(exit);
        long before = statistics.flushes;
        TranslatedBlock block = blockAt(rip);
        if (block == null) {
            return 0;
        }
        jumps().put(rip, block.code);
        if (statistics.flushes == before) {
            block.addIncoming(site);
            jump(site, block.code);
        }
        return block.code;
    }

    private void jump(long site, long target) {
        int distance = Math.toIntExact(target - site - 5);
        patch[0] = (byte) 0xE9;
        patch[1] = (byte) distance;
        patch[2] = (byte) (distance >> 8);
        patch[3] = (byte) (distance >> 16);
        patch[4] = (byte) (distance >> 24);
        memory.write(site, patch, 5);
    }

    /** Puts an exit in place of a jump, or of a block's head. */
    private void unjump(long site, int exit) {
        assembler.start(site);
        assembler.storeImmediate(2, Assembler.R14, Context.EXIT, exit);
        assembler.callTo(trampolines.exit);
        memory.write(site, assembler.finish(), assembler.size());
    }

    /** A block's guest code was overwritten. */
    private void kill(TranslatedBlock block) {
        kills++;
        statistics.killed++;
        int offset = (int) block.host & 4095;
        for (int i = 0; i < block.incomingCount; i++) {
            unjump(block.incoming[i], Context.exit(Context.CHAIN, offset, 0, 0, 0));
        }
        table.remove(block);
        // Whoever comes through a jump cache meets an exit that looks the address up again.
        unjump(block.code, Context.exit(Context.DEAD, offset, 0, 0, 0));
    }

    /** Fills the TLB for a missed access; false when the interpreter must execute the instruction. */
    private boolean fill(int exit, boolean write) {
        boolean group = Context.sizeLog2(exit) == Context.GROUP;
        int bytes = group ? Raw.getInt(context + Context.TARGET) : 1 << Context.sizeLog2(exit);
        int alignment = !Context.isAligned(exit) ? 1 : group ? 16 : bytes;
        boolean filled = fill(Raw.getLong(context + Context.VA), bytes, alignment, write);
        if (group && !filled) {
            groupFailed(Raw.getLong(context + Context.PAGE) + Context.offset(exit));
        }
        return filled;
    }

    private boolean fill(long va, int bytes, int alignment, boolean write) {
        long page = va & -4096L;
        if ((va + bytes - 1 & -4096L) != page) {
            statistics.crossings++;
            return false;
        }
        if ((va & alignment - 1) != 0 || c.checksEveryAccess()) {
            return false;
        }
        long entry = c.dataTable() + ((va >>> 12 & Tlb.INDEX_MASK) << Tlb.ENTRY_SHIFT) + (write ? Tlb.WRITE : Tlb.READ);
        if (write && (Raw.getLong(entry) & -4096L) == page) {
            // Watched: a store to a page with code.
            statistics.watched++;
            return false;
        }
        long before = kills;
        long flushes = c.tlb().flushes();
        long cr2 = state.getLong(VcpuState.CR2);
        try {
            if (write) {
                c.writable(va, bytes);
            } else {
                c.readable(va, bytes);
            }
        } catch (GuestFault fault) {
            statistics.faults++;
            state.setLong(VcpuState.CR2, cr2);
            return false;
        }
        // A block may not go on when what it has found before is not so any more.
        boolean filled = kills == before && c.tlb().flushes() == flushes && Raw.getLong(entry) == page;
        if (!filled) {
            statistics.unfilled++;
        }
        return filled;
    }

    /** A group of accesses did not lie in one page of one kind: when that goes on, each gets its own probe. */
    private void groupFailed(long rip) {
        long frame = fetch(rip);
        long host = frame + (rip & 4095);
        if (groupFailures.size() >= MOST_GROUPS_THAT_FAILED) {
            groupFailures.clear();
        }
        if (frame != 0 && groupFailures.merge(host, 1, Integer::sum) == MOST_GROUP_FAILURES) {
            groupFailures.remove(host);
            translator.split(host);
            pages.written(frame, (int) rip & 4095, 1);
        }
    }

    // ---------------------------------------------------------------- invalidation

    /** Tells both engines' caches. */
    private final class Watch implements CodeWatch {
        private final CodeWatch first;

        Watch(CodeWatch first) {
            this.first = first;
        }

        @Override
        public boolean hasCode(long hostFrame) {
            return first.hasCode(hostFrame) || pages.hasCode(hostFrame);
        }

        @Override
        public boolean written(long hostFrame, int offset, int bytes) {
            boolean none = first.written(hostFrame, offset, bytes);
            return pages.written(hostFrame, offset, bytes) && none;
        }

        @Override
        public void mappingsChanged(boolean all) {
            first.mappingsChanged(all);
            userJumps.clear();
            if (c.tlb().takeLocalSupervisorCode() || all) {
                kernelJumps.clear();
            }
        }

        @Override
        public void mappingChanged(long va) {
            first.mappingChanged(va);
            if (c.tlb().mayHaveFetched(va)) {
                userJumps.clearPage(va);
                kernelJumps.clearPage(va);
            }
        }
    }

    /** The interpreter's view of memory; what is written through it is told to our blocks too. */
    private final class Linear implements LinearMemory {
        @Override
        public boolean read(long at, byte[] to, int offset, int length) {
            return inner.linear().read(at, to, offset, length);
        }

        @Override
        public boolean write(long at, byte[] from, int offset, int length) {
            boolean done = inner.linear().write(at, from, offset, length);
            for (long va = at & -4096L; va < at + length; va += 4096) {
                long gpa = translate(va, false);
                long frame = gpa < 0 ? 0 : c.memory.frameForRead(gpa >>> 12);
                if (frame != 0) {
                    int begin = (int) (Math.max(at, va) - va);
                    int end = (int) Math.min(at + length - va, 4096);
                    pages.written(frame, begin, end - begin);
                }
            }
            return done;
        }

        @Override
        public long translate(long at, boolean write) {
            return inner.linear().translate(at, write);
        }
    }

    @Override
    public void close() {
        verify(false, Disassembler.Symbols.NONE);
        table.close();
        fpu.close();
        userJumps.close();
        kernelJumps.close();
        memory.close();
        inner.close();
    }
}
