/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/aggregate.c - see aggregate.h.
 *
 * Source  Wilson 1927: centre (p + z^2/2n) / (1 + z^2/n), half width z sqrt(p(1-p)/n +
 *         z^2/4n^2) / (1 + z^2/n).
 * Tested  tests/unit/eval/test_aggregate.c */
#include "eval/aggregate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"

static const double Z_95 = 1.959963984540054; // 0.975 quantile of the normal distribution

interval wilson_95(int64_t k, int64_t n) {
    assert(k >= 0 && k <= n);
    if (n == 0) {
        return (interval){.low = 0, .high = 1};
    }
    const double trials = (double)n;
    const double p = (double)k / trials;
    const double z2n = Z_95 * Z_95 / trials;
    const double centre = (p + z2n / 2) / (1 + z2n);
    const double half = Z_95 * sqrt(p * (1 - p) / trials + z2n / (4 * trials)) / (1 + z2n);
    // At the ends centre and half width are equal in exact arithmetic, not always in f64.
    return (interval){.low = k == 0 ? 0 : centre - half, .high = k == n ? 1 : centre + half};
}

const char *cell_name(eval_set set, record_task task, record_modality modality) {
    static const char *const names[EVAL_SETS][CELL_TASKS][RECORD_MODALITIES] = {
        [EVAL_FORGET] = {{"FVQA", "FQA"}, {"FVGEN", "FGEN"}, {"FVCLOZE", "FCLOZE"}},
        [EVAL_RETAIN] = {{"RVQA", "RQA"}, {"RVGEN", "RGEN"}, {"RVCLOZE", "RCLOZE"}},
        [EVAL_CELEBRITY] = {{"CVQA", "CQA"}, {"CVGEN", "CGEN"}, {"CVCLOZE", "CCLOZE"}},
        [EVAL_HOLDOUT] = {{"HVQA", "HQA"}, {"HVGEN", "HGEN"}, {"HVCLOZE", "HCLOZE"}},
    };
    assert(set < EVAL_SETS && (int)task < CELL_TASKS && modality < RECORD_MODALITIES);
    return names[set][task][modality];
}

static int by_model_and_id(const void *a, const void *b) {
    const eval_record *const x = *(const eval_record *const *)a;
    const eval_record *const y = *(const eval_record *const *)b;
    const int model = strcmp(x->model_sha, y->model_sha);
    return model != 0 ? model : strcmp(x->id, y->id);
}

static mip_status refuse_repeats(const eval_records *records) {
    const size_t n = (size_t)records->n;
    const eval_record **sorted = malloc((n + 1) * sizeof *sorted);
    if (sorted == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu pointers", n);
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &records->items[i];
    }
    qsort(sorted, n, sizeof *sorted, by_model_and_id);
    const char *repeated = NULL;
    for (size_t i = 1; i < n && repeated == NULL; i++) {
        repeated = by_model_and_id(&sorted[i - 1], &sorted[i]) == 0 ? sorted[i]->id : NULL;
    }
    free(sorted);
    if (repeated != NULL) {
        MIP_FAIL(MIP_E_FORMAT, "remove the file and run: mip eval CONFIG",
                 "question %s is recorded twice for one model", repeated);
    }
    return MIP_OK;
}

mip_status aggregate_records(const eval_records *records, const char *model_sha, cell_table *out) {
    *out = (cell_table){0};
    MIP_TRY(refuse_repeats(records));
    for (int64_t i = 0; i < records->n; i++) {
        const eval_record *r = &records->items[i];
        if (model_sha != NULL && strcmp(model_sha, r->model_sha) != 0) {
            continue;
        }
        if ((int)r->task >= CELL_TASKS) {
            MIP_FAIL(MIP_E_FORMAT, NULL, "question %s has task %d, expected mcq, gen or cloze",
                     r->id, (int)r->task);
        }
        cell *c = &out->at[r->set][r->task][r->modality];
        c->n++;
        c->n_correct += r->correct;
        c->n_unreadable += r->unreadable;
        if (r->n_options > 0) {
            c->n_likelihood++;
            c->n_likelihood_correct += r->likelihood_correct;
            c->likelihood_chance += 1.0 / r->n_options;
        }
    }
    return MIP_OK;
}
