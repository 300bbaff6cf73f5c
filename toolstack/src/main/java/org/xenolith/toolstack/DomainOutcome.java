package org.xenolith.toolstack;

/** How a domain's life ended. */
public sealed interface DomainOutcome {
    /** The guest powered off. */
    record PowerOff() implements DomainOutcome {}

    /** The guest asked to be started again. */
    record Reboot() implements DomainOutcome {}

    /** The guest asked to be suspended. */
    record Suspended() implements DomainOutcome {}

    /**
     * The guest reported its own crash (a kernel panic), or its watchdog fired.
     *
     * @param reason one line
     * @param report a screenful: registers, code, stack, symbols, the kernel's last words
     */
    record Panic(String reason, String report) implements DomainOutcome {}

    /**
     * The hypervisor stopped the guest: triple fault, or a state that cannot go on.
     *
     * @param reason one line
     * @param report a screenful: registers, code, stack, symbols
     * @param isOurDefect it was not the guest's fault but Xenolith's
     */
    record Crash(String reason, String report, boolean isOurDefect) implements DomainOutcome {}

    /** The operator destroyed the domain. */
    record Destroyed() implements DomainOutcome {}
}
