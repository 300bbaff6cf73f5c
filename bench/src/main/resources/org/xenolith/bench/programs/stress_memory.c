/*
 * What one processor does to an address space holds for all others when the system call returns: the kernel's TLB
 * shootdowns, copy on write, and page faults of several threads in one address space.
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static void *pages(long n) {
    void *p = mmap(NULL, (size_t) n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) broken("mmap: %s", strerror(errno));
    return p;
}

static __thread sigjmp_buf escape;
static __thread volatile bool careful;

static void on_fault(int signal) {
    if (!careful) broken("signal %d where none can be", signal);
    siglongjmp(escape, 1);
}

static void catch_faults(void) {
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* ---- protect: behind mprotect(PROT_READ) nobody's store arrives */

static volatile uint64_t *shared;

static void protect_thread(int index) {
    static volatile bool over;
    if (index == 0) {
        while (running()) {
            if (mprotect((void *) shared, PAGE, PROT_READ)) broken("mprotect: %s", strerror(errno));
            uint64_t sums[2];
            for (int look = 0; look < 2; look++) {
                sums[look] = 0;
                for (int i = 0; i < processors; i++) sums[look] += shared[8 * i];
                for (int i = 0; i < 2000 && look == 0; i++) relax();
            }
            if (sums[0] != sums[1]) broken("a store arrived behind mprotect");
            if (mprotect((void *) shared, PAGE, PROT_READ | PROT_WRITE)) broken("mprotect: %s", strerror(errno));
            for (int i = 0; i < 500; i++) relax();
            did(1);
        }
        over = true;
        return;
    }
    volatile uint64_t *mine = shared + 8 * index;
    careful = true;
    sigsetjmp(escape, 0);
    while (!over) (*mine)++;
}

static void protect(void) {
    catch_faults();
    shared = pages(1);
    shared[0] = 0;
    parallel(processors < 64 ? processors : 64, protect_thread);
}

/* ---- unmap: who reads a page sees what it is now, whichever way it was taken, moved or given back */

static volatile uint64_t state;

enum way { DISCARD, UNMAP, MOVE, REPLACE, WAYS };

