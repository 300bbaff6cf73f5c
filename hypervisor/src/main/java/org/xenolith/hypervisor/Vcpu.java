package org.xenolith.hypervisor;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.xenolith.abi.Errno;
import org.xenolith.abi.HvmParam;
import org.xenolith.abi.RunstateInfo;
import org.xenolith.abi.SharedInfo;
import org.xenolith.abi.ShutdownReason;
import org.xenolith.abi.VcpuInfo;
import org.xenolith.abi.VcpuTimeInfo;
import org.xenolith.abi.Virq;
import org.xenolith.abi.XenCpuid;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.LinearMemory;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.World;
import org.xenolith.hypervisor.schedule.SchedUnit;
import org.xenolith.hypervisor.time.DomainClock;
import org.xenolith.hypervisor.time.DomainClock.Alarm;
import org.xenolith.hypervisor.time.SystemTimeRecord;
import org.xenolith.hypervisor.viridian.Viridian;
import org.xenolith.hypervisor.viridian.ViridianVcpu;
import org.xenolith.memory.GuestPhysical;
import org.xenolith.memory.Raw;

/**
 * A virtual CPU: an engine and its state block, the world that its instructions see, its timers, and the thread that runs
 * it.
 *
 * <p>The thread alternates between the engine and the hypervisor. What others want from a virtual CPU they leave as a
 * request, and {@link #kick} it; it looks at requests before each entry into the engine.
 */
public final class Vcpu implements World {
    /** Time records are renewed this often, so that rounding in the guest's conversion never adds up. */
    private static final long TIME_RENEWAL = 1_000_000_000L;

    /**
     * PAUSE instructions after which the host's processor goes to somebody else, some 10 microseconds: who is waited for may
     * be without one.
     */
    private static final int SPINS = 32;
    /** Rounds of a wait for another thread before it gives its host processor away, some microseconds. */
    private static final int ROUNDS = 200;

    private final Domain domain;
    private final int id;
    private final VcpuState state;
    private final Engine engine;
    private final LinearMemory linear = new GuardedLinear();
    private final InterruptController controller;
    private final XenCpuidLeaves cpuid;
    private final MsrPolicy msrs;
    /** Null when the domain does not see that interface. */
    private final ViridianVcpu viridian;

    private final DomainClock clock;
    private final Runstate runstate;
    private final SchedUnit unit;

    /** Guarded by itself, like the deadlines of its elements. */
    private final List<VcpuTimer> timers = new ArrayList<>();

    private volatile long nextDeadline = DomainClock.NEVER;
    private final VcpuTimer singleshot = newTimer(this::fireSingleshot);
    private final VcpuTimer periodic = newTimer(this::firePeriodic);
    private volatile long period;
    private Alarm alarm;

    private volatile long vcpuInfo;
    private int vcpuInfoMfn = -1;
    private boolean vcpuInfoRegistered;
    private GuestArea timeArea;
    private long timeWritten;
    /** Instructions retired at the last {@link Trace#checkpoint}. */
    private long checkpoint;

    private final long checkpointInterval;
    /** Vector by which events are announced through the interrupt controller, or 0. */
    private volatile int upcallVector;

    private volatile Thread thread;
    /** The thread is in a turn: engine, hypercall or timer. Whoever pauses the domain waits for it to end. */
    private volatile boolean busy;
    /** The thread may use cached translations. Whoever takes memory away waits for that to end, or for a flush. */
    private volatile boolean translating;

    private volatile boolean flushRequested;
    private volatile boolean initRequested;
    private volatile int startupVector = -1;
    /** A set: others may change the same frame without end while this virtual CPU sleeps. */
    private final Set<Long> changedFrames = ConcurrentHashMap.newKeySet();
    /** PAUSE instructions since the last time that the host's processor was given away. Of the thread. */
    private int spins;

    private volatile boolean polling;
    private volatile boolean woken;
    /** Not running and not to be woken by interrupts: never started, or gave up. */
    private volatile boolean down;

