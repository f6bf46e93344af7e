/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_gemm.c - gemm as panels of rows and columns, each one product on one
 * thread (tile_gemm.h).
 *
 * Bits    Columns are cut at places that depend on n only. Rows (NT, NN) may be cut anywhere since
 *         a panel whose height is not one that tile_gemm keeps invariant runs on a padded copy.
 *         TN sums over the rows of the call and promises only independence of the threads:
 *         its panels have fixed heights.
 * bf16    With b in bf16 the rows of a are rounded into scratch. Where the machine has no fast
 *         bf16 product (tile_gemm.h) both operands are widened to f32 again, b panel by panel.
 * Cost    Scratch per thread: rows of a that are padded or rounded [panel, k]; c of padded panels
 *         [panel, columns]; a widened panel of b [columns, k] f32.
 * Tested  tests/unit/cpu/test_gemm.c */
#include "cpu/fast_kernels.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "cpu/bf16_rows.h"
#include "cpu/cpu_threads.h"
#include "cpu/few_rows_gemm.h"
#include "cpu/simd.h"
#include "cpu/tile_gemm.h"
#include "tensor/dtype.h"

enum {
    MAX_COLUMNS = 512,         // of a panel
    MAX_WIDENED_COLUMNS = 128, // of a panel whose b goes through scratch
    COLUMN_UNIT = 16,
    TN_ROWS = 192,
};

/* How a product is cut: panels of `rows` x `columns`, the last ones smaller. */
typedef struct cut {
    int64_t rows, columns, n_row_panels, n_column_panels;
    mip_dtype dtype; // the products' operands
    bool widened;    // b is bf16 and they are f32
    int n_threads;
} cut;

static cut cut_make(const mip_gemm_args *args) {
    cut c = {.n_threads = cpu_threads_for((double)args->m * (double)args->n * (double)args->k)};
    c.dtype = args->b_dtype == MIP_DTYPE_BF16 && tile_has_bf16() ? MIP_DTYPE_BF16 : MIP_DTYPE_F32;
    c.widened = args->b_dtype == MIP_DTYPE_BF16 && c.dtype == MIP_DTYPE_F32;
    c.n_column_panels = ceil_div(args->n, c.widened ? MAX_WIDENED_COLUMNS : MAX_COLUMNS);
    c.columns = ceil_div(ceil_div(args->n, c.n_column_panels), COLUMN_UNIT) * COLUMN_UNIT;
    c.n_column_panels = ceil_div(args->n, c.columns);
    c.rows = TN_ROWS;
    if (args->form != MIP_GEMM_TN) {
        /* As many panels of equal height as give each thread the same number of them. */
        const int64_t share = max_i64(1, ceil_div(args->m * c.n_column_panels, c.n_threads));
        const int64_t height = ceil_div(share, ceil_div(share, tile_max_rows(c.dtype)));
        c.rows = tile_rows_padded(c.dtype, min_i64(height, args->m));
    }
    c.n_row_panels = ceil_div(args->m, c.rows);
    return c;
}

/* A thread's memory for operands that cannot be used where they are. */
typedef struct panel_scratch {
    void *a;             // [rows, k] of the cut's dtype
    float *b;            // [columns * k]
    float *c;            // [rows, columns]
    int64_t a_row_panel; // whose rows are in a; -1 = none
} panel_scratch;

