/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/taps.c - see taps.h. */
#include "model/taps.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "ops/ops.h"

mip_status taps_capture_all(int n_layers, int64_t ffn, int64_t n_rows, const int32_t *rows,
                            float *a, neuron_tap **out) {
    neuron_tap *taps = calloc((size_t)n_layers + 1, sizeof *taps);
    *out = taps;
    if (taps == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %d taps", n_layers);
    }
    for (int l = 0; l < n_layers; l++) {
        taps[l] =
            (neuron_tap){.layer = l, .n_rows = n_rows, .rows = rows, .a = a + l * n_rows * ffn};
    }
    return MIP_OK;
}

static mip_status scale_columns(exec *x, const neuron_tap *t, int64_t rows, int64_t ffn, float *a) {
    if (t->scale == NULL) {
        return MIP_OK;
    }
    return colscale_run(
        x, (mip_colscale_args){.rows = rows, .width = ffn, .x = a, .ldx = ffn, .m = t->scale});
}

/* a[rows, cols or all] = alpha * value, or zero. */
static mip_status overwrite(exec *x, const neuron_tap *t, int64_t ffn, const float *value,
                            float *a) {
    if (t->cols != NULL) {
        return entries_run(x, (mip_entries_args){.n = t->n_rows,
                                                 .n_cols = t->n_cols,
                                                 .cols = t->cols,
                                                 .src = value,
                                                 .ld_src = ffn,
                                                 .src_rows = value != NULL ? t->value_rows : NULL,
                                                 .dst = a,
                                                 .ld_dst = ffn,
                                                 .dst_rows = t->rows,
                                                 .alpha = value != NULL ? t->alpha : NULL});
    }
    return rows_run(x, (mip_rows_args){.n = t->n_rows,
                                       .width = ffn,
                                       .src = value,
                                       .ld_src = ffn,
                                       .src_rows = value != NULL ? t->value_rows : NULL,
                                       .dst = a,
                                       .ld_dst = ffn,
                                       .dst_rows = t->rows,
                                       .alpha = value != NULL ? t->alpha : NULL});
}

static mip_status capture(exec *x, const neuron_tap *t, int64_t ffn, const float *a, float *out) {
    if (out == NULL) {
        return MIP_OK;
    }
    return rows_run(x, (mip_rows_args){.n = t->n_rows,
                                       .width = ffn,
                                       .src = a,
                                       .ld_src = ffn,
                                       .src_rows = t->rows,
                                       .dst = out,
                                       .ld_dst = ffn});
}

mip_status taps_fwd(exec *x, const tap_list *taps, int layer, int64_t rows, int64_t ffn, float *a) {
    for (int i = 0; taps != NULL && i < taps->n; i++) {
        const neuron_tap *t = &taps->taps[i];
        if (t->layer != layer) {
            continue;
        }
        MIP_TRY(scale_columns(x, t, rows, ffn, a));
        if (t->replace) {
            MIP_TRY(overwrite(x, t, ffn, t->value, a));
        }
        MIP_TRY(capture(x, t, ffn, a, t->a));
    }
    return MIP_OK;
}

mip_status taps_vjp(exec *x, const tap_list *taps, int layer, int64_t rows, int64_t ffn,
                    float *da) {
    for (int i = taps != NULL ? taps->n - 1 : -1; i >= 0; i--) { // the reverse of the forward order
        const neuron_tap *t = &taps->taps[i];
        if (t->layer != layer) {
            continue;
        }
        MIP_TRY(capture(x, t, ffn, da, t->da));
        if (t->replace) {
            MIP_TRY(overwrite(x, t, ffn, NULL, da));
        }
        MIP_TRY(scale_columns(x, t, rows, ffn, da));
    }
    return MIP_OK;
}

mip_status taps_jvp(exec *x, const tap_list *taps, int layer, int64_t rows, int64_t ffn,
                    float *ta) {
    for (int i = 0; taps != NULL && i < taps->n; i++) {
        const neuron_tap *t = &taps->taps[i];
        if (t->layer != layer) {
            continue;
        }
        MIP_TRY(scale_columns(x, t, rows, ffn, ta));
        if (t->replace) {
            MIP_TRY(overwrite(x, t, ffn, NULL, ta));
        }
        MIP_TRY(capture(x, t, ffn, ta, t->ta));
    }
    return MIP_OK;
}
