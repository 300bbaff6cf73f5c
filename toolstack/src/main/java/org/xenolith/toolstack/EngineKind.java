package org.xenolith.toolstack;

import java.util.Locale;
import org.xenolith.translate.SwitchableEngine;

/** Which engine executes a domain's instructions. */
public enum EngineKind {
    /** The translator where the host can run translated code, the interpreter elsewhere. */
    AUTO,
    /** The interpreter. */
    INTERPRET,
    /** The binary translator; Linux on x86-64 only. */
    TRANSLATE,
    /** Translator and interpreter, compared block by block; where the translator runs, and on one virtual CPU only. */
    VERIFY;

    /** What this kind means on this host: never {@link #AUTO}. */
    public EngineKind here() {
        return this != AUTO ? this : SwitchableEngine.obstacle().isEmpty() ? TRANSLATE : INTERPRET;
    }

    SwitchableEngine.Choice choice() {
        return switch (here()) {
            case AUTO, INTERPRET -> SwitchableEngine.Choice.INTERPRET;
            case TRANSLATE -> SwitchableEngine.Choice.TRANSLATE;
            case VERIFY -> SwitchableEngine.Choice.VERIFY;
        };
    }

    /** As options write it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
