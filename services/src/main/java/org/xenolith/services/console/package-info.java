/**
 * The back end of a guest's PV console: one page with two rings, an event channel, and bytes.
 *
 * <p>Start reading at {@link org.xenolith.services.console.ConsoleBackend}. Terminals, escape characters and logs are
 * the business of whoever gives it a {@link org.xenolith.services.console.ConsoleSink}.
 */
package org.xenolith.services.console;