    Vcpu(Domain domain, int id) {
        this.domain = domain;
        this.id = id;
        clock = domain.clock();
        state = new VcpuState();
        cpuid = new XenCpuidLeaves(domain.parts().cpuid());
        msrs = new MsrPolicy(domain.parts().cpuid());
        checkpointInterval = domain.trace() == null ? 0 : domain.trace().checkpointInterval();
        down = id != 0;
        runstate = new Runstate(domain);
        unit = domain.scheduling().addVcpu(new Scheduling());
        if (id < SharedInfo.VCPUS) {
            vcpuInfo = domain.sharedInfo() + SharedInfo.VCPU_INFO + (long) id * VcpuInfo.SIZE;
        } else {
            // No place in the shared info page: a page of our own until the guest registers one.
            vcpuInfoMfn = domain.memory().allocateHypervisorFrame();
            vcpuInfo = domain.memory().address(vcpuInfoMfn);
        }
        SystemTimeRecord.write(vcpuInfo + VcpuInfo.TIME, clock);
        engine = domain.parts().engines().create(state, this, domain.memory().map());
        controller = domain.parts().controllers().create(this);
        viridian = domain.viridian() == null ? null : new ViridianVcpu(domain.viridian(), this, controller);
        if (down) {
            state.setInt(VcpuState.ACTIVITY, VcpuState.WAIT_FOR_SIPI);
        }
    }

    public int id() {
        return id;
    }

    public Domain domain() {
        return domain;
    }

    public VcpuState state() {
        return state;
    }

    public Engine engine() {
        return engine;
    }

    /** Guest memory by linear address, for the virtual CPU's thread in a hypercall. */
    public LinearMemory linear() {
        return linear;
    }

    /** The engine's view, with the thread marked as using translations for the time of each access. */
    private final class GuardedLinear implements LinearMemory {
        @Override
        public boolean read(long address, byte[] to, int offset, int length) {
            startTranslating();
            try {
                return engine.linear().read(address, to, offset, length);
            } finally {
                translating = false;
            }
        }

        @Override
        public boolean write(long address, byte[] from, int offset, int length) {
            startTranslating();
            try {
                return engine.linear().write(address, from, offset, length);
            } finally {
                translating = false;
            }
        }

        @Override
        public long translate(long address, boolean write) {
            startTranslating();
            try {
                return engine.linear().translate(address, write);
            } finally {
                translating = false;
            }
        }
    }

    public InterruptController controller() {
        return controller;
    }

    /** The local APIC's identifier. Twice the virtual CPU's, as Xen's tools write it into ACPI tables. */
    public int apicId() {
        return 2 * id;
    }

    @Override
    public String toString() {
        return "d" + domain.id() + "v" + id;
    }

    /** What the scheduler says; with its locks held, but for {@link #assigned}. */
    private final class Scheduling implements SchedUnit.Callbacks {
        @Override
        public void kick() {
            state.requestExit();
        }

        @Override
        public void assigned() {
            LockSupport.unpark(thread);
        }

        @Override
        public void runstate(int newState, long now) {
            runstate.enter(newState, now);
        }
    }

    // Thread.

    void startThread() {
        Thread runner = new Thread(this::run, "vcpu " + this);
        runner.setDaemon(true);
        thread = runner;
        runner.start();
    }

    /** Runs the virtual CPU on the calling thread until its domain stops. */
    void run() {
        thread = Thread.currentThread();
        alarm = clock.alarm(this::kick);
        try {
            while (admit()) {
                busy = true;
                try {
                    step();
                } finally {
                    busy = false;
                }
            }
        } catch (RuntimeException | Error e) {
            String at = "0x" + Long.toHexString(state.rip());
            domain.stop(new ShutdownDetail(
                    ShutdownReason.CRASH, "defect in Xenolith while " + this + " was at " + at + ": " + e, id, e));
        } finally {
            alarm.close();
            unit.offline();
        }
    }

    private boolean admit() {
        if (domain.isStopping()) {
            unit.suspend();
        }
        return domain.admit();
    }

