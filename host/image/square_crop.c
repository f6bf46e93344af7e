/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/square_crop.c - see square_crop.h. */
#include "image/square_crop.h"

#include <string.h>

#include "base/status_priv.h"
#include "image/resize.h"

enum { CHANNELS = 3 };

static const int64_t longest_px = (int64_t)1 << 20;

void square_crop_size(int64_t w, int64_t h, int64_t side, int64_t *resized_w, int64_t *resized_h) {
    const int64_t shorter = w < h ? w : h;
    const int64_t longer = w < h ? h : w;
    const int64_t to = (int64_t)((double)(side * longer) / (double)shorter);
    *resized_w = w <= h ? side : to;
    *resized_h = w <= h ? to : side;
}

mip_status square_crop(const image *in, int64_t side, image *out) {
    image resized = {0};
    int64_t w = 0;
    int64_t h = 0;
    square_crop_size(in->w, in->h, side, &w, &h);
    if (w > longest_px || h > longest_px) {
        MIP_FAIL(MIP_E_NOFIT, "crop the picture",
                 "a picture of %lld x %lld pixels becomes %lld x %lld, at most %lld a side",
                 (long long)in->w, (long long)in->h, (long long)w, (long long)h,
                 (long long)longest_px);
    }
    mip_status status = MIP_OK;
    MIP_TRY(resize_image(in, w, h, RESIZE_BICUBIC, &resized));
    MIP_TRY_GOTO(image_create(side, side, out));
    const int64_t left = (w - side) / 2;
    const int64_t top = (h - side) / 2;
    for (int64_t y = 0; y < side; y++) {
        memcpy(out->rgb + y * side * CHANNELS, resized.rgb + ((top + y) * w + left) * CHANNELS,
               (size_t)(side * CHANNELS));
    }
out:
    image_deinit(&resized);
    return status;
}
