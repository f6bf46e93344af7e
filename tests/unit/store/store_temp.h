/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/store/store_temp.h - a small attribution run in a folder of its own,
 * and a check of bytes. */
#ifndef MIP_TESTS_STORE_TEMP_H
#define MIP_TESTS_STORE_TEMP_H

#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mip/status.h>

#include "base/arena.h"
#include "base/fs.h"
#include "store/attribution_sample.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

static inline void assert_same_bytes(const char *a, const char *b) {
    arena memory;
    char *x = NULL;
    char *y = NULL;
    size_t n_x = 0;
    size_t n_y = 0;
    arena_init(&memory);
    ASSERT_OK(fs_read_file(&memory, a, 1 << 26, &x, &n_x));
    ASSERT_OK(fs_read_file(&memory, b, 1 << 26, &y, &n_y));
    cr_assert_eq(n_x, n_y);
    cr_assert(memcmp(x, y, n_x) == 0, "%s and %s differ", a, b);
    arena_deinit(&memory);
}

enum { RUN_SAMPLES = 4, RUN_TOP_K = 2 };

static const char *const run_ids[RUN_SAMPLES] = {"001/image/0", "001/text/0", "002/image/\xc3\xa9",
                                                 ""};
static const int64_t run_tokens[RUN_SAMPLES] = {21, 17, 30, 1};
static const named_text run_attributes[2] = {{"mode", "paper"},
                                             {"config", "name: \"x\"\nseed: 1\n"}};

/* 4 samples, text 3 x 10, vision 2 x 6, top 2. */
static inline attribution_spec run_spec(int64_t keep) {
    return (attribution_spec){.n_samples = RUN_SAMPLES,
                              .top_k = RUN_TOP_K,
                              .keep = keep,
                              .shapes = {{3, 10}, {2, 6}},
                              .ids = run_ids,
                              .n_tokens = run_tokens,
                              .fingerprint = "f00d",
                              .attributes = run_attributes,
                              .n_attributes = 2};
}

/* Numbers that differ by sample, modality and place. */
static inline void run_sample(const attribution_spec *spec, attribution_modality m, int64_t i,
                              attribution_sample *s) {
    const int64_t n_layers = spec->shapes[m].n_layers;
    const int64_t n_neurons = spec->shapes[m].n_neurons;
    for (int64_t k = 0; k < n_layers * n_neurons; k++) {
        s->score[k] = (float)((k * 37 + i * 11 + 5 * (int)m) % 101) / 7.0f;
    }
    for (int64_t k = 0; k < n_layers * RUN_TOP_K; k++) {
        s->path[k] = (int32_t)((k * 3 + i) % n_neurons);
        s->path_score[k] = (float)(k + i);
        s->activation[k] = -0.5f * (float)(k + 1);
    }
    for (int64_t l = 0; l < n_layers; l++) {
        s->completeness[l] = m == ATTRIBUTION_TEXT ? 0.01f * (float)(l + 1) : NAN;
        s->completeness_abs[l] = m == ATTRIBUTION_TEXT ? 0.001f * (float)(i + 1) : NAN;
        s->n_nodes[l] = (int32_t)(5 + l);
        s->converged[l] = m == ATTRIBUTION_TEXT ? (int32_t)(l % 2) : -1;
        s->moved[l] = m == ATTRIBUTION_TEXT ? 0.2f * (float)i : NAN;
        s->concentration[l] = 0.25f;
        s->kth_ratio[l] = 1.0f / (float)(l + 2);
        s->path_share[l] = 0.5f * (float)m;
        s->log_scale[l] = -3.0f * (float)l;
    }
    s->logp_clean = -0.125 * (double)(i + 1);
}

/* All but the scores. */
static inline void assert_same_arrays(const attribution_spec *spec, attribution_modality m,
                                      const attribution_sample *got,
                                      const attribution_sample *wanted) {
    int n = 0;
    const attribution_array *arrays = attribution_arrays(&n);
    for (int i = 0; i < n; i++) {
        cr_assert_arr_eq(
            attribution_array_data(got, &arrays[i]), attribution_array_data(wanted, &arrays[i]),
            (size_t)attribution_array_elems(spec, m, &arrays[i]) * 4, "%s", arrays[i].name);
    }
    cr_assert_eq(got->logp_clean, wanted->logp_clean);
}

#endif
