package org.xenolith.hypervisor;

import org.xenolith.abi.ShutdownReason;

/**
 * Why a domain stopped.
 *
 * @param reason a {@link ShutdownReason}
 * @param message for people when the hypervisor stopped the domain: a line, and details behind it; empty when the
 *     guest asked
 * @param vcpu the virtual CPU that asked or failed, or -1
 * @param cause the defect of our own that stopped the domain, or null
 */
public record ShutdownDetail(int reason, String message, int vcpu, Throwable cause) {
    /** The guest asked. */
    static ShutdownDetail asked(int reason, int vcpu) {
        return new ShutdownDetail(reason, "", vcpu, null);
    }

    @Override
    public String toString() {
        String name = ShutdownReason.name(reason);
        return message.isEmpty() ? name : name + ": " + message;
    }
}
