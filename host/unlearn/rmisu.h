/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/rmisu.h - the edit: representation misdirection of forget samples, with only
 * the listed neurons' rows trained.
 *
 * What    L = L_f + gamma L_r. L_f = mean |h(x_f) - strength * norm_f * u_f|^2, L_r = mean
 *         |h(x_r) - h_frozen(x_r)|^2 over the counted tokens and the elements of the output
 *         h of text layer `layer`; u_f a random unit direction per sample, norm_f the mean token
 *         norm of the unedited model. Rows of all listed neurons are zeroed first (edit_rows.h).
 *         AdamW on the rows.
 * Cost    Per step 2 batch samples forward and back through layers 0..layer (and the vision
 *         tower if vision neurons are listed).
 * Source  method.md 2.1 eq. 10-16, 2.3 k-u.
 * Tested  tests/unit/unlearn/test_rmisu.c, test_golden_edit.c (transformers and torch) */
#ifndef MIP_UNLEARN_RMISU_H
#define MIP_UNLEARN_RMISU_H

#include "io/config.h"
#include "model/sequence.h"
#include "unlearn/edit_set.h"

typedef struct rmisu_data {
    const labelled_sample *forget, *retain;
    int64_t n_forget, n_retain;
} rmisu_data;

typedef struct rmisu_loss {
    double forget;
    double retain; // as it enters the total: gamma included
} rmisu_loss;

typedef struct rmisu_step {
    int64_t done, n_steps;
    double lr;
    rmisu_loss loss; // before the step
} rmisu_step;

typedef struct rmisu_options {
    const config_edit *config;
    uint64_t seed;
    const char *state_path; // file of the unfinished run; NULL = not resumable
    size_t part_bytes;      // working memory of a part, reserved at once; 0 = as it turns out
    int64_t save_every;     // steps between two writes of it; 0 = only when stopped and at the end
    /* Called after every step, and once before the first with done = the steps a resumed
     * run has behind it. An error (MIP_E_CANCELLED from signals_check, say) stops the run:
     * the state is written and the error returned. NULL = none. */
    mip_status (*after_step)(void *user, const rmisu_step *step);
    void *user;
} rmisu_options;

typedef struct rmisu_result {
    int64_t n_steps, resumed_at; // resumed_at 0: begun afresh
    int64_t n_params;            // trained numbers
    rmisu_loss first, last;
} rmisu_result;

/* rmisu_run - edit the model in place. The model must be the unedited one, also for a resumed run:
 * the file at state_path holds the trained rows. On success the state file is left with
 * the finished state (a second call returns at once); remove it when the result is stored.
 * The exec's arena must be empty.
 *   error MIP_E_ARG (layer or samples that cannot be), MIP_E_UNSUPPORTED (retain_ce), MIP_E_NUMERIC
 *         (loss not finite, with the step), MIP_E_CONFIG (state file of another edit),
 *         what after_step returned. After an error the model is half edited. */
mip_status rmisu_run(exec *x, model *m, const edit_set *set, const rmisu_data *data,
                     const rmisu_options *options, rmisu_result *out);

/* rmisu_part_size - sequences that run together in a step; a step has batch / size parts of each
 * half, side by side on as many workers as there are threads, with gradients of their own. */
int64_t rmisu_part_size(int64_t batch);

/* rmisu_gradients - how many parts have gradients at the same time: all of a step, or as many as
 * exec_thrift.workers (0 = no limit) lets be in flight. */
int rmisu_gradients(int64_t batch, int workers);

#endif
