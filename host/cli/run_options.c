/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/run_options.c - see run_options.h. */
#include "cli/run_options.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/signals.h"
#include "base/status_priv.h"
#include "cli/print.h"
#include "run/run_plan.h"
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

static mip_status write_attribute(experiment *e, const attribute_report *r, const char *h5,
                                  json_writer *w) {
    MIP_TRY(json_begin_object(w, "attribute"));
    MIP_TRY(json_put_bool(w, "done_before", r->was_done));
    MIP_TRY(json_put_i64(w, "forget_samples", r->n_forget));
    MIP_TRY(json_put_i64(w, "retain_samples", r->n_retain));
    MIP_TRY(json_put_f64(w, "seconds", r->seconds));
    MIP_TRY(json_put_string(w, "file", h5));
    MIP_TRY(summary_neurons_write(&e->memory, h5, TOP_NEURONS_SHOWN, w));
    return json_end(w);
}

static mip_status print_attribute(experiment *e, const attribute_report *r, const char *h5) {
    str text;
    if (r->was_done) {
        printf("attribute  done already: %s\n", h5);
    } else {
        printf("attribute  %" PRId64 " forget and %" PRId64 " retain samples in %.1f s: %s\n",
               r->n_forget, r->n_retain, r->seconds, h5);
    }
    str_init(&text);
    const mip_status status = summary_neurons(&e->memory, h5, TOP_NEURONS_SHOWN, &text);
    printf("\n");
    print_exact(&text);
    str_deinit(&text);
    return status;
}

mip_status run_fits(experiment *e, json_writer *w) {
    (void)w;
    return run_plan_check(e);
}

mip_status run_attribute(experiment *e, json_writer *w) {
    attribute_report report;
    char *h5 = NULL;
    MIP_TRY(stage_attribute(e, &report));
    MIP_TRY(attribution_path(e, &h5));
    return w != NULL ? write_attribute(e, &report, h5, w) : print_attribute(e, &report, h5);
}

static mip_status write_edit(const edit_report *r, json_writer *w) {
    MIP_TRY(json_begin_object(w, "edit"));
    MIP_TRY(json_put_bool(w, "done_before", r->was_done));
    if (!r->was_done) {
        MIP_TRY(json_put_i64(w, "text_neurons", r->n_text));
        MIP_TRY(json_put_i64(w, "vision_neurons", r->n_vision));
        MIP_TRY(json_put_i64(w, "steps", r->n_steps));
        MIP_TRY(json_put_f64_or_null(w, "forget_loss_first", r->forget_first));
        MIP_TRY(json_put_f64_or_null(w, "forget_loss_last", r->forget_last));
        MIP_TRY(json_put_f64_or_null(w, "retain_loss_last", r->retain_last));
        MIP_TRY(json_put_f64(w, "seconds", r->seconds));
    }
    return json_end(w);
}

static void print_edit(const experiment *e, const edit_report *r) {
    if (r->was_done) {
        printf("edit       done already: %s/model\n", e->dir);
        return;
    }
    printf("edit       %" PRId64 " text and %" PRId64 " vision neurons, %" PRId64
           " steps in %.1f s; forget loss %.4g -> %.4g, "
           "retain loss %.3g: %s/model\n",
           r->n_text, r->n_vision, r->n_steps, r->seconds, r->forget_first, r->forget_last,
           r->retain_last, e->dir);
}

mip_status run_edit(experiment *e, json_writer *w) {
    edit_report report;
    if (e->config.edit.method == CONFIG_METHOD_NONE) {
        return MIP_OK;
    }
    MIP_TRY(stage_edit(e, &report));
    if (w != NULL) {
        return write_edit(&report, w);
    }
    print_edit(e, &report);
    return MIP_OK;
}

static mip_status print_eval(experiment *e) {
    str text;
    str_init(&text);
    const mip_status status = summary_table(&e->memory, &e->dir, 1, NULL, &text);
    printf("\n");
    print_exact(&text);
    str_deinit(&text);
    return status;
}

mip_status run_eval(experiment *e, json_writer *w) {
    MIP_TRY(stage_eval(e));
    if (w == NULL) {
        return print_eval(e);
    }
    MIP_TRY(json_begin_object(w, "eval"));
    MIP_TRY(summary_table_write(&e->memory, &e->dir, 1, NULL, w));
    return json_end(w);
}

mip_status run_files(experiment *e, json_writer *w) {
    str text;
    if (w != NULL) {
        return summary_files_write(&e->memory, e->dir, w);
    }
    str_init(&text);
    const mip_status status = summary_files(&e->memory, e->dir, &text);
    printf("\nfiles\n");
    print_exact(&text);
    str_deinit(&text);
    return status;
}

static mip_status take_steps(experiment *e, const run_step *steps, int n_steps, json_writer *w) {
    for (int i = 0; i < n_steps; i++) {
        MIP_TRY(steps[i](e, w));
    }
    return MIP_OK;
}

static mip_status write_steps(experiment *e, const run_step *steps, int n_steps) {
    mip_status status = MIP_OK;
    str text;
    str_init(&text);
    json_writer w = json_writer_start(&text, true);
    MIP_TRY_GOTO(json_begin_object(&w, NULL));
    MIP_TRY_GOTO(json_put_string(&w, "run", e->dir));
    MIP_TRY_GOTO(take_steps(e, steps, n_steps, &w));
    MIP_TRY_GOTO(json_end(&w));
    print_text(&text);
out:
    str_deinit(&text);
    return status;
}

mip_status run_steps(cli *c, const cli_args *args, const run_step *steps, int n_steps) {
    experiment e;
    mip_status status = run_open(c, args, EXPERIMENT_RUN, &e);
    if (status == MIP_OK) {
        status = cli_flag(args, "json") > 0 ? write_steps(&e, steps, n_steps)
                                            : take_steps(&e, steps, n_steps, NULL);
    }
    experiment_close(&e);
    return status;
}
