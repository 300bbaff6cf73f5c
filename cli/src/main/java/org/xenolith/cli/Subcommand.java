package org.xenolith.cli;

/** A verb of {@code xeno} that another room brings, found with {@link java.util.ServiceLoader}. */
public interface Subcommand {
    /** The picocli command object; its {@code @Command} annotation names the verb. */
    Object command();
}
