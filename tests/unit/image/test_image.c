/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/fs.h"
#include "image/image.h"
#include "support/check_status.h"
#include "support/golden_image.h"
#include "support/temp_dir.h"

Test(image, every_golden_file_decodes_to_the_bytes_pillow_gives) {
    safetensors_file *file;
    int64_t n = 0, n_files = 0;
    cr_assert_eq(safetensors_open("tests/golden/image/decoded.safetensors", &file), MIP_OK);
    const safetensors_entry *entries = safetensors_entries(file, &n);
    for (int64_t i = 0; i < n; i++) {
        if (strstr(entries[i].name, ".exif_applied") != NULL) {
            continue; // we do not turn pictures, as Image.open does not
        }
        image im = golden_image_read(entries[i].name);
        golden_image_assert(&im, &entries[i]);
        image_deinit(&im);
        n_files++;
    }
    cr_assert_geq(n_files, 12);
    safetensors_close(file);
}

/* Bytes of a file, and a file in pieces. */
typedef struct bytes {
    uint8_t *data;
    size_t n;
} bytes;

static bytes read_bytes(const char *name) {
    char path[256], *text;
    arena memory;
    bytes b;
    arena_init(&memory);
    snprintf(path, sizeof path, "tests/golden/image/%s", name);
    cr_assert_eq(fs_read_file(&memory, path, 1 << 24, &text, &b.n), MIP_OK, "%s",
                 mip_error_last()->what);
    b.data = malloc(b.n);
    memcpy(b.data, text, b.n);
    arena_deinit(&memory);
    return b;
}

static mip_status decode(const uint8_t *data, size_t n, image *out) {
    const image_limits limits = image_limits_default();
    return image_decode(data, n, "some.png", &limits, out);
}

static void assert_fails(const uint8_t *data, size_t n, mip_status code, const char *words) {
    image im = {0};
    cr_assert_eq(decode(data, n, &im), code, "%s: %s", words, mip_error_last()->what);
    cr_assert_not_null(strstr(mip_error_last()->what, words), "%s", mip_error_last()->what);
    cr_assert_not_null(strstr(mip_error_last()->what, "some.png"), "%s", mip_error_last()->what);
    ASSERT_HINT("");
    cr_assert_null(im.rgb);
}

/* A PNG with this header and, as picture data, `n_raw` bytes of `raw`. */
static bytes make_png(uint32_t w, uint32_t h, uint8_t depth, uint8_t colour, const uint8_t *raw,
                      size_t n_raw) {
    uint8_t packed[1024], header[13] = {(uint8_t)(w >> 24),
                                        (uint8_t)(w >> 16),
                                        (uint8_t)(w >> 8),
                                        (uint8_t)w,
                                        (uint8_t)(h >> 24),
                                        (uint8_t)(h >> 16),
                                        (uint8_t)(h >> 8),
                                        (uint8_t)h,
                                        depth,
                                        colour};
    uLongf n_packed = sizeof packed;
    cr_assert_eq(compress(packed, &n_packed, raw, n_raw), Z_OK);
    const struct {
        const char *name;
        const uint8_t *data;
        size_t n;
    } chunks[] = {{"IHDR", header, sizeof header}, {"IDAT", packed, n_packed}, {"IEND", NULL, 0}};
    bytes b = {.data = malloc(2048)};
    memcpy(b.data, "\x89PNG\r\n\x1a\n", 8);
    b.n = 8;
    for (size_t i = 0; i < 3; i++) {
        const uint32_t n = (uint32_t)chunks[i].n;
        uint8_t *at = b.data + b.n;
        for (int k = 0; k < 4; k++) {
            at[k] = (uint8_t)(n >> (24 - 8 * k));
        }
        memcpy(at + 4, chunks[i].name, 4);
        if (n > 0) {
            memcpy(at + 8, chunks[i].data, n);
        }
        const uint32_t sum = (uint32_t)crc32(0, at + 4, n + 4);
        for (int k = 0; k < 4; k++) {
            at[8 + n + k] = (uint8_t)(sum >> (24 - 8 * k));
        }
        b.n += 12 + n;
    }
    return b;
}

