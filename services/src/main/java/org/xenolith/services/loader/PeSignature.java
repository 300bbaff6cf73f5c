package org.xenolith.services.loader;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;

/**
 * The checksum in a signed kernel.
 *
 * <p>Neither LZ4 payloads nor bzImages that were signed have a checksum of their own that still holds. But a signed
 * bzImage is a PE file, and its signature (Authenticode, PKCS #7) contains the SHA-256 of all of the file except the
 * PE checksum, the directory entry of the signature, and the signature. Who signed is not our question; a bit that
 * flipped is.
 *
 * <pre>
 *   0x3C            u32 position of "PE\0\0", p
 *   p + 24          u16 0x20B: a 64-bit optional header, o
 *   o + 64          u32 checksum
 *   o + 108         u32 number of directory entries
 *   o + 112 + 4*8   u32 position and u32 size of the certificate table
 * </pre>
 */
final class PeSignature {
    private static final int PE32_PLUS = 0x20b;
    /** DER of "a SHA-256 digest follows": DigestInfo with the algorithm 2.16.840.1.101.3.4.2.1. */
    private static final int[] SHA256_DIGEST_INFO = {
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20
    };

    private PeSignature() {}

    /** Refuses a signed file that is not as it was signed; files without such a signature pass. */
    static void check(byte[] file, ImageBytes bytes) throws ImageFormatException {
        if (!bytes.startsWith(0, 'M', 'Z')) {
            return;
        }
        long pe = bytes.u32(0x3c);
        if (pe > 4096 || !bytes.startsWith(pe, 'P', 'E', 0, 0)) {
            return;
        }
        long optional = pe + 24;
        if (optional + 152 > file.length || bytes.u16(optional) != PE32_PLUS || bytes.u32(optional + 108) < 5) {
            return;
        }
        long entry = optional + 112 + 4 * 8;
        long table = bytes.u32(entry);
        long size = bytes.u32(entry + 4);
        if (table == 0 || size == 0) {
            return;
        }
        if (table < entry || table + size > file.length) {
            throw new ImageFormatException("the kernel is truncated: its signature should end at byte " + (table + size)
                    + ", and there are " + file.length + "; get the file again");
        }
        int digest = find(file, (int) table, (int) (table + size));
        if (digest < 0) {
            return;
        }
        MessageDigest sha;
        try {
            sha = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
        int checksum = (int) optional + 64;
        sha.update(file, 0, checksum);
        sha.update(file, checksum + 4, (int) entry - checksum - 4);
        sha.update(file, (int) entry + 8, (int) (table - entry - 8));
        if (!Arrays.equals(sha.digest(), Arrays.copyOfRange(file, digest, digest + 32))) {
            throw new ImageFormatException(
                    "the kernel is corrupt: it is not what its signature was made for; get the file again");
        }
    }

    /** Where the first digest begins, or -1. */
    private static int find(byte[] file, int from, int to) {
        for (int at = from; at + SHA256_DIGEST_INFO.length + 32 <= to; at++) {
            int match = 0;
            while (match < SHA256_DIGEST_INFO.length && (file[at + match] & 0xff) == SHA256_DIGEST_INFO[match]) {
                match++;
            }
            if (match == SHA256_DIGEST_INFO.length) {
                return at + match;
            }
        }
        return -1;
    }
}
