/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/report/test_trace_neurons.c - activation times gradient, summed and ranked. */
#include "report/trace_neurons.h"

#include "store/h5_trace.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

enum { L = 2, T = 3, F = 4 };

static float values[L * T * F];
static float grads[L * T * F];

static named_array array(const char *name, float *data, int64_t n_layers) {
    return (named_array){.name = name,
                         .long_name = name,
                         .dtype = MIP_DTYPE_F32,
                         .shape = {3, {n_layers, T, F}},
                         .dims = {n_layers == L ? "layer" : "other", "token", "neuron"},
                         .data = data};
}

static void open_with(temp_dir *t, const named_array *arrays, int n, h5_file **file) {
    const char *path = temp_path(t, "trace.h5");
    const trace_record record = {.n_arrays = n, .arrays = arrays};
    ASSERT_OK(h5_trace_write(path, &record));
    ASSERT_OK(h5_open(path, file));
}

Test(trace_neurons, sums_over_the_rows_and_ranks_by_size) {
    temp_dir t;
    arena a;
    h5_file *file = NULL;
    trace_neurons got;
    temp_make(&t);
    arena_init(&a);
    for (int p = 0; p < T; p++) {
        values[(0 * T + p) * F + 2] = 1.0F;
        grads[(0 * T + p) * F + 2] = -2.0F; // -6
        values[(0 * T + p) * F + 0] = 0.5F;
        grads[(0 * T + p) * F + 0] = 2.0F; // 3
        values[(1 * T + p) * F + 3] = (float)p;
        grads[(1 * T + p) * F + 3] = 1.0F; // 0 + 1 + 2
    }
    const named_array arrays[2] = {array("text_neurons", values, L),
                                   array("text_neuron_grads", grads, L)};
    open_with(&t, arrays, 2, &file);
    ASSERT_OK(trace_neurons_get(&a, file, "text", 2, &got));
    cr_assert_eq(got.n_layers, L);
    cr_assert_eq(got.n, 2);
    cr_expect_eq(got.at[0].neuron, 2);
    cr_expect_eq(got.at[0].score, -6.0);
    cr_expect_eq(got.at[1].neuron, 0);
    cr_expect_eq(got.at[1].score, 3.0);
    cr_expect_eq(got.at[2].neuron, 3);
    cr_expect_eq(got.at[2].score, 3.0);
    cr_expect_eq(got.at[3].neuron, 0, "ties go to the lower index");
    ASSERT_OK(trace_neurons_get(&a, file, "text", 100, &got));
    cr_expect_eq(got.n, F);
    ASSERT_OK(trace_neurons_get(&a, file, "vision", 2, &got));
    cr_expect_eq(got.n_layers, 0);
    ASSERT_OK(h5_close(&file));
    arena_deinit(&a);
    temp_remove(&t);
}

Test(trace_neurons, arrays_that_do_not_match_are_refused) {
    temp_dir t;
    arena a;
    h5_file *file = NULL;
    trace_neurons got;
    const named_array arrays[2] = {array("text_neurons", values, L),
                                   array("text_neuron_grads", grads, 1)};
    temp_make(&t);
    arena_init(&a);
    open_with(&t, arrays, 2, &file);
    ASSERT_FAILS(trace_neurons_get(&a, file, "text", 2, &got), MIP_E_FORMAT, "text_neuron_grads");
    ASSERT_OK(h5_close(&file));
    arena_deinit(&a);
    temp_remove(&t);
}
