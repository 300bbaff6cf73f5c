package org.xenolith.services.xenstore;

/**
 * What an unprivileged domain may use of the store; the defaults are those of Xen's xenstored.
 *
 * @param nodes nodes that it owns
 * @param nodeSize bytes of a node: value, names of children and permissions
 * @param watches watches that it has set
 * @param transactions transactions that it has open
 * @param transactionNodes nodes that a transaction looks at, and changes that it makes
 * @param permissions entries in a node's permission list
 * @param events watch events that wait for a client that does not read them; more are dropped
 */
public record StoreLimits(
        int nodes, int nodeSize, int watches, int transactions, int transactionNodes, int permissions, int events) {
    public static final StoreLimits DEFAULT = new StoreLimits(1000, 2048, 128, 10, 1024, 5, 1024);

    /** A line for each, with the names that xenstored gives them. */
    String table() {
        return """
                nodes           : %d
                node-size       : %d
                watches         : %d
                transactions    : %d
                transaction-nodes: %d
                permissions     : %d
                outstanding     : 1
                events          : %d
                """.formatted(nodes, nodeSize, watches, transactions, transactionNodes, permissions, events);
    }
}
