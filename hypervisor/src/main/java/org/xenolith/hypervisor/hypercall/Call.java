package org.xenolith.hypervisor.hypercall;

import org.xenolith.abi.DomainId;
import org.xenolith.abi.Errno;
import org.xenolith.cpu.LinearMemory;
import org.xenolith.hypervisor.Domain;
import org.xenolith.hypervisor.HypercallException;
import org.xenolith.hypervisor.Vcpu;

/** One hypercall: who makes it, with which arguments, and the guest's memory by its own linear addresses. */
final class Call {
    private final Vcpu vcpu;
    private final LinearMemory linear;
    private final int width;
    private final boolean insideMulticall;
    private final long[] arguments;
    /** Not null when the guest is to make the call again, with these. */
    private long[] continuation;

    Call(Vcpu vcpu, int width, boolean insideMulticall, long[] arguments) {
        this.vcpu = vcpu;
        this.linear = vcpu.linear();
        this.width = width;
        this.insideMulticall = insideMulticall;
        this.arguments = arguments;
    }

    Vcpu vcpu() {
        return vcpu;
    }

    Domain domain() {
        return vcpu.domain();
    }

    /** The calls that this domain has. */
    Hypercalls hypercalls() {
        return domain().hypercalls();
    }

    /** Bytes in a pointer and an unsigned long of the guest's mode: 4 or 8. */
    int width() {
        return width;
    }

    boolean insideMulticall() {
        return insideMulticall;
    }

    /** Argument {@code n}, 0..4; zero-extended in 32-bit mode. */
    long argument(int n) {
        return arguments[n];
    }

    /**
     * Ends a call that is not done: the guest makes it again with these arguments, after its virtual CPU has looked at its
     * events. That happens after a fixed amount of work, and not when an event asks for it, so that a domain in virtual time
     * does the same each time.
     *
     * @return a result that nobody sees
     */
    long again(long... next) {
        continuation = next;
        return 0;
    }

    /** The arguments of {@link #again}, or null. */
    long[] continuation() {
        return continuation;
    }

    /** The low 32 bits of argument {@code n}: what an {@code int} parameter receives. */
    int intArgument(int n) {
        return (int) arguments[n];
    }

    /** Copies a structure in; EFAULT when the guest could not read it. */
    Struct read(long pointer, int size) {
        Struct struct = new Struct(size);
        if (!linear.read(pointer, struct.bytes(), 0, size)) {
            throw new HypercallException(Errno.EFAULT);
        }
        return struct;
    }

    /** Copies bytes out; EFAULT when the guest could not write there. */
    void write(long pointer, byte[] bytes, int offset, int length) {
        if (!linear.write(pointer, bytes, offset, length)) {
            throw new HypercallException(Errno.EFAULT);
        }
    }

    /** Copies a whole structure out. */
    void write(long pointer, Struct struct) {
        write(pointer, struct.bytes(), 0, struct.size());
    }

    /** Copies part of a structure out, to its place in the guest's. */
    void write(long pointer, Struct struct, int offset, int length) {
        write(pointer + offset, struct.bytes(), offset, length);
    }

    /** The domain that a call names, when it may only be the caller itself: EPERM otherwise, ESRCH when there is none. */
    Domain ownDomain(int domid) {
        if (domid != DomainId.SELF && domid != domain().id()) {
            domain().byId(domid);
            throw new HypercallException(Errno.EPERM);
        }
        return domain();
    }

    /** A virtual CPU of the caller's domain; ENOENT when there is none. */
    Vcpu vcpu(long id) {
        if (id < 0 || id >= domain().vcpus().size()) {
            throw new HypercallException(Errno.ENOENT);
        }
        return domain().vcpus().get((int) id);
    }

    static HypercallException failure(int errno) {
        return new HypercallException(errno);
    }
}
