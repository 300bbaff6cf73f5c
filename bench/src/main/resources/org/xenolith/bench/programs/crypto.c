/* Hashing, ciphers, public keys, compression: our own implementations for the baseline ISA.
 * SPDX-License-Identifier: Apache-2.0 */
#include "xbench.h"

#include <string.h>

static uint8_t data[64 * 1024];

static void data_setup(void) {
    uint64_t seed = 8;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t) (next_random(&seed) >> 48);
}

static uint64_t sha256_unit(void) {
    struct sha256 sha;
    uint8_t digest[32];
    sha256_init(&sha);
    sha256_update(&sha, data, sizeof data);
    sha256_final(&sha, digest);
    return mix_bytes(1, digest, sizeof digest);
}

/* AES-128 in counter mode with one 256-entry table of 32-bit words, as portable libraries do it (FIPS 197). */
static uint8_t sbox[256];
static uint32_t rounds_table[256];
static uint32_t key_schedule[44];

static uint8_t times2(uint8_t x) {
    return (uint8_t) ((x << 1) ^ (x & 0x80 ? 0x1b : 0));
}

static void aes_setup(void) {
    /* 3 generates the field's multiplicative group; 0xf6 is its inverse: walk both to pair elements with inverses. */
    uint8_t p = 1, q = 1;
    do {
        p = (uint8_t) (p ^ times2(p));
        q ^= (uint8_t) (q << 1);
        q ^= (uint8_t) (q << 2);
        q ^= (uint8_t) (q << 4);
        if (q & 0x80) q ^= 0x09;
        uint8_t r = q;
        for (int i = 1; i <= 4; i++) r ^= (uint8_t) ((q << i) | (q >> (8 - i)));
        sbox[p] = r ^ 0x63;
    } while (p != 1);
    sbox[0] = 0x63;
    for (int i = 0; i < 256; i++) {
        uint8_t s = sbox[i], d = times2(s);
        rounds_table[i] = (uint32_t) d | (uint32_t) s << 8 | (uint32_t) s << 16 | (uint32_t) (s ^ d) << 24;
    }
    uint8_t constant = 1;
    for (int i = 0; i < 4; i++) key_schedule[i] = 0x01020304u * (unsigned) (i + 1);
    for (int i = 4; i < 44; i++) {
        uint32_t t = key_schedule[i - 1];
        if (i % 4 == 0) {
            t = t >> 8 | t << 24;
            t = (uint32_t) sbox[t & 255] | (uint32_t) sbox[t >> 8 & 255] << 8 | (uint32_t) sbox[t >> 16 & 255] << 16
                | (uint32_t) sbox[t >> 24] << 24;
            t ^= constant;
            constant = times2(constant);
        }
        key_schedule[i] = key_schedule[i - 4] ^ t;
    }
    data_setup();
}

static inline uint32_t turn(uint32_t x, int bytes) {
    return bytes ? x << (8 * bytes) | x >> (32 - 8 * bytes) : x;
}

static void aes_block(uint32_t s[4]) {
    for (int i = 0; i < 4; i++) s[i] ^= key_schedule[i];
    for (int round = 1; round < 10; round++) {
        uint32_t n[4];
        for (int c = 0; c < 4; c++) {
            n[c] = rounds_table[s[c] & 255] ^ turn(rounds_table[s[(c + 1) & 3] >> 8 & 255], 1)
                ^ turn(rounds_table[s[(c + 2) & 3] >> 16 & 255], 2) ^ turn(rounds_table[s[(c + 3) & 3] >> 24], 3)
                ^ key_schedule[4 * round + c];
        }
        memcpy(s, n, sizeof n);
    }
    uint32_t n[4];
    for (int c = 0; c < 4; c++) {
        n[c] = ((uint32_t) sbox[s[c] & 255] | (uint32_t) sbox[s[(c + 1) & 3] >> 8 & 255] << 8
                   | (uint32_t) sbox[s[(c + 2) & 3] >> 16 & 255] << 16 | (uint32_t) sbox[s[(c + 3) & 3] >> 24] << 24)
            ^ key_schedule[40 + c];
    }
    memcpy(s, n, sizeof n);
}

static uint64_t aes_unit(void) {
    uint64_t sum = 0;
    for (size_t i = 0; i + 16 <= sizeof data; i += 16) {
        uint32_t counter[4] = {0x10203040, 0x50607080, 0, (uint32_t) i}, text[4];
        aes_block(counter);
        memcpy(text, data + i, 16);
        for (int c = 0; c < 4; c++) sum = mix(sum, text[c] ^ counter[c]);
    }
    return sum;
}

/* One 1024-bit modular exponentiation by Montgomery multiplication: the heart of an RSA private-key operation. */
enum { LIMBS = 16 };
typedef unsigned __int128 wide;
static uint64_t modulus[LIMBS], exponent[LIMBS], base_value[LIMBS], one_mont[LIMBS], inverse;