/* Rows [i, i + rows) and columns [j, j + columns) of the product. */
static tile panel_make(const mip_gemm_args *args, const cut *by, int64_t index) {
    const int64_t i = index / by->n_column_panels * by->rows;
    const int64_t j = index % by->n_column_panels * by->columns;
    const int64_t b_at = args->form == MIP_GEMM_NT ? j * args->ldb : j;
    return (tile){
        .form = args->form,
        .dtype = by->dtype,
        .m = min_i64(by->rows, args->m - i),
        .n = min_i64(by->columns, args->n - j),
        .k = args->k,
        .a = args->a + (args->form == MIP_GEMM_TN ? i : i * args->lda),
        .b = (const char *)args->b + (size_t)b_at * dtype_bytes(args->b_dtype),
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

/* The rows of a, rounded if b is bf16, and rows of zeros below up to `padded`. */
static void put_a(tile *t, const cut *by, int64_t padded, int64_t row_panel, panel_scratch *s) {
    const float *a = t->a;
    for (int64_t i = 0; i < t->m && row_panel != s->a_row_panel; i++) {
        const float *row = a + i * t->lda;
        if (by->dtype == MIP_DTYPE_BF16) {
            bf16_round_row((uint16_t *)s->a + i * t->k, row, 1.0F, t->k);
        } else if (by->widened) {
            /* s->b is free until put_widened_b. */
            bf16_round_row((uint16_t *)s->b, row, 1.0F, t->k);
            bf16_widen_row((float *)s->a + i * t->k, (uint16_t *)s->b, 1.0F, t->k);
        } else {
            memcpy((float *)s->a + i * t->k, row, (size_t)t->k * sizeof(float));
        }
    }
    const size_t row_bytes = (size_t)t->k * dtype_bytes(by->dtype);
    memset((char *)s->a + (size_t)t->m * row_bytes, 0, (size_t)(padded - t->m) * row_bytes);
    t->a = s->a;
    t->lda = t->k;
    s->a_row_panel = row_panel;
}

static void put_widened_b(tile *t, panel_scratch *s) {
    const uint16_t *b = t->b;
    const int64_t rows = t->form == MIP_GEMM_NT ? t->n : t->k;
    const int64_t width = t->form == MIP_GEMM_NT ? t->k : t->n;
    for (int64_t i = 0; i < rows; i++) {
        bf16_widen_row(s->b + i * width, b + i * t->ldb, 1.0F, width);
    }
    t->b = s->b;
    t->ldb = width;
}

/* The product with c in scratch: rows below the panel's own are thrown away. */
static mip_status gemm_padded(const tile *t, int64_t padded, const panel_scratch *s) {
    tile whole = *t;
    memset(s->c, 0, (size_t)(padded * t->n) * sizeof *s->c);
    if (t->accumulate) {
        copy_rows(s->c, t->n, t->c, t->ldc, t->m, t->n);
    }
    whole.m = padded;
    whole.c = s->c;
    whole.ldc = t->n;
    MIP_TRY(tile_gemm(&whole));
    copy_rows(t->c, t->ldc, s->c, t->n, t->m, t->n);
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
                            panel_scratch *scratch) {
    tile t = panel_make(args, by, index);
    const int64_t padded = t.form == MIP_GEMM_TN ? t.m : tile_rows_padded(t.dtype, t.m);
    if (padded != t.m || args->b_dtype == MIP_DTYPE_BF16) {
        put_a(&t, by, padded, index / by->n_column_panels, scratch);
    }
    if (by->widened) {
        put_widened_b(&t, scratch);
    }
    if (padded == t.m) {
        MIP_TRY(tile_gemm(&t));
    } else {
        MIP_TRY(gemm_padded(&t, padded, scratch));
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

/* One block, freed through .a; .a is NULL if there is no memory. */
static panel_scratch scratch_new(const mip_gemm_args *args, const cut *by) {
    const int64_t rows = args->form == MIP_GEMM_TN ? 0 : by->rows;   // TN works in place
    const size_t a_bytes = (size_t)(rows * args->k) * sizeof(float); // of the wider dtype: aligned
    const size_t b_bytes = by->widened ? (size_t)(by->columns * args->k) * sizeof(float) : 0;
    const size_t c_bytes = (size_t)(rows * by->columns) * sizeof(float);
    panel_scratch s = {.a = malloc(a_bytes + b_bytes + c_bytes + 1), .a_row_panel = -1};
    if (s.a == NULL) {
        mip_error_set(MIP_E_NOMEM, __FILE__, __LINE__, __func__, NULL,
                      "gemm: cannot allocate %zu bytes of scratch", a_bytes + b_bytes + c_bytes);
        return s;
    }
    s.b = (float *)((char *)s.a + a_bytes);
    s.c = (float *)((char *)s.b + b_bytes);
    return s;
}

mip_status fast_gemm(void *self, const mip_gemm_args *args) {
    (void)self;
    if (args->k == 0) {
        run_empty_sum(args);
        return MIP_OK;
    }
    const cut by = cut_make(args);
    /* Where bf16 products are fast, 16 rows of them are bound by reading b, too. */
    if (args->few_rows && args->form == MIP_GEMM_NT && by.dtype == MIP_DTYPE_F32) {
        return few_rows_gemm(args);
    }
    const int64_t n_panels = by.n_row_panels * by.n_column_panels;
    mip_error failed = {.code = MIP_OK};
#pragma omp parallel num_threads((int)min_i64(by.n_threads, n_panels))
    {
        const int n_threads = tile_thread_begin();
        panel_scratch scratch = scratch_new(args, &by);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n_panels; i++) {
            if (scratch.a == NULL || panel_run(args, &by, i, &scratch) != MIP_OK) {
#pragma omp critical(fast_gemm_failed)
                failed = *mip_error_last();
            }
        }
        free(scratch.a);
        tile_thread_end(n_threads);
    }
    return failed.code == MIP_OK ? MIP_OK : mip_error_adopt(&failed);
}
