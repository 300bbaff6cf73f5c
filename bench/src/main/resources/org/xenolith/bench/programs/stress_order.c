/*
 * Atomicity, the order of stores and loads, and clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "stress.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LINE 64

/* ---- counters: locked instructions of all widths, kinds and alignments */

static struct {
    _Alignas(LINE) volatile uint64_t add64;
    volatile uint32_t add32;
    volatile uint16_t add16;
    volatile uint8_t add8;
    _Alignas(LINE) volatile uint64_t exchanged, compared;
    _Alignas(LINE) volatile uint64_t pair[2];
    _Alignas(LINE) volatile uint32_t lock;
    volatile uint64_t guarded;
    _Alignas(LINE) volatile uint32_t bits;
    volatile uint64_t guarded_by_bit;
} cells;

static uint8_t *straddling; /* two pages: a quadword lies over the seam of two lines, another over that of the pages */
static volatile uint64_t balance;

static void count(int index) {
    uint64_t rounds = 0, random = 88172645463325252ull + (uint64_t) index * 7919, split = 0;
    uint64_t *const line_seam = (uint64_t *) (straddling + LINE - 3);
    uint64_t *const page_seam = (uint64_t *) (straddling + 4096 - 5);
    while ((rounds & 255) || running()) {
        rounds++;
        __asm__ volatile("lock incq %0" : "+m"(cells.add64)::"cc");
        __asm__ volatile("lock addl $1, %0" : "+m"(cells.add32)::"cc");
        __asm__ volatile("lock subw $-1, %0" : "+m"(cells.add16)::"cc");
        uint8_t one = 1;
        __asm__ volatile("lock xaddb %0, %1" : "+q"(one), "+m"(cells.add8)::"cc");
        uint64_t old = cells.compared;
        while (!__atomic_compare_exchange_n(&cells.compared, &old, old + 3, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
        /* What is swapped in comes out exactly once: the sum of all that came out and what is left is known. */
        uint64_t in = next_random(&random);
        __atomic_fetch_add(&balance, in - __atomic_exchange_n(&cells.exchanged, in, __ATOMIC_SEQ_CST), __ATOMIC_RELAXED);
        uint64_t low = cells.pair[0], high = cells.pair[1];
        bool swapped;
        do {
            __asm__ volatile("lock cmpxchg16b %1"
                             : "=@ccz"(swapped), "+m"(cells.pair), "+a"(low), "+d"(high)
                             : "b"(low + 1), "c"(~(low + 1)));
        } while (!swapped);
        for (int spins = 0; __atomic_exchange_n(&cells.lock, 1, __ATOMIC_ACQUIRE); spins++) relax();
        cells.guarded++;
        __atomic_store_n(&cells.lock, 0, __ATOMIC_RELEASE);
        bool taken;
        do {
            __asm__ volatile("lock btsl $5, %1" : "=@ccc"(taken), "+m"(cells.bits)::"memory");
        } while (taken);
        cells.guarded_by_bit++;
        __asm__ volatile("lock btrl $5, %0" : "+m"(cells.bits)::"cc", "memory");
        if ((rounds & 63) == 0) {
            split++;
            __asm__ volatile("lock addq $1, %0" : "+m"(*line_seam)::"cc");
            __asm__ volatile("lock addq $1, %0" : "+m"(*page_seam)::"cc");
        }
    }
    static volatile uint64_t expected, expected_split;
    static struct meeting end;
    __atomic_fetch_add(&expected, rounds, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&expected_split, split, __ATOMIC_SEQ_CST);
    did((long) rounds);
    meet(&end, processors);
    if (index != 0) return;
    uint64_t want = expected;
    if (cells.add64 != want) broken("lock inc lost %ld of %lu", (long) (want - cells.add64), want);
    if (cells.add32 != (uint32_t) want) broken("lock add of 32 bits lost some");
    if (cells.add16 != (uint16_t) want) broken("lock sub of 16 bits lost some");
    if (cells.add8 != (uint8_t) want) broken("lock xadd of 8 bits lost some");
    if (cells.compared != 3 * want) broken("cmpxchg lost %ld", (long) (want - cells.compared / 3));
    if (balance != cells.exchanged) broken("xchg lost or doubled a value");
    if (cells.pair[0] != want || cells.pair[1] != ~want) broken("cmpxchg16b tore or lost a pair");
    if (cells.guarded != want) broken("two were in a lock of xchg");
    if (cells.guarded_by_bit != want) broken("two were in a lock of bts");
    if (*line_seam != expected_split) broken("a locked add over two cache lines lost some");
    if (*page_seam != expected_split) broken("a locked add over two pages lost some");
}

static void counters(void) {
    straddling = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cells.pair[1] = ~0ull;
    parallel(processors, count);
}

/* ---- litmus: what the memory model forbids never shows */

#define CELLS 4096

struct cell {
    volatile uint32_t x, y;
};
static struct cell spread[CELLS];
static uint32_t seen[4][2][CELLS];
static struct meeting phase;

enum shape { BUFFER_FENCE, BUFFER_LOCK, MESSAGE, INDEPENDENT, SHAPES };

/* Threads 0 and 1 write, 2 and 3 read; in BUFFER 0 and 1 do both. */
static void litmus_thread(int index) {
    for (uint32_t round = 1;; round++) {
        static volatile bool go;
        if (index == 0) {
            memset(spread, 0, sizeof spread);
            go = running();
        }
        meet(&phase, 4);
        if (!go) return;
        enum shape shape = round % SHAPES;
        for (uint32_t i = 0; i < CELLS; i++) {
            struct cell *c = &spread[i];
            uint32_t r0 = 2, r1 = 2;
            switch (shape) {
                case BUFFER_FENCE:
                    if (index == 0) {
                        c->x = 1;
                        __asm__ volatile("mfence" ::: "memory");
                        r0 = c->y;
                    } else if (index == 1) {
                        c->y = 1;
                        __asm__ volatile("mfence" ::: "memory");
                        r0 = c->x;
                    }
                    break;
                case BUFFER_LOCK:
                    if (index == 0) {
                        c->x = 1;
                        __asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc");
                        r0 = c->y;
                    } else if (index == 1) {
                        __atomic_exchange_n(&c->y, 1, __ATOMIC_SEQ_CST);
                        r0 = c->x;
                    }
                    break;
                case MESSAGE:
                    if (index == 0) {
                        c->x = 1;
                        c->y = 1;
                    } else if (index > 1) {
                        r0 = c->y;
                        r1 = c->x;
                    }
                    break;
                default:
                    if (index == 0) c->x = 1;
                    else if (index == 1) c->y = 1;
                    else if (index == 2) {
                        r0 = c->x;
                        r1 = c->y;
                    } else {
                        r0 = c->y;
                        r1 = c->x;
                    }
            }
            seen[index][0][i] = r0;
            seen[index][1][i] = r1;
        }
        meet(&phase, 4);
        if (index != 0) continue;
        for (uint32_t i = 0; i < CELLS; i++) {
            if (shape <= BUFFER_LOCK) {
                if (seen[0][0][i] == 0 && seen[1][0][i] == 0) {
                    broken("both missed the other's store behind a %s", shape == BUFFER_LOCK ? "locked add" : "fence");
                }
            } else if (shape == MESSAGE) {
                for (int t = 2; t < 4; t++)
                    if (seen[t][0][i] == 1 && seen[t][1][i] == 0) broken("a flag was seen before its data");
            } else if (seen[2][0][i] && !seen[2][1][i] && seen[3][0][i] && !seen[3][1][i]) {
                broken("two saw two stores in different orders");
            }
        }
        did(CELLS);
    }
}

static void litmus(void) { parallel(4, litmus_thread); }

/* ---- clock: nobody sees time that is before what somebody else has seen */

static volatile uint64_t last_time[3];

static uint64_t counter(void) {
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t) high << 32 | low;
}

static void look_at_clocks(int index) {
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW};
    (void) index;
    for (long i = 0; (i & 255) || running(); i++) {
        int which = (int) (i % 3);
        uint64_t before = __atomic_load_n(&last_time[which], __ATOMIC_ACQUIRE), time;
        __asm__ volatile("lfence" ::: "memory");
        if (which == 2) {
            time = counter();
        } else {
            struct timespec ts;
            clock_gettime(clocks[which], &ts);
            time = (uint64_t) ts.tv_sec * 1000000000u + (uint64_t) ts.tv_nsec;
        }
        if (time < before) broken("clock %d went back by %lu", which, (unsigned long) (before - time));
        while (before < time
                && !__atomic_compare_exchange_n(
                        &last_time[which], &before, time, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE)) {}
        did(1);
    }
}

static void clocks(void) { parallel(processors, look_at_clocks); }

const struct stress order_tests[] = {{"counters", counters}, {"litmus", litmus}, {"clocks", clocks}, {NULL, NULL}};
