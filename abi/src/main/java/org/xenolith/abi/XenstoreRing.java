package org.xenolith.abi;

/**
 * The page between a domain and xenstore.
 *
 * <pre>
 *      0 char req[1024]    to the store
 *   1024 char rsp[1024]    from the store
 *   2048 u32 req_cons, req_prod, rsp_cons, rsp_prod
 *   2064 u32 server_features   1 reconnect, 2 error
 *   2068 u32 connection        0 connected, 1 reconnecting
 *   2072 u32 error
 * </pre>
 *
 * <p>Indices run freely modulo 1024. A message is a header {u32 type, u32 req_id, u32 tx_id, u32 length} and at most
 * {@value #MAX_PAYLOAD} bytes.
 */
public final class XenstoreRing {
    public static final int REQ = 0;
    public static final int RSP = 1024;
    public static final int RING_SIZE = 1024;
    public static final int REQ_CONS = 2048;
    public static final int REQ_PROD = 2052;
    public static final int RSP_CONS = 2056;
    public static final int RSP_PROD = 2060;
    public static final int SERVER_FEATURES = 2064;
    public static final int CONNECTION = 2068;
    public static final int ERROR = 2072;

    public static final int FEATURE_RECONNECT = 1;
    public static final int FEATURE_ERROR = 2;

    public static final int HEADER_SIZE = 16;
    public static final int MAX_PAYLOAD = 4096;
    public static final int MAX_ABSOLUTE_PATH = 3072;
    public static final int MAX_RELATIVE_PATH = 2048;

    private XenstoreRing() {}
}
