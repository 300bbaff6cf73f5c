/* A C compiler: TinyCC turns a source into code in memory, which is then run once. The source is the text below, in
 * COPIES copies under other names. Linked with Debian's static libtcc. SPDX-License-Identifier: Apache-2.0 */
#include "xbench.h"

#include <libtcc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The compiled text needs no headers and no library. A macro's argument holds no directives: those are strings. */
#define TEXT(...) #__VA_ARGS__ "\n"

enum { COPIES = 24, SIZE = 256 * 1024 };

static const char prologue[] = "typedef unsigned long u64;\n"
                               "typedef unsigned int u32;\n"
                               "typedef unsigned char u8;\n"
                               "#define PASTE(a, b) a##_##b\n"
                               "#define JOIN(a, b) PASTE(a, b)\n"
                               "#define NAME(x) JOIN(x, COPY)\n"
                               "#define LENGTH(x) (sizeof(x) / sizeof((x)[0]))\n";

static const char *const functions[] = {
    "/* A hash table with open addressing. */\n"
    "#define SLOTS 64\n",
    TEXT(struct NAME(table) { u64 keys[SLOTS]; u32 values[SLOTS]; int used; };),
    TEXT(static u64 NAME(hash)(u64 x) {
        x ^= x >> 33;
        x *= 0xff51afd7ed558ccdUL + COPY;
        return x ^ x >> 29;
    }),
    TEXT(static u32 *NAME(slot)(struct NAME(table) *t, u64 key) {
        u32 i = (u32) (NAME(hash)(key) % SLOTS);
        while (t->keys[i] != 0 && t->keys[i] != key) i = (i + 1) % SLOTS;
        if (t->keys[i] == 0) {
            t->keys[i] = key;
            t->values[i] = 0;
            t->used++;
        }
        return &t->values[i];
    }),
    TEXT(static u64 NAME(count)(const u8 *text, int length) {
        struct NAME(table) t;
        u64 sum = t.used = 0;
        for (u32 i = 0; i < LENGTH(t.keys); i++) t.keys[i] = t.values[i] = 0;
        for (int i = 0; i + 1 < length && t.used < SLOTS - 1; i++) {
            u32 *value = NAME(slot)(&t, ((u64) text[i] << 8 | text[i + 1]) + 1);
            *value += i % 3 == 0 ? 2 : 1;
        }
        for (u32 i = 0; i < LENGTH(t.values); i++) sum = sum * 31 + t.values[i];
        return sum;
    }),
    "// An expression in postfix notation, evaluated on a stack.\n",
    TEXT(enum NAME(token) { NAME(NUMBER), NAME(PLUS) = '+', NAME(TIMES) = '*', NAME(MINUS) = '-' };),
    TEXT(static int NAME(postfix)(const char *s) {
        int stack[16];
        int top = 0;
        for (; *s; s++) {
            if (*s >= '0' && *s <= '9') {
                int value = 0;
                do value = value * 10 + (*s++ - '0'); while (*s >= '0' && *s <= '9');
                stack[top++] = value;
                s--;
                continue;
            }
            if (top < 2) continue;
            int right = stack[--top];
            int left = stack[--top];
            switch (*s) {
            case NAME(PLUS): left += right; break;
            case NAME(MINUS): left -= right; break;
            case NAME(TIMES): left *= right; break;
            default: goto out;
            }
            stack[top++] = left;
        }
    out:
        return top ? stack[top - 1] : -1;
    }),
    "/* Sorting through a pointer to a comparison. */\n",
    TEXT(static int NAME(up)(const int *a, const int *b) { return *a < *b ? -1 : *a > *b; }),
    TEXT(static int NAME(down)(const int *a, const int *b) { return -NAME(up)(a, b); }),
    TEXT(static void NAME(sort)(int *v, int n, int (*compare)(const int *, const int *)) {
        for (int i = 1; i < n; i++) {
            int x = v[i], j = i;
            for (; j > 0 && compare(&v[j - 1], &x) > 0; j--) v[j] = v[j - 1];
            v[j] = x;
        }
    }),
    TEXT(static double NAME(mean)(const int *v, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += v[i] * 0.5;
        return n ? sum / n : 0.0;
    }),
    TEXT(u64 NAME(run)(void) {
        static const u8 text[] = "a page of the guest is a frame of the host, and a frame may be many pages";
        static int (*const order[])(const int *, const int *) = {NAME(up), NAME(down)};
        int v[24];
        u64 sum = NAME(count)(text, sizeof text);
        sum = sum * 31 + (u64) NAME(postfix)("12 3 4 * + 5 - 17 2 * +");
        for (u32 k = 0; k < LENGTH(order); k++) {
            u32 x = 12345 + COPY;
            for (u32 i = 0; i < LENGTH(v); i++) {
                x = x * 1103515245u + 12345u;
                v[i] = (int) (x >> 16 & 0x3ff);
            }
            NAME(sort)(v, LENGTH(v), order[k]);
            for (u32 i = 0; i < LENGTH(v); i++) sum = sum * 31 + v[i];
        }
        return sum + (u64) (long) (NAME(mean)(v, LENGTH(v)) * 1000);
    }),
};

static char source[SIZE];

static void append(const char *text) {
    static size_t at;
    size_t length = strlen(text);
    if (at + length >= SIZE) fail("the source does not fit");
    memcpy(source + at, text, length + 1);
    at += length;
}

static void cc_setup(void) {
    char line[64];
    append(prologue);
    for (int copy = 0; copy < COPIES; copy++) {
        snprintf(line, sizeof line, "#undef COPY\n#define COPY %d\n", copy);
        append(line);
        for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) append(functions[i]);
    }
    append("u64 run(void) {\n    u64 sum = 0;\n");
    for (int copy = 0; copy < COPIES; copy++) {
        snprintf(line, sizeof line, "    sum = sum * 31 + run_%d();\n", copy);
        append(line);
    }
    append("    return sum;\n}\n");
}

static void complain(void *unused, const char *message) {
    (void) unused;
    fail(message);
}

static uint64_t cc_unit(void) {
    TCCState *tcc = tcc_new();
    if (!tcc) fail("tcc_new");
    tcc_set_error_func(tcc, NULL, complain);
    tcc_set_options(tcc, "-nostdlib -nostdinc");
    tcc_set_output_type(tcc, TCC_OUTPUT_MEMORY);
    if (tcc_compile_string(tcc, source) != 0) fail("does not compile");
    int size = tcc_relocate(tcc, NULL);
    if (size <= 0 || tcc_relocate(tcc, TCC_RELOCATE_AUTO) != 0) fail("does not link");
    uint64_t (*run)(void) = (uint64_t (*)(void)) tcc_get_symbol(tcc, "run");
    if (!run) fail("the compiled function is not there");
    uint64_t sum = mix((uint64_t) size, run());
    tcc_delete(tcc);
    return sum;
}

const struct workload cc_workloads[] = {{"cc", cc_unit, cc_setup}, {NULL, NULL, NULL}};
