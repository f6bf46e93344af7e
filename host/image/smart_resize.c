/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/smart_resize.c - the arithmetic of transformers' smart_resize, in doubles and in its
 * order of operations.
 *
 * Rounding is half to even (Python's round); too many pixels round down, too few round up, so the
 * limits hold after it wherever one factor-sized cell allows. */
#include "image/smart_resize.h"

#include <math.h>
#include <stddef.h>

#include "base/status_priv.h"

enum { MAX_ASPECT = 200 };

mip_status smart_resize(int64_t w, int64_t h, int64_t factor, int64_t min_pixels,
                        int64_t max_pixels, int64_t *out_w, int64_t *out_h) {
    if (w <= 0 || h <= 0 || factor <= 0 || min_pixels <= 0 || max_pixels < min_pixels) {
        MIP_FAIL(
            MIP_E_ARG, NULL,
            "resize of %lld x %lld pixels to multiples of %lld within %lld..%lld pixels is not "
            "possible",
            (long long)w, (long long)h, (long long)factor, (long long)min_pixels,
            (long long)max_pixels);
    }
    const double dw = (double)w, dh = (double)h, df = (double)factor;
    if (fmax(dw, dh) / fmin(dw, dh) > MAX_ASPECT) {
        MIP_FAIL(
            MIP_E_UNSUPPORTED, "crop the picture",
            "%lld x %lld pixels: one side is more than %d times the other, the model's processor "
            "refuses that",
            (long long)w, (long long)h, MAX_ASPECT);
    }
    double bar_w = nearbyint(dw / df) * df;
    double bar_h = nearbyint(dh / df) * df;
    if (bar_w * bar_h > (double)max_pixels) {
        const double shrink = sqrt((dh * dw) / (double)max_pixels);
        bar_w = fmax(df, floor(dw / shrink / df) * df);
        bar_h = fmax(df, floor(dh / shrink / df) * df);
    } else if (bar_w * bar_h < (double)min_pixels) {
        const double grow = sqrt((double)min_pixels / (dh * dw));
        bar_w = ceil(dw * grow / df) * df;
        bar_h = ceil(dh * grow / df) * df;
    }
    *out_w = (int64_t)bar_w;
    *out_h = (int64_t)bar_h;
    return MIP_OK;
}
