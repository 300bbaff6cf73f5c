/* Bulk memory: the C library's memcpy and memset, and the string instructions. SPDX-License-Identifier: Apache-2.0 */
#include "xbench.h"

#include <stdlib.h>
#include <string.h>

enum { BULK = 1 << 20, REPEAT = 8 };
static uint8_t *source, *target;

/* Called through pointers the compiler cannot see, so that nothing is merged or dropped. */
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile fill)(void *, int, size_t) = memset;

static void bulk_setup(void) {
    if (source) return;
    source = aligned_alloc(4096, BULK);
    target = aligned_alloc(4096, BULK);
    if (!source || !target) fail("out of memory");
    uint64_t seed = 31;
    for (size_t i = 0; i < BULK; i += 8) {
        uint64_t r = next_random(&seed);
        memcpy(source + i, &r, 8);
    }
    memset(target, 0, BULK);
}

static uint64_t sample(const uint8_t *data) {
    uint64_t sum = 0;
    for (size_t i = 0; i < BULK; i += 4093) sum = mix(sum, data[i]);
    return sum;
}

/* A megabyte at a time, and runs of small unaligned pieces as programs make them. */
static uint64_t memcpy_unit(void) {
    for (int i = 0; i < REPEAT; i++) copy(target, source, BULK);
    uint64_t sum = sample(target);
    for (size_t i = 0; i < 2000; i++) copy(target + i * 67 % 60000, source + i * 131 % 60000, 1 + i % 200);
    return mix(sum, sample(target));
}

static uint64_t memset_unit(void) {
    for (int i = 0; i < REPEAT; i++) fill(target, 0x50 + i, BULK);
    for (size_t i = 0; i < 2000; i++) fill(target + i * 67 % 60000, (int) i, 1 + i % 200);
    return sample(target);
}

static uint64_t repmovs_unit(void) {
    for (int i = 0; i < REPEAT; i++) {
        void *to = target;
        const void *from = source;
        size_t count = BULK;
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        to = target + 4096;
        count = 65536 / 8;
        __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0x0101010101010101ull * (unsigned) i) : "memory");
        from = source + 64;
        to = target + 128;
        count = 4096 / 8;
        __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    }
    return sample(target);
}

const struct workload bulk_workloads[] = {
    {"memcpy", memcpy_unit, bulk_setup}, {"memset", memset_unit, bulk_setup}, {"repmovs", repmovs_unit, bulk_setup},
    {NULL, NULL, NULL}};
