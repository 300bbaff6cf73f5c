package org.xenolith.cpu.interpret;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;

/**
 * What a template is specialised by: the semantic method and where its operands are.
 *
 * @param method the semantic method, without its trailing constant if it has one
 * @param width operation width, log2 of bytes
 * @param destination where the result goes
 * @param destinationWidth log2 of its bytes; for vector memory operands their number of bytes
 * @param update the destination's old value is the first argument
 * @param locked LOCK prefix with a memory destination
 * @param first the first source, and so on
 * @param firstWidth log2 of its bytes; for vector memory operands their number of bytes
 * @param checks for vector operations: {@link #SSE}, {@link #MMX}, {@link #ALIGNED}, and so on
 * @param stride for VEX-encoded ones: bytes from the first source's part for the lower 128-bit lane to that for the upper
 */
record Shape(
        MethodHandle method,
        int width,
        int destination,
        int destinationWidth,
        boolean update,
        boolean locked,
        int first,
        int firstWidth,
        int second,
        int secondWidth,
        int third,
        int thirdWidth,
        int checks,
        int stride) {
    static final int NONE = 0;
    static final int REGISTER = 1;
    static final int MEMORY = 2;
    static final int IMMEDIATE = 3;
    /** The offset of a memory operand, as LEA takes it. */
    static final int ADDRESS = 4;

    static final int SSE = 1;
    static final int MMX = 2;
    static final int ALIGNED = 4;
    /** The result goes to an MMX register. */
    static final int MMX_RESULT = 8;
    /** A VEX-encoded operation on 256 bits, and one whose semantics take them as a whole. */
    static final int WIDE = 16;

    static final int WHOLE = 32;

    /** The shape that the hidden class of {@code lookup} was defined with; an empty one in the template itself. */
    static Shape of(MethodHandles.Lookup lookup) {
        try {
            Shape shape = MethodHandles.classData(lookup, "_", Shape.class);
            return shape != null ? shape : new Shape(null, 0, 0, 0, false, false, 0, 0, 0, 0, 0, 0, 0, 0);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException("a template cannot read its class data", e);
        }
    }

    /** Everything but the method, packed: identifies the shape among those of one row and template. */
    long key() {
        long key = width;
        key = key << 3 | destination;
        key = key << 6 | destinationWidth;
        key = key << 1 | (update ? 1 : 0);
        key = key << 1 | (locked ? 1 : 0);
        key = key << 3 | first;
        key = key << 6 | firstWidth;
        key = key << 3 | second;
        key = key << 6 | secondWidth;
        key = key << 3 | third;
        key = key << 2 | thirdWidth;
        key = key << 6 | checks;
        return key << 5 | stride;
    }
}
