/**
 * The {@code xeno} command: arguments, terminal, progress, exit statuses.
 *
 * <p>Start at {@link org.xenolith.cli.Main}; {@link org.xenolith.cli.RunCommand} is the main job. What a verb does is done by
 * the toolstack and image rooms: nothing here knows how a guest works, only how to ask for one and how to talk to a person.
 * Verbs of other rooms arrive through {@link org.xenolith.cli.Subcommand}.
 */
package org.xenolith.cli;
