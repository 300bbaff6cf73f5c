/**
 * The binary translation engine: guest x86-64 code becomes host x86-64 code, block by block.
 *
 * <p>Start at {@link org.xenolith.translate.TranslatingEngine}, then {@code BlockTranslator}, which emits a block with
 * {@code Assembler} into {@code CodeMemory}. What it does not emit, the interpreter executes on the same state block: there
 * are no instruction semantics here. Uses the cpu room and nothing above it; the design is in {@code translate/README.md}.
 */
package org.xenolith.translate;
