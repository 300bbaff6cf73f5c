/*
 * The driver of the stress programs: xstress [--seconds T] [--together] test...
 * Each test runs in a process of its own for T seconds, one behind the other or all at once, and prints
 *     PASS test units
 * or `FAILED test why`. A test that does not end by itself is a lost wake-up and counts as failed.
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "stress.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Longest time that a test may take to end when its own is over, on a host that is busy with other things. */
#define PATIENCE 120

int processors;
static double seconds = 5;
static const char *current = "-";
static volatile long units;
static double deadline;

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec * 1e-9;
}

static void say(const char *line) {
    if (write(1, line, strlen(line)) < 0) _exit(4);
}

void did(long more) { __atomic_fetch_add(&units, more, __ATOMIC_RELAXED); }

bool running(void) { return now() < deadline; }

void broken(const char *format, ...) {
    char why[256], line[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    snprintf(line, sizeof line, "FAILED %s %s\n", current, why);
    say(line);
    _exit(3);
}

struct job {
    void (*body)(int);
    int index;
};

static void *start(void *argument) {
    struct job *job = argument;
    job->body(job->index);
    return NULL;
}

void parallel(int n, void (*body)(int)) {
    pthread_t threads[n];
    struct job jobs[n];
    for (int i = 0; i < n; i++) {
        jobs[i] = (struct job){body, i};
        int error = pthread_create(&threads[i], NULL, start, &jobs[i]);
        if (error) broken("cannot make a thread: %s", strerror(error));
    }
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
}

void meet(struct meeting *meeting, int n) {
    long round = meeting->left;
    if (__atomic_add_fetch(&meeting->arrived, 1, __ATOMIC_SEQ_CST) == n) {
        meeting->arrived = 0;
        __atomic_add_fetch(&meeting->left, 1, __ATOMIC_SEQ_CST);
        return;
    }
    for (int i = 0; __atomic_load_n(&meeting->left, __ATOMIC_ACQUIRE) == round; i++) {
        if (i < 100) relax();
        else sched_yield();
    }
}

static const struct stress *const tables[] = {order_tests, memory_tests, task_tests, code_tests, NULL};

static const struct stress *find(const char *name) {
    for (int t = 0; tables[t]; t++)
        for (const struct stress *s = tables[t]; s->name; s++)
            if (strcmp(s->name, name) == 0) return s;
    return NULL;
}

static pid_t begin(const char *name) {
    const struct stress *test = find(name);
    pid_t child = fork();
    if (child < 0) broken("cannot fork");
    if (child > 0) return child;
    /* What it starts ends with it. */
    setpgid(0, 0);
    current = name;
    if (!test) broken("no such test");
    deadline = now() + seconds;
    test->run();
    char line[128];
    snprintf(line, sizeof line, "PASS %s %ld\n", name, units);
    say(line);
    _exit(0);
}

/* True when the test passed. */
static bool end(const char *name, pid_t child, double limit) {
    int status;
    current = name;
    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) break;
        if (now() > limit) {
            char line[128];
            snprintf(line, sizeof line, "FAILED %s did not end: a wake-up was lost, or something waits for good\n", name);
            say(line);
            kill(-child, SIGKILL);
            return false;
        }
        usleep(20000);
    }
    if (WIFSIGNALED(status)) {
        char line[128];
        snprintf(line, sizeof line, "FAILED %s was killed by signal %d\n", name, WTERMSIG(status));
        say(line);
    }
    kill(-child, SIGKILL);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv) {
    bool together = false, ok = true;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--exit") == 0 && i + 1 < argc) return atoi(argv[i + 1]); /* the child of "forks" */
        if (strcmp(argv[i], "--list") == 0) {
            for (int t = 0; tables[t]; t++)
                for (const struct stress *s = tables[t]; s->name; s++) puts(s->name);
            return 0;
        }
        if (strcmp(argv[i], "--together") == 0) together = true;
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) seconds = atof(argv[++i]);
        else broken("bad option %s", argv[i]);
    }
    processors = (int) sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 2) processors = 2;
    int n = argc - i;
    pid_t children[n + 1];
    for (int t = 0; t < n; t++) {
        children[t] = begin(argv[i + t]);
        if (!together) ok &= end(argv[i + t], children[t], now() + seconds + PATIENCE);
    }
    double limit = now() + seconds + PATIENCE;
    for (int t = 0; together && t < n; t++) ok &= end(argv[i + t], children[t], limit);
    return ok ? 0 : 1;
}
