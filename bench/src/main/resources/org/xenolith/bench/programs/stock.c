/* Stock programs: Debian's static busybox, as it comes. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "xbench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs busybox with the given arguments and mixes what it prints; anything but exit status 0 is a failure. */
static uint64_t run_busybox(char *const arguments[]) {
    const char *busybox = getenv("XBENCH_BUSYBOX");
    if (!busybox) busybox = "/bin/busybox";
    int out[2];
    if (pipe(out) != 0) fail("pipe");
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
        execv(busybox, arguments);
        _exit(127);
    }
    close(out[1]);
    static uint8_t buffer[16384];
    uint64_t sum = 0;
    uint64_t at = 0;
    ssize_t n;
    while ((n = read(out[0], buffer, sizeof buffer)) > 0) {
        /* The first bytes, then every 16th by its place in the stream (reads may be cut anywhere): enough to notice a
           difference, and the time is busybox's. */
        for (ssize_t i = 0; i < n; i++, at++)
            if (at < 256 || at % 16 == 0) sum = mix(sum, buffer[i]);
    }
    sum = mix(sum, at);
    close(out[0]);
    int status;
    if (waitpid(child, &status, 0) != child) fail("waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("busybox failed or is absent");
    return sum;
}

static char input_path[128];

static void input_setup(void) {
    enum { SIZE = 128 * 1024 };
    char *text = malloc(SIZE);
    if (!text) fail("out of memory");
    fill_text(text, SIZE, 4711);
    snprintf(input_path, sizeof input_path, "%s/input", scratch_directory());
    int fd = open(input_path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, SIZE) != SIZE) fail("cannot write the input file");
    close(fd);
    free(text);
    /* Standard input comes from the file: names that differ between machines must not reach the output. */
    fd = open(input_path, O_RDONLY);
    if (fd < 0 || dup2(fd, 0) != 0) fail("cannot open the input file");
    close(fd);
}

static uint64_t with_input(char *const arguments[]) {
    if (lseek(0, 0, SEEK_SET) != 0) fail("lseek");
    return run_busybox(arguments);
}

static uint64_t gzip_unit(void) {
    return with_input((char *[]){"busybox", "gzip", "-c", NULL});
}

static uint64_t sha256sum_unit(void) {
    return with_input((char *[]){"busybox", "sha256sum", NULL});
}

static uint64_t awk_unit(void) {
    return with_input((char *[]){"busybox", "awk",
        "{ for (i = 1; i <= NF; i++) count[$i]++; total += length($0) * 1.5 }"
        " END { for (w in count) { sum += count[w] * length(w) } printf \"%.6f %d\\n\", total, sum }", NULL});
}

static uint64_t shell_unit(void) {
    return run_busybox((char *[]){"busybox", "sh", "-c",
        "i=0; s=0; while [ $i -lt 1000 ]; do i=$((i+1)); case $i in *7) s=$((s+i));; esac; done; echo $s", NULL});
}

const struct workload stock_workloads[] = {
    {"gzip", gzip_unit, input_setup}, {"sha256sum", sha256sum_unit, input_setup}, {"awk", awk_unit, input_setup},
    {"shell", shell_unit, NULL}, {NULL, NULL, NULL}};
