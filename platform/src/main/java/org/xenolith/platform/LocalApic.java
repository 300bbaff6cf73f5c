package org.xenolith.platform;

import org.xenolith.hypervisor.InterruptController;
import org.xenolith.hypervisor.Vcpu;
import org.xenolith.hypervisor.VcpuTimer;
import org.xenolith.hypervisor.time.DomainClock;

/**
 * The local APIC of a virtual CPU (Intel SDM vol. 3, chapter 11): xAPIC register page, x2APIC registers as MSRs, priority
 * logic, interprocessor interrupts, and the timer with its three modes.
 *
 * <p>Interrupts are edge-triggered: nothing in a PVH machine has level-triggered ones. The timer counts at a bus frequency
 * of one tick a nanosecond.
 *
 * <p>{@link #raise} and {@link #accepts} may come from any thread; the request register is atomic, the few registers that
 * other virtual CPUs read are volatile. The rest belongs to the virtual CPU's thread.
 */
public final class LocalApic implements InterruptController {
    /** Where the register page is after reset. */
    public static final long DEFAULT_BASE = 0xFEE00000L;

    private static final int PAGE_SIZE = 0x1000;
    /** Version 0x14, six local vector table entries. */
    private static final int VERSION = 0x14 | 5 << 16;

    private static final int MSR_APIC_BASE = 0x1B;
    private static final int MSR_TSC_DEADLINE = 0x6E0;
    private static final int MSR_X2APIC_FIRST = 0x800;
    private static final int MSR_X2APIC_LAST = 0x8FF;

    private static final long BASE_BSP = 1 << 8;
    private static final long BASE_X2APIC = 1 << 10;
    private static final long BASE_ENABLE = 1 << 11;
    private static final long BASE_ADDRESS = 0xF_FFFF_FFFF_F000L;

    // Register numbers: offset in the page divided by 16, MSR number minus 0x800.
    private static final int REG_ID = 0x02;
    private static final int REG_VERSION = 0x03;
    private static final int REG_TPR = 0x08;
    private static final int REG_APR = 0x09;
    private static final int REG_PPR = 0x0A;
    private static final int REG_EOI = 0x0B;
    private static final int REG_RRD = 0x0C;
    private static final int REG_LDR = 0x0D;
    private static final int REG_DFR = 0x0E;
    private static final int REG_SVR = 0x0F;
    private static final int REG_ISR = 0x10;
    private static final int REG_TMR = 0x18;
    private static final int REG_IRR = 0x20;
    private static final int REG_ESR = 0x28;
    private static final int REG_ICR = 0x30;
    private static final int REG_ICR_HIGH = 0x31;
    /** Local vector table: timer, thermal, performance counters, LINT0, LINT1, error. */
    private static final int REG_LVT = 0x32;

    private static final int LVT_ENTRIES = 6;
    private static final int LVT_TIMER = 0;
    private static final int LVT_ERROR = 5;
    private static final int REG_TIMER_INITIAL = 0x38;
    private static final int REG_TIMER_CURRENT = 0x39;
    private static final int REG_TIMER_DIVIDE = 0x3E;
    private static final int REG_SELF_IPI = 0x3F;

    private static final int LVT_MASKED = 1 << 16;
    /** Writable bits of each entry of the local vector table, without the read-only delivery status. */
    private static final int[] LVT_WRITABLE = {0x700FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF};

    private static final int TIMER_MODE_SHIFT = 17;
    private static final int TIMER_ONESHOT = 0;
    private static final int TIMER_PERIODIC = 1;
    private static final int TIMER_DEADLINE = 2;

    private static final int SVR_ENABLE = 1 << 8;

    private static final int ESR_SEND_ILLEGAL_VECTOR = 1 << 5;
    private static final int ESR_RECEIVE_ILLEGAL_VECTOR = 1 << 6;
    private static final int ESR_ILLEGAL_REGISTER = 1 << 7;

    private static final int DELIVER_FIXED = 0;
    private static final int DELIVER_LOWEST = 1;
    private static final int DELIVER_NMI = 4;
    private static final int DELIVER_INIT = 5;
    private static final int DELIVER_STARTUP = 6;

    private static final int ICR_LOGICAL = 1 << 11;
    private static final int ICR_ASSERT = 1 << 14;
    private static final int ICR_LEVEL = 1 << 15;
    private static final int ICR_XAPIC_WRITABLE = 0xCCFFF;

    private static final int FIRST_LEGAL_VECTOR = 16;

    private final Vcpu vcpu;
    private final int id;
    private final VcpuTimer timer;

