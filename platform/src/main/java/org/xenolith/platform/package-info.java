/**
 * Virtual hardware for guests that expect some. Start reading at {@link org.xenolith.platform.LocalApic}, the interrupt
 * controller of a virtual CPU. Devices see offsets and their own virtual CPU, never the machine; policy does not belong here.
 */
package org.xenolith.platform;
