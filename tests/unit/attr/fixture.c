/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/fixture.c - see fixture.h. */
#include "fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 256 << 20, N_ANSWER = 3 };

void fixture_open(fixture *f, const char *backend, const char *case_name) {
    fixture_open_as(f, backend, case_name, MIP_DTYPE_F32);
}

void fixture_open_as(fixture *f, const char *backend, const char *case_name, mip_dtype dtype) {
    char folder[64];
    snprintf(folder, sizeof folder, "%s/model", golden_name_split(case_name).family);
    tiny_model_open_as(&f->model, backend, folder, dtype, ARENA_BYTES);
    golden_open(&f->g, case_name, "");
    f->sample = (labelled_sample){.id = case_name, .seq = golden_sequence(&f->g)};
    const int64_t n = f->sample.seq.n;
    f->labels = malloc((size_t)n * sizeof *f->labels);
    for (int64_t i = 0; i < n; i++) {
        f->labels[i] = i >= n - N_ANSWER ? f->sample.seq.ids[i] : -100;
    }
    f->sample.labels = f->labels;
}

void fixture_close(fixture *f) {
    free(f->labels);
    golden_close(&f->g);
    tiny_model_close(&f->model);
}

attribution_sample result_create(const stack *s, int64_t top_k) {
    const attribution_spec spec = {
        .n_samples = 1, .top_k = top_k, .shapes = {{.n_layers = s->n_layers, .n_neurons = s->ffn}}};
    attribution_sample out;
    cr_assert_eq(attribution_sample_create(&spec, ATTRIBUTION_TEXT, &out), MIP_OK);
    return out;
}

void expect_same_result(const stack *s, int64_t top_k, const attribution_sample *got,
                        const attribution_sample *wanted, double tolerance, const char *what) {
    for (int l = 0; l < s->n_layers; l++) {
        double largest = 0;
        double worst = 0;
        for (int64_t j = l * s->ffn; j < (l + 1) * s->ffn; j++) {
            largest = fmax(largest, fabs((double)wanted->score[j]));
            worst = fmax(worst, fabs((double)got->score[j] - (double)wanted->score[j]));
        }
        cr_expect(largest > 0, "%s: layer %d has only zero scores", what, l);
        cr_expect(worst <= tolerance * largest, "%s: layer %d differs by %g of %g", what, l, worst,
                  largest);
        cr_expect_eq(memcmp(got->path + l * top_k, wanted->path + l * top_k,
                            (size_t)top_k * sizeof *got->path),
                     0, "%s: paths of layer %d differ", what, l);
    }
    cr_expect_float_eq(got->logp_clean, wanted->logp_clean, 1e-5, "%s: log p", what);
}
