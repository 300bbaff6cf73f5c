package org.xenolith.translate;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.xenolith.cpu.semantics.FxsaveTest;
import org.xenolith.cpu.semantics.SseInstructionTest;
import org.xenolith.cpu.system.BranchStepTest;
import org.xenolith.cpu.system.BudgetTest;
import org.xenolith.cpu.system.CpuidFaultingTest;
import org.xenolith.cpu.system.DebugTest;
import org.xenolith.cpu.system.InterruptTest;
import org.xenolith.cpu.system.LongModeTest;
import org.xenolith.cpu.system.PagingTest;
import org.xenolith.cpu.system.ProtectedModeTest;
import org.xenolith.cpu.system.RealModeTest;
import org.xenolith.cpu.system.SelfModifyingCodeTest;
import org.xenolith.cpu.system.SixteenBitCodeTest;
import org.xenolith.cpu.testing.TestEngine;

/** What the cpu room promises of a processor (modes, interrupts, paging, debugging, self-modifying code), promised by the translator too. */
class ProcessorTestsOnTheTranslatorTest {
    private static final long CODE_BYTES = 1 << 20;

    @BeforeAll
    static void translate() {
        TestEngine.use(
                interpreter -> new TranslatingEngine(interpreter, false, new CodeMemory(CODE_BYTES)).traceEagerly());
    }

    @AfterAll
    static void interpretAgain() {
        TestEngine.useInterpreter();
    }

    @Nested
    class BranchSteps extends BranchStepTest {}

    @Nested
    class Budgets extends BudgetTest {}

    @Nested
    class CpuidFaulting extends CpuidFaultingTest {}

    @Nested
    class Debugging extends DebugTest {}

    @Nested
    class Interrupts extends InterruptTest {}

    @Nested
    class LongMode extends LongModeTest {}

    @Nested
    class Paging extends PagingTest {}

    @Nested
    class ProtectedMode extends ProtectedModeTest {}

    @Nested
    class RealMode extends RealModeTest {}

    @Nested
    class SelfModifyingCode extends SelfModifyingCodeTest {}

    @Nested
    class SixteenBitCode extends SixteenBitCodeTest {}

    @Nested
    class Sse extends SseInstructionTest {}

    @Nested
    class SaveAreas extends FxsaveTest {}
}
