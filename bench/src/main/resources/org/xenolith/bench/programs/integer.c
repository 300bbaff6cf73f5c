/* Integer workloads: loops, tables, dependent loads, sorting, multiply and divide.
 * SPDX-License-Identifier: Apache-2.0 */
#include "xbench.h"

#include <stdlib.h>
#include <string.h>

/*
 * Exactly ten instructions an iteration, one million iterations: the only workload whose instruction count is known, so
 * that units per second convert to guest instructions per second (Workload.instructionsPerUnit in the runner). A carry
 * and a comparison are used, because code whose flags are all dead flatters an emulator that drops them.
 */
static uint64_t integer_unit(void) {
    uint64_t a = 0x9e3779b97f4a7c15ull, b = 1, c = 0, d = 0, n = 1000000;
    __asm__ volatile(
        "1:\n\t"
        "add %[b], %[a]\n\t"
        "adc $0, %[c]\n\t"
        "mov %[a], %[d]\n\t"
        "shr $7, %[d]\n\t"
        "xor %[d], %[b]\n\t"
        "lea 3(%[b],%[a],2), %[a]\n\t"
        "cmp %[a], %[b]\n\t"
        "cmovb %[d], %[c]\n\t"
        "dec %[n]\n\t"
        "jnz 1b\n\t"
        : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [n] "+r"(n)
        :
        : "cc");
    return mix(mix(a, b), mix(c, d));
}

enum { SIEVE = 200000 };
static uint8_t composite[SIEVE];

static uint64_t sieve_unit(void) {
    memset(composite, 0, sizeof composite);
    uint64_t primes = 0, sum = 0;
    for (uint32_t i = 2; i < SIEVE; i++) {
        if (composite[i]) continue;
        primes++;
        sum += i;
        for (uint64_t j = (uint64_t) i * i; j < SIEVE; j += i) composite[j] = 1;
    }
    return mix(primes, sum);
}

static uint32_t crc_table[256];
static uint8_t crc_data[256 * 1024];

static void crc_setup(void) {
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t c = n;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
        crc_table[n] = c;
    }
    uint64_t seed = 11;
    for (size_t i = 0; i < sizeof crc_data; i++) crc_data[i] = (uint8_t) (next_random(&seed) >> 56);
}

static uint64_t crc_unit(void) {
    uint32_t c = ~0u;
    for (size_t i = 0; i < sizeof crc_data; i++) c = crc_table[(c ^ crc_data[i]) & 0xff] ^ (c >> 8);
    return ~c;
}

/* A random cycle through 4 MiB in cache-line nodes: every load waits for the one before and most miss a small TLB. */
enum { NODES = 65536 };
struct node {
    struct node *next;
    uint64_t value;
    uint64_t pad[6];
};
static struct node *nodes;

static void chase_setup(void) {
    nodes = malloc(NODES * sizeof *nodes);
    uint32_t *order = malloc(NODES * sizeof *order);
    if (!nodes || !order) fail("out of memory");
    uint64_t seed = 5;
    for (uint32_t i = 0; i < NODES; i++) order[i] = i;
    for (uint32_t i = NODES - 1; i > 0; i--) {
        uint32_t j = (uint32_t) (next_random(&seed) % (i + 1)), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) % NODES]];
        nodes[order[i]].value = i * 2654435761u;
    }
    free(order);
}

static uint64_t chase_unit(void) {
    uint64_t sum = 0;
    const struct node *n = nodes;
    for (uint32_t i = 0; i < NODES; i++) {
        sum = sum * 3 + n->value;
        n = n->next;
    }
    return sum;
}

enum { SORTED = 20000 };
static uint32_t sort_data[SORTED];

static void sift(uint32_t *v, size_t root, size_t end) {
    for (size_t child; (child = 2 * root + 1) < end; root = child) {
        if (child + 1 < end && v[child] < v[child + 1]) child++;
        if (v[root] >= v[child]) return;
        uint32_t t = v[root];
        v[root] = v[child];
        v[child] = t;
    }
}

static int compare_words(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return x < y ? -1 : x > y;
}

/* Half by our heap sort (unpredictable branches), half by the C library's qsort (calls through a pointer). */
static uint64_t sort_unit(void) {
    uint64_t seed = 77, sum = 0;
    for (size_t i = 0; i < SORTED; i++) sort_data[i] = (uint32_t) (next_random(&seed) >> 32);
    size_t half = SORTED / 2;
    for (size_t i = half / 2; i-- > 0;) sift(sort_data, i, half);
    for (size_t end = half; end-- > 1;) {
        uint32_t t = sort_data[0];
        sort_data[0] = sort_data[end];
        sort_data[end] = t;
        sift(sort_data, 0, end);
    }
    qsort(sort_data + half, SORTED - half, sizeof sort_data[0], compare_words);
    for (size_t i = 0; i < SORTED; i += 37) sum = mix(sum, sort_data[i]);
    return sum;
}

/* 64-bit multiply, 128-bit product, 32- and 64-bit divide with operands the compiler cannot see. */
static uint64_t muldiv_unit(void) {
    uint64_t seed = 3, sum = 1;
    for (int i = 0; i < 40000; i++) {
        uint64_t r = next_random(&seed);
        uint32_t small = (uint32_t) (r >> 40) | 1;
        uint64_t large = (r >> 20) | 1;
        unsigned __int128 wide = (unsigned __int128) r * (sum | 1);
        sum += (uint64_t) (wide >> 64) ^ (uint64_t) wide;
        sum += (uint32_t) r / small + (uint32_t) r % small;
        sum += (uint64_t) ((int64_t) sum / (int64_t) large) + sum % large;
    }
    return sum;
}

const struct workload integer_workloads[] = {
    {"integer", integer_unit, NULL},  {"sieve", sieve_unit, NULL}, {"crc", crc_unit, crc_setup},
    {"chase", chase_unit, chase_setup}, {"sort", sort_unit, NULL}, {"muldiv", muldiv_unit, NULL},
    {NULL, NULL, NULL}};
