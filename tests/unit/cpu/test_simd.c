/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_simd.c - the error bound and the ends of exp_f32, and max_f32. */
#include "cpu/simd.h"

#include <math.h>

#include <criterion/criterion.h>

Test(simd, exp_is_within_one_ulp_from_minus_87_to_88) {
    double worst = 0.0;
    float worst_at = 0.0F;
    for (float x = -87.0F; x < 88.3F; x += 0.00037F) {
        const double exact = exp((double)x);
        const float rounded = (float)exact;
        const double ulp = (double)nextafterf(rounded, INFINITY) - (double)rounded;
        const double error = fabs((double)exp_f32(x) - exact) / ulp;
        if (error > worst) {
            worst = error;
            worst_at = x;
        }
    }
    cr_expect(worst <= 1.0, "%.3f ulp at %g", worst, (double)worst_at);
}

Test(simd, exp_has_the_right_ends) {
    cr_expect_eq(exp_f32(0.0F), 1.0F);
    cr_expect_eq(exp_f32(-100.0F), 0.0F);
    cr_expect_eq(exp_f32(-INFINITY), 0.0F);
    cr_expect(isinf(exp_f32(100.0F)));
    cr_expect(isnan(exp_f32(NAN)));
}

Test(simd, max_finds_the_largest_at_every_place) {
    float x[40];
    for (int n = 0; n <= 40; n++) {
        cr_expect_eq(max_f32(x, 0), -INFINITY);
        for (int at = 0; at < n; at++) {
            for (int i = 0; i < 40; i++) {
                x[i] = i < n ? -2.0F - (float)i : 9.0F; // beyond n: larger, must not be read
            }
            x[at] = -1.0F;
            cr_assert_eq(max_f32(x, n), -1.0F, "n %d, at %d", n, at);
        }
    }
}