    private final VectorSet irr = new VectorSet();
    private final VectorSet isr = new VectorSet();
    private final VectorSet tmr = new VectorSet();

    private volatile long base;
    private volatile int tpr;
    private volatile int svr;
    /** Logical destination of xAPIC mode, in bits 31..24; x2APIC mode derives it from the identifier. */
    private volatile int ldr;

    private volatile int dfr;
    private final int[] lvt = new int[LVT_ENTRIES];
    private volatile int pendingErrors;
    private int esr;
    private long icr;
    private int timerInitial;
    private int timerDivide;
    /** System time when the counter was loaded last. */
    private long timerStarted;
    /** Target of deadline mode, in ticks of the guest's counter; 0 = off. */
    private long deadline;

    /** The APIC of a virtual CPU, in its reset state: xAPIC mode, globally enabled. */
    public LocalApic(Vcpu vcpu) {
        this.vcpu = vcpu;
        id = vcpu.apicId();
        timer = vcpu.newTimer(this::timerExpired);
        base = DEFAULT_BASE | BASE_ENABLE | (vcpu.id() == 0 ? BASE_BSP : 0);
        init();
    }

    @Override
    public void init() {
        irr.clearAll();
        isr.clearAll();
        tmr.clearAll();
        tpr = 0;
        svr = 0xFF;
        ldr = 0;
        dfr = -1;
        for (int i = 0; i < LVT_ENTRIES; i++) {
            lvt[i] = LVT_MASKED;
        }
        pendingErrors = 0;
        esr = 0;
        icr = 0;
        timerInitial = 0;
        timerDivide = 0;
        deadline = 0;
        timer.cancel();
    }

    private boolean isEnabled() {
        return (base & BASE_ENABLE) != 0;
    }

    private boolean isX2() {
        return (base & BASE_X2APIC) != 0;
    }

    private boolean isSoftwareEnabled() {
        return isEnabled() && (svr & SVR_ENABLE) != 0;
    }

    // Priorities.

    @Override
    public void raise(int vector) {
        if (!isEnabled()) {
            return;
        }
        // Kept while the APIC is disabled by software: event channels announce themselves once, and a kernel may choose
        // its
        // vector before it sets the APIC up.
        if (vector < FIRST_LEGAL_VECTOR) {
            reportError(ESR_RECEIVE_ILLEGAL_VECTOR);
            return;
        }
        tmr.clear(vector);
        irr.set(vector);
        vcpu.interruptsChanged();
    }

    /** PPR: the higher of the task priority and the class of what is in service. */
    private int processorPriority() {
        int inService = Math.max(0, isr.highest());
        return (tpr >>> 4) >= (inService >>> 4) ? tpr : inService & 0xF0;
    }

    @Override
    public int pending() {
        if (!isSoftwareEnabled()) {
            return -1;
        }
        int vector = irr.highest();
        return vector >= 0 && vector >>> 4 > processorPriority() >>> 4 ? vector : -1;
    }

    @Override
    public int acknowledge() {
        int vector = pending();
        if (vector >= 0) {
            irr.clear(vector);
            isr.set(vector);
        }
        return vector;
    }

    private void endOfInterrupt() {
        int vector = isr.highest();
        if (vector >= 0) {
            isr.clear(vector);
            announcePending();
        }
    }

    @Override
    public int taskPriority() {
        return tpr >>> 4;
    }

    @Override
    public void setTaskPriority(int priority) {
        setTpr(priority << 4);
    }

    private void setTpr(int value) {
        tpr = value & 0xFF;
        announcePending();
    }

    /** Only when there is something: an engine looks outside, slowly, for as long as it is told to. */
    private void announcePending() {
        if (pending() >= 0) {
            vcpu.interruptsChanged();
        }
    }

    private synchronized void reportError(int bits) {
        pendingErrors |= bits;
        int entry = lvt[LVT_ERROR];
        if ((entry & LVT_MASKED) != 0) {
            return;
        }
        int vector = entry & 0xFF;
        if (vector < FIRST_LEGAL_VECTOR) {
            // The report is itself an illegal vector received; it must not report itself again.
            pendingErrors |= ESR_RECEIVE_ILLEGAL_VECTOR;
        } else {
            raise(vector);
        }
    }

    // Registers by MSR.

    @Override
    public boolean hasMsr(int msr) {
        return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE || msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST;
    }

