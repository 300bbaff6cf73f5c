/*
 * Jobs that several processors share: the same work whatever their number, so that rates compare a guest with one processor
 * and a guest with several. SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "xbench.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECES = 16, PIECE = 400000, JOBS = 8 };

static volatile int next_piece;
static uint64_t sums[PIECES];

static void *work(void *unused) {
    (void) unused;
    int piece;
    while ((piece = __atomic_fetch_add(&next_piece, 1, __ATOMIC_RELAXED)) < PIECES) {
        uint64_t seed = 88172645463325252ull + (uint64_t) piece, sum = 0;
        for (int i = 0; i < PIECE; i++) {
            uint64_t r = next_random(&seed);
            sum = (sum << 5 | sum >> 59) ^ r;
            if (r & 1) sum += (uint64_t) i;
        }
        sums[piece] = sum;
    }
    return NULL;
}

/* Threads that have nothing in common but the number of the next piece. */
static uint64_t threads_unit(void) {
    pthread_t threads[processors];
    next_piece = 0;
    for (int i = 1; i < processors; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0) fail("pthread_create");
    work(NULL);
    for (int i = 1; i < processors; i++) pthread_join(threads[i], NULL);
    uint64_t sum = 0;
    for (int i = 0; i < PIECES; i++) sum = mix(sum, sums[i]);
    return sum;
}

/* Programs, as many at once as there are processors: fork, exec, page faults and exit beside each other. */
static uint64_t programs_unit(void) {
    const char *busybox = getenv("XBENCH_BUSYBOX");
    if (!busybox) busybox = "/bin/busybox";
    uint64_t sum = 0;
    for (int started = 0, running = 0; started < JOBS || running > 0;) {
        if (started < JOBS && running < processors) {
            pid_t child = fork();
            if (child < 0) fail("fork");
            if (child == 0) {
                execl(busybox, "busybox", "sh", "-c",
                    "i=0; s=0; while [ $i -lt 600 ]; do i=$((i+1)); case $i in *7) s=$((s+i));; esac; done;"
                    " exit $((s % 100))", (char *) NULL);
                _exit(127);
            }
            started++;
            running++;
            continue;
        }
        int status;
        if (wait(&status) < 0) fail("wait");
        running--;
        if (!WIFEXITED(status) || WEXITSTATUS(status) == 127) fail("busybox failed or is absent");
        sum += (uint64_t) WEXITSTATUS(status);
    }
    return mix(1, sum);
}

const struct workload parallel_workloads[] = {
    {"threads", threads_unit, NULL}, {"programs", programs_unit, NULL}, {NULL, NULL, NULL}};
