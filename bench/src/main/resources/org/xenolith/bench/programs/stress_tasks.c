/*
 * The scheduler and what wakes its tasks: futexes, pipes, signals, forks, migration between processors.
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- futex: pairs that wake each other, without a time limit: a lost wake-up stays */

static struct {
    _Alignas(64) volatile int turn;
} balls[64];

static void futex_thread(int index) {
    volatile int *turn = &balls[index / 2].turn;
    int me = index & 1;
    for (;;) {
        int now;
        while ((now = __atomic_load_n(turn, __ATOMIC_ACQUIRE)) != me) {
            if (now == 2) return;
            syscall(SYS_futex, turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
        }
        bool over = me == 0 && !running();
        __atomic_store_n(turn, over ? 2 : !me, __ATOMIC_RELEASE);
        syscall(SYS_futex, turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        did(1);
        if (over) return;
    }
}

static void futex(void) { parallel(processors < 32 ? processors * 2 : 64, futex_thread); }

/* ---- queue: producers and consumers around one mutex and two conditions */

#define ROOM 16
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static long queued[ROOM], queue_length, put_sum, taken_sum;
static int producers;

static void queue_thread(int index) {
    bool producer = index < processors;
    uint64_t random = 0xA0761D6478BD642Full * (uint64_t) (index + 1);
    for (;;) {
        long item = (long) (next_random(&random) >> 8);
        bool last = producer && !running();
        pthread_mutex_lock(&mutex);
        if (producer) {
            if (last) {
                producers--;
                pthread_cond_broadcast(&not_empty);
                pthread_mutex_unlock(&mutex);
                return;
            }
            while (queue_length == ROOM) pthread_cond_wait(&not_full, &mutex);
            queued[queue_length++] = item;
            put_sum += item;
            pthread_cond_signal(&not_empty);
        } else {
            while (queue_length == 0 && producers > 0) pthread_cond_wait(&not_empty, &mutex);
            if (queue_length == 0) {
                pthread_mutex_unlock(&mutex);
                return;
            }
            taken_sum += queued[--queue_length];
            pthread_cond_signal(&not_full);
            did(1);
        }
        pthread_mutex_unlock(&mutex);
    }
}

static void queue(void) {
    producers = processors;
    parallel(processors * 2, queue_thread);
    if (put_sum != taken_sum) broken("a queue lost or doubled an item");
}

/* ---- pipes: groups of processes that send each other messages through sockets and pipes */

static void talk(int in, int out, bool first) {
    uint64_t message[16] = {0};
    for (uint64_t number = 0;; number++) {
        if (first == ((number & 1) == 0)) {
            if (!running()) _exit(0);
            message[0] = number;
            message[15] = number * 3;
            if (write(out, message, sizeof message) != (ssize_t) sizeof message) _exit(errno == EPIPE ? 0 : 8);
        } else {
            for (size_t have = 0; have < sizeof message;) {
                ssize_t n = read(in, (char *) message + have, sizeof message - have);
                if (n == 0 && have == 0) _exit(0);
                if (n <= 0) _exit(errno == ECONNRESET ? 0 : 6);
                have += (size_t) n;
            }
            if (message[0] != number || message[15] != number * 3) _exit(7);
        }
    }
}

static void pipes(void) {
    signal(SIGPIPE, SIG_IGN);
    int pairs = processors * 2;
    for (int p = 0; p < pairs; p++) {
        int there[2], back[2];
        if (p & 1) {
            if (pipe(there) || pipe(back)) broken("pipe: %s", strerror(errno));
        } else {
            if (socketpair(AF_UNIX, SOCK_STREAM, 0, there) || socketpair(AF_UNIX, SOCK_STREAM, 0, back))
                broken("socketpair: %s", strerror(errno));
        }
        for (int side = 0; side < 2; side++) {
            if (fork() != 0) continue;
            close(side ? there[1] : there[0]);
            close(side ? back[0] : back[1]);
            if (side) talk(there[0], back[1], false);
            else talk(back[0], there[1], true);
        }
        close(there[0]);
        close(there[1]);
        close(back[0]);
        close(back[1]);
    }
    for (int i = 0; i < 2 * pairs; i++) {
        int status;
        wait(&status);
        if (status != 0) broken("a process of the test ended with status %x", status);
        did(1);
    }
}

/* ---- forks: processes and threads that are made and end, all the time */

static void *short_life(void *argument) { return (void *) ((long) argument + 1); }

static void fork_process(int index) {
    char code[8];
    for (volatile int n = 0; running(); n++) {
        int want = (n * 7 + index) & 63;
        pid_t child = n & 1 ? vfork() : fork();
        if (child < 0) _exit(10);
        if (child == 0) {
            if ((n & 3) == 0) _exit(want);
            snprintf(code, sizeof code, "%d", want);
            execl("/proc/self/exe", "xstress", "--exit", code, (char *) NULL);
            _exit(127);
        }
        int status;
        if (waitpid(child, &status, 0) != child) _exit(11);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != want) _exit(12);
        pthread_t threads[4];
        for (long t = 0; t < 4; t++)
            if (pthread_create(&threads[t], NULL, short_life, (void *) t)) _exit(13);
        for (long t = 0; t < 4; t++) {
            void *result;
            pthread_join(threads[t], &result);
            if (result != (void *) (t + 1)) _exit(14);
        }
    }
    _exit(0);
}

static void forks(void) {
    int n = processors * 2;
    for (int i = 0; i < n; i++)
        if (fork() == 0) fork_process(i);
    for (int i = 0; i < n; i++) {
        int status;
        wait(&status);
        if (status != 0) broken("a process of the test ended with status %x", status);
        did(1);
    }
}

/* ---- signals: queued between threads and from a timer, while the threads compute in registers that must survive */

static volatile long received;

static void on_signal(int signal) {
    /* Floating point in the handler: the interrupted state must come back. */
    volatile double x = 1.5;
    for (int i = 0; i < 10; i++) x = x * 1.25 + 0.5;
    if (signal == SIGRTMIN) __atomic_fetch_add(&received, 1, __ATOMIC_RELAXED);
}

static uint64_t compute(uint64_t seed) {
    double a = (double) (seed & 1023) + 0.5, b = 1.0;
    uint64_t h = seed;
    for (int i = 0; i < 2000; i++) {
        a = a * 1.0000001 + b;
        b = b * 0.999 + 0.25;
        h = (h ^ (uint64_t) i) * 0x9E3779B97F4A7C15ull;
        h = h << 13 | h >> 51;
    }
    uint64_t bits;
    memcpy(&bits, &a, sizeof bits);
    return h ^ bits;
}

static pthread_t signal_threads[64];
static volatile int signal_threads_there;
static volatile long sent;

static void signal_thread(int index) {
    static struct meeting begin, end;
    int n = processors < 32 ? processors : 32;
    signal_threads[index] = pthread_self();
    meet(&begin, n);
    uint64_t expected = compute((uint64_t) index);
    union sigval value = {.sival_int = index};
    while (running()) {
        if (compute((uint64_t) index) != expected) broken("a signal changed registers of the thread that it met");
        if (pthread_sigqueue(signal_threads[(index + 1) % n], SIGRTMIN, value) == 0) {
            __atomic_fetch_add(&sent, 1, __ATOMIC_RELAXED);
        } else if (errno != EAGAIN && errno != 0) {
            broken("sigqueue: %s", strerror(errno));
        }
        did(1);
    }
    meet(&end, n);
}

static void signals(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGRTMIN, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &often, NULL);
    parallel(processors < 32 ? processors : 32, signal_thread);
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    if (received != sent) broken("of %ld queued signals %ld arrived", sent, received);
}

