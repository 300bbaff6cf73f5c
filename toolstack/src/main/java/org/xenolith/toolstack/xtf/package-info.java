/**
 * Runs test kernels of the Xen Test Framework and says what they found, as its own runner does with {@code xl}.
 *
 * <p>Start reading at {@link org.xenolith.toolstack.xtf.XtfRunner}. Uses the API of this room only.
 */
package org.xenolith.toolstack.xtf;
