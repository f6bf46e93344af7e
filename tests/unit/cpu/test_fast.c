/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_fast.c - the backend "cpu" against "ref" on the op case table,
 * and its bits across threads.
 *
 * Rule    Every output is within 8 eps sqrt(K) of the reference, relative to the largest reference
 *         output; K is the length of the longest sum behind it. */
#include "unit/cpu/op_case.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"
#include "cpu/tile_gemm.h"
#include "support/share_work.h"

typedef struct results {
    float *fwd, *vjp, *jvp;
} results;

static results run(const mip_backend *b, const op_case *c) {
    const int64_t n_in = case_inputs(c);
    const int64_t n_out = case_outputs(c);
    float *in = random_new(n_in, 2.0F, 1);
    float *d_out = random_new(n_out, 1.0F, 2);
    float *t_in = random_new(n_in, 1.0F, 3);
    const results r = {random_new(n_out, 1.0F, 4), random_new(n_in, 1.0F, 5),
                       random_new(n_out, 1.0F, 6)};
    case_fwd(b, c, in, r.fwd);
    case_vjp(b, c, in, d_out, r.vjp);
    if (case_has_jvp(c)) {
        case_jvp(b, c, in, t_in, r.jvp);
    }
    free(in);
    free(d_out);
    free(t_in);
    return r;
}

static void results_free(results r) {
    free(r.fwd);
    free(r.vjp);
    free(r.jvp);
}

static void expect_close(const op_case *c, const char *what, const float *fast, const float *ref,
                         int64_t n) {
    double largest = 0.0;
    double worst = 0.0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        const double distance = fabs((double)fast[i] - (double)ref[i]);
        largest = fmax(largest, fabs((double)ref[i]));
        if (!(distance <= worst)) { // NaN too
            worst = distance;
            at = i;
        }
    }
    const double bound = 8.0 * FLT_EPSILON * sqrt((double)case_sum_length(c)) * largest;
    cr_expect(worst <= bound,
              "%s %s: worst at %lld: fast %.9g, reference %.9g, distance %.2g > %.2g", c->name,
              what, (long long)at, (double)fast[at], (double)ref[at], worst, bound);
}

Test(fast, equals_the_reference_within_rounding) {
    const op_case *tables[] = {small_cases, large_cases, bf16_cases};
    const int n[] = {n_small_cases, n_large_cases, n_bf16_cases};
    for (int t = 0; t < 3; t++) {
        for (int i = 0; i < n[t]; i++) {
            const op_case *c = &tables[t][i];
            const results fast = run(cpu_backend_get(), c);
            const results ref = run(ref_backend_get(), c);
            expect_close(c, "forward", fast.fwd, ref.fwd, case_outputs(c));
            expect_close(c, "vjp", fast.vjp, ref.vjp, case_inputs(c));
            expect_close(c, "jvp", fast.jvp, ref.jvp, case_outputs(c));
            results_free(fast);
            results_free(ref);
        }
    }
}

/* oneDNN reads the variable at its first product; every test is a process of its own. */
Test(fast, bf16_equals_the_reference_on_a_machine_without_bf16_products) {
    setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);
    cr_assert_not(tile_has_bf16());
    for (int i = 0; i < n_bf16_cases; i++) {
        const op_case *c = &bf16_cases[i];
        const results fast = run(cpu_backend_get(), c);
        const results ref = run(ref_backend_get(), c);
        expect_close(c, "forward", fast.fwd, ref.fwd, case_outputs(c));
        expect_close(c, "vjp", fast.vjp, ref.vjp, case_inputs(c));
        results_free(fast);
        results_free(ref);
    }
}

static void check_threads(const op_case *c) {
    omp_set_num_threads(1);
    const results one = run(cpu_backend_get(), c);
    for (int n_threads = 2; n_threads <= 4; n_threads += 2) {
        omp_set_num_threads(n_threads);
        const results many = run(cpu_backend_get(), c);
        cr_expect_arr_eq(one.fwd, many.fwd, (size_t)case_outputs(c) * sizeof(float),
                         "%s forward, %d threads", c->name, n_threads);
        cr_expect_arr_eq(one.vjp, many.vjp, (size_t)case_inputs(c) * sizeof(float),
                         "%s vjp, %d threads", c->name, n_threads);
        cr_expect_arr_eq(one.jvp, many.jvp, (size_t)case_outputs(c) * sizeof(float),
                         "%s jvp, %d threads", c->name, n_threads);
        results_free(many);
    }
    results_free(one);
}

Test(fast, bits_do_not_depend_on_the_number_of_threads) {
    share_all_work();
    for (int i = 0; i < n_large_cases; i++) {
        check_threads(&large_cases[i]);
    }
    for (int i = 0; i < n_bf16_cases; i++) {
        check_threads(&bf16_cases[i]);
    }
}
