/**
 * What a kernel relies on: modes, segmentation, paging, interrupts, tasks, debugging, self-modifying code. Checked
 * against the manuals with {@link org.xenolith.cpu.testing.TestMachine}; user-mode instructions are checked against
 * hardware in {@link org.xenolith.cpu.oracle}.
 */
package org.xenolith.cpu.system;
