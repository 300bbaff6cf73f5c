package org.xenolith.translate;

import java.util.Optional;
import java.util.function.LongConsumer;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.LinearMemory;
import org.xenolith.cpu.VcpuExit;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.decode.Disassembler;
import org.xenolith.cpu.interpret.Interpreter;

/**
 * An engine that changes between interpreter and translator while its guest runs.
 *
 * <p>Both work on the same processor, so a change is nothing but who takes the next {@link #run}. What the translator has
 * made stays while the interpreter runs, and hears of every change of the guest's code. Code memory is taken when
 * somebody first asks for more than the interpreter.
 */
public final class SwitchableEngine implements Engine, AutoCloseable {
    /** Who executes the instructions. */
    public enum Choice {
        INTERPRET,
        TRANSLATE,
        /** The translator, with each block compared with the interpreter. */
        VERIFY
    }

    private static final long CODE_BYTES = 64L << 20;

    private final Interpreter interpreter;
    private final boolean exact;
    /** Of the virtual CPU's thread, and of others while it is outside the guest; null until a run needs it. */
    private TranslatingEngine translator;

    private volatile Engine current;
    /** Guarded by this. */
    private Choice choice;
    /** What the next run begins with; null when that is no change. Written under the lock of this. */
    private volatile Choice wanted;

    private volatile Disassembler.Symbols symbols = Disassembler.Symbols.NONE;

    /** For a translator that is not made yet. Guarded by this. */
    private CodeMemory memory;

    /**
     * An engine around an interpreter, which nobody else may run from now on.
     *
     * @param exact the translator is to give bit for bit what the interpreter gives, also where the manuals leave that open
     * @throws IllegalStateException when the host cannot do what is asked; the message is one line for people
     */
    public SwitchableEngine(Interpreter interpreter, Choice choice, boolean exact) {
        this.interpreter = interpreter;
        this.exact = exact;
        prepare(choice);
        begin(choice);
    }

    /** Why this host cannot run translated code, in a line for people; empty when it can. */
    public static Optional<String> obstacle() {
        if (!System.getProperty("os.name").equals("Linux")
                || !System.getProperty("os.arch").equals("amd64")) {
            return Optional.of("the translating engine runs on Linux on x86-64 only");
        }
        try (CodeMemory probe = new CodeMemory(4096)) {
            return probe.room() > 0 ? Optional.empty() : Optional.of("the host gives no executable memory");
        } catch (IllegalStateException e) {
            return Optional.of("the host gives no executable memory (" + e.getMessage() + ")");
        }
    }

    /**
     * Changes who executes the instructions, from the virtual CPU's next entry into the engine on, which is soon. From any
     * thread.
     *
     * @throws IllegalStateException when the host cannot do what is asked; the message is one line for people
     */
    public synchronized void change(Choice next) {
        prepare(next);
        wanted = next;
        state().requestExit();
    }

    private void prepare(Choice next) {
        if (next != Choice.INTERPRET && memory == null) {
            Optional<String> obstacle = obstacle();
            if (obstacle.isPresent()) {
                throw new IllegalStateException(obstacle.get());
            }
            memory = new CodeMemory(CODE_BYTES);
        }
    }

    /** Gives addresses names in reports of what differed. */
    public void nameAddresses(Disassembler.Symbols names) {
        symbols = names;
    }

    /** Who executes the instructions from the next entry on. */
    public synchronized Choice choice() {
        return wanted == null ? choice : wanted;
    }

    @Override
    public VcpuExit run(long budget) {
        if (wanted != null) {
            synchronized (this) {
                begin(wanted);
                wanted = null;
            }
        }
        return current.run(budget);
    }

    private void begin(Choice next) {
        choice = next;
        if (next == Choice.INTERPRET) {
            current = interpreter;
            return;
        }
        if (translator == null) {
            translator = new TranslatingEngine(interpreter, exact, memory);
        }
        translator.verify(next == Choice.VERIFY, address -> symbols.at(address));
        current = translator;
    }

    /** The engine that knows of all cached code. */
    private Engine outermost() {
        return translator == null ? interpreter : translator;
    }

    @Override
    public VcpuState state() {
        return interpreter.state();
    }

    /** The engine that ran last. */
    @Override
    public String name() {
        return current.name();
    }

    @Override
    public LinearMemory linear() {
        return outermost().linear();
    }

    @Override
    public void flushTlb() {
        outermost().flushTlb();
    }

    @Override
    public void invalidateFrame(long gfn) {
        outermost().invalidateFrame(gfn);
    }

    @Override
    public void forEachWritableFrame(LongConsumer hostFrame) {
        outermost().forEachWritableFrame(hostFrame);
    }

    @Override
    public String statistics() {
        return outermost().statistics();
    }

    @Override
    public synchronized void close() {
        if (translator != null) {
            translator.close();
            return;
        }
        if (memory != null) {
            memory.close();
        }
        interpreter.close();
    }
}
