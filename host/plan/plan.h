/* SPDX-License-Identifier: Apache-2.0 */
/* host/plan/plan.h - what a run will need: bytes and seconds per stage, and whether it fits.
 *
 * What    The numbers come from dry runs of the stages themselves, so the plan counts
 *         what will be run. A stage that does not fit saves memory as thrift.h says. Seconds
 *         are operations over a rate measured for a tenth of a second: an order of magnitude.
 *         The edit is counted with its longest row.
 * Tested  tests/unit/plan/test_plan.c */
#ifndef MIP_PLAN_PLAN_H
#define MIP_PLAN_PLAN_H

#include "plan/thrift.h"

enum { PLAN_MAX_STAGES = 8 };

typedef struct plan_stage {
    const char *name; // "attribute text"
    const char *unit; // "samples", "steps", "questions"
    const char *hint; // what to change when it does not fit even at its smallest
    int64_t n_units;
    thrift_scope scope;
    thrift_choice choice; // bytes and flops, and how it saves memory
} plan_stage;

/* How much memory there is. */
typedef struct plan_budget {
    size_t program_bytes; // the process without weights: code, libraries, data set
    size_t weights_bytes;
    size_t loading_bytes;   // on the host while weights are read, before the stage
    size_t available_bytes; // for weights and the stage
    bool host_shared;       // device memory is host memory: the two add up
    size_t limit_bytes;     // device.memory, program included; 0 = what is free decides
} plan_budget;

typedef struct plan {
    const char *device;
    const char *weights_note; // how weights are kept, e.g. "bf16 in the files, f32 in memory"
    plan_budget budget;
    double flops_per_s; // measured
    int n;
    plan_stage stages[PLAN_MAX_STAGES];
} plan;

/* plan_fit_stage - the stage's choice for what the budget leaves beside the weights. Errors of
 * `try`; that it does not fit is none, see plan_check. */
mip_status plan_fit_stage(const plan_budget *b, plan_stage *s, thrift_try try, void *user);

/* plan_stage_peak_bytes - what the process has at most while the stage runs: program, weights,
 * and its memory on the host. */
size_t plan_stage_peak_bytes(const plan_budget *b, const plan_stage *s);

/* plan_tell_thrift - "memory is short: attribute text: 1 of 2 samples at a time ..." appended
 * to out; nothing for a stage that has plenty. */
mip_status plan_tell_thrift(const plan_stage *s, str *out);

/* plan_measure_rate - flop/s of products [rows, k] x [n, k]^T on the exec, the second matrix
 * in f32 or bf16, over about 0.1 s. Needs an arena with room for them: reserves it if it is empty. */
mip_status plan_measure_rate(exec *x, mip_dtype dtype, int64_t rows, int64_t n, int64_t k,
                             double *flops_per_s);

/* plan_peak_bytes - of the hungriest stage, program and weights included. */
size_t plan_peak_bytes(const plan *p);

/* plan_print - the table, appended to out. */
mip_status plan_print(const plan *p, str *out);

/* plan_stage_fits - whether weights and stage are within what is available. */
bool plan_stage_fits(const plan_budget *b, const plan_stage *s);

/* plan_check_stage - MIP_E_NOFIT if weights and stage are above what is available: the numbers,
 * and what to change. */
mip_status plan_check_stage(const plan_budget *b, const plan_stage *s, const char *device);

/* plan_check - the same for every stage of a plan. */
mip_status plan_check(const plan *p);

#endif
