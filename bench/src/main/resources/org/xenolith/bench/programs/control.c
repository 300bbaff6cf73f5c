/* Control flow: recursion, calls through pointers, a bytecode interpreter. SPDX-License-Identifier: Apache-2.0 */
#include "xbench.h"

static __attribute__((noinline)) uint64_t fibonacci(uint64_t n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static __attribute__((noinline)) uint64_t ackermann(uint64_t m, uint64_t n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

static uint64_t calls_unit(void) {
    return fibonacci(24) * 1000 + ackermann(2, 100);
}

#define STEP(name, expression) \
    static __attribute__((noinline)) uint64_t name(uint64_t x) { return expression; }
STEP(step0, x + 0x1234567)
STEP(step1, x ^ (x >> 9))
STEP(step2, x * 5)
STEP(step3, (x << 13) | (x >> 51))
STEP(step4, x - 0x777)
STEP(step5, ~x)
STEP(step6, x ^ (x << 7))
STEP(step7, x * 9 + 1)

/* volatile keeps the compiler from seeing through the table. */
static uint64_t (*volatile const steps[8])(uint64_t) = {step0, step1, step2, step3, step4, step5, step6, step7};

static uint64_t indirect_unit(void) {
    uint64_t x = 42;
    for (int i = 0; i < 300000; i++) x = steps[(x >> 11) & 7](x);
    return x;
}

/*
 * A small register machine with a switch for its dispatch: what the loop of Python, awk or a shell looks like to a
 * processor. The program counts the length of Collatz sequences.
 */
enum opcode { LOAD, MOVE, ADD, ADDI, AND, SHR, MUL3, JUMP_ZERO, JUMP_NOT, JUMP_LESS, JUMP, MAX, HALT };

struct instruction {
    uint8_t op, a, b, c;
    int32_t value;
};

/* r0 candidate, r1 current, r2 length, r3 best, r4 scratch, r5 constant 1, r6 limit, r7 total */
static const struct instruction program[] = {
    {LOAD, 0, 0, 0, 1},       {LOAD, 5, 0, 0, 1},      {LOAD, 6, 0, 0, 600}, {LOAD, 3, 0, 0, 0}, {LOAD, 7, 0, 0, 0},
    /* 5: next candidate */
    {MOVE, 1, 0, 0, 0},       {LOAD, 2, 0, 0, 0},
    /* 7: loop */
    {AND, 4, 1, 5, 0},        {JUMP_NOT, 4, 0, 0, 11}, {SHR, 1, 1, 0, 1},    {JUMP, 0, 0, 0, 14},
    /* 11: odd; ends at one */
    {ADDI, 4, 1, 0, -1},      {JUMP_ZERO, 4, 0, 0, 16}, {MUL3, 1, 1, 0, 1},
    /* 14 */
    {ADDI, 2, 2, 0, 1},       {JUMP, 0, 0, 0, 7},
    /* 16: done with this candidate */
    {MAX, 3, 3, 2, 0},        {ADD, 7, 7, 2, 0},       {ADDI, 0, 0, 0, 1},   {JUMP_LESS, 0, 6, 0, 5},
    {HALT, 0, 0, 0, 0}};

static uint64_t bytecode_unit(void) {
    uint64_t r[8] = {0};
    const struct instruction *pc = program;
    for (;;) {
        const struct instruction *i = pc++;
        switch ((enum opcode) i->op) {
            case LOAD: r[i->a] = (uint64_t) (int64_t) i->value; break;
            case MOVE: r[i->a] = r[i->b]; break;
            case ADD: r[i->a] = r[i->b] + r[i->c]; break;
            case ADDI: r[i->a] = r[i->b] + (uint64_t) (int64_t) i->value; break;
            case AND: r[i->a] = r[i->b] & r[i->c]; break;
            case SHR: r[i->a] = r[i->b] >> i->value; break;
            case MUL3: r[i->a] = r[i->b] * 3 + (uint64_t) (int64_t) i->value; break;
            case JUMP_ZERO: if (r[i->a] == 0) pc = program + i->value; break;
            case JUMP_NOT: if (r[i->a] != 0) pc = program + i->value; break;
            case JUMP_LESS: if (r[i->a] < r[i->b]) pc = program + i->value; break;
            case JUMP: pc = program + i->value; break;
            case MAX: r[i->a] = r[i->b] > r[i->c] ? r[i->b] : r[i->c]; break;
            case HALT: return r[3] * 1000000 + r[7];
        }
    }
}

const struct workload control_workloads[] = {
    {"calls", calls_unit, NULL}, {"indirect", indirect_unit, NULL}, {"bytecode", bytecode_unit, NULL},
    {NULL, NULL, NULL}};