    /** One turn: requests, timers, then the engine or sleep. */
    private void step() {
        serveRequests();
        fireDueTimers();
        renewTime();
        if (down) {
            sleepUntil(() -> !down, DomainClock.NEVER, RunstateInfo.OFFLINE);
            return;
        }
        if (state.getInt(VcpuState.ACTIVITY) == VcpuState.HALTED) {
            if (!sleepUntil(this::hasDeliverableInterrupt, DomainClock.NEVER, RunstateInfo.BLOCKED)) {
                return;
            }
            state.setInt(VcpuState.ACTIVITY, VcpuState.ACTIVE);
        }
        if (spins >= SPINS) {
            // Outside of the guest: nobody has to wait for us meanwhile.
            spins = 0;
            yieldProcessor();
        }
        if (!unit.mayRun()) {
            // Requests and timers come first again: it may take a while.
            acquireCpu();
            return;
        }
        if (domain.isStopping()) {
            return;
        }
        alarm.set(nextDeadline);
        VcpuExit exit;
        startTranslating();
        try {
            exit = engine.run(budget());
        } finally {
            translating = false;
        }
        long retired = state.retired();
        if (checkpointInterval > 0 && retired % checkpointInterval == 0 && retired != checkpoint) {
            checkpoint = retired;
            domain.trace().checkpoint(this);
        }
        leave(exit);
    }

    /** Waits for a physical CPU, or until the domain is to stop. */
    private void acquireCpu() {
        busy = false;
        try {
            unit.acquire(domain::isStopping);
        } finally {
            busy = true;
        }
    }

    /** Up to the next moment at which a turn would do something by itself: in virtual time, exactly there. */
    private long budget() {
        long budget = clock.budget(Math.min(nextDeadline, timeWritten + TIME_RENEWAL));
        return checkpointInterval == 0
                ? budget
                : Math.min(budget, checkpointInterval - state.retired() % checkpointInterval);
    }

    /** The flag first, then the look at the request: one of the two sides sees the other. */
    private void startTranslating() {
        translating = true;
        if (flushRequested) {
            engine.flushTlb();
            flushRequested = false;
        }
    }

    private void leave(VcpuExit exit) {
        switch (exit) {
            case VcpuExit.BudgetSpent() -> {
                // The next turn looks at the timers.
            }
            case VcpuExit.Kicked() -> {
                // The next turn looks at the requests.
            }
            case VcpuExit.Halt() -> halt();
            case VcpuExit.Hypercall() -> domain.hypercalls().dispatch(this);
            case VcpuExit.TripleFault(String reason) -> {
                state.setInt(VcpuState.ACTIVITY, VcpuState.SHUT_DOWN);
                domain.stop(new ShutdownDetail(
                        (int) domain.hvmParam(HvmParam.TRIPLE_FAULT_REASON), "triple fault: " + reason, id, null));
            }
            case VcpuExit.Disagreement(String report) ->
                domain.stop(new ShutdownDetail(ShutdownReason.CRASH, report, id, null));
            case VcpuExit.Debug() -> domain.crash(this, "debug exit without a debugger");
        }
    }

    private void halt() {
        if ((state.rflags() & 0x200) != 0) {
            state.setInt(VcpuState.ACTIVITY, VcpuState.HALTED);
        } else if (hasPendingNmi()) {
            state.setInt(VcpuState.ACTIVITY, VcpuState.ACTIVE);
        } else {
            // Nothing but INIT can wake it: that is how PVH kernels park a processor, and the last one powers off.
            state.setInt(VcpuState.ACTIVITY, VcpuState.HALTED);
            goDown();
        }
    }

    /** Asks the thread to look at its requests soon. From any thread. */
    public void kick() {
        state.requestExit();
        woken = true;
        LockSupport.unpark(thread);
    }

    /** Ends a sleep early, as soon as there is a physical CPU; the sleeper looks again whether it may go on. From any thread. */
    void wake() {
        woken = true;
        if (unit.wake()) {
            LockSupport.unpark(thread);
        }
    }

