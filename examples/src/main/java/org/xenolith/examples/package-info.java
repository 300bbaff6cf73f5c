/**
 * Programs that show the Java library, one class each with a {@code main}. Start at
 * {@link org.xenolith.examples.TwoGuests}. Only what the library exports belongs here, and nothing here is shipped.
 */
package org.xenolith.examples;
