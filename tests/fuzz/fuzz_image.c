/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_image.c - a PNG or JPEG file, under limits small enough to be quick.
 *
 * How     A changed byte breaks the checksum of its PNG chunk, and nothing behind the checksum
 *         would ever be reached: a PNG is tried as it is and with its checksums put right. */
#include <zlib.h>

#include "fuzz/fuzz_input.h"
#include "image/image.h"

enum { SIGNATURE_BYTES = 8, CHUNK_FRAME_BYTES = 12 };

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Length, type, data, checksum of type and data. False if nothing was changed. */
static bool repair_checksums(uint8_t *bytes, size_t n) {
    bool changed = false;
    for (size_t at = SIGNATURE_BYTES; at + CHUNK_FRAME_BYTES <= n;) {
        const size_t n_data = big_endian(bytes + at);
        if (n_data > n - at - CHUNK_FRAME_BYTES) {
            break;
        }
        uint8_t *sum = bytes + at + 8 + n_data;
        const uint32_t right = (uint32_t)crc32(0, bytes + at + 4, (uInt)(4 + n_data));
        changed = changed || big_endian(sum) != right;
        for (int i = 0; i < 4; i++) {
            sum[i] = (uint8_t)(right >> (24 - 8 * i));
        }
        at += CHUNK_FRAME_BYTES + n_data;
    }
    return changed;
}

static bool decode(const uint8_t *bytes, size_t n) {
    const image_limits limits = {.max_pixels = 1 << 12, .max_file_bytes = 1 << 16};
    image im = {0};
    const mip_status status = image_decode(bytes, n, "x.png", &limits, &im);
    fuzz_check_words(status);
    if (status == MIP_OK) {
        unsigned sum = 0;
        FUZZ_HOLDS(im.w > 0 && im.h > 0 && im.w * im.h <= limits.max_pixels);
        for (int64_t i = 0; i < im.w * im.h * 3; i++) {
            sum += im.rgb[i];
        }
        FUZZ_HOLDS(sum <= 255U * 3U * (unsigned)limits.max_pixels);
    }
    image_deinit(&im);
    return status == MIP_OK;
}

bool fuzz_accepts(const uint8_t *data, size_t n) {
    const bool sound = decode(data, n);
    if (n > SIGNATURE_BYTES && memcmp(data, "\x89PNG", 4) == 0) {
        uint8_t *copy = malloc(n);
        if (copy == NULL) {
            abort();
        }
        memcpy(copy, data, n);
        if (repair_checksums(copy, n)) {
            (void)decode(copy, n);
        }
        free(copy);
    }
    return sound;
}
