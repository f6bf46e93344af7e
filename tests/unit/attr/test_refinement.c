/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_refinement.c - a growing rule finds what a fixed one misses, and throws
 * no evaluation away. */
#include "attr/refinement.h"

#include <criterion/criterion.h>
#include <math.h>

#include "support/check_status.h"

/* F rises from 0 to 1 around `at`, over a distance of `width`. */
typedef struct step {
    double at, width;
} step;

static double value(step s, double alpha) {
    return 1 / (1 + exp(-(alpha - s.at) / s.width));
}

static double slope(step s, double alpha) {
    return value(s, alpha) * (1 - value(s, alpha)) / s.width;
}

static void evaluate(step s, const refinement *r, layer_profile *p) {
    p->value_zero = value(s, 0);
    for (int k = 0; k < r->rule.n; k++) {
        p->value[k] = value(s, r->rule.node[k]);
        p->slope[k] = slope(s, r->rule.node[k]);
    }
}

/* Integral of the slope minus the difference of F. */
static double error_of(step s, const quadrature *q) {
    double integral = 0;
    for (int k = 0; k < q->n; k++) {
        integral += q->weight[k] * slope(s, q->node[k]);
    }
    return fabs(integral - (value(s, 1) - value(s, 0)));
}

static void begin(refinement *r) {
    quadrature base;
    ASSERT_OK(quadrature_parse("adaptive", &base));
    cr_assert(base.adaptive && base.n == 5);
    ASSERT_OK(refinement_begin(&base, r));
}

static double power_integral(const quadrature *q, int power) {
    double sum = 0;
    for (int k = 0; k < q->n; k++) {
        sum += q->weight[k] * pow(q->node[k], power);
    }
    return sum;
}

Test(refinement, a_narrow_step_anywhere_is_found_that_fixed_rules_miss) {
    quadrature radau40;
    ASSERT_OK(quadrature_parse("radau40", &radau40));
    int missed_by_5 = 0;
    int missed_by_40 = 0;
    for (int i = 0; i < 40; i++) {
        const step s = {.at = 0.03 + 0.0235 * i, .width = 0.002};
        refinement r;
        layer_profile p;
        begin(&r);
        missed_by_5 += error_of(s, &r.rule) > 0.1;
        missed_by_40 += error_of(s, &radau40) > 0.1;
        evaluate(s, &r, &p);
        while (error_of(s, &r.rule) > 0.01 && refinement_grow(&r, &p, 40) > 0) {
            evaluate(s, &r, &p);
        }
        cr_expect_lt(error_of(s, &r.rule), 0.01, "the step at %g with %d nodes", s.at, r.rule.n);
        cr_expect_leq(r.rule.n, 32, "the step at %g took %d nodes", s.at, r.rule.n);
    }
    cr_expect_gt(missed_by_5, 35, "radau5 misses %d of 40", missed_by_5);
    cr_expect_gt(missed_by_40, 20, "radau40 misses %d of 40", missed_by_40);
}

Test(refinement, every_evaluation_stays_and_cubics_stay_exact) {
    const step s = {.at = 0.4, .width = 0.01};
    refinement r;
    layer_profile p;
    begin(&r);
    const quadrature base = r.rule;
    for (int power = 0; power <= 8; power++) {
        cr_expect_float_eq(power_integral(&base, power), 1.0 / (power + 1), 1e-12);
    }
    for (int round = 0; round < 25; round++) {
        const quadrature before = r.rule;
        evaluate(s, &r, &p);
        const int n_new = refinement_grow(&r, &p, 256);
        cr_assert(n_new == 1 || n_new == 2);
        cr_assert_eq(r.rule.n, before.n + n_new);
        cr_expect_arr_eq(r.rule.node, before.node, (size_t)before.n * sizeof(double));
        for (int i = 0; i < r.rule.n; i++) {
            for (int j = 0; j < i; j++) {
                cr_expect_neq(r.rule.node[i], r.rule.node[j], "round %d: node %d = node %d", round,
                              i, j);
            }
        }
        for (int power = 0; power <= 3; power++) {
            cr_expect_float_eq(power_integral(&r.rule, power), 1.0 / (power + 1), 1e-12);
        }
    }
}

Test(refinement, it_stops_at_the_most_nodes_it_may_have) {
    const step s = {.at = 0.7, .width = 1e-7};
    for (int most = 4; most <= 12; most++) {
        refinement r;
        layer_profile p;
        begin(&r);
        evaluate(s, &r, &p);
        while (refinement_grow(&r, &p, most) > 0) {
            evaluate(s, &r, &p);
        }
        cr_expect_leq(r.rule.n, most > 5 ? most : 5);
        cr_expect_geq(r.rule.n, most - 1);
    }
}

Test(refinement, only_rules_with_a_node_at_the_clean_model_can_grow) {
    quadrature base;
    refinement r;
    ASSERT_OK(quadrature_parse("gauss3", &base));
    cr_expect_eq(refinement_begin(&base, &r), MIP_E_INTERNAL);
}
