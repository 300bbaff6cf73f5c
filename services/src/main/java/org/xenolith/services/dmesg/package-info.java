/**
 * Reads a Linux guest's kernel log out of its memory, without the guest's help: for the monitor, and for the report
 * after a crash that came before any console worked.
 *
 * <p>Start reading at {@link org.xenolith.services.dmesg.KernelLog}.
 */
package org.xenolith.services.dmesg;