    @Override
    public boolean readMsr(int msr, long[] result) {
        if (msr == MSR_APIC_BASE) {
            result[0] = base;
            return true;
        }
        if (msr == MSR_TSC_DEADLINE) {
            result[0] = deadline;
            return true;
        }
        int register = msr - MSR_X2APIC_FIRST;
        if (!isX2()) {
            return false;
        }
        switch (register) {
            case REG_ID -> result[0] = id;
            case REG_LDR -> result[0] = x2Ldr() & 0xffffffffL;
            case REG_ICR -> result[0] = icr;
            case REG_EOI, REG_APR, REG_RRD, REG_DFR, REG_ICR_HIGH, REG_SELF_IPI -> {
                return false;
            }
            default -> {
                if (!isRegister(register)) {
                    return false;
                }
                result[0] = readRegister(register) & 0xffffffffL;
            }
        }
        return true;
    }

    @Override
    public boolean writeMsr(int msr, long value) {
        if (msr == MSR_APIC_BASE) {
            return writeBase(value);
        }
        if (msr == MSR_TSC_DEADLINE) {
            if (timerMode() == TIMER_DEADLINE) {
                deadline = value;
                armDeadline();
            }
            return true;
        }
        if (!isX2()) {
            return false;
        }
        int register = msr - MSR_X2APIC_FIRST;
        if (register == REG_ICR) {
            if ((value & ~0xFFFFFFFF000CCFFFL) != 0) {
                return false;
            }
            icr = value;
            send((int) value, (int) (value >>> 32));
            return true;
        }
        if (value >>> 32 != 0) {
            return false;
        }
        int low = (int) value;
        switch (register) {
            case REG_EOI, REG_ESR -> {
                if (low != 0) {
                    return false;
                }
                writeRegister(register, low);
            }
            case REG_SELF_IPI -> {
                if ((low & ~0xFF) != 0) {
                    return false;
                }
                raiseFromSender(low);
            }
            case REG_TPR -> {
                if ((low & ~0xFF) != 0) {
                    return false;
                }
                setTpr(low);
            }
            case REG_SVR -> {
                if ((low & ~0x3FF) != 0) {
                    return false;
                }
                writeRegister(register, low);
            }
            case REG_TIMER_DIVIDE -> {
                if ((low & ~0xB) != 0) {
                    return false;
                }
                writeRegister(register, low);
            }
            case REG_TIMER_INITIAL -> writeRegister(register, low);
            default -> {
                int entry = register - REG_LVT;
                if (entry < 0 || entry >= LVT_ENTRIES || (low & ~(LVT_WRITABLE[entry] | 1 << 12 | 1 << 14)) != 0) {
                    return false;
                }
                writeRegister(register, low);
            }
        }
        return true;
    }

    /** Legal changes of mode: off to xAPIC, xAPIC to x2APIC, any to off. */
    private boolean writeBase(long value) {
        if ((value & ~(BASE_ADDRESS | BASE_BSP | BASE_X2APIC | BASE_ENABLE)) != 0) {
            return false;
        }
        boolean enable = (value & BASE_ENABLE) != 0;
        boolean x2 = (value & BASE_X2APIC) != 0;
        if (x2 && (!enable || !isEnabled()) || isX2() && enable && !x2) {
            return false;
        }
        if (!enable && isEnabled()) {
            init();
        }
        base = value;
        announcePending();
        return true;
    }

    // Registers in memory.

    @Override
    public boolean claims(long gpa) {
        long now = base;
        return (now & BASE_ENABLE) != 0 && (now & BASE_X2APIC) == 0 && (gpa & -PAGE_SIZE) == (now & BASE_ADDRESS);
    }

    @Override
    public long mmioRead(long gpa, int bytes) {
        int offset = (int) gpa & PAGE_SIZE - 1;
        int register = offset >>> 4;
        int value = switch (register) {
            case REG_ID -> id << 24;
            case REG_LDR -> ldr;
            case REG_DFR -> dfr;
            case REG_ICR -> (int) icr;
            case REG_ICR_HIGH -> (int) (icr >>> 32);
            case REG_APR, REG_RRD, REG_EOI -> 0;
            default -> {
                if (!isRegister(register)) {
                    reportError(ESR_ILLEGAL_REGISTER);
                    yield 0;
                }
                yield readRegister(register);
            }
        };
        // Narrow and unaligned accesses see the bytes of a 16-byte slot whose upper 12 are zero.
        int shift = (offset & 15) * 8;
        long slot = value & 0xffffffffL;
        long seen = shift < 32 ? slot >>> shift : 0;
        return bytes == 8 ? seen : seen & (1L << bytes * 8) - 1;
    }

