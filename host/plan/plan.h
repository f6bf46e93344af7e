/* SPDX-License-Identifier: Apache-2.0 */
/* host/plan/plan.h - what a run will need: bytes and seconds per stage, and whether it fits.
 *
 * What    The numbers come from dry runs of the stages themselves, so the plan counts
 *         what will be run. Seconds are operations over a rate measured for a tenth
 *         of a second: an order of magnitude. The edit is counted with its longest row.
 * Tested  tests/unit/plan/test_plan.c, tests/cli/json.sh */
#ifndef MIP_PLAN_PLAN_H
#define MIP_PLAN_PLAN_H

#include "base/str.h"
#include "io/json_write.h"
#include "ops/exec.h"

enum { PLAN_MAX_STAGES = 8 };

typedef struct plan_stage {
    const char *name; // "attribute text"
    const char *unit; // "samples", "steps", "questions"
    int64_t n_units;
    double flops;          // of the whole stage, at most
    double optional_flops; // of these: what may turn out not to be needed (adaptive nodes)
    size_t work_bytes;     // device arena at its peak
    size_t host_bytes;     // beside the device's: pixels, caches, scores
} plan_stage;

typedef struct plan {
    const char *device;
    const char *weights_note; // how weights are kept, e.g. "bf16 in the files, f32 in memory"
    size_t program_bytes;     // the process before it loads weights: code, libraries, data set
    size_t weights_bytes;
    size_t available_bytes; // free memory of the device
    bool host_shared;       // device memory is host memory: the two add up
    double flops_per_s;     // measured
    int n;
    plan_stage stages[PLAN_MAX_STAGES];
} plan;

/* plan_measure_rate - flop/s of products [rows, k] x [n, k]^T on the exec, the second matrix
 * in f32 or bf16, over about 0.1 s. Needs an arena with room for them: reserves it if it is empty. */
mip_status plan_measure_rate(exec *x, mip_dtype dtype, int64_t rows, int64_t n, int64_t k,
                             double *flops_per_s);

/* plan_peak_bytes - weights plus the hungriest stage: what must be free (the program is there). */
size_t plan_peak_bytes(const plan *p);

/* plan_print - the table, appended to out. */
mip_status plan_print(const plan *p, str *out);

/* plan_write - the same numbers as members of an open JSON object, and whether it fits. */
mip_status plan_write(const plan *p, json_writer *w);

/* plan_check - MIP_E_NOFIT if the peak is above what is available: both numbers, the stage,
 * and what to change. */
mip_status plan_check(const plan *p);

#endif
