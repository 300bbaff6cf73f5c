package org.xenolith.services.xenstore;

/**
 * What the store asks for when a privileged client introduces or releases a domain over the wire, as a toolstack in
 * domain 0 does. The embedded toolstack calls {@link XenStore#introduceDomain} instead.
 */
public interface DomainIntroducer {
    /** Refuses: there is no domain 0 that builds domains. */
    DomainIntroducer NONE = new DomainIntroducer() {
        @Override
        public void introduce(int domain, long gfn, int port) {
            throw new StoreException(StoreError.ENOSYS, "introduce");
        }

        @Override
        public void release(int domain) {
            throw new StoreException(StoreError.ENOSYS, "release");
        }
    };

    /** Connects a domain's ring at {@code gfn}, whose event channel is {@code port} in the domain. */
    void introduce(int domain, long gfn, int port);

    /** Disconnects a domain. */
    void release(int domain);
}
