/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/positions.c - see positions.h. */
#include "model/positions.h"

#include "base/status_priv.h"

int64_t cell_grid_size(const cell_grid *g) {
    return g->t * g->h * g->w;
}

mip_status cell_grid_of_patches(int64_t t, int64_t h, int64_t w, int64_t merge, cell_grid *out) {
    if (t < 1 || h < 1 || w < 1 || h % merge != 0 || w % merge != 0) {
        MIP_FAIL(
            MIP_E_SHAPE, NULL,
            "an image of %lld x %lld x %lld patches: height and width must be multiples of %lld",
            (long long)t, (long long)h, (long long)w, (long long)merge);
    }
    *out = (cell_grid){.t = t, .h = h / merge, .w = w / merge};
    return MIP_OK;
}

/* The counts are compared as a whole first: the message is then about the prompt,
 * not about one run. */
static mip_status check_counts(const int32_t *ids, int64_t n, int32_t image_token,
                               const cell_grid *grids, int64_t n_grids) {
    int64_t n_tokens = 0;
    int64_t n_cells = 0;
    for (int64_t i = 0; i < n; i++) {
        n_tokens += ids[i] == image_token;
    }
    for (int64_t i = 0; i < n_grids; i++) {
        if (grids[i].t != 1) {
            MIP_FAIL(MIP_E_UNSUPPORTED, NULL,
                     "image %lld has %lld frames, only still images are supported", (long long)i,
                     (long long)grids[i].t);
        }
        n_cells += cell_grid_size(&grids[i]);
    }
    if (n_tokens != n_cells) {
        MIP_FAIL(MIP_E_SHAPE, "each image needs as many image tokens as it has merged cells",
                 "the sequence has %lld image tokens, its %lld images have %lld features",
                 (long long)n_tokens, (long long)n_grids, (long long)n_cells);
    }
    return MIP_OK;
}

static void put(int32_t *out, int64_t stride, int64_t i, int64_t t, int64_t h, int64_t w) {
    out[i] = (int32_t)t;
    out[stride + i] = (int32_t)h;
    out[2 * stride + i] = (int32_t)w;
}

mip_status positions_of_sequence(const int32_t *ids, int64_t n, int32_t image_token,
                                 const cell_grid *grids, int64_t n_grids, int64_t stride,
                                 int32_t *out, int32_t *next) {
    MIP_TRY(check_counts(ids, n, image_token, grids, n_grids));
    int64_t cur = 0;
    int64_t i_image = 0;
    int64_t i = 0;
    while (i < n) {
        if (ids[i] != image_token) {
            put(out, stride, i, cur, cur, cur);
            cur += 1;
            i += 1;
            continue;
        }
        const cell_grid *g = &grids[i_image];
        for (int64_t k = 0; k < cell_grid_size(g); k++, i++) {
            if (i == n || ids[i] != image_token) {
                MIP_FAIL(MIP_E_SHAPE,
                         "each image needs as many image tokens as it has merged cells",
                         "image %lld has %lld features, its run of image tokens ends after %lld",
                         (long long)i_image, (long long)cell_grid_size(g), (long long)k);
            }
            put(out, stride, i, cur, cur + k / g->w, cur + k % g->w);
        }
        cur += g->h > g->w ? g->h : g->w;
        i_image += 1;
    }
    *next = (int32_t)cur;
    return MIP_OK;
}

mip_status positions_on_a_line(const int32_t *ids, int64_t n, int32_t image_token,
                               const cell_grid *grids, int64_t n_grids, int64_t stride,
                               int32_t *out, int32_t *next) {
    MIP_TRY(check_counts(ids, n, image_token, grids, n_grids));
    for (int64_t i = 0; i < n; i++) {
        put(out, stride, i, i, i, i);
    }
    *next = (int32_t)n;
    return MIP_OK;
}
