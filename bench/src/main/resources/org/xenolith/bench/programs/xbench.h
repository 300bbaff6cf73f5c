/* Shared declarations of the benchmark programs. SPDX-License-Identifier: Apache-2.0 */
#ifndef XBENCH_H
#define XBENCH_H

#include <stddef.h>
#include <stdint.h>

/*
 * A workload is a unit of work that always does the same thing and returns the checksum of what it computed.
 * The driver (main.c) repeats units until enough time has passed, so that one program suits a native CPU and an
 * interpreter that is a hundred times slower; rates (units per second) are compared, never totals.
 */
struct workload {
    const char *name;
    uint64_t (*unit)(void);
    void (*setup)(void); /* before the clock starts; may be null */
};

/* Processors that the program may use; 1 if nothing else was said. */
extern int processors;

/* Each source file ends with its table, closed by an entry without a name. */
extern const struct workload integer_workloads[];
extern const struct workload control_workloads[];
extern const struct workload float_workloads[];
extern const struct workload bulk_workloads[];
extern const struct workload crypto_workloads[];
extern const struct workload system_workloads[];
extern const struct workload code_workloads[];
extern const struct workload stock_workloads[];
extern const struct workload parallel_workloads[];
extern const struct workload sql_workloads[];
extern const struct workload xz_workloads[];

/* xorshift64*: the same numbers on every host, no library behind it. */
static inline uint64_t next_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}

/* One step of a 64-bit FNV-like mix: cheap, and order matters. */
static inline uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x100000001b3ull;
    return hash ^ (hash >> 29);
}

uint64_t mix_bytes(uint64_t hash, const void *data, size_t length);

/* Text with the redundancy of prose: words of a small vocabulary in random order. */
void fill_text(char *buffer, size_t length, uint64_t seed);

/* A directory on a memory file system, for workloads that need files. */
const char *scratch_directory(void);

/* Prints why and exits with status 3: the runner reports the workload as failed. */
void fail(const char *what) __attribute__((noreturn));

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *data, size_t length);
void sha256_final(struct sha256 *sha, uint8_t digest[32]);

#endif
