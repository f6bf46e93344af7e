/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/test_rmisu_bf16.c - the edit of a model whose matrices are bf16: f32 masters
 * of the trained rows, rounded into the model. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "edit_fixture.h"
#include "io/safetensors_read.h"
#include "support/share_work.h"
#include "support/tmp_dir.h"
#include "tensor/convert.h"
#include "unlearn/edit_rows.h"

enum { SEED = 7, PATH_BYTES = TMP_DIR_BYTES + 16 };

static mip_status stop_at_two(void *user, const rmisu_step *step) {
    (void)user;
    if (step->done == 2) {
        MIP_FAIL(MIP_E_CANCELLED, NULL, "stopped by the test");
    }
    return MIP_OK;
}

/* The edit with its state in `path` (NULL: none); the bytes of the weights afterwards. */
static mip_status edit(edit_fixture *f, const char *path, bool stop, rmisu_result *r) {
    const rmisu_options options = {.config = &f->config,
                                   .seed = SEED,
                                   .state_path = path,
                                   .after_step = stop ? stop_at_two : NULL};
    return rmisu_run(&f->t.x, &f->t.m, &f->set, &f->data, &options, r);
}

static float *weights_after(const char *backend, const char *path, size_t *bytes) {
    edit_fixture f;
    rmisu_result r;
    fixture_open_as(&f, backend, "model", MIP_DTYPE_BF16, true);
    ASSERT_OK(edit(&f, path, false, &r));
    float *weights = fixture_weights(&f.t.m);
    *bytes = f.t.m.weights_bytes;
    fixture_close(&f);
    return weights;
}

/* Masters [n_rows, width] of text layer 0 in a state file. */
static float *masters_of(const char *path, int64_t *n) {
    safetensors_file *file = NULL;
    ASSERT_OK(safetensors_open(path, &file));
    const safetensors_entry *e = safetensors_find(file, "p.text.0.weight");
    cr_assert_not_null(e);
    float *masters = malloc((size_t)e->n_elems * sizeof *masters);
    ASSERT_OK(safetensors_read(e, MIP_DTYPE_F32, true, masters));
    *n = e->n_elems;
    safetensors_close(file);
    return masters;
}

Test(rmisu_bf16, trained_rows_of_the_model_are_the_masters_rounded) {
    edit_fixture f;
    edit_rows rows;
    rmisu_result r;
    char dir[TMP_DIR_BYTES], path[PATH_BYTES];
    int64_t n = 0;
    int64_t n_finer = 0;
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/edit.state", dir);
    fixture_open_as(&f, "cpu", "model", MIP_DTYPE_BF16, true);
    ASSERT_OK(edit(&f, path, false, &r));
    ASSERT_OK(edit_rows_create(&f.t.m, &f.set, f.config.layer, &rows));
    const edit_layer *l = &rows.layers[0];
    const int64_t width = l->ffn_in->in;
    float *masters = masters_of(path, &n);
    cr_assert_eq(n, l->n_rows * width);
    const uint16_t *model_rows = l->ffn_in->w.at; // host memory on this backend
    for (int64_t i = 0; i < n; i++) {
        const uint16_t found = model_rows[l->rows[i / width] * width + i % width];
        cr_assert_eq(found, convert_f32_to_bf16(masters[i]));
        n_finer += convert_bf16_to_f32(found) != masters[i];
    }
    cr_assert_gt(n_finer, n / 2, "masters have no more digits than bf16");
    free(masters);
    edit_rows_destroy(&rows);
    fixture_close(&f);
    tmp_dir_remove(dir);
}

