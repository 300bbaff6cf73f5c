package org.xenolith.cpu.semantics;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.VcpuState;
import org.xenolith.cpu.core.Cpu;
import org.xenolith.memory.Raw;

class CryptoTest {
    private final VcpuState state = new VcpuState();
    private final Cpu cpu = new Cpu(state, null, null);

    @AfterEach
    void close() {
        cpu.close();
        state.close();
    }

    private void put(int register, String hex) {
        for (int i = 0; i < 16; i++) {
            Raw.putByte(cpu.xmm(register) + i, (byte) Integer.parseInt(hex.substring(i * 2, i * 2 + 2), 16));
        }
    }

    private String get(int register) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 16; i++) {
            text.append(String.format("%02x", Raw.getByte(cpu.xmm(register) + i) & 0xff));
        }
        return text.toString();
    }

    /** The eleven round keys of a 128-bit key. */
    private String[] expand(String key) {
        String[] keys = new String[11];
        keys[0] = key;
        int constant = 1;
        for (int round = 1; round <= 10; round++) {
            put(1, keys[round - 1]);
            Crypto.aeskeygenassist(cpu, cpu.xmm(2), cpu.xmm(1), constant);
            int t = Raw.getInt(cpu.xmm(2) + 12);
            for (int i = 0; i < 4; i++) {
                t ^= Raw.getInt(cpu.xmm(1) + i * 4);
                Raw.putInt(cpu.xmm(1) + i * 4, t);
            }
            keys[round] = get(1);
            constant = constant << 1 ^ (constant >= 0x80 ? 0x11B : 0);
        }
        return keys;
    }

    @Test
    void aesEncryptsAndDecryptsTheStandardsExample() {
        // FIPS 197, appendix C.1.
        String[] keys = expand("000102030405060708090a0b0c0d0e0f");
        put(0, "00112233445566778899aabbccddeeff");
        put(3, keys[0]);
        SseInteger.pxor(cpu, cpu.xmm(0), cpu.xmm(3));
        for (int round = 1; round < 10; round++) {
            put(3, keys[round]);
            Crypto.aesenc(cpu, cpu.xmm(0), cpu.xmm(3));
        }
        put(3, keys[10]);
        Crypto.aesenclast(cpu, cpu.xmm(0), cpu.xmm(3));
        assertThat(get(0)).isEqualTo("69c4e0d86a7b0430d8cdb78070b4c55a");

        SseInteger.pxor(cpu, cpu.xmm(0), cpu.xmm(3));
        for (int round = 9; round > 0; round--) {
            put(3, keys[round]);
            Crypto.aesimc(cpu, cpu.xmm(3), cpu.xmm(3));
            Crypto.aesdec(cpu, cpu.xmm(0), cpu.xmm(3));
        }
        put(3, keys[0]);
        Crypto.aesdeclast(cpu, cpu.xmm(0), cpu.xmm(3));
        assertThat(get(0)).isEqualTo("00112233445566778899aabbccddeeff");
    }

    @Test
    void carrylessProductsMatchShiftAndXor() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 5_000; i++) {
            long a = i == 0 ? -1 : random.nextLong();
            long b = i < 2 ? -1 : random.nextLong();
            long low = 0;
            long high = 0;
            for (int bit = 0; bit < 64; bit++) {
                if ((b >>> bit & 1) != 0) {
                    low ^= a << bit;
                    high ^= bit == 0 ? 0 : a >>> 64 - bit;
                }
            }
            state.setLong(VcpuState.XMM + 8, a);
            state.setLong(VcpuState.XMM + 16, b);
            Crypto.pclmulqdq(cpu, cpu.xmm(0), cpu.xmm(1), 0x01);
            assertThat(state.getLong(VcpuState.XMM))
                    .as("seed %d: %x by %x", seed, a, b)
                    .isEqualTo(low);
            assertThat(state.getLong(VcpuState.XMM + 8))
                    .as("seed %d: %x by %x", seed, a, b)
                    .isEqualTo(high);
        }
    }

    @Test
    void sha256RoundsHashTheStandardsExample() {
        // FIPS 180-4's "abc", with the message schedule from SHA256MSG1 and SHA256MSG2.
        int[] k = new int[64];
        int prime = 2;
        for (int n = 0; n < 64; prime++) {
            if (BigInteger.valueOf(prime).isProbablePrime(20)) {
                k[n++] = cubeRootFraction(prime);
            }
        }
        int[] w = new int[64];
        w[0] = 0x61626380;
        w[15] = 24;
        for (int t = 16; t < 64; t += 4) {
            words(1, w, t - 16);
            words(2, w, t - 12);
            Crypto.sha256msg1(cpu, cpu.xmm(1), cpu.xmm(2));
            for (int i = 0; i < 4; i++) {
                int at = VcpuState.XMM + 16 + i * 4;
                state.setInt(at, state.getInt(at) + w[t - 7 + i]);
            }
            words(2, w, t - 4);
            Crypto.sha256msg2(cpu, cpu.xmm(1), cpu.xmm(2));
            for (int i = 0; i < 4; i++) {
                w[t + i] = state.getInt(VcpuState.XMM + 16 + i * 4);
            }
        }
        // Registers hold F E B A and H G D C from the low word up.
        int[] feba = {0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667};
        int[] hgdc = {0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372};
        words(1, feba, 0);
        words(2, hgdc, 0);
        for (int t = 0; t < 64; t += 2) {
            state.setInt(VcpuState.XMM, w[t] + k[t]);
            state.setInt(VcpuState.XMM + 4, w[t + 1] + k[t + 1]);
            int newest = t % 4 == 0 ? 2 : 1;
            Crypto.sha256rnds2(cpu, cpu.xmm(newest), cpu.xmm(3 - newest));
        }
        assertThat(state.getInt(VcpuState.XMM + 16 + 12) + feba[3]).isEqualTo(0xba7816bf);
        assertThat(state.getInt(VcpuState.XMM + 16 + 8) + feba[2]).isEqualTo(0x8f01cfea);
        assertThat(state.getInt(VcpuState.XMM + 32) + hgdc[0]).isEqualTo(0xf20015ad);
    }

    private void words(int register, int[] from, int at) {
        for (int i = 0; i < 4; i++) {
            state.setInt(VcpuState.XMM + register * 16 + i * 4, from[at + i]);
        }
    }

    private static int cubeRootFraction(int prime) {
        BigInteger scaled = BigInteger.valueOf(prime).shiftLeft(96);
        BigInteger low = BigInteger.ZERO;
        for (int bit = 36; bit >= 0; bit--) {
            BigInteger next = low.setBit(bit);
            if (next.pow(3).compareTo(scaled) <= 0) {
                low = next;
            }
        }
        return low.intValue();
    }
}
