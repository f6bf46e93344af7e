/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/resize.c - separable resampling with integer weights, as Pillow's Resample.c does it
 * for 8-bit pictures.
 *
 * What    Per axis and output position: weights f((x + lo - centre + 0.5) / scale), divided by
 *         their sum, rounded to 22 fraction bits. Horizontal pass, rounded to u8, then vertical. An
 *         axis of unchanged length is skipped.
 * Source  python-pillow/Pillow src/libImaging/Resample.c (up to version 12: horizontal always
 *         first).
 * Exact   The doubles must be evaluated in the order written; the build has -ffp-contract=off.
 * Cost    About 3 w h (taps) multiply-adds per axis; taps = 4 * max(1, in/out) for bicubic. */
#include "image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"

enum { FRACTION_BITS = 22, MAX_SIDE = 1 << 24 };

/* Weights of one axis: output i is the sum over k < n[i] of weight[i * taps + k] * in[begin[i] +
 * k]. */
typedef struct axis_weights {
    int64_t taps;
    int64_t *begin;
    int64_t *n;
    int32_t *weight;
} axis_weights;

static double filter_bilinear(double t) {
    t = fabs(t);
    return t < 1.0 ? 1.0 - t : 0.0;
}

static double filter_bicubic(double t) {
    const double a = -0.5;
    t = fabs(t);
    if (t < 1.0) {
        return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    }
    if (t < 2.0) {
        return (((t - 5.0) * t + 8.0) * t - 4.0) * a;
    }
    return 0.0;
}

static void axis_weights_deinit(axis_weights *a) {
    free(a->begin);
    free(a->n);
    free(a->weight);
}

/* The weights of output position i; scratch [taps] holds them as doubles. */
static void weights_at(const axis_weights *a, int64_t i, int64_t n_in, int64_t n_out,
                       resize_filter filter, double *scratch) {
    double (*const f)(double) = filter == RESIZE_BICUBIC ? filter_bicubic : filter_bilinear;
    const double scale = (double)n_in / (double)n_out;
    const double filter_scale = scale < 1.0 ? 1.0 : scale;
    const double support = (filter == RESIZE_BICUBIC ? 2.0 : 1.0) * filter_scale;
    const double inverse = 1.0 / filter_scale;
    const double centre = ((double)i + 0.5) * scale;
    int64_t lo = (int64_t)(centre - support + 0.5); // towards zero, as a C cast does
    int64_t hi = (int64_t)(centre + support + 0.5);
    lo = lo < 0 ? 0 : lo;
    hi = hi > n_in ? n_in : hi;
    double sum = 0.0;
    for (int64_t x = 0; x < hi - lo; x++) {
        scratch[x] = f(((double)(x + lo) - centre + 0.5) * inverse);
        sum += scratch[x];
    }
    int32_t *weight = a->weight + i * a->taps;
    for (int64_t x = 0; x < hi - lo; x++) {
        const double w = (sum != 0.0 ? scratch[x] / sum : scratch[x]) * (1 << FRACTION_BITS);
        weight[x] = (int32_t)(w < 0.0 ? w - 0.5 : w + 0.5);
    }
    a->begin[i] = lo;
    a->n[i] = hi - lo;
}

static mip_status axis_weights_init(axis_weights *a, int64_t n_in, int64_t n_out,
                                    resize_filter filter) {
    const double scale = (double)n_in / (double)n_out;
    const double reach = filter == RESIZE_BICUBIC ? 2.0 : 1.0;
    *a = (axis_weights){.taps = (int64_t)ceil(reach * (scale < 1.0 ? 1.0 : scale)) * 2 + 1};
    double *scratch = malloc((size_t)a->taps * sizeof *scratch);
    a->begin = malloc((size_t)n_out * sizeof *a->begin);
    a->n = malloc((size_t)n_out * sizeof *a->n);
    a->weight = malloc((size_t)n_out * (size_t)a->taps * sizeof *a->weight);
    if (scratch == NULL || a->begin == NULL || a->n == NULL || a->weight == NULL) {
        free(scratch);
        axis_weights_deinit(a);
        MIP_FAIL(MIP_E_NOMEM, NULL,
                 "no memory for the weights of a resize from %lld to %lld pixels", (long long)n_in,
                 (long long)n_out);
    }
    for (int64_t i = 0; i < n_out; i++) {
        weights_at(a, i, n_in, n_out, filter, scratch);
    }
    free(scratch);
    return MIP_OK;
}

/* One output sample from `stride`-spaced input samples. The sum fits: the weights of one output add
 * up to 2^22 with absolute values below 2^23 in all, times 255 stays below 2^31. */
static uint8_t weighted(const uint8_t *in, int64_t stride, const int32_t *weight, int64_t n) {
    int32_t sum = 1 << (FRACTION_BITS - 1);
    for (int64_t k = 0; k < n; k++) {
        sum += in[k * stride] * weight[k];
    }
    sum >>= FRACTION_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static mip_status resize_rows(const image *in, int64_t w, resize_filter filter, image *out) {
    axis_weights a;
    MIP_TRY(axis_weights_init(&a, in->w, w, filter));
    const mip_status status = image_create(w, in->h, out);
    for (int64_t y = 0; status == MIP_OK && y < in->h; y++) {
        const uint8_t *from = in->rgb + y * in->w * 3;
        uint8_t *to = out->rgb + y * w * 3;
        for (int64_t x = 0; x < w; x++) {
            for (int64_t c = 0; c < 3; c++) {
                to[3 * x + c] =
                    weighted(from + 3 * a.begin[x] + c, 3, a.weight + x * a.taps, a.n[x]);
            }
        }
    }
    axis_weights_deinit(&a);
    return status;
}

static mip_status resize_columns(const image *in, int64_t h, resize_filter filter, image *out) {
    axis_weights a;
    MIP_TRY(axis_weights_init(&a, in->h, h, filter));
    const mip_status status = image_create(in->w, h, out);
    const int64_t row = in->w * 3;
    for (int64_t y = 0; status == MIP_OK && y < h; y++) {
        for (int64_t i = 0; i < row; i++) {
            out->rgb[y * row + i] =
                weighted(in->rgb + a.begin[y] * row + i, row, a.weight + y * a.taps, a.n[y]);
        }
    }
    axis_weights_deinit(&a);
    return status;
}

static mip_status copy_image(const image *in, image *out) {
    MIP_TRY(image_create(in->w, in->h, out));
    memcpy(out->rgb, in->rgb, (size_t)in->w * (size_t)in->h * 3);
    return MIP_OK;
}

mip_status resize_image(const image *in, int64_t w, int64_t h, resize_filter filter, image *out) {
    if (w <= 0 || h <= 0 || w > MAX_SIDE || h > MAX_SIDE || in->w > MAX_SIDE || in->h > MAX_SIDE) {
        MIP_FAIL(MIP_E_ARG, NULL,
                 "resize of %lld x %lld to %lld x %lld pixels: sides must be 1..%d",
                 (long long)in->w, (long long)in->h, (long long)w, (long long)h, MAX_SIDE);
    }
    if (w == in->w && h == in->h) {
        return copy_image(in, out);
    }
    if (h == in->h) {
        return resize_rows(in, w, filter, out);
    }
    if (w == in->w) {
        return resize_columns(in, h, filter, out);
    }
    image rows;
    MIP_TRY(resize_rows(in, w, filter, &rows));
    const mip_status status = resize_columns(&rows, h, filter, out);
    image_deinit(&rows);
    return status;
}
