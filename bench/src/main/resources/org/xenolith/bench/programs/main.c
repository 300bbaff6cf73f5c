/*
 * The driver of the benchmark programs: xbench [--seconds T] [--units N] [--processors N] [--list] name...
 * For each name it prints two lines that the runner reads:
 *     BEGIN name
 *     RESULT name units seconds checksum
 * or `FAILED name why`. The first unit is not timed: it warms caches and translators and gives the reference checksum
 * that every later unit must repeat.
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "xbench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int processors = 1;
static const char *current = "-";

static void say(const char *line) {
    size_t length = strlen(line), done = 0;
    while (done < length) {
        ssize_t n = write(1, line + done, length - done);
        if (n <= 0) exit(4);
        done += (size_t) n;
    }
}

void fail(const char *what) {
    char line[256];
    snprintf(line, sizeof line, "FAILED %s %s\n", current, what);
    say(line);
    exit(3);
}

uint64_t mix_bytes(uint64_t hash, const void *data, size_t length) {
    const uint8_t *p = data;
    for (size_t i = 0; i < length; i++) hash = mix(hash, p[i]);
    return hash;
}

void fill_text(char *buffer, size_t length, uint64_t seed) {
    static const char *const words[] = {"guest", "host", "page", "table", "frame", "ring", "grant", "event", "channel",
        "domain", "kernel", "memory", "the", "of", "and", "a", "is", "by", "to", "in", "one", "processor", "interrupt",
        "vector", "register", "address", "translation", "hypercall", "scheduler", "console", "store", "migration"};
    size_t at = 0;
    while (at < length) {
        uint64_t r = next_random(&seed);
        const char *word = words[r % (sizeof words / sizeof words[0])];
        for (const char *c = word; *c && at < length; c++) buffer[at++] = *c;
        if (at < length) buffer[at++] = (r >> 32) % 11 == 0 ? '\n' : ' ';
        if ((r >> 40) % 7 == 0 && at < length) buffer[at++] = (char) ('0' + (r >> 50) % 10);
    }
}

static char scratch[64];

static void remove_scratch(void) {
    char input[96];
    snprintf(input, sizeof input, "%s/input", scratch);
    unlink(input);
    rmdir(scratch);
}

const char *scratch_directory(void) {
    if (!scratch[0]) {
        struct stat st;
        const char *base = stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode) ? "/dev/shm" : "/tmp";
        snprintf(scratch, sizeof scratch, "%s/xbench.%d", base, (int) getpid());
        if (mkdir(scratch, 0700) != 0) fail("cannot make a scratch directory");
        atexit(remove_scratch);
    }
    return scratch;
}

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec * 1e-9;
}

static const struct workload *const tables[] = {
#ifdef XBENCH_SQL
    sql_workloads,
#elif defined XBENCH_XZ
    xz_workloads,
#else
    integer_workloads, control_workloads, float_workloads, bulk_workloads, crypto_workloads, system_workloads,
    code_workloads, stock_workloads, parallel_workloads,
#endif
    NULL};

static const struct workload *find(const char *name) {
    for (int t = 0; tables[t]; t++)
        for (const struct workload *w = tables[t]; w->name; w++)
            if (strcmp(w->name, name) == 0) return w;
    return NULL;
}

static void measure(const struct workload *w, double seconds, long units) {
    char line[256];
    if (w->setup) w->setup();
    uint64_t expected = w->unit();
    snprintf(line, sizeof line, "BEGIN %s\n", w->name);
    say(line);
    long done = 0;
    double start = now(), elapsed;
    do {
        if (w->unit() != expected) fail("a repeated unit gave another checksum");
        done++;
        elapsed = now() - start;
    } while (units > 0 ? done < units : elapsed < seconds);
    snprintf(line, sizeof line, "RESULT %s %ld %.6f %016llx\n", w->name, done, elapsed, (unsigned long long) expected);
    say(line);
}

/* A native run must not spread its pipes and threads over more processors than a guest has. */
static void stay_on_some(void) {
    cpu_set_t allowed, here;
    if (processors < 1 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    CPU_ZERO(&here);
    int cpu = sched_getcpu(), chosen = 0;
    for (int i = 0; i < CPU_SETSIZE && chosen < processors; i++) {
        int at = ((cpu < 0 ? 0 : cpu) + i) % CPU_SETSIZE;
        if (!CPU_ISSET(at, &allowed)) continue;
        CPU_SET(at, &here);
        chosen++;
    }
    sched_setaffinity(0, sizeof here, &here);
}

int main(int argc, char **argv) {
    double seconds = 1.0;
    long units = 0;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--exit") == 0) return 7; /* the child of the fork+exec workload */
        if (strcmp(argv[i], "--list") == 0) {
            for (int t = 0; tables[t]; t++)
                for (const struct workload *w = tables[t]; w->name; w++) puts(w->name);
            return 0;
        }
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--processors") == 0 && i + 1 < argc) processors = atoi(argv[++i]);
        else if (strcmp(argv[i], "--units") == 0 && i + 1 < argc) units = atol(argv[++i]);
        else fail("bad option");
    }
    stay_on_some();
    for (; i < argc; i++) {
        current = argv[i];
        const struct workload *w = find(argv[i]);
        if (!w) fail("no such workload");
        measure(w, seconds, units);
    }
    return 0;
}
