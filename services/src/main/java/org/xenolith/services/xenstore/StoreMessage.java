package org.xenolith.services.xenstore;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.xenolith.abi.XenstoreRing;

/**
 * A message of the wire protocol: a header of four u32 (type, request id, transaction id, payload length) and a
 * payload.
 *
 * @param type {@link org.xenolith.abi.XenstoreType}
 * @param requestId chosen by the client, returned in the answer; 0 in events
 * @param transactionId 0 outside transactions
 * @param payload at most {@link XenstoreRing#MAX_PAYLOAD} bytes
 */
public record StoreMessage(int type, int requestId, int transactionId, byte[] payload) {
    /** Text of the protocol is bytes; this keeps each one as it is. */
    public static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** The inverse of {@link #bytes}. */
    public static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    /** Header and payload. */
    public byte[] encode() {
        ByteBuffer out =
                ByteBuffer.allocate(XenstoreRing.HEADER_SIZE + payload.length).order(ByteOrder.LITTLE_ENDIAN);
        out.putInt(type)
                .putInt(requestId)
                .putInt(transactionId)
                .putInt(payload.length)
                .put(payload);
        return out.array();
    }
}