    /** Called when a port was raised. */
    public void wakeIfPolling() {
        if (polling) {
            wake();
        }
    }

    /** Waits until the thread is outside the guest; for a domain that is stopping. */
    void awaitOutside() {
        while (busy && Thread.currentThread() != thread) {
            Thread.onSpinWait();
            LockSupport.parkNanos(20_000);
        }
    }

    /** Whether the thread is outside the guest, or is the calling one. */
    boolean isOutside() {
        return !busy || Thread.currentThread() == thread;
    }

    void join() {
        Thread runner = thread;
        boolean interrupted = false;
        while (runner != null && runner.isAlive() && runner != Thread.currentThread()) {
            try {
                runner.join(100);
                kick();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Gives back what the virtual CPU holds. The thread has ended. */
    void close() {
        runstate.register(null);
        if (timeArea != null) {
            timeArea.unpin();
            timeArea = null;
        }
        if (viridian != null) {
            viridian.close();
        }
        if (vcpuInfoMfn >= 0) {
            if (id < SharedInfo.VCPUS || vcpuInfoRegistered) {
                domain.memory().unpin(vcpuInfoMfn);
            } else {
                domain.memory().releaseHypervisorFrame(vcpuInfoMfn);
            }
            vcpuInfoMfn = -1;
        }
        if (engine instanceof AutoCloseable closeable) {
            try {
                closeable.close();
            } catch (Exception e) {
                throw new IllegalStateException("cannot close the " + engine.name() + " engine of " + this, e);
            }
        }
        state.close();
    }

    // Requests.

    private void serveRequests() {
        state.lower(VcpuState.EVENT_EXIT);
        for (Long changed : changedFrames) {
            // Removed first: a change after that is a new one.
            changedFrames.remove(changed);
            engine.invalidateFrame(changed);
        }
        // Read before INIT is looked at: whoever sent both sent INIT first, and it is seen then.
        int vector = startupVector;
        if (initRequested) {
            initRequested = false;
            down = true;
            state.setInt(VcpuState.ACTIVITY, VcpuState.WAIT_FOR_SIPI);
            controller.init();
        }
        if (vector >= 0) {
            startupVector = -1;
            if (state.getInt(VcpuState.ACTIVITY) == VcpuState.WAIT_FOR_SIPI) {
                startAt(vector);
            }
        }
    }

    /** Real mode at {@code vector} pages, as a startup interrupt says (Intel SDM vol. 3, 10.4.4). */
    private void startAt(int vector) {
        long retired = state.retired();
        state.reset();
        state.setLong(VcpuState.RETIRED, retired);
        state.setSegment(VcpuState.CS, vector << 8, (long) vector << 12, 0xFFFF, 0x9B);
        state.setRip(0);
        engine.flushTlb();
        down = false;
        interruptsChanged();
        // The guest may have chosen the vector, and events may have come, before INIT emptied the interrupt controller;
        // an event that is pending is not announced a second time by itself.
        if (isEventPending()) {
            announceEvents();
        }
    }

    /** INIT, from any thread: the processor stops and waits for {@link #requestStartup}. */
    public void requestInit() {
        initRequested = true;
        kick();
    }

    /** A startup interrupt, from any thread: starts a processor that waits for it at {@code vector << 12}. */
    public void requestStartup(int vector) {
        startupVector = vector;
        kick();
    }

    /** A non-maskable interrupt, from any thread. */
    public void requestNmi() {
        state.raise(VcpuState.EVENT_NMI);
        wake();
    }

    void requestFlush() {
        if (Thread.currentThread() == thread) {
            engine.flushTlb();
        } else {
            flushRequested = true;
            state.requestExit();
        }
    }

    /**
     * Waits until no stale translation of this virtual CPU can be used. The caller may hold the domain's memory lock, so
     * nobody may wait for that while translating.
     */
    void awaitFlush() {
        for (int round = 0; translating && flushRequested && Thread.currentThread() != thread; round++) {
            if (round < ROUNDS) {
                Thread.onSpinWait();
            } else {
                Thread.yield();
            }
        }
    }

    void requestInvalidation(long gfn) {
        if (Thread.currentThread() == thread) {
            engine.invalidateFrame(gfn);
        } else {
            changedFrames.add(gfn);
            state.requestExit();
        }
    }

    /** As a request even on the virtual CPU's own thread. */
    void requestInvalidationLater(long gfn) {
        changedFrames.add(gfn);
        state.requestExit();
    }

    // Sleep.

    /**
     * Sleeps, serving requests and timers, until a condition holds or a deadline comes.
     *
     * @return whether the condition holds; false also when the domain stops
     */
    boolean sleepUntil(BooleanSupplier ready, long deadline, int runstateMeanwhile) {
        if (ready.getAsBoolean()) {
            return true;
        }
        giveUpCpu(runstateMeanwhile);
        while (true) {
            woken = false;
            serveRequests();
            fireDueTimers();
            if (ready.getAsBoolean()) {
                return true;
            }
            if (domain.isStopping() || clock.now() >= deadline) {
                return false;
            }
            if (giveUpCpu(runstateMeanwhile)) {
                // Woken for nothing. What happened before it was blocked again woke nobody: look once more.
                continue;
            }
            alarm.set(DomainClock.NEVER);
            busy = false;
            if (!woken) {
                clock.idle(Math.min(deadline, nextDeadline));
            }
            busy = true;
        }
    }

    /** Enters a sleeping state; false when it is in it. */
    private boolean giveUpCpu(int state) {
        return state == RunstateInfo.BLOCKED ? unit.block() : unit.offline();
    }

    /** SCHEDOP_block: sleeps until an event or a wake-up. */
    public void block() {
        if (!isEventPending() && controller.pending() < 0) {
            woken = false;
            sleepUntil(
                    () -> woken || isEventPending() || hasDeliverableInterrupt(),
                    DomainClock.NEVER,
                    RunstateInfo.BLOCKED);
        }
    }

    /** Others that wait for a physical CPU go first, from the next turn on; without any, other threads of the host do. */
    public void yieldProcessor() {
        if (!unit.yieldCpu()) {
            Thread.yield();
        }
    }

    /** SCHEDOP_poll: sleeps until a condition about ports holds, an interrupt can be delivered, or a deadline comes. */
    public void poll(BooleanSupplier portPending, long deadline) {
        polling = true;
        try {
            sleepUntil(() -> portPending.getAsBoolean() || hasDeliverableInterrupt(), deadline, RunstateInfo.BLOCKED);
        } finally {
            polling = false;
        }
    }

    /** Whether the virtual CPU is offline. */
    public boolean isDown() {
        return down;
    }

    /** Takes the virtual CPU offline; the last one powers the domain off. */
    public void goDown() {
        down = true;
        kick();
        domain.vcpuWentDown(this);
    }

    /**
     * Gives a virtual CPU that was never started its first state; {@link #comeUp} starts it. EEXIST when it has one.
     *
     * @param loader writes the state block; when it fails, the virtual CPU still waits for its start
     */
    public void initialise(Consumer<VcpuState> loader) {
        synchronized (state) {
            if (!down || state.getInt(VcpuState.ACTIVITY) != VcpuState.WAIT_FOR_SIPI) {
                throw new HypercallException(Errno.EEXIST);
            }
            loader.accept(state);
            state.setInt(VcpuState.ACTIVITY, VcpuState.HALTED);
        }
        requestFlush();
    }

    /** Brings a virtual CPU back that {@link #goDown} took offline; EINVAL when it was never started. */
    public void comeUp() {
        if (state.getInt(VcpuState.ACTIVITY) == VcpuState.WAIT_FOR_SIPI) {
            throw new HypercallException(Errno.EINVAL);
        }
        if (!down) {
            return;
        }
        state.setInt(VcpuState.ACTIVITY, VcpuState.ACTIVE);
        down = false;
        interruptsChanged();
    }

    /** CPU time that it has used, in nanoseconds of the host's clock. */
    public long cpuNanos() {
        return unit.cpuNanos();
    }

    /** Runstate: state, entry time, and nanoseconds in each of the four states. */
    public long[] runstate() {
        return runstate.snapshot();
    }

    // Timers.

    /** Makes a timer of this virtual CPU. */
    public VcpuTimer newTimer(Runnable action) {
        VcpuTimer timer = new VcpuTimer(this, action);
        synchronized (timers) {
            timers.add(timer);
        }
        return timer;
    }

    void setTimer(VcpuTimer timer, long deadline) {
        synchronized (timers) {
            timer.deadline = deadline;
            updateNextDeadline();
        }
        if (Thread.currentThread() != thread) {
            kick();
        } else if (alarm != null && busy) {
            // The engine's budget was made for another deadline: when this comes from inside it, leave soon.
            state.requestExit();
        }
    }

    long timerDeadline(VcpuTimer timer) {
        synchronized (timers) {
            return timer.deadline;
        }
    }

    /** Under the lock of {@link #timers}. */
    private void updateNextDeadline() {
        long next = DomainClock.NEVER;
        for (VcpuTimer timer : timers) {
            next = Math.min(next, timer.deadline);
        }
        nextDeadline = next;
    }

    private void fireDueTimers() {
        while (nextDeadline != DomainClock.NEVER && nextDeadline <= clock.now()) {
            VcpuTimer due = null;
            synchronized (timers) {
                for (VcpuTimer timer : timers) {
                    if (timer.deadline == nextDeadline) {
                        due = timer;
                        timer.deadline = DomainClock.NEVER;
                        break;
                    }
                }
                updateNextDeadline();
            }
            if (due != null) {
                due.action.run();
            }
        }
    }

    /** Sets the single-shot timer; {@link DomainClock#NEVER} stops it. */
    public void setSingleshotTimer(long deadline) {
        singleshot.set(deadline);
    }

    /** Sets the periodic timer; 0 stops it. */
    public void setPeriodicTimer(long nanoseconds) {
        period = nanoseconds;
        periodic.set(nanoseconds == 0 ? DomainClock.NEVER : clock.now() + nanoseconds);
    }

    private void fireSingleshot() {
        domain.eventChannels().raiseVirq(this, Virq.TIMER);
    }

    private void firePeriodic() {
        long interval = period;
        if (interval != 0) {
            periodic.set(clock.now() + interval);
            domain.eventChannels().raiseVirq(this, Virq.TIMER);
        }
    }

    // Memory shared with the guest.

    /** Host address of the vcpu_info that is in use. */
    public long vcpuInfo() {
        return vcpuInfo;
    }

    /** Moves the vcpu_info into memory of the guest; only once in a domain's life. */
    public void registerVcpuInfo(long gfn, int offset) {
        if (vcpuInfoRegistered) {
            throw new HypercallException(Errno.EINVAL);
        }
        if (offset < 0 || offset > GuestPhysical.FRAME_SIZE - VcpuInfo.SIZE || (offset & 7) != 0) {
            throw new HypercallException(Errno.ENXIO);
        }
        int mfn = domain.memory().pin(gfn);
        if (mfn < 0) {
            throw new HypercallException(Errno.EINVAL);
        }
        long moved = domain.memory().address(mfn) + offset;
        domain.eventChannels().exclusively(() -> {
            Raw.copy(vcpuInfo, moved, VcpuInfo.SIZE);
            // Events may have been raised between the copy of one word and the next: announce everything.
            Raw.putLongVolatile(moved + VcpuInfo.PENDING_SEL, -1L);
            Raw.putByte(moved + VcpuInfo.UPCALL_PENDING, (byte) 1);
            int old = vcpuInfoMfn;
            vcpuInfo = moved;
            vcpuInfoMfn = mfn;
            vcpuInfoRegistered = true;
            if (old >= 0) {
                domain.memory().releaseHypervisorFrame(old);
            }
            SystemTimeRecord.write(vcpuInfo + VcpuInfo.TIME, clock);
        });
        announceEvents();
    }

    /** Registers a second copy of the time record at a linear address; 0 takes it away. */
    public void registerTimeArea(long linear) {
        GuestArea area = linear == 0 ? null : GuestArea.pin(domain.memory(), this.linear, linear, VcpuTimeInfo.SIZE);
        if (timeArea != null) {
            timeArea.unpin();
        }
        timeArea = area;
        writeTime();
    }

    /** Registers the runstate area at a linear address; 0 takes it away. */
    public void registerRunstateArea(long linear) {
        runstate.register(linear == 0 ? null : GuestArea.pin(domain.memory(), this.linear, linear, RunstateInfo.SIZE));
    }

    private void renewTime() {
        if (clock.now() - timeWritten >= TIME_RENEWAL) {
            writeTime();
        }
    }

    /** Writes the time records. On the virtual CPU's thread. */
    private void writeTime() {
        timeWritten = clock.now();
        SystemTimeRecord.write(vcpuInfo + VcpuInfo.TIME, clock);
        GuestArea area = timeArea;
        if (area != null) {
            long[] words = SystemTimeRecord.sample(clock);
            int version = area.getInt(VcpuTimeInfo.VERSION) & ~1;
            area.putInt(VcpuTimeInfo.VERSION, version + 1);
            area.putLong(VcpuTimeInfo.TSC_TIMESTAMP, words[1]);
            area.putLong(VcpuTimeInfo.SYSTEM_TIME, words[2]);
            area.putLong(VcpuTimeInfo.TSC_TO_SYSTEM_MUL, words[3]);
            area.putInt(VcpuTimeInfo.VERSION, version + 2);
        }
    }

    // Interrupts.

    /** Marks that an event is waiting and announces it, if none was. Event channels call this with their lock held. */
    public void markEventsPending() {
        // upcall_pending is the lowest byte of an aligned word.
        if ((Raw.getAndOrInt(vcpuInfo + VcpuInfo.UPCALL_PENDING, 1) & 0xff) == 0) {
            announceEvents();
        }
    }

    private void announceEvents() {
        int vector = upcallVector;
        if (vector != 0) {
            controller.raise(vector);
        } else {
            interruptsChanged();
        }
    }

    /** Announces events through the interrupt controller from now on. */
    public void setUpcallVector(int vector) {
        upcallVector = vector;
        if (isEventPending()) {
            announceEvents();
        }
    }

    private boolean isEventPending() {
        return (Raw.getIntVolatile(vcpuInfo + VcpuInfo.UPCALL_PENDING) & 0xff) != 0;
    }

    /** Something about interrupts has changed: the processor looks again. From any thread. */
    public void interruptsChanged() {
        state.raise(VcpuState.EVENT_INTERRUPT);
        wake();
    }

    private boolean hasPendingNmi() {
        return (state.getInt(VcpuState.EVENTS) & VcpuState.EVENT_NMI) != 0;
    }

    private boolean isCallbackPending() {
        return domain.callbackVector() != 0 && upcallVector == 0 && isEventPending();
    }

    private boolean hasDeliverableInterrupt() {
        return hasPendingNmi() || (state.rflags() & 0x200) != 0 && (isCallbackPending() || controller.pending() >= 0);
    }

    @Override
    public int acknowledgeInterrupt() {
        // Lower first, look then, raise again for what stays: a request that comes in between is not lost.
        state.lower(VcpuState.EVENT_INTERRUPT);
        int vector;
        if (isCallbackPending()) {
            // Level-like: it stays until the guest clears upcall_pending, which it does with interrupts off.
            vector = domain.callbackVector();
            state.raise(VcpuState.EVENT_INTERRUPT);
        } else {
            vector = controller.acknowledge();
            if (vector >= 0 && controller.pending() >= 0) {
                state.raise(VcpuState.EVENT_INTERRUPT);
            }
        }
        Trace trace = domain.trace();
        if (trace != null && vector >= 0) {
            trace.interrupt(this, vector);
        }
        return vector;
    }

    @Override
    public int taskPriority() {
        return controller.taskPriority();
    }

    @Override
    public void setTaskPriority(int priority) {
        controller.setTaskPriority(priority);
    }

    /** Not counted where nobody can be waited for: the last instruction of a turn would depend on it. */
    @Override
    public void pause() {
        if (domain.vcpus().size() > 1 && ++spins >= SPINS) {
            state.requestExit();
        }
    }

    // The rest of the world.

    @Override
    public int portIn(int port, int bytes) {
        int value = domain.ports().read(port, bytes);
        Trace trace = domain.trace();
        if (trace != null) {
            trace.port(this, false, port, bytes, value);
        }
        return value;
    }

    @Override
    public void portOut(int port, int bytes, int value) {
        Trace trace = domain.trace();
        if (trace != null) {
            trace.port(this, true, port, bytes, value);
        }
        domain.ports().write(port, bytes, value);
    }

    @Override
    public long mmioRead(long gpa, int bytes) {
        long value = controller.claims(gpa)
                ? controller.mmioRead(gpa, bytes)
                : domain.mmio().read(gpa, bytes);
        Trace trace = domain.trace();
        if (trace != null) {
            trace.mmio(this, false, gpa, bytes, value);
        }
        return value;
    }

    @Override
    public void mmioWrite(long gpa, int bytes, long value) {
        Trace trace = domain.trace();
        if (trace != null) {
            trace.mmio(this, true, gpa, bytes, value);
        }
        if (controller.claims(gpa)) {
            controller.mmioWrite(gpa, bytes, value);
        } else {
            domain.mmio().write(gpa, bytes, value);
        }
    }

    @Override
    public boolean readMsr(int msr, long[] result) {
        boolean accepted;
        if (controller.hasMsr(msr)) {
            accepted = controller.readMsr(msr, result);
        } else if (msr == hypercallPageMsr()) {
            result[0] = 0;
            accepted = true;
        } else if (viridian != null && Viridian.hasMsr(msr)) {
            accepted = viridian.read(msr, result);
        } else {
            accepted = msrs.read(msr, result);
        }
        Trace trace = domain.trace();
        if (trace != null) {
            trace.msr(this, false, msr, accepted ? result[0] : 0, accepted);
        }
        return accepted;
    }

    @Override
    public boolean writeMsr(int msr, long value) {
        boolean accepted;
        if (controller.hasMsr(msr)) {
            accepted = controller.writeMsr(msr, value);
        } else if (msr == hypercallPageMsr()) {
            accepted = writeHypercallPage(value);
        } else if (viridian != null && Viridian.hasMsr(msr)) {
            accepted = viridian.write(msr, value);
        } else {
            accepted = msrs.write(msr, value);
        }
        Trace trace = domain.trace();
        if (trace != null) {
            trace.msr(this, true, msr, value, accepted);
        }
        return accepted;
    }

    private int hypercallPageMsr() {
        return viridian == null ? XenCpuid.HYPERCALL_PAGE_MSR : Viridian.XEN_HYPERCALL_MSR;
    }

    /** Bits 63..12 say which guest frame, the rest which hypercall page; there is one. */
    private boolean writeHypercallPage(long value) {
        long gfn = value >>> GuestPhysical.FRAME_SHIFT;
        if ((value & GuestPhysical.FRAME_SIZE - 1) != 0 || !DomainMemory.isValid(gfn)) {
            return false;
        }
        byte[] page = HypercallPage.content(domain.parts().cpuid());
        if (!domain.memory().map().write(gfn << GuestPhysical.FRAME_SHIFT, page, 0, page.length)) {
            return false;
        }
        domain.contentChangedWhileRunning(gfn);
        return true;
    }

    @Override
    public void cpuid(int leaf, int subleaf, int[] result) {
        cpuid.leaf(this, leaf, subleaf, result);
    }

    @Override
    public long timeStampCounter() {
        return clock.timeStampCounter();
    }

    @Override
    public long random() {
        return domain.parts().random().getAsLong();
    }
}
