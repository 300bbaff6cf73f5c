/**
 * Arithmetic on the 80-bit double-extended format of the x87, in software, bit for bit as the hardware does it.
 *
 * <p>Start at {@link org.xenolith.cpu.softfloat.F80}: format, rounding, basic arithmetic. Everything is static, works on
 * longs, writes its result at a host address and returns the exception flags, so that nothing is allocated. This package
 * knows the control word but neither the register stack nor the processor: that is the business of the semantics.
 */
package org.xenolith.cpu.softfloat;
