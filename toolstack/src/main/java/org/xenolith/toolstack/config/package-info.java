/**
 * Guest descriptions in the syntax of Xen's {@code xl.cfg(5)}. Start at {@link org.xenolith.toolstack.config.GuestConfigReader};
 * {@link org.xenolith.toolstack.config.ConfigFile} is the syntax, {@link org.xenolith.toolstack.config.GuestKey} the table of
 * keys, and {@link org.xenolith.toolstack.config.GuestConfig} what comes out.
 *
 * <p>Uses files' text and nothing else: no domain, no host, no kernel image.
 */
package org.xenolith.toolstack.config;