/* Steps of half a unit of bf16 and less are lost without masters. */
Test(rmisu_bf16, steps_too_small_for_bf16_add_up) {
    edit_fixture f;
    rmisu_result r;
    int64_t changed[2] = {0, 0};
    for (int many = 0; many < 2; many++) {
        fixture_open_as(&f, "cpu", "model", MIP_DTYPE_BF16, false);
        const dev_matrix w = f.t.m.text.blocks[0].ffn_in.w;
        const int64_t n = f.t.m.text.blocks[0].ffn_in.out * f.t.m.text.width;
        f.config.prune = CONFIG_PRUNE_NONE;
        f.config.schedule = CONFIG_SCHEDULE_CONSTANT;
        f.config.weight_decay = 0;
        f.config.lr = 1e-5;
        f.config.steps = many ? 40 : 1;
        uint16_t *before = malloc((size_t)n * sizeof *before);
        memcpy(before, w.at, (size_t)n * sizeof *before);
        ASSERT_OK(edit(&f, NULL, false, &r));
        for (int64_t i = 0; i < n; i++) {
            changed[many] += before[i] != ((const uint16_t *)w.at)[i];
        }
        free(before);
        fixture_close(&f);
    }
    cr_expect_gt(changed[1], 4 * changed[0], "%lld after 1 step, %lld after 40",
                 (long long)changed[0], (long long)changed[1]);
    cr_expect_gt(changed[1], 200);
}

Test(rmisu_bf16, a_stopped_and_resumed_edit_ends_with_the_same_bits) {
    char dir[TMP_DIR_BYTES], path[PATH_BYTES];
    edit_fixture f;
    rmisu_result r;
    size_t bytes = 0;
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/edit.state", dir);
    float *whole = weights_after("ref", NULL, &bytes);
    fixture_open_as(&f, "ref", "model", MIP_DTYPE_BF16, true);
    cr_assert_eq(edit(&f, path, true, &r), MIP_E_CANCELLED);
    fixture_close(&f);
    float *resumed = weights_after("ref", path, &bytes);
    cr_assert_eq(memcmp(whole, resumed, bytes), 0);
    free(whole);
    free(resumed);
    tmp_dir_remove(dir);
}

Test(rmisu_bf16, a_state_is_not_taken_over_from_f32) {
    char dir[TMP_DIR_BYTES], path[PATH_BYTES];
    edit_fixture f;
    rmisu_result r;
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/edit.state", dir);
    for (int bf16 = 0; bf16 < 2; bf16++) {
        fixture_open_as(&f, "ref", "model", bf16 ? MIP_DTYPE_BF16 : MIP_DTYPE_F32, true);
        cr_assert_eq(edit(&f, path, false, &r), bf16 ? MIP_E_CONFIG : MIP_OK);
        fixture_close(&f);
    }
    tmp_dir_remove(dir);
}

Test(rmisu_bf16, the_bits_do_not_depend_on_the_number_of_threads) {
    size_t bytes = 0;
    share_all_work();
    omp_set_num_threads(1);
    float *one = weights_after("cpu", NULL, &bytes);
    for (int threads = 2; threads <= 4; threads += 2) {
        omp_set_num_threads(threads);
        float *many = weights_after("cpu", NULL, &bytes);
        cr_assert_eq(memcmp(one, many, bytes), 0, "%d threads", threads);
        free(many);
    }
    free(one);
}

Test(rmisu_bf16, losses_are_those_of_f32_up_to_rounding) {
    rmisu_result r[2];
    for (int bf16 = 0; bf16 < 2; bf16++) {
        edit_fixture f;
        fixture_open_as(&f, "ref", "model", bf16 ? MIP_DTYPE_BF16 : MIP_DTYPE_F32, true);
        ASSERT_OK(edit(&f, NULL, false, &r[bf16]));
        fixture_close(&f);
    }
    /* measured: 5e-5, 4e-4, 1.4e-3 */
    cr_expect_lt(fabs(r[1].first.forget / r[0].first.forget - 1), 2e-3);
    cr_expect_lt(fabs(r[1].last.forget / r[0].last.forget - 1), 2e-3);
    cr_expect_lt(fabs(r[1].last.retain / r[0].last.retain - 1), 1e-2);
}
