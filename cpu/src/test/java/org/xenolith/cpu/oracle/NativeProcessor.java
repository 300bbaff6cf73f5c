package org.xenolith.cpu.oracle;

import static org.xenolith.cpu.testing.Asm.RAX;
import static org.xenolith.cpu.testing.Asm.RBP;
import static org.xenolith.cpu.testing.Asm.RBX;
import static org.xenolith.cpu.testing.Asm.RCX;
import static org.xenolith.cpu.testing.Asm.RDI;
import static org.xenolith.cpu.testing.Asm.RDX;
import static org.xenolith.cpu.testing.Asm.RSI;
import static org.xenolith.cpu.testing.Asm.RSP;
import static org.xenolith.cpu.testing.Asm.abs;
import static org.xenolith.cpu.testing.Asm.mem;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.xenolith.cpu.testing.Asm;
import org.xenolith.memory.Raw;

/**
 * Runs test cases on the host's own processor. For the child process only: it takes over the process's handlers for
 * the signals of processor faults (those outside of test code go on to the JVM), and code under test can do anything.
 *
 * <p>Code is placed through a second, writable mapping of the executable pages. A stub in machine code loads all
 * registers, jumps to the case, and a landing pad behind the instruction brings control back and saves them. A fault
 * in a case enters our handler, also machine code, which notes vector, error code, rip, rsp and cr2 and sends the
 * thread to the saving stub; so faults are ordinary results.
 */
final class NativeProcessor {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_SHARED = 1;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MAP_FIXED_NOREPLACE = 0x100000;

    private static final long IN = Layout.STUB_DATA;
    private static final long TARGET = IN + 0x700;
    private static final long HOST = IN + 0x720;
    private static final long EXIT = IN + 0x800;
    private static final long OUT = IN + 0x808;
    private static final long FAULT = IN + 0x8C0;
    private static final long OLD = IN + 0x900;
    private static final long OUT_FX = IN + 0xA00;

    private static final int SYSCALL_ARCH_PRCTL = 158;
    private static final int ARCH_SET_GS = 0x1001;
    private static final int ARCH_SET_FS = 0x1002;
    private static final int ARCH_GET_FS = 0x1003;
    private static final int ARCH_GET_GS = 0x1004;

    private static final int SIGILL = 4;
    private static final int SIGTRAP = 5;
    private static final int SIGBUS = 7;
    private static final int SIGFPE = 8;
    private static final int SIGSEGV = 11;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

    private final long writableCode;
    private final boolean fsgsbase;
    private final MethodHandle enter64;
    private final MethodHandle enter32;
    private final MethodHandle serialize;
    private final DataArea data = new DataArea();
    private final long[] exits = new long[4];

