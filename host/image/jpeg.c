/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/jpeg.c - JPEG through libjpeg: the header's size, and 8-bit RGB rows.
 *
 * What    Accurate integer inverse DCT and smooth chroma upsampling, the settings Pillow uses. Grey
 *         is replicated. CMYK is refused. libjpeg paints over missing or damaged data with grey and
 *         only warns: here such a file is refused.
 * Limits  A progressive file may carry at most SCANS_MAX scans (each costs a pass over the
 *         picture).
 * Note    libjpeg leaves through longjmp on errors, so everything that needs freeing is in the
 *         caller's struct.
 * Tested  tests/unit/image/test_image.c */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h> // jpeglib.h needs FILE

#include <jpeglib.h>

#include <jerror.h>

#include "base/status_priv.h"
#include "image/codec.h"

enum { SCANS_MAX = 500 };

typedef struct jpeg_reader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    bool too_many_scans;
    bool no_memory;
    bool truncated;
    char words[JMSG_LENGTH_MAX];
} jpeg_reader;

static void on_error(j_common_ptr info) {
    jpeg_reader *r = info->client_data;
    r->no_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
    r->truncated = r->truncated || info->err->msg_code == JERR_INPUT_EOF ||
                   info->err->msg_code == JERR_INPUT_EMPTY;
    info->err->format_message(info, r->words);
    longjmp(r->escape, 1);
}

/* Level -1 is a warning: data missing or damaged. Stray bytes between segments and odd markers do
 * no harm. */
static void on_message(j_common_ptr info, int level) {
    if (level >= 0) {
        return;
    }
    switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER: {
        jpeg_reader *r = info->client_data;
        r->truncated = true;
        on_error(info);
        break;
    }
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_MUST_RESYNC:
        on_error(info);
        break;
    default:
        break;
    }
}

static void on_progress(j_common_ptr info) {
    jpeg_reader *r = info->client_data;
    if (r->info.input_scan_number > SCANS_MAX) {
        r->too_many_scans = true;
        longjmp(r->escape, 1);
    }
}

static mip_status jpeg_fail(const jpeg_reader *r, const char *path) {
    if (r->no_memory) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "%s: no memory to read the JPEG", path);
    }
    if (r->too_many_scans) {
        MIP_FAIL(MIP_E_FORMAT, IMAGE_DAMAGED_HINT,
                 "%s: the JPEG has more than %d scans (decompression bomb?)", path, SCANS_MAX);
    }
    MIP_FAIL(MIP_E_FORMAT, IMAGE_DAMAGED_HINT, "%s: the JPEG is %s (%s)", path,
             r->truncated ? "truncated" : "broken", r->words);
}

/* Read the header. May longjmp. */
static void read_header(jpeg_reader *r, const uint8_t *bytes, size_t n_bytes) {
    jpeg_create_decompress(&r->info);
    r->info.client_data = r; // after create, which clears the struct but err and client_data
    jpeg_mem_src(&r->info, bytes, (unsigned long)n_bytes);
    jpeg_read_header(&r->info, TRUE);
}

/* Decode all rows. May longjmp. */
static void read_rows(jpeg_reader *r, const image *out) {
    r->progress.progress_monitor = on_progress;
    r->info.progress = &r->progress;
    r->info.out_color_space = JCS_RGB;
    r->info.dct_method = JDCT_ISLOW;
    r->info.do_fancy_upsampling = TRUE;
    jpeg_start_decompress(&r->info);
    while (r->info.output_scanline < r->info.output_height) {
        JSAMPROW row = out->rgb + (size_t)r->info.output_scanline * (size_t)out->w * 3;
        jpeg_read_scanlines(&r->info, &row, 1);
    }
    jpeg_finish_decompress(&r->info);
}

static void reader_init(jpeg_reader *r) {
    *r = (jpeg_reader){0};
    r->info.err = jpeg_std_error(&r->errors);
    r->info.client_data = r;
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
}

mip_status image_jpeg_size(const uint8_t *bytes, size_t n_bytes, const char *path, int64_t *w,
                           int64_t *h) {
    jpeg_reader r;
    reader_init(&r);
    if (setjmp(r.escape) != 0) {
        jpeg_destroy_decompress(&r.info);
        return jpeg_fail(&r, path);
    }
    read_header(&r, bytes, n_bytes);
    *w = r.info.image_width;
    *h = r.info.image_height;
    jpeg_destroy_decompress(&r.info);
    return MIP_OK;
}

mip_status image_jpeg_decode(const uint8_t *bytes, size_t n_bytes, const char *path, image *out) {
    jpeg_reader r;
    reader_init(&r);
    if (setjmp(r.escape) != 0) {
        jpeg_destroy_decompress(&r.info);
        return jpeg_fail(&r, path);
    }
    read_header(&r, bytes, n_bytes);
    if (r.info.num_components != 1 && r.info.num_components != 3) {
        const int n = r.info.num_components;
        jpeg_destroy_decompress(&r.info);
        MIP_FAIL(MIP_E_UNSUPPORTED, "convert the picture to RGB",
                 "%s: the JPEG has %d colour channels (CMYK?), expected 1 or 3", path, n);
    }
    read_rows(&r, out);
    jpeg_destroy_decompress(&r.info);
    return MIP_OK;
}