    @Override
    public void mmioWrite(long gpa, int bytes, long value) {
        int offset = (int) gpa & PAGE_SIZE - 1;
        if ((offset & 15) != 0 || bytes < 4) {
            // Only aligned 32-bit stores are architectural.
            return;
        }
        int register = offset >>> 4;
        int low = (int) value;
        switch (register) {
            case REG_TPR -> setTpr(low);
            case REG_LDR -> ldr = low & 0xFF000000;
            case REG_DFR -> dfr = low | 0x0FFFFFFF;
            case REG_ICR -> {
                icr = icr & 0xFFFFFFFF00000000L | low & ICR_XAPIC_WRITABLE;
                send(low, (int) (icr >>> 56));
            }
            case REG_ICR_HIGH -> icr = icr & 0xffffffffL | (low & 0xFF000000L) << 32;
            case REG_ID, REG_VERSION, REG_APR, REG_PPR, REG_RRD, REG_TIMER_CURRENT -> {
                // Read-only.
            }
            case REG_EOI, REG_SVR, REG_ESR, REG_TIMER_INITIAL, REG_TIMER_DIVIDE -> writeRegister(register, low);
            default -> {
                if (register >= REG_LVT && register < REG_LVT + LVT_ENTRIES) {
                    writeRegister(register, low);
                } else if (!isRegister(register)) {
                    reportError(ESR_ILLEGAL_REGISTER);
                }
            }
        }
    }

    // Registers in both modes.

    private static boolean isRegister(int register) {
        return register == REG_ID
                || register == REG_VERSION
                || register == REG_TPR
                || register == REG_PPR
                || register == REG_SVR
                || register >= REG_ISR && register <= REG_ESR
                || register >= REG_LVT && register < REG_LVT + LVT_ENTRIES
                || register == REG_TIMER_INITIAL
                || register == REG_TIMER_CURRENT
                || register == REG_TIMER_DIVIDE;
    }

    private int readRegister(int register) {
        if (register >= REG_ISR && register < REG_ISR + 8) {
            return isr.register(register - REG_ISR);
        }
        if (register >= REG_TMR && register < REG_TMR + 8) {
            return tmr.register(register - REG_TMR);
        }
        if (register >= REG_IRR && register < REG_IRR + 8) {
            return irr.register(register - REG_IRR);
        }
        if (register >= REG_LVT && register < REG_LVT + LVT_ENTRIES) {
            return lvt[register - REG_LVT];
        }
        return switch (register) {
            case REG_VERSION -> VERSION;
            case REG_TPR -> tpr;
            case REG_PPR -> processorPriority();
            case REG_SVR -> svr;
            case REG_ESR -> esr;
            case REG_TIMER_INITIAL -> timerMode() == TIMER_DEADLINE ? 0 : timerInitial;
            case REG_TIMER_CURRENT -> timerCurrent();
            case REG_TIMER_DIVIDE -> timerDivide;
            default -> 0;
        };
    }

    private void writeRegister(int register, int value) {
        switch (register) {
            case REG_EOI -> endOfInterrupt();
            case REG_SVR -> {
                svr = value & 0x3FF;
                if ((svr & SVR_ENABLE) == 0) {
                    for (int i = 0; i < LVT_ENTRIES; i++) {
                        lvt[i] |= LVT_MASKED;
                    }
                }
                announcePending();
            }
            case REG_ESR -> {
                synchronized (this) {
                    esr = pendingErrors;
                    pendingErrors = 0;
                }
            }
            case REG_TIMER_INITIAL -> {
                if (timerMode() != TIMER_DEADLINE) {
                    timerInitial = value;
                    startTimer();
                }
            }
            case REG_TIMER_DIVIDE -> {
                timerDivide = value & 0xB;
                if (timerMode() != TIMER_DEADLINE) {
                    startTimer();
                }
            }
            default -> writeLvt(register - REG_LVT, value);
        }
    }

    private void writeLvt(int entry, int value) {
        int oldMode = timerMode();
        int kept = value & LVT_WRITABLE[entry];
        if ((svr & SVR_ENABLE) == 0) {
            kept |= LVT_MASKED;
        }
        lvt[entry] = kept;
        if (entry == LVT_TIMER && (timerMode() == TIMER_DEADLINE) != (oldMode == TIMER_DEADLINE)) {
            // Changing from or to deadline mode disarms the timer.
            deadline = 0;
            timerInitial = 0;
            timer.cancel();
        }
    }

    // Timer.

    private int timerMode() {
        return lvt[LVT_TIMER] >>> TIMER_MODE_SHIFT & 3;
    }

    /** Nanoseconds that one step of the counter lasts. */
    private long timerStep() {
        int code = timerDivide & 3 | timerDivide >>> 1 & 4;
        return code == 7 ? 1 : 2L << code;
    }

    private long timerLength() {
        return (timerInitial & 0xffffffffL) * timerStep();
    }

