/*
 * The stress programs: tests that several processors at once must not break. See stress.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STRESS_H
#define STRESS_H

#include <stdbool.h>
#include <stdint.h>

struct stress {
    const char *name;
    void (*run)(void);
};

extern const struct stress order_tests[], memory_tests[], task_tests[], code_tests[];

/* Processors that were online at the start, at least 2: there is nothing to race with otherwise. */
extern int processors;

/* Adds to what the test tells at its end. From any thread. */
void did(long units);

/* False when the test's time is over. */
bool running(void);

/* Ends the test as failed. From any thread. */
void broken(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Runs body(0) to body(n - 1) in threads of their own, and returns when all have. */
void parallel(int n, void (*body)(int));

/* Waits until n threads are here. The barrier is n long ints, zero at first. */
struct meeting {
    volatile long arrived, left;
};
void meet(struct meeting *meeting, int n);

static inline uint64_t next_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static inline void relax(void) { __asm__ volatile("pause" ::: "memory"); }

#endif
