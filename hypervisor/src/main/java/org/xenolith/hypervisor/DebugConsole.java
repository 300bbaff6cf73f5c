package org.xenolith.hypervisor;

/** Takes what a guest writes by the console_io hypercall: text for the operator, outside of any console ring. */
@FunctionalInterface
public interface DebugConsole {
    void write(byte[] bytes, int offset, int length);
}