static void montgomery(uint64_t *out, const uint64_t *a, const uint64_t *b) {
    uint64_t t[LIMBS + 2] = {0};
    for (int i = 0; i < LIMBS; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < LIMBS; j++) {
            wide p = (wide) a[j] * b[i] + t[j] + carry;
            t[j] = (uint64_t) p;
            carry = (uint64_t) (p >> 64);
        }
        wide s = (wide) t[LIMBS] + carry;
        t[LIMBS] = (uint64_t) s;
        t[LIMBS + 1] = (uint64_t) (s >> 64);
        uint64_t m = t[0] * inverse;
        carry = (uint64_t) (((wide) m * modulus[0] + t[0]) >> 64);
        for (int j = 1; j < LIMBS; j++) {
            wide p = (wide) m * modulus[j] + t[j] + carry;
            t[j - 1] = (uint64_t) p;
            carry = (uint64_t) (p >> 64);
        }
        s = (wide) t[LIMBS] + carry;
        t[LIMBS - 1] = (uint64_t) s;
        t[LIMBS] = t[LIMBS + 1] + (uint64_t) (s >> 64);
    }
    uint64_t borrow = 0, reduced[LIMBS];
    for (int j = 0; j < LIMBS; j++) {
        wide d = (wide) t[j] - modulus[j] - borrow;
        reduced[j] = (uint64_t) d;
        borrow = (uint64_t) (d >> 64) & 1;
    }
    memcpy(out, t[LIMBS] || !borrow ? reduced : t, sizeof reduced);
}

static void rsa_setup(void) {
    uint64_t seed = 65537;
    for (int i = 0; i < LIMBS; i++) {
        modulus[i] = next_random(&seed);
        exponent[i] = next_random(&seed);
        base_value[i] = next_random(&seed);
    }
    modulus[0] |= 1;
    modulus[LIMBS - 1] |= 1ull << 63;
    base_value[LIMBS - 1] >>= 1;
    inverse = 1;
    for (int i = 0; i < 6; i++) inverse *= 2 - modulus[0] * inverse; /* Newton: doubles the correct bits */
    inverse = -inverse;
    /* R mod n: the modulus has its top bit set, so R - n is already reduced. */
    uint64_t borrow = 0;
    for (int j = 0; j < LIMBS; j++) {
        wide d = (wide) 0 - modulus[j] - borrow;
        one_mont[j] = (uint64_t) d;
        borrow = (uint64_t) (d >> 64) & 1;
    }
}

static uint64_t rsa_unit(void) {
    uint64_t result[LIMBS];
    memcpy(result, one_mont, sizeof result);
    for (int bit = 64 * LIMBS - 1; bit >= 0; bit--) {
        montgomery(result, result, result);
        if (exponent[bit / 64] >> (bit % 64) & 1) montgomery(result, result, base_value);
    }
    return mix_bytes(1, result, sizeof result);
}

/* A byte-oriented LZ77 with a hash of four bytes, compressing and expanding again. */
enum { TEXT = 128 * 1024, HASH_BITS = 13 };
static uint8_t text[TEXT], squeezed[TEXT + TEXT / 8 + 64], expanded[TEXT];

static void lz_setup(void) {
    fill_text((char *) text, TEXT, 99);
}

static uint32_t load32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

/* Token: literal count, literals, then (offset low, offset high, length - 4); counts above 254 are split. */
static size_t lz_compress(void) {
    static uint32_t heads[1 << HASH_BITS];
    memset(heads, 0, sizeof heads);
    size_t at = 0, start = 0, out = 0;
    while (at + 4 < TEXT) {
        uint32_t word = load32(text + at), slot = word * 2654435761u >> (32 - HASH_BITS);
        size_t candidate = heads[slot];
        heads[slot] = (uint32_t) at;
        if (candidate >= at || at - candidate > 65535 || load32(text + candidate) != word) {
            at++;
            if (at - start < 255) continue;
        }
        size_t length = 0;
        if (at - start < 255) {
            length = 4;
            while (at + length < TEXT && length < 258 && text[candidate + length] == text[at + length]) length++;
        }
        squeezed[out++] = (uint8_t) (at - start);
        memcpy(squeezed + out, text + start, at - start);
        out += at - start;
        size_t offset = length ? at - candidate : 0;
        squeezed[out++] = (uint8_t) offset;
        squeezed[out++] = (uint8_t) (offset >> 8);
        squeezed[out++] = (uint8_t) (length ? length - 4 : 0);
        at += length;
        start = at;
    }
    while (start < TEXT) {
        size_t n = TEXT - start < 255 ? TEXT - start : 255;
        squeezed[out++] = (uint8_t) n;
        memcpy(squeezed + out, text + start, n);
        out += n;
        squeezed[out++] = 0;
        squeezed[out++] = 0;
        squeezed[out++] = 0;
        start += n;
    }
    return out;
}

static size_t lz_expand(size_t length) {
    size_t in = 0, out = 0;
    while (in < length) {
        size_t n = squeezed[in++];
        memcpy(expanded + out, squeezed + in, n);
        in += n;
        out += n;
        size_t offset = squeezed[in] | (size_t) squeezed[in + 1] << 8, count = squeezed[in + 2] + 4u;
        in += 3;
        if (offset) {
            for (size_t i = 0; i < count; i++, out++) expanded[out] = expanded[out - offset];
        }
    }
    return out;
}

static uint64_t lz_unit(void) {
    size_t length = lz_compress();
    if (lz_expand(length) != TEXT || memcmp(text, expanded, TEXT) != 0) fail("text differs after compression");
    return mix_bytes(length, squeezed, length / 16);
}

const struct workload crypto_workloads[] = {
    {"sha256", sha256_unit, data_setup}, {"aes", aes_unit, aes_setup}, {"rsa", rsa_unit, rsa_setup},
    {"lz", lz_unit, lz_setup}, {NULL, NULL, NULL}};
