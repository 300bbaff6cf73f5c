/**
 * Tools for tests of the processor: {@link org.xenolith.cpu.testing.Asm}, a small assembler, and
 * {@link org.xenolith.cpu.testing.TestMachine}, a machine with nothing but memory and logs. No test lives here.
 */
package org.xenolith.cpu.testing;