/* ---- migrate: threads that hop between processors and compute */

static void migrate_thread(int index) {
    uint64_t random = 0xE7037ED1A0B428DBull * (uint64_t) (index + 1), expected = compute((uint64_t) index);
    while (running()) {
        cpu_set_t one;
        int cpu = (int) (next_random(&random) % (uint64_t) processors);
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        /* Refused while the processor is offline. */
        sched_setaffinity(0, sizeof one, &one);
        if (compute((uint64_t) index) != expected) broken("a move to another processor changed registers");
        did(1);
    }
}

static void migrate(void) { parallel(processors * 2, migrate_thread); }

/* ---- barrier: membarrier makes every other thread's stores and loads ordered: one IPI to each processor */

static volatile int left_flag, right_flag, both;

static void barrier_thread(int index) {
    /* Dekker: the right side has no fence but the left side's membarrier. */
    static volatile bool over;
    if (index == 0) {
        while (running()) {
            left_flag = 1;
            if (syscall(SYS_membarrier, 8 /* PRIVATE_EXPEDITED */, 0, 0)) broken("membarrier: %s", strerror(errno));
            if (!right_flag) {
                if (__atomic_add_fetch(&both, 1, __ATOMIC_RELAXED) != 1) broken("membarrier did not order");
                __atomic_sub_fetch(&both, 1, __ATOMIC_RELAXED);
            }
            left_flag = 0;
            did(1);
        }
        over = true;
        return;
    }
    if (index > 1) {
        while (!over) relax();
        return;
    }
    while (!over) {
        right_flag = 1;
        __asm__ volatile("" ::: "memory");
        if (!left_flag) {
            if (++both != 1) broken("membarrier did not order");
            both--;
        }
        __asm__ volatile("" ::: "memory");
        right_flag = 0;
    }
}

static void barrier(void) {
    if (syscall(SYS_membarrier, 16 /* REGISTER_PRIVATE_EXPEDITED */, 0, 0)) {
        if (errno == ENOSYS) return;
        broken("membarrier: %s", strerror(errno));
    }
    parallel(processors, barrier_thread);
}

/* ---- sleep: timers of all threads ring, and none late by more than a person would notice on a busy host */

static void sleep_thread(int index) {
    uint64_t random = 0x8EBC6AF09C88C6E3ull * (uint64_t) (index + 1);
    while (running()) {
        struct timespec nap = {0, (long) (next_random(&random) % 3000000)};
        nanosleep(&nap, NULL);
        did(1);
    }
}

static void sleepers(void) { parallel(processors * 4, sleep_thread); }

const struct stress task_tests[] = {{"futex", futex},
    {"queue", queue},
    {"pipes", pipes},
    {"forks", forks},
    {"signals", signals},
    {"migrate", migrate},
    {"barrier", barrier},
    {"sleepers", sleepers},
    {NULL, NULL}};
