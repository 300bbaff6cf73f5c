/* What the kernel does for programs: calls, pipes, processes, memory, files, threads, signals.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "xbench.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t syscall_unit(void) {
    long parent = getppid();
    for (int i = 0; i < 5000; i++)
        if (syscall(SYS_getppid) != parent) fail("another parent");
    return 5000;
}

/* Two processes and one byte to and fro: a system call, a wake-up and an address-space switch each way. */
static int ping[2], pong[2];
static pid_t echo_process;

static void pipe_setup(void) {
    if (pipe(ping) != 0 || pipe(pong) != 0) fail("pipe");
    echo_process = fork();
    if (echo_process < 0) fail("fork");
    if (echo_process == 0) {
        uint8_t byte;
        close(ping[1]);
        close(pong[0]);
        while (read(ping[0], &byte, 1) == 1) {
            byte++;
            if (write(pong[1], &byte, 1) != 1) break;
        }
        _exit(0);
    }
    close(ping[0]);
    close(pong[1]);
}

static uint64_t pipe_unit(void) {
    uint64_t sum = 0;
    for (int i = 0; i < 500; i++) {
        uint8_t byte = (uint8_t) i;
        if (write(ping[1], &byte, 1) != 1 || read(pong[0], &byte, 1) != 1) fail("pipe broke");
        sum = mix(sum, byte);
    }
    return sum;
}

static uint64_t fork_unit(void) {
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/proc/self/exe", "xbench", "--exit", (char *) NULL);
            _exit(127);
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) fail("fork+exec");
        sum += (uint64_t) WEXITSTATUS(status);
    }
    return sum;
}

/* Map, touch each 4 KiB page, unmap; huge pages are refused so that every engine takes the same faults. */
static uint64_t pagefault_unit(void) {
    enum { SIZE = 2 << 20 };
    uint8_t *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("mmap");
    madvise(p, SIZE, MADV_NOHUGEPAGE);
    uint64_t sum = 0;
    for (size_t i = 0; i < SIZE; i += 4096) {
        p[i] = (uint8_t) (i >> 12);
        sum += p[i] + p[i + 1];
    }
    munmap(p, SIZE);
    return sum;
}

static uint64_t tmpfs_unit(void) {
    static char block[4096], path[96];
    uint64_t sum = 0;
    for (int i = 0; i < 50; i++) {
        snprintf(path, sizeof path, "%s/file%d", scratch_directory(), i);
        int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
        if (fd < 0) fail("create");
        memset(block, i, sizeof block);
        if (write(fd, block, sizeof block) != (ssize_t) sizeof block || lseek(fd, 100, SEEK_SET) != 100
            || read(fd, block, 1000) != 1000) fail("file");
        struct stat st;
        if (fstat(fd, &st) != 0) fail("fstat");
        sum = mix(mix(sum, (uint64_t) st.st_size), (uint64_t) block[999]);
        close(fd);
        if (unlink(path) != 0) fail("unlink");
    }
    return sum;
}

/* Two threads take turns by a futex: system call, wake-up, thread switch without an address-space switch. */
static _Atomic uint32_t turn_word;
static _Atomic int partner_stop;

static void futex_wait_while(uint32_t value) {
    while (atomic_load(&turn_word) == value)
        syscall(SYS_futex, &turn_word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_hand_over(uint32_t value) {
    atomic_store(&turn_word, value);
    syscall(SYS_futex, &turn_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *partner(void *unused) {
    (void) unused;
    for (;;) {
        futex_wait_while(0);
        if (atomic_load(&partner_stop)) return NULL;
        futex_hand_over(0);
    }
}

static void futex_setup(void) {
    pthread_t thread;
    atomic_store(&turn_word, 0);
    if (pthread_create(&thread, NULL, partner, NULL) != 0) fail("pthread_create");
}

static uint64_t futex_unit(void) {
    for (int i = 0; i < 500; i++) {
        futex_hand_over(1);
        futex_wait_while(1);
    }
    return 500;
}

static volatile uint64_t signals_seen;

static void on_signal(int number) {
    signals_seen += (uint64_t) number;
}

static void signal_setup(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    if (sigaction(SIGUSR1, &action, NULL) != 0) fail("sigaction");
}

static uint64_t signal_unit(void) {
    signals_seen = 0;
    pid_t self = getpid();
    for (int i = 0; i < 1000; i++) kill(self, SIGUSR1);
    return signals_seen;
}

const struct workload system_workloads[] = {
    {"syscall", syscall_unit, NULL}, {"pipe", pipe_unit, pipe_setup}, {"fork", fork_unit, NULL},
    {"pagefault", pagefault_unit, NULL}, {"tmpfs", tmpfs_unit, NULL}, {"futex", futex_unit, futex_setup},
    {"signal", signal_unit, signal_setup}, {NULL, NULL, NULL}};
