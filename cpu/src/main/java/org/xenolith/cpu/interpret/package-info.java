/**
 * The interpreter engine: decoded blocks of small operation objects.
 *
 * <p>Start at {@link org.xenolith.cpu.interpret.Interpreter#run}. {@link org.xenolith.cpu.interpret.Binder} makes an
 * {@link org.xenolith.cpu.interpret.Op} from a decoded instruction: each shape of operation (which method, which kinds and
 * widths of operands) is a hidden class made from one of four templates, whose static finals are that shape. HotSpot
 * folds them, so four readable templates become several hundred specialised operations, and what an instruction does is
 * written once, in the semantics. {@link org.xenolith.cpu.interpret.CodePages} caches blocks by host frame.
 */
package org.xenolith.cpu.interpret;
