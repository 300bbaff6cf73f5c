/**
 * Looks at a guest from outside: registers, page tables, memory, code, stack, kernel log. Everything here reads the
 * state block and guest memory and changes neither, so it may also look at a guest that has crashed.
 *
 * <p>Start reading at {@link org.xenolith.toolstack.inspect.GuestView}, which all others use.
 */
package org.xenolith.toolstack.inspect;
