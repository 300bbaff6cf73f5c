/*
 * Code that one processor writes and others run.
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "stress.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* mov $n, %eax; ret. The constant lies on a boundary of four bytes, so that a store of it is whole. */
#define FUNCTION 16
#define CONSTANT 4

static uint8_t *code;
static volatile uint32_t published;

static void write_function(uint8_t *at, uint32_t n) {
    uint8_t text[] = {0x90, 0x90, 0x90, 0xB8, 0, 0, 0, 0, 0xC3};
    memcpy(at, text, sizeof text);
    *(volatile uint32_t *) (at + CONSTANT) = n;
}

static inline void serialise(void) {
    uint32_t a = 0, c = 0;
    __asm__ volatile("cpuid" : "+a"(a), "+c"(c)::"ebx", "edx", "memory");
}

static uint32_t call(uint8_t *at) { return ((uint32_t (*)(void)) (void *) at)(); }

/* ---- patch: a constant inside an instruction that others run; who serialises has at least what was published before */

static void patch_thread(int index) {
    static volatile bool over;
    if (index == 0) {
        for (uint32_t n = 1; running(); n++) {
            *(volatile uint32_t *) (code + CONSTANT) = n;
            __atomic_store_n(&published, n, __ATOMIC_RELEASE);
            for (uint32_t i = 0; i < (n & 255); i++) relax();
            did(1);
        }
        over = true;
        return;
    }
    uint32_t last = 0;
    while (!over) {
        uint32_t atLeast = __atomic_load_n(&published, __ATOMIC_ACQUIRE);
        serialise();
        uint32_t got = call(code);
        if (got < atLeast) broken("ran code of version %u when %u was published", got, atLeast);
        uint32_t atMost = __atomic_load_n(&published, __ATOMIC_ACQUIRE);
        if (got > atMost + 1) broken("ran code of version %u when %u was the newest", got, atMost);
        if (got < last) broken("code went back from version %u to %u", last, got);
        last = got;
    }
}

static void patch(void) {
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED) broken("mmap: %s", strerror(errno));
    write_function(code, 0);
    parallel(processors, patch_thread);
}

/* ---- generate: what a just-in-time compiler does: write new functions, make them executable, hand them out, unmap them */

#define HANDED 32
static struct {
    _Alignas(64) uint8_t *volatile at;
    volatile uint32_t n, users;
} handed[HANDED];

static void generate_thread(int index) {
    static volatile bool over;
    uint64_t random = 0x589965CC75374CC3ull * (uint64_t) (index + 1);
    if (index == 0) {
        for (uint32_t n = 1; running(); n++) {
            int slot = (int) (next_random(&random) % HANDED);
            uint8_t *old = handed[slot].at;
            handed[slot].at = NULL;
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            while (__atomic_load_n(&handed[slot].users, __ATOMIC_SEQ_CST)) relax();
            uint8_t *at = old;
            if (old && (random & 256)) {
                if (mprotect(old, 4096, PROT_READ | PROT_WRITE)) broken("mprotect: %s", strerror(errno));
            } else {
                if (old) munmap(old, 4096);
                at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (at == MAP_FAILED) broken("mmap: %s", strerror(errno));
            }
            for (int f = 0; f < 4096 / FUNCTION; f++) write_function(at + f * FUNCTION, n * 1000 + (uint32_t) f);
            if (mprotect(at, 4096, PROT_READ | PROT_EXEC)) broken("mprotect: %s", strerror(errno));
            handed[slot].n = n;
            __atomic_store_n(&handed[slot].at, at, __ATOMIC_RELEASE);
            did(1);
        }
        over = true;
        return;
    }
    while (!over) {
        int slot = (int) (next_random(&random) % HANDED);
        __atomic_fetch_add(&handed[slot].users, 1, __ATOMIC_SEQ_CST);
        uint8_t *at = handed[slot].at;
        if (at) {
            uint32_t n = handed[slot].n;
            serialise();
            for (int i = 0; i < 8; i++) {
                uint32_t f = (uint32_t) (next_random(&random) % (4096 / FUNCTION));
                uint32_t got = call(at + f * FUNCTION);
                if (got != n * 1000 + f) broken("new code gave %u in place of %u", got, n * 1000 + f);
            }
        }
        __atomic_fetch_sub(&handed[slot].users, 1, __ATOMIC_SEQ_CST);
    }
}

static void generate(void) { parallel(processors, generate_thread); }

const struct stress code_tests[] = {{"patch", patch}, {"generate", generate}, {NULL, NULL}};