    private void startTimer() {
        if (timerInitial == 0) {
            timer.cancel();
            return;
        }
        timerStarted = vcpu.domain().clock().now();
        timer.set(timerStarted + timerLength());
    }

    private int timerCurrent() {
        if (timerInitial == 0 || timerMode() == TIMER_DEADLINE || timer.deadline() == DomainClock.NEVER) {
            return 0;
        }
        long left = timer.deadline() - vcpu.domain().clock().now();
        return left <= 0 ? 0 : (int) ((left + timerStep() - 1) / timerStep());
    }

    private void armDeadline() {
        if (deadline == 0) {
            timer.cancel();
            return;
        }
        DomainClock clock = vcpu.domain().clock();
        long when = clock.scale().nanoseconds(deadline);
        timer.set(when < 0 ? DomainClock.NEVER : when);
    }

    private void timerExpired() {
        switch (timerMode()) {
            case TIMER_DEADLINE -> deadline = 0;
            case TIMER_PERIODIC -> {
                long length = timerLength();
                if (length > 0) {
                    // Follow the grid of the first expiry; ticks that nobody could take are lost, as on hardware.
                    long now = vcpu.domain().clock().now();
                    timerStarted += (now - timerStarted) / length * length;
                    timer.set(timerStarted + length);
                }
            }
            case TIMER_ONESHOT -> {
                // Stays at zero.
            }
            default -> {
                // Reserved mode: counts, and nothing comes of it.
                return;
            }
        }
        int entry = lvt[LVT_TIMER];
        if ((entry & LVT_MASKED) == 0) {
            raise(entry & 0xFF);
        }
    }

    // Interprocessor interrupts.

    private void raiseFromSender(int vector) {
        if (vector < FIRST_LEGAL_VECTOR) {
            reportError(ESR_SEND_ILLEGAL_VECTOR);
        } else {
            raise(vector);
        }
    }

    private void send(int command, int destination) {
        int mode = command >>> 8 & 7;
        int vector = command & 0xFF;
        if ((mode == DELIVER_FIXED || mode == DELIVER_LOWEST) && vector < FIRST_LEGAL_VECTOR) {
            reportError(ESR_SEND_ILLEGAL_VECTOR);
            return;
        }
        if (mode == DELIVER_INIT && (command & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL) {
            // INIT level de-assert: for processors of the last century.
            return;
        }
        int shorthand = command >>> 18 & 3;
        LocalApic lowest = null;
        for (Vcpu target : vcpu.domain().vcpus()) {
            if (!(target.controller() instanceof LocalApic apic)) {
                continue;
            }
            boolean addressed = switch (shorthand) {
                case 0 -> apic.accepts(destination, (command & ICR_LOGICAL) != 0, isX2());
                case 1 -> apic == this;
                case 2 -> true;
                default -> apic != this;
            };
            if (!addressed) {
                continue;
            }
            if (mode == DELIVER_LOWEST) {
                if (lowest == null || apic.processorPriority() < lowest.processorPriority()) {
                    lowest = apic;
                }
            } else {
                apic.receive(mode, vector);
            }
        }
        if (lowest != null) {
            lowest.receive(DELIVER_FIXED, vector);
        }
    }

    private void receive(int mode, int vector) {
        switch (mode) {
            case DELIVER_FIXED -> {
                if (isSoftwareEnabled()) {
                    raise(vector);
                }
            }
            case DELIVER_NMI -> vcpu.requestNmi();
            case DELIVER_INIT -> vcpu.requestInit();
            case DELIVER_STARTUP -> vcpu.requestStartup(vector);
            default -> {
                // SMI and reserved modes: nothing here takes them.
            }
        }
    }

    /** Whether a message with this destination is for this APIC. */
    boolean accepts(int destination, boolean logical, boolean senderX2) {
        if (!isEnabled()) {
            return false;
        }
        if (destination == (senderX2 ? -1 : 0xFF)) {
            return true;
        }
        if (!logical) {
            return destination == id;
        }
        if (isX2()) {
            int own = x2Ldr();
            return (destination >>> 16) == (own >>> 16) && (destination & own & 0xFFFF) != 0;
        }
        int own = ldr >>> 24;
        if (dfr >>> 28 == 0xF) {
            return (destination & own & 0xFF) != 0;
        }
        return (destination >>> 4 & 0xF) == own >>> 4 && (destination & own & 0xF) != 0;
    }

    /** Logical identifier of x2APIC mode: cluster in the upper half, one of 16 bits in the lower. */
    private int x2Ldr() {
        return id >>> 4 << 16 | 1 << (id & 0xF);
    }
}
