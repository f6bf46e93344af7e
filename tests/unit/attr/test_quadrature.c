/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_quadrature.c - rules integrate polynomials exactly up to their degree. */
#include "attr/quadrature.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static double integral_of_power(const quadrature *q, int power) {
    double sum = 0;
    for (int k = 0; k < q->n; k++) {
        sum += q->weight[k] * pow(q->node[k], power);
    }
    return sum;
}

static void expect_degree(const char *form, int n, int degree) {
    char name[32];
    quadrature q;
    snprintf(name, sizeof name, "%s%d", form, n);
    cr_assert_eq(quadrature_parse(name, &q), MIP_OK, "%s", name);
    cr_expect_eq(q.n, n);
    for (int p = 0; p <= degree; p++) {
        cr_expect_float_eq(integral_of_power(&q, p), 1.0 / (p + 1), 1e-14, "%s, x^%d", name, p);
    }
    cr_expect(fabs(integral_of_power(&q, degree + 1) - 1.0 / (degree + 2)) > 1e-15 || degree > 20,
              "%s is exact beyond its degree %d", name, degree);
}

Test(quadrature, rules_are_exact_up_to_their_degree_and_not_beyond) {
    expect_degree("left", 4, 0);
    expect_degree("right", 4, 0);
    expect_degree("midpoint", 3, 1);
    expect_degree("trapezoid", 5, 1);
    expect_degree("gauss", 1, 1);
    expect_degree("gauss", 4, 7);
    expect_degree("radau", 1, 0);
    expect_degree("radau", 3, 4);
    expect_degree("radau", 5, 8);
}

Test(quadrature, radau3_has_the_textbook_nodes) {
    quadrature q;
    cr_assert_eq(quadrature_parse("radau3", &q), MIP_OK);
    cr_expect_float_eq(q.node[0], (4 - sqrt(6)) / 10, 1e-15);
    cr_expect_float_eq(q.node[1], (4 + sqrt(6)) / 10, 1e-15);
    cr_expect_eq(q.node[2], 1.0);
    cr_expect_float_eq(q.weight[0], (16 - sqrt(6)) / 36, 1e-15);
    cr_expect_float_eq(q.weight[1], (16 + sqrt(6)) / 36, 1e-15);
    cr_expect_float_eq(q.weight[2], 1.0 / 9, 1e-15);
    cr_expect(quadrature_has_one(&q));
}

Test(quadrature, the_largest_rules_have_all_their_nodes_in_order) {
    static const char *const names[] = {"gauss256", "radau256", "trapezoid256"};
    for (int i = 0; i < 3; i++) {
        quadrature q;
        cr_assert_eq(quadrature_parse(names[i], &q), MIP_OK, "%s", names[i]);
        for (int k = 1; k < q.n; k++) {
            cr_expect_gt(q.node[k], q.node[k - 1], "%s node %d", names[i], k);
        }
        cr_expect_float_eq(integral_of_power(&q, 1), 0.5, 1e-12, "%s", names[i]);
    }
}

Test(quadrature, presets_are_rules_by_another_name) {
    static const struct {
        const char *name, *rule;
    } presets[] = {{"fast", "radau2"},
                   {"balanced", "radau3"},
                   {"accurate", "radau5"},
                   {"literal", "right4"},
                   {"adaptive", "radau5"}};
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        quadrature named;
        quadrature rule;
        cr_assert_eq(quadrature_parse(presets[i].name, &named), MIP_OK);
        cr_assert_eq(quadrature_parse(presets[i].rule, &rule), MIP_OK);
        cr_expect_eq(named.n, rule.n);
        cr_expect_arr_eq(named.node, rule.node, (size_t)rule.n * sizeof(double));
        cr_expect_arr_eq(named.weight, rule.weight, (size_t)rule.n * sizeof(double));
        cr_expect_eq(named.adaptive, i == 4);
        cr_expect_not(rule.adaptive);
    }
}

Test(quadrature, names_that_are_no_rule_are_refused_with_the_forms) {
    static const char *const bad[] = {"",       "left",     "4",          "left0", "left257",
                                      "left-1", "simpson3", "trapezoid1", "left4x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        quadrature q;
        cr_expect_eq(quadrature_parse(bad[i], &q), MIP_E_CONFIG, "'%s'", bad[i]);
        cr_expect(mip_error_last()->hint[0] != '\0');
    }
}
