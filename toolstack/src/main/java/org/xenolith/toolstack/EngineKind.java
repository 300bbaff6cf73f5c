package org.xenolith.toolstack;

import java.util.Locale;

/** Which engine executes a domain's instructions. */
public enum EngineKind {
    /** The engine that we trust most: the interpreter, until the translator has proved itself on whole distributions. */
    AUTO,
    /** The interpreter. */
    INTERPRET,
    /** The binary translator; Linux on x86-64 only, experimental. */
    TRANSLATE;

    /** As options write it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
