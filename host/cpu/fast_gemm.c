/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_gemm.c - gemm as panels of rows and columns, each one product on one
 * thread (tile_gemm.h).
 *
 * Bits    Columns are cut at places that depend on n only. Rows (NT, NN) may be cut anywhere since
 *         a panel whose height is not one that tile_gemm keeps invariant runs on a padded copy.
 *         TN sums over the rows of the call and promises only independence of the threads:
 *         its panels have fixed heights.
 * Cost    Scratch per thread [panel, k] + [panel, columns] for padded panels.
 * Tested  tests/unit/cpu/test_gemm.c */
#include "cpu/fast_kernels.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "cpu/cpu_threads.h"
#include "cpu/simd.h"
#include "cpu/tile_gemm.h"

enum {
    MAX_COLUMNS = 512, // of a panel
    COLUMN_UNIT = 16,
    TN_ROWS = 192,
};

/* How a product is cut: panels of `rows` x `columns`, the last ones smaller. */
typedef struct cut {
    int64_t rows, columns, n_row_panels, n_column_panels;
    int n_threads;
} cut;

static cut cut_make(const mip_gemm_args *args) {
    cut c = {.n_threads = cpu_threads_for((double)args->m * (double)args->n * (double)args->k)};
    c.n_column_panels = ceil_div(args->n, MAX_COLUMNS);
    c.columns = ceil_div(ceil_div(args->n, c.n_column_panels), COLUMN_UNIT) * COLUMN_UNIT;
    c.n_column_panels = ceil_div(args->n, c.columns);
    c.rows = TN_ROWS;
    if (args->form != MIP_GEMM_TN) {
        /* As many panels of equal height as give each thread the same number of them. */
        const int64_t share = max_i64(1, ceil_div(args->m * c.n_column_panels, c.n_threads));
        const int64_t height = ceil_div(share, ceil_div(share, TILE_MAX_ROWS));
        c.rows = tile_rows_padded(min_i64(height, args->m));
    }
    c.n_row_panels = ceil_div(args->m, c.rows);
    return c;
}

/* Rows [i, i + rows) and columns [j, j + columns) of the product. */
static tile panel_make(const mip_gemm_args *args, const cut *by, int64_t index) {
    const int64_t i = index / by->n_column_panels * by->rows;
    const int64_t j = index % by->n_column_panels * by->columns;
    const float *b = args->b;
    return (tile){
        .form = args->form,
        .m = min_i64(by->rows, args->m - i),
        .n = min_i64(by->columns, args->n - j),
        .k = args->k,
        .a = args->a + (args->form == MIP_GEMM_TN ? i : i * args->lda),
        .b = b + (args->form == MIP_GEMM_NT ? j * args->ldb : j),
        .c = args->c + i * args->ldc + j,
        .lda = args->lda,
        .ldb = args->ldb,
        .ldc = args->ldc,
        .accumulate = args->accumulate,
    };
}

static void copy_rows(float *dst, int64_t ld_dst, const float *src, int64_t ld_src, int64_t rows,
                      int64_t width) {
    for (int64_t i = 0; i < rows; i++) {
        memcpy(dst + i * ld_dst, src + i * ld_src, (size_t)width * sizeof *dst);
    }
}

/* The panel with rows of zeros below, in scratch of padded * (k + n) floats. */
static mip_status panel_padded(const tile *t, int64_t padded, float *scratch) {
    tile copy = *t;
    float *a = scratch;
    float *c = scratch + padded * t->k;
    copy_rows(a, t->k, t->a, t->lda, t->m, t->k);
    memset(a + t->m * t->k, 0, (size_t)((padded - t->m) * t->k) * sizeof *a);
    memset(c, 0, (size_t)(padded * t->n) * sizeof *c);
    if (t->accumulate) {
        copy_rows(c, t->n, t->c, t->ldc, t->m, t->n);
    }
    copy.m = padded;
    copy.a = a;
    copy.lda = t->k;
    copy.c = c;
    copy.ldc = t->n;
    MIP_TRY(tile_gemm(&copy));
    copy_rows(t->c, t->ldc, c, t->n, t->m, t->n);
    return MIP_OK;
}

CPU_CLONES
static void bias_add(const tile *t, const float *bias) {
    for (int64_t i = 0; i < t->m; i++) {
        float *c = t->c + i * t->ldc;
#pragma omp simd
        for (int64_t j = 0; j < t->n; j++) {
            c[j] += bias[j];
        }
    }
}

static mip_status panel_run(const mip_gemm_args *args, const cut *by, int64_t index,
                            float *scratch) {
    const tile t = panel_make(args, by, index);
    const int64_t padded = t.form == MIP_GEMM_TN ? t.m : tile_rows_padded(t.m);
    if (padded == t.m) {
        MIP_TRY(tile_gemm(&t));
    } else {
        MIP_TRY(panel_padded(&t, padded, scratch));
    }
    if (args->bias != NULL) {
        bias_add(&t, args->bias + index % by->n_column_panels * by->columns);
    }
    return MIP_OK;
}

/* Without a sum there is only the bias. */
static void run_empty_sum(const mip_gemm_args *args) {
    for (int64_t i = 0; i < args->m; i++) {
        for (int64_t j = 0; j < args->n; j++) {
            float *c = &args->c[i * args->ldc + j];
            *c = (args->accumulate ? *c : 0.0F) + (args->bias != NULL ? args->bias[j] : 0.0F);
        }
    }
}

mip_status fast_gemm(void *self, const mip_gemm_args *args) {
    (void)self;
    if (args->k == 0) {
        run_empty_sum(args);
        return MIP_OK;
    }
    const cut by = cut_make(args);
    const int64_t n_panels = by.n_row_panels * by.n_column_panels;
    const size_t scratch_bytes =
        args->form == MIP_GEMM_TN ? 0 : (size_t)(by.rows * (args->k + by.columns)) * sizeof(float);
    mip_error failed = {.code = MIP_OK};
#pragma omp parallel num_threads((int)min_i64(by.n_threads, n_panels))
    {
        const int n_threads = tile_thread_begin();
        float *scratch = malloc(scratch_bytes + 1);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n_panels; i++) {
            mip_status status = MIP_E_NOMEM;
            if (scratch != NULL) {
                status = panel_run(args, &by, i, scratch);
            } else {
                mip_error_set(status, __FILE__, __LINE__, __func__, NULL,
                              "gemm: cannot allocate %zu bytes of scratch", scratch_bytes);
            }
            if (status != MIP_OK) {
#pragma omp critical(fast_gemm_failed)
                failed = *mip_error_last();
            }
        }
        free(scratch);
        tile_thread_end(n_threads);
    }
    return failed.code == MIP_OK ? MIP_OK : mip_error_adopt(&failed);
}
