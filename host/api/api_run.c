/* SPDX-License-Identifier: Apache-2.0 */
/* host/api/api_run.c - a whole experiment, as `mip run` does it, without its report.
 *
 * Tested  tests/unit/api/test_api_run.c */
#include <mip/mip.h>

#include "api/api_call.h"
#include "base/signals.h"
#include "base/status_priv.h"
#include "run/stage_attribute.h"
#include "run/stage_edit.h"
#include "run/stage_eval.h"

static const double callback_interval_s = 0.1;

typedef struct listener {
    mip_progress_callback callback; // may be NULL
    void *user;
} listener;

static void tell(const progress_state *state, void *user) {
    const listener *l = user;
    if (l->callback != NULL) {
        l->callback(state->label, state->done, state->total, l->user);
    }
}

static mip_status run_stages(experiment *e) {
    attribute_report attributed;
    edit_report edited;
    MIP_TRY(stage_attribute(e, &attributed));
    MIP_TRY(stage_edit(e, &edited));
    return stage_eval(e);
}

mip_status mip_run(const char *config_path, const char *const *settings, int n_settings,
                   mip_progress_callback progress_callback, void *user) {
    api_call call;
    listener l = {.callback = progress_callback, .user = user};
    progress p;
    experiment e;
    MIP_TRY(api_call_begin(&call));
    progress_init(&p, tell, &l, callback_interval_s);
    mip_status status = experiment_open(config_path, settings, n_settings, EXPERIMENT_RUN, &p, &e);
    if (status == MIP_OK) {
        status = run_stages(&e);
    }
    experiment_close(&e);
    signals_reset();
    return api_call_end(&call, status);
}