static void unmap_thread(int index) {
    static volatile bool over;
    volatile uint64_t *const there = shared;
    if (index == 0) {
        uint64_t random = 1;
        volatile uint64_t *elsewhere = pages(1);
        for (uint64_t round = 1; running(); round++) {
            *there = round;
            __atomic_store_n(&state, round << 1, __ATOMIC_RELEASE);
            for (uint64_t i = next_random(&random) & 511; i > 0; i--) relax();
            /* From here to the next even state anything may be seen. */
            __atomic_store_n(&state, round << 1 | 1, __ATOMIC_SEQ_CST);
            uint64_t left = 0;
            switch (next_random(&random) % WAYS) {
                case DISCARD:
                    if (madvise((void *) there, PAGE, MADV_DONTNEED)) broken("madvise: %s", strerror(errno));
                    break;
                case UNMAP:
                    if (munmap((void *) there, PAGE)) broken("munmap: %s", strerror(errno));
                    left = ~0ull;
                    break;
                case MOVE:
                    if (mremap((void *) there, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == MAP_FAILED)
                        broken("mremap: %s", strerror(errno));
                    if (*elsewhere != round) broken("mremap lost the page");
                    left = ~0ull;
                    break;
                default:
                    *elsewhere = left = round + 1000000007;
                    if (mremap((void *) elsewhere, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, there) == MAP_FAILED)
                        broken("mremap: %s", strerror(errno));
            }
            /* What is there now is told by the high bits of the state: 1 nothing, 2 zero, 3 the replacement. */
            uint64_t kind = left == ~0ull ? 1 : left == 0 ? 2 : 3;
            __atomic_store_n(&state, kind << 62 | round << 1, __ATOMIC_SEQ_CST);
            for (uint64_t i = next_random(&random) & 1023; i > 0; i--) relax();
            __atomic_store_n(&state, round << 1 | 1, __ATOMIC_SEQ_CST);
            mmap((void *) there, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
            mmap((void *) elsewhere, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
            did(1);
        }
        over = true;
        return;
    }
    while (!over) {
        uint64_t before = __atomic_load_n(&state, __ATOMIC_SEQ_CST);
        if (before == 0 || (before & 1)) {
            relax();
            continue;
        }
        volatile uint64_t value = ~0ull;
        careful = true;
        if (sigsetjmp(escape, 0) == 0) value = *there;
        careful = false;
        if (__atomic_load_n(&state, __ATOMIC_SEQ_CST) != before) continue;
        uint64_t round = (before & ~(3ull << 62)) >> 1;
        uint64_t want[4] = {round, ~0ull, 0, round + 1000000007};
        if (value != want[before >> 62])
            broken("read %lx from a page that has %lx", (unsigned long) value, (unsigned long) want[before >> 62]);
    }
}

static void unmap(void) {
    catch_faults();
    shared = pages(1);
    parallel(processors < 8 ? processors : 8, unmap_thread);
}

/* ---- cow: a child has the memory of the moment of its fork, whatever the parent's threads go on to write */

static volatile uint64_t *counters_page;

static void cow_thread(int index) {
    static volatile bool over;
    volatile uint64_t *mine = counters_page + (long) index * (PAGE / 8);
    if (index > 0) {
        for (uint64_t n = 0; !over; n++) {
            mine[0] = n;
            mine[1] = n;
        }
        return;
    }
    while (running()) {
        pid_t child = fork();
        if (child < 0) broken("fork: %s", strerror(errno));
        if (child == 0) {
            for (int i = 1; i < processors; i++) {
                volatile uint64_t *page = counters_page + (long) i * (PAGE / 8);
                uint64_t first = page[0], second = page[1];
                if (first - second > 1) _exit(1);
                page[2] = first;
                for (int spin = 0; spin < 1000; spin++) relax();
                if (page[0] != first || page[1] != second || page[2] != first) _exit(2);
            }
            _exit(0);
        }
        int status;
        if (waitpid(child, &status, 0) != child) broken("waitpid: %s", strerror(errno));
        if (status == 0x100) broken("a child has a page that never was");
        if (status != 0) broken("a child's memory changed by itself (status %x)", status);
        for (int i = 1; i < processors; i++)
            if (counters_page[(long) i * (PAGE / 8) + 2] != 0) broken("a child's store reached its parent");
        did(1);
    }
    over = true;
}

static void cow(void) {
    counters_page = pages(processors);
    parallel(processors, cow_thread);
}

/* ---- faults: threads of one address space map, touch, split and unmap at once */

static void fault_thread(int index) {
    uint64_t random = 0x9E3779B97F4A7C15ull * (uint64_t) (index + 1);
    while (running()) {
        long n = 1 + (long) (next_random(&random) % 300);
        uint64_t *area = pages(n);
        if ((random & 7) == 0) madvise(area, (size_t) n * PAGE, MADV_HUGEPAGE);
        uint64_t tag = next_random(&random);
        for (long i = 0; i < n; i++) {
            if (area[i * 512 + 7] != 0) broken("a new page is not empty");
            area[i * 512 + 7] = tag + (uint64_t) i;
        }
        long hole = n / 3;
        if (n > 3) {
            if (mprotect(area + hole * 512, PAGE, PROT_READ)) broken("mprotect: %s", strerror(errno));
            munmap(area + (hole + 1) * 512, PAGE);
        }
        for (long i = 0; i < n; i++) {
            if (n > 3 && i == hole + 1) continue;
            if (area[i * 512 + 7] != tag + (uint64_t) i) broken("page %ld of %ld has another's content", i, n);
        }
        munmap(area, (size_t) n * PAGE);
        did(n);
    }
}

static void faults(void) { parallel(processors * 2, fault_thread); }

/* ---- files: what a parallel compilation does to a file system: many small files, written, mapped, renamed, removed */

static void file_process(int index) {
    uint64_t random = 0xD1B54A32D192ED03ull * (uint64_t) (index + 1);
    char path[40], other[48];
    for (int n = 0; running(); n++) {
        snprintf(path, sizeof path, "/tmp/stress.%d.%d", getpid(), n & 7);
        snprintf(other, sizeof other, "%s.o", path);
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (fd < 0) broken("open: %s", strerror(errno));
        size_t size = 64 + next_random(&random) % 20000;
        uint8_t buffer[20064];
        uint64_t sum = 0;
        for (size_t i = 0; i < size; i++) sum = sum * 31 + (buffer[i] = (uint8_t) (next_random(&random) >> 24));
        if (write(fd, buffer, size) != (ssize_t) size) broken("write: %s", strerror(errno));
        if (rename(path, other)) broken("rename: %s", strerror(errno));
        uint8_t *mapped = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED) broken("mmap of a file: %s", strerror(errno));
        uint64_t again = 0;
        for (size_t i = 0; i < size; i++) again = again * 31 + mapped[i];
        if (again != sum) broken("a file has not what was written to it");
        munmap(mapped, size);
        close(fd);
        if (unlink(other)) broken("unlink: %s", strerror(errno));
    }
    _exit(0);
}

static void files(void) {
    int n = processors * 2;
    for (int i = 0; i < n; i++)
        if (fork() == 0) file_process(i);
    for (int i = 0; i < n; i++) {
        int status;
        wait(&status);
        if (status != 0) broken("a process of the test ended with status %x", status);
        did(1);
    }
}

const struct stress memory_tests[] = {
    {"protect", protect}, {"unmap", unmap}, {"cow", cow}, {"faults", faults}, {"files", files}, {NULL, NULL}};
