/* LZMA2 compression and expansion of text. Linked with Debian's static liblzma. SPDX-License-Identifier: Apache-2.0 */
#include "xbench.h"

#include <lzma.h>
#include <string.h>

enum { SIZE = 48 * 1024 };
static uint8_t text[SIZE], squeezed[2 * SIZE], expanded[SIZE];

static void xz_setup(void) {
    fill_text((char *) text, SIZE, 1234);
}

static uint64_t xz_unit(void) {
    size_t length = 0, in = 0, out = 0;
    uint64_t memory = UINT64_MAX;
    if (lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, text, SIZE, squeezed, &length, sizeof squeezed) != LZMA_OK) {
        fail("encode");
    }
    if (lzma_stream_buffer_decode(&memory, 0, NULL, squeezed, &in, length, expanded, &out, SIZE) != LZMA_OK
        || out != SIZE || memcmp(text, expanded, SIZE) != 0) {
        fail("decode");
    }
    return mix_bytes(length, squeezed, length / 8);
}

const struct workload xz_workloads[] = {{"xz", xz_unit, xz_setup}, {NULL, NULL, NULL}};
