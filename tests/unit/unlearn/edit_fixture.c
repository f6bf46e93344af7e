/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/edit_fixture.c - see edit_fixture.h. */
#include "edit_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static void make_sample(edit_fixture *f, int i, bool image, labelled_sample *out) {
    const model *m = &f->t.m;
    int32_t *tokens = f->tokens[i];
    int64_t n = 0;
    rng r;
    rng_init(&r, 5, (uint64_t)i);
    tokens[n++] = 385;
    if (image) {
        float *pixels = f->pixels + (int64_t)i * FIXTURE_PATCHES * m->vision_desc.patch_dim;
        for (int64_t k = 0; k < FIXTURE_PATCHES * m->vision_desc.patch_dim; k++) {
            pixels[k] = (float)(2.0 * rng_uniform(&r) - 1.0);
        }
        f->image[i] = (image_patches){.grid_t = 1, .grid_h = 4, .grid_w = 4, .pixels = pixels};
        const int64_t cell = m->vision_desc.merge * m->vision_desc.merge;
        const bool framed = m->vision_start_token >= 0;
        if (framed) {
            tokens[n++] = m->vision_start_token;
        }
        for (int64_t k = 0; k < FIXTURE_PATCHES / cell; k++) {
            tokens[n++] = m->image_token;
        }
        if (framed) {
            tokens[n++] = m->vision_end_token;
        }
    }
    for (int k = 0; k < 5 + i % 3; k++) {
        tokens[n++] = (int32_t)rng_below(&r, 380);
    }
    snprintf(f->ids[i], sizeof f->ids[i], "sample-%d", i);
    *out = (labelled_sample){.id = f->ids[i],
                             .seq = {.ids = tokens,
                                     .n = n,
                                     .images = image ? &f->image[i] : NULL,
                                     .n_images = image ? 1 : 0}};
}

static void choose_neurons(edit_fixture *f, edit_modality modality, int n_layers, int64_t n) {
    int32_t neurons[16];
    for (int l = 0; l < n_layers; l++) {
        for (int64_t i = 0; i < n; i++) {
            neurons[i] = (int32_t)(3 + 7 * i + l);
        }
        ASSERT_OK(edit_set_assign(&f->set, modality, l, n, neurons));
    }
}

void fixture_open(edit_fixture *f, const char *backend, const char *folder, bool vision) {
    fixture_open_as(f, backend, folder, MIP_DTYPE_F32, vision);
}

void fixture_open_as(edit_fixture *f, const char *backend, const char *folder, mip_dtype dtype,
                     bool vision) {
    memset(f, 0, sizeof *f);
    tiny_model_open_as(&f->t, backend, folder, dtype, 1);
    const int n = FIXTURE_FORGET + FIXTURE_RETAIN;
    f->pixels =
        calloc((size_t)(n * FIXTURE_PATCHES * f->t.m.vision_desc.patch_dim), sizeof *f->pixels);
    cr_assert_not_null(f->pixels);
    for (int i = 0; i < n; i++) {
        make_sample(f, i, i % 2 == 1,
                    i < FIXTURE_FORGET ? &f->forget[i] : &f->retain[i - FIXTURE_FORGET]);
    }
    f->data = (rmisu_data){.forget = f->forget,
                           .retain = f->retain,
                           .n_forget = FIXTURE_FORGET,
                           .n_retain = FIXTURE_RETAIN};
    ASSERT_OK(edit_set_create(&f->t.m, &f->set));
    choose_neurons(f, EDIT_TEXT, f->t.m.text.n_layers, 6);
    choose_neurons(f, EDIT_VISION, vision ? f->t.m.vision.n_layers : 0, 4);
    f->config = (config_edit){.method = CONFIG_METHOD_MIP,
                              .prune = CONFIG_PRUNE_ZERO_ROW,
                              .layer = 1,
                              .positions = CONFIG_EDIT_POSITIONS_SKIP_FIRST,
                              .strength = 2.0,
                              .directions = CONFIG_DIRECTIONS_PER_SAMPLE,
                              .gamma = 3.0,
                              .lr = 1e-2,
                              .schedule = CONFIG_SCHEDULE_LINEAR,
                              .epochs = 1,
                              .steps = 4,
                              .batch = 2,
                              .weight_decay = 0.01,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8};
}

void fixture_close(edit_fixture *f) {
    edit_set_destroy(&f->set);
    tiny_model_close(&f->t);
    free(f->pixels);
}

float *fixture_weights(const model *m) {
    float *copy = calloc(m->weights_bytes, 1);
    model_tensor t;
    cr_assert_not_null(copy);
    for (int i = 0; model_tensor_at(m, i, &t); i++) {
        char *to = (char *)copy + ((const char *)t.data.at - (const char *)m->weights);
        ASSERT_OK(exec_download(m->x, to, t.data.at,
                                (size_t)(t.rows * t.cols) * dtype_bytes(t.data.dtype)));
    }
    return copy;
}

rmisu_result fixture_edit(edit_fixture *f) {
    const rmisu_options options = {.config = &f->config, .seed = 7};
    rmisu_result result;
    ASSERT_OK(rmisu_run(&f->t.x, &f->t.m, &f->set, &f->data, &options, &result));
    return result;
}
