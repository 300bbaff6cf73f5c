/**
 * What is said on the host process's socket. Each message is one line of JSON, an object with one member: the name of the command
 * or answer, and its fields: {@code {"SetVcpus":{"domain":"web","count":2}}}. One answer follows each command. After {@link
 * org.xenolith.daemon.protocol.Command.Attach} and its answer the connection carries console frames ({@link
 * org.xenolith.daemon.protocol.ConsoleFrame}) until it is closed.
 *
 * <p>Start at {@link org.xenolith.daemon.protocol.Command}. Nothing here knows sockets or domains.
 */
package org.xenolith.daemon.protocol;
