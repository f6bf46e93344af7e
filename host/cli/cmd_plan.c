/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_plan.c - mip plan CONFIG: bytes and seconds per stage before anything runs. */
#include "base/status_priv.h"
#include "cli/print.h"
#include "cli/run_options.h"
#include "plan/plan_json.h"
#include "run/run_plan.h"

static const cli_option options[] = {CLI_RUN_OPTIONS, {0}};

static mip_status write_json(const plan *p, str *out) {
    json_writer w = json_writer_start(out, true);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(plan_write(p, &w));
    MIP_TRY(json_end(&w));
    return str_append(out, "\n");
}

static mip_status run(cli *c, const cli_args *args) {
    experiment e;
    plan p;
    str text;
    str_init(&text);
    mip_status status = MIP_OK;
    MIP_TRY_GOTO(run_open(c, args, EXPERIMENT_PLAN, &e));
    MIP_TRY_GOTO(run_plan(&e, &p));
    MIP_TRY_GOTO(cli_flag(args, "json") > 0 ? write_json(&p, &text) : plan_print(&p, &text));
    print_exact(&text);
    MIP_TRY_GOTO(plan_check(&p));
out:
    str_deinit(&text);
    experiment_close(&e);
    return status;
}

const cmd_entry cmd_plan = {
    .name = "plan",
    .summary = "bytes and seconds per stage, from headers alone; exit 4 if it does not fit",
    .usage = "CONFIG [--set KEY=VALUE]... [--json]",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  mip plan configs/demo.yaml --set attribute.quadrature=radau2\n",
    .run = run,
};