Test(image, made_png_is_sound) {
    const uint8_t raw[] = {0, 10, 20, 30, 40, 50, 60};
    bytes b = make_png(2, 1, 8, 2, raw, sizeof raw);
    image im;
    cr_assert_eq(decode(b.data, b.n, &im), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_arr_eq(im.rgb, raw + 1, 6);
    image_deinit(&im);
    free(b.data);
}

Test(image, sixteen_bit_colour_keeps_the_high_byte_and_sixteen_bit_grey_is_refused) {
    const uint8_t raw[] = {0, 1, 255, 254, 0, 255, 255}, grey_alpha[] = {0, 127, 255, 9, 9};
    bytes rgb = make_png(1, 1, 16, 2, raw, 7), grey = make_png(1, 1, 16, 0, raw, 3),
          alpha = make_png(1, 1, 16, 4, grey_alpha, 5);
    image im;
    cr_assert_eq(decode(rgb.data, rgb.n, &im), MIP_OK);
    cr_assert(im.rgb[0] == 1 && im.rgb[1] == 254 && im.rgb[2] == 255);
    image_deinit(&im);
    cr_assert_eq(decode(alpha.data, alpha.n, &im), MIP_OK);
    cr_assert(im.rgb[0] == 127 && im.rgb[1] == 127 && im.rgb[2] == 127);
    image_deinit(&im);
    assert_fails(grey.data, grey.n, MIP_E_UNSUPPORTED, "16-bit grey");
    free(rgb.data);
    free(grey.data);
    free(alpha.data);
}

Test(image, size_limit_is_checked_before_allocation_and_tells_both_numbers) {
    const uint8_t raw[] = {0};
    bytes bomb = make_png(60000, 50000, 8, 2, raw, 1), zero = make_png(0, 5, 8, 2, raw, 1);
    assert_fails(bomb.data, bomb.n, MIP_E_NOFIT,
                 "60000 x 50000 pixels are more than the limit of 67108864");
    assert_fails(zero.data, zero.n, MIP_E_FORMAT, "");
    free(bomb.data);
    free(zero.data);
}

Test(image, files_that_are_no_picture_are_refused) {
    assert_fails((const uint8_t *)"", 0, MIP_E_FORMAT, "empty");
    assert_fails((const uint8_t *)"GIF89a", 6, MIP_E_UNSUPPORTED, "neither PNG nor JPEG");
    assert_fails((const uint8_t *)"\x89PNG", 4, MIP_E_UNSUPPORTED, "neither PNG nor JPEG");
}

/* Byte `at` of the chunk data of the PNG's header becomes `value`. */
static void change_header(bytes b, size_t at, uint8_t value) {
    b.data[16 + at] = value;
    const uint32_t sum = (uint32_t)crc32(0, b.data + 12, 4 + 13);
    for (int k = 0; k < 4; k++) {
        b.data[29 + k] = (uint8_t)(sum >> (24 - 8 * k));
    }
}

Test(image, interlaced_pictures_are_the_same_pictures) {
    static const struct {
        int x, y, step_x, step_y;
    } passes[7] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                   {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    uint8_t raw[128];
    size_t n = 0;
    for (int i = 0; i < 7; i++) {
        for (int y = passes[i].y; y < 8; y += passes[i].step_y) {
            raw[n++] = 0; // no filter
            for (int x = passes[i].x; x < 8; x += passes[i].step_x) {
                raw[n++] = (uint8_t)(y * 8 + x);
            }
        }
    }
    bytes b = make_png(8, 8, 8, 0, raw, n);
    image im;
    change_header(b, 12, 1);
    cr_assert_eq(decode(b.data, b.n, &im), MIP_OK, "%s", mip_error_last()->what);
    for (int i = 0; i < 64; i++) {
        cr_assert(im.rgb[3 * i] == i && im.rgb[3 * i + 1] == i && im.rgb[3 * i + 2] == i);
    }
    image_deinit(&im);
    free(b.data);
}

Test(image, headers_that_cannot_be_are_refused) {
    static const struct {
        size_t at;
        uint8_t value;
        const char *words;
    } bad[] = {{0, 0x80, "broken"}, // a width past 2^31
               {3, 0, "broken"},    // no width
               {7, 0, "broken"},    // no height
               {8, 3, "broken"},    // bits
               {9, 1, "broken"},    // kind of colour
               {10, 1, "broken"},   // compression
               {11, 1, "broken"},   // filters
               {12, 2, "broken"},   // interlacing
               {9, 3, "broken"}};   // palette colours without a palette
    const uint8_t raw[] = {0, 1, 2, 3};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bytes b = make_png(1, 1, 8, 2, raw, sizeof raw);
        change_header(b, bad[i].at, bad[i].value);
        assert_fails(b.data, b.n, MIP_E_FORMAT, bad[i].words);
        free(b.data);
    }
}

/* A few bytes of deflate may stand for any number of zeros: no more are unpacked than the picture
 * has. Too few are a truncated picture. */
Test(image, deflate_bombs_cost_no_more_than_the_picture) {
    enum { N = 500000 };
    uint8_t *zeros = calloc(1, N);
    bytes more = make_png(4, 4, 8, 2, zeros, N), fewer = make_png(8000, 8000, 8, 2, zeros, N);
    image im;
    cr_assert_eq(decode(more.data, more.n, &im), MIP_OK, "%s", mip_error_last()->what);
    cr_assert(im.w == 4 && im.h == 4 && im.rgb[47] == 0);
    image_deinit(&im);
    assert_fails(fewer.data, fewer.n, MIP_E_FORMAT, "truncated");
    free(more.data);
    free(fewer.data);
    free(zeros);
}

/* The two bytes at `at` in the frame header of a baseline JPEG: 3 height, 5 width. */
static void change_frame(bytes b, size_t at, uint8_t high, uint8_t low) {
    for (size_t i = 2; i + 10 < b.n; i++) {
        if (b.data[i] == 0xff && b.data[i + 1] == 0xc0) {
            b.data[i + 2 + at] = high;
            b.data[i + 3 + at] = low;
            return;
        }
    }
    cr_assert_fail("no frame header");
}

Test(image, jpegs_of_another_size_than_their_data_are_refused) {
    bytes b = read_bytes("jpeg_420.jpg");
    change_frame(b, 3, 0xff, 0xdc);
    change_frame(b, 5, 0xff, 0xdc);
    assert_fails(b.data, b.n, MIP_E_NOFIT, "65500 x 65500 pixels are more than the limit");
    ASSERT_HINT("make the picture smaller");
    change_frame(b, 3, 0x10, 0);
    change_frame(b, 5, 0x10, 0);
    assert_fails(b.data, b.n, MIP_E_FORMAT, "truncated");
    change_frame(b, 3, 0, 0);
    assert_fails(b.data, b.n, MIP_E_FORMAT, "broken");
    change_frame(b, 3, 0, 1);
    change_frame(b, 5, 0, 0);
    assert_fails(b.data, b.n, MIP_E_FORMAT, "broken");
    free(b.data);
}

Test(image, cmyk_jpegs_are_refused_with_what_to_do) {
    bytes b = read_bytes("../../fuzz/corpus/image/cmyk.jpg");
    assert_fails(b.data, b.n, MIP_E_UNSUPPORTED, "4 colour channels (CMYK?)");
    ASSERT_HINT("convert the picture to RGB");
    free(b.data);
}

Test(image, files_over_the_limit_are_not_read) {
    temp_dir t;
    image im = {0};
    temp_make(&t);
    const image_limits limits = {.max_pixels = 100, .max_file_bytes = 100};
    const char *path = temp_write(&t, "x.png", (uint8_t[101]){0x89, 'P', 'N', 'G'}, 101);
    ASSERT_FAILS(image_read(path, &limits, &im), MIP_E_FORMAT, "x.png");
    ASSERT_FAILS(image_read(temp_path(&t, "none.png"), NULL, &im), MIP_E_IO, "none.png");
    ASSERT_FAILS(image_read(t.path, NULL, &im), MIP_E_IO, "not a regular file");
    temp_remove(&t);
}

/* Each truncated copy has a buffer of its exact size, so that reading on is seen by the address
 * sanitizer. */
static void check_truncations(const char *name, size_t n_tail) {
    bytes b = read_bytes(name);
    for (size_t n = 8; n + n_tail < b.n; n += 1 + b.n / 97) {
        uint8_t *part = malloc(n);
        image im = {0};
        memcpy(part, b.data, n);
        cr_assert_eq(decode(part, n, &im), MIP_E_FORMAT, "%s cut to %zu of %zu bytes", name, n,
                     b.n);
        cr_assert_null(im.rgb);
        free(part);
    }
    free(b.data);
}

Test(image, truncated_files_are_refused_at_any_length) {
    check_truncations("rgb.png", 12); // the empty end chunk may be missing, as for Pillow
    check_truncations("palette_4bit.png", 12);
    check_truncations("jpeg_420.jpg", 2); // the end marker alone may not: see below
    check_truncations("jpeg_444_progressive.jpg", 2);
    check_truncations("jpeg_grey.jpg", 2);
}

/* Whatever one changed byte does, it ends in a picture or in an error, not in a crash. */
static void check_damage(const char *name) {
    bytes b = read_bytes(name);
    int n_refused = 0;
    for (size_t i = 0; i < b.n; i += 1 + b.n / 500) {
        image im = {0};
        b.data[i] ^= 0x55;
        n_refused += decode(b.data, b.n, &im) != MIP_OK;
        image_deinit(&im);
        b.data[i] ^= 0x55;
    }
    cr_assert_gt(n_refused, 0);
    free(b.data);
}

Test(image, damaged_files_give_an_error_or_a_picture) {
    check_damage("rgb.png");
    check_damage("palette_transparent.png");
    check_damage("jpeg_420.jpg");
    check_damage("jpeg_444_progressive.jpg");
}
