package org.xenolith.toolstack;

/**
 * Something that happened in a domain's life. The identifier and the name are those of the moment; {@link #domain()} may have
 * gone on since.
 */
public sealed interface DomainEvent {
    /** Whom it happened to. */
    Domain domain();

    /** Its identifier then. */
    int id();

    /** Its name then. */
    String name();

    /** It was built, and is paused. */
    record Created(Domain domain, int id, String name) implements DomainEvent {}

    /** It runs for the first time. */
    record Started(Domain domain, int id, String name) implements DomainEvent {}

    record Paused(Domain domain, int id, String name) implements DomainEvent {}

    record Unpaused(Domain domain, int id, String name) implements DomainEvent {}

    /** The guest powered off, asked for a reboot, or suspended itself. */
    record ShutDown(Domain domain, int id, String name, DomainOutcome outcome, LifecycleAction action)
            implements DomainEvent {}

    /** The guest crashed, or its watchdog fired. */
    record Crashed(Domain domain, int id, String name, DomainOutcome outcome, LifecycleAction action)
            implements DomainEvent {}

    /** It was built again, has a new identifier and runs. */
    record Restarted(Domain domain, int id, String name, int oldId) implements DomainEvent {}

    /** It could not be built again, and is gone; the message is one line for people. */
    record RestartFailed(Domain domain, int id, String name, String message) implements DomainEvent {}

    /** Its memory was written to a file. */
    record CoreDumped(Domain domain, int id, String name, java.nio.file.Path file) implements DomainEvent {}

    record Renamed(Domain domain, int id, String name, String oldName) implements DomainEvent {}

    /** Its identifier is gone; so is the domain, unless {@link Restarted} follows. */
    record Destroyed(Domain domain, int id, String name) implements DomainEvent {}
}
