/* Code that changes: patched instructions, and a program that emits machine code.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "xbench.h"

#include <string.h>
#include <sys/mman.h>

static uint8_t *executable_memory(size_t size) {
    uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("no writable and executable memory");
    return p;
}

static uint8_t *patched;

/* mov eax, imm32; add eax, edi; ret */
static void smc_setup(void) {
    static const uint8_t code[] = {0xb8, 0, 0, 0, 0, 0x01, 0xf8, 0xc3};
    patched = executable_memory(4096);
    memcpy(patched, code, sizeof code);
}

/* Rewrite the constant inside an instruction and run it, a thousand times. */
static uint64_t smc_unit(void) {
    uint64_t sum = 0;
    uint32_t (*function)(uint32_t) = (uint32_t (*)(uint32_t))(void *) patched;
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t constant = i * 2654435761u;
        memcpy(patched + 1, &constant, 4);
        __asm__ volatile("" : : : "memory");
        sum = mix(sum, function(i));
    }
    return sum;
}

enum { ARENA = 256 * 1024, FUNCTIONS = 16, BODY = 120, RUNS = 40 };
static uint8_t *arena;
static size_t arena_at;

static void jit_setup(void) {
    arena = executable_memory(ARENA);
    arena_at = 0;
}

static uint8_t *emit(uint8_t *p, const void *bytes, size_t length) {
    memcpy(p, bytes, length);
    return p + length;
}

/*
 * Emits FUNCTIONS straight-line functions of BODY random operations on eax and edi and runs each RUNS times, as a
 * just-in-time compiler's young code behaves. The arena is reused round-robin: new code lands on old.
 */
static uint64_t jit_unit(void) {
    uint64_t seed = 17, sum = 0;
    for (int f = 0; f < FUNCTIONS; f++) {
        if (arena_at + 8 * BODY > ARENA) arena_at = 0;
        uint8_t *start = arena + arena_at, *p = emit(start, "\x89\xf8", 2); /* mov eax, edi */
        for (int i = 0; i < BODY; i++) {
            uint64_t r = next_random(&seed);
            uint32_t constant = (uint32_t) (r >> 16);
            switch (r % 7) {
                case 0: p = emit(emit(p, "\x05", 1), &constant, 4); break;         /* add eax, imm32 */
                case 1: p = emit(emit(p, "\x35", 1), &constant, 4); break;         /* xor eax, imm32 */
                case 2: p = emit(p, "\xc1\xc0\x07", 3); break;                     /* rol eax, 7 */
                case 3: p = emit(p, "\x0f\xaf\xc7", 3); break;                     /* imul eax, edi */
                case 4: p = emit(p, "\x29\xf8", 2); break;                         /* sub eax, edi */
                case 5: p = emit(p, "\x8d\x44\x47\x11", 4); break;                 /* lea eax, [rdi+rax*2+17] */
                default: p = emit(p, "\xff\xc7", 2); break;                        /* inc edi */
            }
        }
        p = emit(p, "\xc3", 1);
        arena_at = ((size_t) (p - arena) + 15) & ~(size_t) 15;
        __asm__ volatile("" : : : "memory");
        uint32_t (*function)(uint32_t) = (uint32_t (*)(uint32_t))(void *) start;
        for (uint32_t i = 0; i < RUNS; i++) sum = mix(sum, function(i + (uint32_t) f));
    }
    return sum;
}

const struct workload code_workloads[] = {
    {"smc", smc_unit, smc_setup}, {"jit", jit_unit, jit_setup}, {NULL, NULL, NULL}};
