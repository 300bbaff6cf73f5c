package org.xenolith.memory;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Loads and stores at absolute host addresses, little endian, any alignment.
 *
 * <p>This is the one place that turns a number into memory. HotSpot compiles each of these methods to a sign test and
 * one move, because the segment is a constant that spans the whole address space and never closes. Addresses come from
 * {@link MachineMemory}, from {@link #allocate} or from a processor's TLB fill path; passing anything else crashes the
 * JVM, so keep the callers few.
 */
public final class Raw {
    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle ATOMIC_INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final VarHandle ATOMIC_LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private Raw() {}

    /** The byte at {@code address}, sign-extended as Java does. */
    public static byte getByte(long address) {
        return ALL.get(ValueLayout.JAVA_BYTE, address);
    }

    /** The 16-bit value at {@code address}. */
    public static short getShort(long address) {
        return ALL.get(SHORT, address);
    }

    /** The 32-bit value at {@code address}. */
    public static int getInt(long address) {
        return ALL.get(INT, address);
    }

    /** The 64-bit value at {@code address}. */
    public static long getLong(long address) {
        return ALL.get(LONG, address);
    }

    /** Stores the low 8 bits of {@code value}. */
    public static void putByte(long address, byte value) {
        ALL.set(ValueLayout.JAVA_BYTE, address, value);
    }

    /** Stores 16 bits. */
    public static void putShort(long address, short value) {
        ALL.set(SHORT, address, value);
    }

    /** Stores 32 bits. */
    public static void putInt(long address, int value) {
        ALL.set(INT, address, value);
    }

    /** Stores 64 bits. */
    public static void putLong(long address, long value) {
        ALL.set(LONG, address, value);
    }

    /** Volatile load of an aligned 32-bit value. */
    public static int getIntVolatile(long address) {
        return (int) ATOMIC_INT.getVolatile(ALL, address);
    }

    /** Volatile store of an aligned 32-bit value. */
    public static void putIntVolatile(long address, int value) {
        ATOMIC_INT.setVolatile(ALL, address, value);
    }

    /** Volatile load of an aligned 64-bit value. */
    public static long getLongVolatile(long address) {
        return (long) ATOMIC_LONG.getVolatile(ALL, address);
    }

    /** Volatile store of an aligned 64-bit value. */
    public static void putLongVolatile(long address, long value) {
        ATOMIC_LONG.setVolatile(ALL, address, value);
    }

    /** Atomic compare-and-set of an aligned 32-bit value. */
    public static boolean compareAndSetInt(long address, int expected, int value) {
        return ATOMIC_INT.compareAndSet(ALL, address, expected, value);
    }

    /** Atomic compare-and-set of an aligned 64-bit value. */
    public static boolean compareAndSetLong(long address, long expected, long value) {
        return ATOMIC_LONG.compareAndSet(ALL, address, expected, value);
    }

    /** Atomic compare-and-exchange of an aligned 32-bit value; returns the value before. A full fence in any case. */
    public static int compareAndExchangeInt(long address, int expected, int value) {
        return (int) ATOMIC_INT.compareAndExchange(ALL, address, expected, value);
    }

    /** Atomic compare-and-exchange of an aligned 64-bit value; returns the value before. A full fence in any case. */
    public static long compareAndExchangeLong(long address, long expected, long value) {
        return (long) ATOMIC_LONG.compareAndExchange(ALL, address, expected, value);
    }

    /** Atomically ORs bits into an aligned 32-bit value; returns the value before. */
    public static int getAndOrInt(long address, int bits) {
        return (int) ATOMIC_INT.getAndBitwiseOr(ALL, address, bits);
    }

    /** Atomically ANDs an aligned 32-bit value; returns the value before. */
    public static int getAndAndInt(long address, int bits) {
        return (int) ATOMIC_INT.getAndBitwiseAnd(ALL, address, bits);
    }

    /** Atomically ORs bits into an aligned 64-bit value; returns the value before. */
    public static long getAndOrLong(long address, long bits) {
        return (long) ATOMIC_LONG.getAndBitwiseOr(ALL, address, bits);
    }

    /** Atomically ANDs an aligned 64-bit value; returns the value before. */
    public static long getAndAndLong(long address, long bits) {
        return (long) ATOMIC_LONG.getAndBitwiseAnd(ALL, address, bits);
    }

    /** Copies {@code bytes} bytes between host addresses; the ranges may overlap. */
    public static void copy(long from, long to, long bytes) {
        MemorySegment.copy(ALL, from, ALL, to, bytes);
    }

    /** Copies host memory into an array. */
    public static void copy(long from, byte[] to, int offset, int bytes) {
        MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, from, to, offset, bytes);
    }

    /** Copies an array into host memory. */
    public static void copy(byte[] from, int offset, long to, int bytes) {
        MemorySegment.copy(from, offset, ALL, ValueLayout.JAVA_BYTE, to, bytes);
    }

    /** Fills host memory with one byte value. */
    public static void fill(long address, long bytes, byte value) {
        ALL.asSlice(address, bytes).fill(value);
    }
}
