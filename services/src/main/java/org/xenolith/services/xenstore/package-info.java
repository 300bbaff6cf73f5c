/**
 * Xenstore: the tree of small strings through which domains and tools find each other (Xen's
 * {@code docs/misc/xenstore.txt}).
 *
 * <p>Start reading at {@link org.xenolith.services.xenstore.XenStore}, the tree and its meaning, used directly by the
 * host. {@link org.xenolith.services.xenstore.XenStoreConnection} is one client that speaks the wire protocol,
 * {@link org.xenolith.services.xenstore.XenStoreRing} carries that over a guest's shared page, and
 * {@code StoreRequest} is the table of all requests. {@link org.xenolith.services.xenstore.DomainEntries} knows the
 * keys that a domain expects to find.
 *
 * <p>Locks, in the order in which they may be taken: a ring's, then the store's. Watch listeners and the transmission
 * of events run without either, in order, by whoever changed something ({@code XenStore.dispatch}).
 */
package org.xenolith.services.xenstore;
