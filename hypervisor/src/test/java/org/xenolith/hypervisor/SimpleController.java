package org.xenolith.hypervisor;

import java.util.concurrent.ConcurrentSkipListSet;

/** An interrupt controller without priorities or registers. */
final class SimpleController implements InterruptController {
    private final Vcpu vcpu;
    private final ConcurrentSkipListSet<Integer> requests = new ConcurrentSkipListSet<>();

    SimpleController(Vcpu vcpu) {
        this.vcpu = vcpu;
    }

    @Override
    public void raise(int vector) {
        requests.add(vector);
        vcpu.interruptsChanged();
    }

    @Override
    public int pending() {
        return requests.isEmpty() ? -1 : requests.last();
    }

    @Override
    public int acknowledge() {
        Integer vector = requests.pollLast();
        return vector == null ? -1 : vector;
    }

    @Override
    public int taskPriority() {
        return 0;
    }

    @Override
    public void setTaskPriority(int priority) {
        // Not modelled.
    }

    @Override
    public boolean readMsr(int msr, long[] result) {
        return false;
    }

    @Override
    public boolean writeMsr(int msr, long value) {
        return false;
    }

    @Override
    public boolean hasMsr(int msr) {
        return false;
    }

    @Override
    public boolean claims(long gpa) {
        return false;
    }

    @Override
    public long mmioRead(long gpa, int bytes) {
        return -1;
    }

    @Override
    public void mmioWrite(long gpa, int bytes, long value) {
        // Nothing there.
    }

    @Override
    public void init() {
        requests.clear();
    }
}
