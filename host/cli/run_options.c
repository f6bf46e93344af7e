/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/run_options.c - see run_options.h. */
#include "cli/run_options.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/signals.h"
#include "base/status_priv.h"
#include "cli/print.h"
#include "run/stage_attribute.h"
#include "run/stage_edit.h"
#include "run/stage_eval.h"
#include "run/summary.h"

enum { TOP_NEURONS_SHOWN = 3 };

mip_status run_open(cli *c, const cli_args *args, experiment_use use, experiment *e) {
    int n_sets = 0;
    const char *const *sets = cli_values(args, "set", &n_sets);
    *e = (experiment){0}; // closed by the caller whatever happens
    MIP_TRY(signals_install());
    return experiment_open(args->words[0], sets, n_sets, use, &c->progress, e);
}

mip_status run_attribute(experiment *e) {
    attribute_report report;
    char *h5 = NULL;
    str text;
    MIP_TRY(stage_attribute(e, &report));
    MIP_TRY(attribution_path(e, &h5));
    if (report.was_done) {
        printf("attribute  done already: %s\n", h5);
    } else {
        printf("attribute  %" PRId64 " forget and %" PRId64 " retain samples in %.1f s: %s\n",
               report.n_forget, report.n_retain, report.seconds, h5);
    }
    str_init(&text);
    const mip_status status = summary_neurons(&e->memory, h5, TOP_NEURONS_SHOWN, &text);
    printf("\n");
    print_exact(&text);
    str_deinit(&text);
    return status;
}

mip_status run_edit(experiment *e) {
    edit_report report;
    if (e->config.edit.method == CONFIG_METHOD_NONE) {
        return MIP_OK;
    }
    MIP_TRY(stage_edit(e, &report));
    if (report.was_done) {
        printf("edit       done already: %s/model\n", e->dir);
        return MIP_OK;
    }
    printf("edit       %" PRId64 " text and %" PRId64 " vision neurons, %" PRId64
           " steps in %.1f s; forget loss %.4g -> %.4g, "
           "retain loss %.3g: %s/model\n",
           report.n_text, report.n_vision, report.n_steps, report.seconds, report.forget_first,
           report.forget_last, report.retain_last, e->dir);
    return MIP_OK;
}

mip_status run_eval(experiment *e) {
    mip_status status = MIP_OK;
    str text;
    str_init(&text);
    MIP_TRY_GOTO(stage_eval(e));
    MIP_TRY_GOTO(summary_table(&e->memory, &e->dir, 1, NULL, &text));
    printf("\n");
    print_exact(&text);
out:
    str_deinit(&text);
    return status;
}

mip_status run_files(experiment *e) {
    str text;
    str_init(&text);
    const mip_status status = summary_files(&e->memory, e->dir, &text);
    printf("\nfiles\n");
    print_exact(&text);
    str_deinit(&text);
    return status;
}

mip_status run_steps(cli *c, const cli_args *args, const run_step *steps, int n_steps) {
    experiment e;
    mip_status status = run_open(c, args, EXPERIMENT_RUN, &e);
    for (int i = 0; i < n_steps && status == MIP_OK; i++) {
        status = steps[i](&e);
    }
    experiment_close(&e);
    return status;
}
