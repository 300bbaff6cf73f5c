package org.xenolith.cpu;

/**
 * Everything outside a processor that its instructions can reach, but for memory: ports, memory-mapped devices, model
 * specific registers that are not the processor's own, CPUID, time, randomness and the interrupt controller.
 *
 * <p>One implementation belongs to the hypervisor, another to the unit tests; what a world does not offer, a guest cannot
 * reach. Nothing below the hypervisor reads a clock or a random source except through here.
 */
public interface World {
    /** IN. {@code bytes} is 1, 2 or 4; unclaimed ports read as all ones. */
    int portIn(int port, int bytes);

    /** OUT. Unclaimed ports drop the value. */
    void portOut(int port, int bytes, int value);

    /** Load from a guest-physical address without memory behind it; {@code bytes} is 1, 2, 4 or 8. */
    long mmioRead(long gpa, int bytes);

    /** Store to a guest-physical address without writable memory behind it. */
    void mmioWrite(long gpa, int bytes, long value);

    /**
     * RDMSR of a register that the processor does not implement itself.
     *
     * @return the value in {@code result[0]} and true, or false for #GP
     */
    boolean readMsr(int msr, long[] result);

    /** WRMSR of a register that the processor does not implement itself; false for #GP. */
    boolean writeMsr(int msr, long value);

    /** CPUID: fills {@code result} with eax, ebx, ecx, edx. */
    void cpuid(int leaf, int subleaf, int[] result);

    /** The time-stamp counter now. */
    long timeStampCounter();

    /** 64 random bits for RDRAND and RDSEED. */
    long random();

    /**
     * The processor is ready to take an external interrupt: acknowledges the most urgent one.
     *
     * @return its vector, or -1 when there is none (any more)
     */
    int acknowledgeInterrupt();

    /** CR8 (the task priority) as the interrupt controller holds it, 0..15. */
    int taskPriority();

    /** MOV to CR8. */
    void setTaskPriority(int priority);

    /** PAUSE: the program waits in a loop, most likely for another processor. Nothing that a guest sees may follow from it. */
    default void pause() {}
}
