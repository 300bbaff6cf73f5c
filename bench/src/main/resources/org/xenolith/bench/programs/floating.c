/* Floating point and SIMD of the baseline ISA (SSE2), and the x87. SPDX-License-Identifier: Apache-2.0 */
#include "xbench.h"

#include <emmintrin.h>
#include <math.h>
#include <string.h>

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Five bodies under gravity, in units of our own; symplectic Euler steps. */
enum { BODIES = 5, STEPS = 2000 };
struct body {
    double x, y, z, vx, vy, vz, mass;
};

static uint64_t nbody_unit(void) {
    struct body b[BODIES];
    for (int i = 0; i < BODIES; i++) {
        b[i] = (struct body){.x = i * 1.5, .y = (i % 2 ? -1.0 : 1.0) * i, .z = 0.25 * i, .vx = 0.1 * (BODIES - i),
                             .vy = 0.05 * i, .vz = -0.02 * i, .mass = i == 0 ? 10.0 : 0.1 * i};
    }
    const double dt = 0.001;
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < BODIES; i++) {
            for (int j = i + 1; j < BODIES; j++) {
                double dx = b[i].x - b[j].x, dy = b[i].y - b[j].y, dz = b[i].z - b[j].z;
                double square = dx * dx + dy * dy + dz * dz + 0.01;
                double pull = dt / (square * sqrt(square));
                b[i].vx -= dx * b[j].mass * pull;
                b[i].vy -= dy * b[j].mass * pull;
                b[i].vz -= dz * b[j].mass * pull;
                b[j].vx += dx * b[i].mass * pull;
                b[j].vy += dy * b[i].mass * pull;
                b[j].vz += dz * b[i].mass * pull;
            }
        }
        for (int i = 0; i < BODIES; i++) {
            b[i].x += dt * b[i].vx;
            b[i].y += dt * b[i].vy;
            b[i].z += dt * b[i].vz;
        }
    }
    uint64_t sum = 0;
    for (int i = 0; i < BODIES; i++) sum = mix(mix(mix(sum, bits_of(b[i].x)), bits_of(b[i].y)), bits_of(b[i].z));
    return sum;
}

enum { SIDE = 96 };
static float left[SIDE][SIDE] __attribute__((aligned(16)));
static float right[SIDE][SIDE] __attribute__((aligned(16)));
static float product[SIDE][SIDE] __attribute__((aligned(16)));

static void fmatrix_setup(void) {
    uint64_t seed = 9;
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            left[i][j] = (float) (next_random(&seed) % 1000) / 37.0f;
            right[i][j] = (float) (next_random(&seed) % 1000) / 53.0f;
        }
    }
}

static uint64_t fmatrix_unit(void) {
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j += 4) {
            __m128 sum = _mm_setzero_ps();
            for (int k = 0; k < SIDE; k++) {
                sum = _mm_add_ps(sum, _mm_mul_ps(_mm_set1_ps(left[i][k]), _mm_load_ps(&right[k][j])));
            }
            _mm_store_ps(&product[i][j], sum);
        }
    }
    uint64_t sum = 0;
    for (int i = 0; i < SIDE; i++) sum = mix(sum, bits_of((double) product[i][(i * 7) % SIDE]));
    return sum;
}

/* Packed integers as codecs use them: sums of absolute differences, saturating arithmetic, multiply-add, shuffles. */
static uint8_t picture[2][64 * 1024] __attribute__((aligned(16)));

static void sse2int_setup(void) {
    uint64_t seed = 21;
    for (size_t i = 0; i < sizeof picture[0]; i++) {
        uint64_t r = next_random(&seed);
        picture[0][i] = (uint8_t) (r >> 8);
        picture[1][i] = (uint8_t) (r >> 24);
    }
}

static uint64_t sse2int_unit(void) {
    __m128i differences = _mm_setzero_si128(), products = _mm_setzero_si128(), packed = _mm_setzero_si128();
    const __m128i zero = _mm_setzero_si128();
    for (size_t k = 0; k < 16 * sizeof picture[0]; k += 16) {
        size_t i = k % sizeof picture[0];
        __m128i a = _mm_load_si128((const __m128i *) (picture[0] + i));
        __m128i b = _mm_load_si128((const __m128i *) (picture[1] + i));
        differences = _mm_add_epi64(differences, _mm_sad_epu8(a, b));
        __m128i low = _mm_unpacklo_epi8(a, zero), high = _mm_unpackhi_epi8(b, zero);
        products = _mm_add_epi32(products, _mm_madd_epi16(low, high));
        __m128i brighter = _mm_adds_epu8(a, _mm_srli_epi16(b, 3));
        __m128i mask = _mm_cmpgt_epi8(brighter, _mm_max_epu8(a, b));
        __m128i chosen = _mm_or_si128(_mm_and_si128(mask, brighter), _mm_andnot_si128(mask, _mm_avg_epu8(a, b)));
        packed = _mm_xor_si128(_mm_shuffle_epi32(packed, 0x39), _mm_packus_epi16(_mm_subs_epi16(low, high), chosen));
    }
    uint64_t words[6];
    _mm_storeu_si128((__m128i *) words, differences);
    _mm_storeu_si128((__m128i *) (words + 2), products);
    _mm_storeu_si128((__m128i *) (words + 4), packed);
    return mix_bytes(1, words, sizeof words);
}

/* Horner's rule, a continued fraction and a square root in 80-bit arithmetic. */
static uint64_t x87_unit(void) {
    volatile long double start = 0.7L;
    long double x = start, sum = 0.0L;
    for (int i = 1; i <= 20000; i++) {
        long double polynomial = ((x * 0.25L - 0.5L) * x + 1.0L) * x - 0.125L;
        long double fraction = 1.0L / (x + 2.0L / (x + 3.0L));
        sum += polynomial * fraction + sqrtl(x + (long double) i);
        x = x * 0.75L + fraction * 0.5L;
    }
    unsigned char bytes[16] = {0};
    memcpy(bytes, &sum, 10);
    return mix_bytes(1, bytes, 10);
}

const struct workload float_workloads[] = {
    {"nbody", nbody_unit, NULL}, {"fmatrix", fmatrix_unit, fmatrix_setup}, {"sse2int", sse2int_unit, sse2int_setup},
    {"x87", x87_unit, NULL}, {NULL, NULL, NULL}};