    NativeProcessor() throws Throwable {
        fsgsbase = Files.readString(Path.of("/proc/cpuinfo")).contains(" fsgsbase ");
        Linker linker = Linker.nativeLinker();
        MethodHandle mmap = call(linker, "mmap", FunctionDescriptor.of(LONG, LONG, LONG, INT, INT, INT, LONG));
        MethodHandle memfd = call(linker, "memfd_create", FunctionDescriptor.of(INT, LONG, INT));
        MethodHandle truncate = call(linker, "ftruncate", FunctionDescriptor.of(INT, INT, LONG));
        byte[] name = {'o', 'r', 'a', 'c', 'l', 'e', 0};
        long scratch = anonymous(mmap, 0, 4096);
        Raw.copy(name, 0, scratch, name.length);
        int fd = (int) memfd.invokeExact(scratch, 0);
        long codeBytes = Layout.CODE_SIZE + 0x4000;
        int truncated = (int) truncate.invokeExact(fd, codeBytes);
        if (fd < 0 || truncated != 0) {
            throw new IllegalStateException("memfd_create failed");
        }
        writableCode = (long) mmap.invokeExact(0L, codeBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
        fixed(mmap, Layout.CODE, Layout.CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0L);
        fixed(mmap, Layout.STUB, 0x4000, PROT_READ | PROT_EXEC, MAP_SHARED, fd, Layout.CODE_SIZE);
        fixed(mmap, Layout.STUB_DATA, 0x2000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
        fixed(mmap, Layout.DATA, Layout.DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);

        Asm a = stub();
        byte[] bytes = a.bytes();
        Raw.copy(bytes, 0, writableCode + Layout.CODE_SIZE, bytes.length);
        for (int i = 0; i < 4; i++) {
            exits[i] = a.address("exit" + i);
        }
        FunctionDescriptor run = FunctionDescriptor.ofVoid();
        enter64 = linker.downcallHandle(MemorySegment.ofAddress(a.address("enter64")), run);
        enter32 = linker.downcallHandle(MemorySegment.ofAddress(a.address("enter32")), run);
        serialize = linker.downcallHandle(MemorySegment.ofAddress(a.address("serialize")), run);
        handlers(linker, mmap, scratch, a.address("handler"));
    }

    private static MethodHandle call(Linker linker, String name, FunctionDescriptor type) {
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
    }

    private static long anonymous(MethodHandle mmap, long at, long bytes) throws Throwable {
        return (long) mmap.invokeExact(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    }

    private static void fixed(MethodHandle mmap, long at, long bytes, int protection, int flags, int fd, long offset)
            throws Throwable {
        long got = (long) mmap.invokeExact(at, bytes, protection, flags | MAP_FIXED_NOREPLACE, fd, offset);
        if (got != at) {
            throw new IllegalStateException("address 0x" + Long.toHexString(at) + " is taken");
        }
    }

    private static void handlers(Linker linker, MethodHandle mmap, long scratch, long handler) throws Throwable {
        MethodHandle sigaltstack = call(linker, "sigaltstack", FunctionDescriptor.of(INT, LONG, LONG));
        MethodHandle sigaction = call(linker, "sigaction", FunctionDescriptor.of(INT, INT, LONG, LONG));
        long stackBytes = 1 << 20;
        long stack = anonymous(mmap, 0, stackBytes);
        Raw.fill(scratch, 4096, (byte) 0);
        Raw.putLong(scratch, stack);
        Raw.putLong(scratch + 16, stackBytes);
        if ((int) sigaltstack.invokeExact(scratch, 0L) != 0) {
            throw new IllegalStateException("sigaltstack failed");
        }
        for (int signal : List.of(SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV)) {
            Raw.fill(scratch, 512, (byte) 0);
            // struct sigaction of glibc: handler, 128 bytes of mask, flags (SA_SIGINFO, SA_ONSTACK, SA_NODEFER),
            // restorer
            Raw.putLong(scratch, handler);
            Raw.putInt(scratch + 136, 4 | 0x08000000 | 0x40000000);
            if ((int) sigaction.invokeExact(signal, scratch, scratch + 256) != 0) {
                throw new IllegalStateException("sigaction failed");
            }
            Raw.putLong(OLD + signal * 8L, Raw.getLong(scratch + 256));
        }
    }

    private Asm stub() {
        Asm a = new Asm(64, Layout.STUB);
        for (int mode = 2; mode <= 3; mode++) {
            a.label(mode == 3 ? "enter64" : "enter32");
            for (int r : new int[] {RBX, RBP, 12, 13, 14, 15}) {
                a.push(r);
            }
            a.store(3, abs(HOST), RSP);
            a.rm(2, 3, abs(HOST + 24), 0x0F, 0xAE);
            readBases(a, HOST + 8);
            writeBases(a, IN + 136);
            a.mov(2, RCX, 0x2B).loadSeg(Asm.DS, RCX).loadSeg(Asm.ES, RCX);
            a.rm(3, 1, abs(IN + 192), 0x0F, 0xAE);
            a.rm(2, 6, abs(IN + 128), 0xFF).popf();
            for (int r = 0; r < 16; r++) {
                a.load(3, r, abs(IN + r * 8));
            }
            // jmp [target], or jmp far [target]
            a.rm(2, mode == 3 ? 4 : 5, abs(TARGET), 0xFF);
        }
        for (int i = 0; i < 4; i++) {
            a.label("exit" + i);
            a.storeImm(3, abs(EXIT), i).jmp("save");
        }
        a.label("save");
        for (int r = 0; r < 16; r++) {
            a.store(3, abs(OUT + r * 8), r);
        }
        a.load(3, RSP, abs(HOST));
        a.pushf();
        a.rm(2, 0, abs(OUT + 128), 0x8F);
        a.pushImm(0x202).popf();
        a.rm(3, 0, abs(OUT_FX), 0x0F, 0xAE);
        a.db(0xDB, 0xE3);
        a.rm(2, 2, abs(HOST + 24), 0x0F, 0xAE);
        readBases(a, OUT + 136);
        writeBases(a, HOST + 8);
        for (int r : new int[] {15, 14, 13, 12, RBP, RBX}) {
            a.pop(r);
        }
        a.ret();

        a.label("serialize").push(RBX).cpuid().pop(RBX).ret();

        // handler(signal, siginfo, ucontext): gregs begin at +40; rsp is number 15, rip 16, cs 18, err 19, trapno 20,
        // cr2 22. The case's rsp is noted, and not returned with: some processors refuse an IRET to one that is not
        // canonical.
        a.label("handler");
        a.load(3, RAX, mem(RDX, 40 + 16 * 8));
        a.movRR(3, RCX, RAX).db(0x48, 0xC1, 0xE9, 32).jcc(Asm.NE, "chain");
        a.store(3, abs(FAULT), RAX);
        a.load(3, RAX, mem(RDX, 40 + 20 * 8)).store(3, abs(FAULT + 8), RAX);
        a.load(3, RAX, mem(RDX, 40 + 19 * 8)).store(3, abs(FAULT + 16), RAX);
        a.load(3, RAX, mem(RDX, 40 + 22 * 8)).store(3, abs(FAULT + 24), RAX);
        a.load(3, RAX, mem(RDX, 40 + 15 * 8)).store(3, abs(FAULT + 32), RAX);
        a.load(3, RAX, abs(HOST)).store(3, mem(RDX, 40 + 15 * 8), RAX);
        a.movLabel(RAX, "exit3").store(3, mem(RDX, 40 + 16 * 8), RAX);
        a.storeImm(1, mem(RDX, 40 + 18 * 8), 0x33);
        a.ret();
        a.label("chain").movRR(2, RAX, RDI);
        a.rm(2, 4, new Asm.Mem(-1, -1, RAX, 3, (int) OLD), 0xFF);
        return a;
    }

    /** Stores the bases of FS and GS. Without instructions for that the kernel is asked; rcx, rsi, rdi and r11 change. */
    private void readBases(Asm a, long to) {
        if (fsgsbase) {
            base(a, RAX, 0).store(3, abs(to), RAX);
            base(a, RAX, 1).store(3, abs(to + 8), RAX);
        } else {
            a.mov(2, RSI, to);
            archPrctl(a, ARCH_GET_FS);
            a.mov(2, RSI, to + 8);
            archPrctl(a, ARCH_GET_GS);
        }
    }

    private void writeBases(Asm a, long from) {
        if (fsgsbase) {
            a.load(3, RAX, abs(from));
            base(a, RAX, 2);
            a.load(3, RAX, abs(from + 8));
            base(a, RAX, 3);
        } else {
            a.load(3, RSI, abs(from));
            archPrctl(a, ARCH_SET_FS);
            a.load(3, RSI, abs(from + 8));
            archPrctl(a, ARCH_SET_GS);
        }
    }

    private static void archPrctl(Asm a, int code) {
        a.mov(2, RAX, SYSCALL_ARCH_PRCTL).mov(2, RDI, code).db(0x0F, 0x05);
    }

    /** {@code rdfsbase, rdgsbase, wrfsbase, wrgsbase reg64}. */
    private static Asm base(Asm a, int reg, int operation) {
        return a.db(0xF3, 0x48, 0x0F, 0xAE, 0xC0 | operation << 3 | reg);
    }

    /** Places the code of cases (in shared form) into their slots. */
    void place(long cases, int count) throws Throwable {
        for (int i = 0; i < count; i++) {
            long c = cases + (long) i * TestCase.SIZE;
            int slot = Raw.getInt(c + 152);
            long to = writableCode + (long) slot * Layout.SLOT;
            Raw.fill(to, Layout.SLOT, (byte) 0xCC);
            int length = Raw.getByte(c + 156);
            Raw.copy(c + TestCase.CODE, to + Layout.INSN, length);
            boolean is64 = Raw.getByte(c + 157) == 3;
            pad(slot, Layout.PAD_BACK, exits[Layout.EXIT_BACK], is64);
            pad(slot, Layout.INSN + length, exits[Layout.EXIT_NEXT], is64);
            pad(slot, Layout.PAD_FORWARD, exits[Layout.EXIT_FORWARD], is64);
        }
        serialize.invokeExact();
    }

    private void pad(int slot, int at, long exit, boolean is64) {
        long to = writableCode + (long) slot * Layout.SLOT + at;
        if (is64) {
            Raw.putByte(to, (byte) 0xE9);
            Raw.putInt(to + 1, (int) (exit - (Layout.slot(slot) + at + 5)));
        } else {
            // jmp 0x33:exit
            Raw.putByte(to, (byte) 0xEA);
            Raw.putInt(to + 1, (int) exit);
            Raw.putShort(to + 5, (short) 0x33);
        }
    }

    /** Runs one case that was placed. */
    void run(long testCase, long outcome) throws Throwable {
        data.prepare(Layout.DATA, testCase);
        Raw.copy(testCase, IN, 704);
        long target = Layout.slot(Raw.getInt(testCase + 152)) + Layout.INSN;
        if (Raw.getByte(testCase + 157) == 3) {
            Raw.putLong(TARGET, target);
            enter64.invokeExact();
        } else {
            Raw.putInt(TARGET, (int) target);
            Raw.putShort(TARGET + 4, (short) 0x23);
            enter32.invokeExact();
        }
        int exit = (int) Raw.getLong(EXIT);
        boolean fault = exit == 3;
        Raw.putInt(outcome, fault ? Layout.FAULT + (int) Raw.getLong(FAULT + 8) : exit);
        Raw.putInt(outcome + 4, fault ? (int) Raw.getLong(FAULT + 16) : 0);
        Raw.putLong(outcome + 8, fault ? Raw.getLong(FAULT) : 0);
        Raw.putLong(outcome + 16, fault ? Raw.getLong(FAULT + 24) : 0);
        Raw.copy(OUT, outcome + 24, 152);
        if (fault) {
            Raw.putLong(outcome + 24 + RSP * 8, Raw.getLong(FAULT + 32));
        }
        Raw.copy(OUT_FX, outcome + 176, MachineState.FX_SIZE);
        data.collect(Layout.DATA, outcome);
    }
}
