package org.xenolith.cpu.testing;

import java.util.function.Function;
import org.xenolith.cpu.Engine;
import org.xenolith.cpu.interpret.Interpreter;

/**
 * The engine of all test machines: the interpreter, unless the tests of another engine, which run the tests of this room too,
 * put theirs around it.
 */
public final class TestEngine {
    private static volatile Function<Interpreter, Engine> around = interpreter -> interpreter;

    private TestEngine() {}

    /** Machines that are made from now on run an engine around an interpreter. */
    public static void use(Function<Interpreter, Engine> engine) {
        around = engine;
    }

    /** Machines that are made from now on run the interpreter. */
    public static void useInterpreter() {
        around = interpreter -> interpreter;
    }

    /** The engine of a new machine. */
    public static Engine make(Interpreter interpreter) {
        return around.apply(interpreter);
    }

    /** Closes what {@link #make} made: an engine around an interpreter closes that too. */
    public static void close(Engine engine) {
        try {
            ((AutoCloseable) engine).close();
        } catch (Exception e) {
            throw new IllegalStateException("cannot close " + engine.name(), e);
        }
    }
}
