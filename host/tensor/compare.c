/* SPDX-License-Identifier: Apache-2.0 */
/* host/tensor/compare.c - see compare.h. */
#include "tensor/compare.h"

#include <math.h>

compare_result compare_f32(const float *a, const float *b, int64_t n) {
    compare_result r = {.i_worst = -1};
    double scale = 0;
    for (int64_t i = 0; i < n; i++) {
        double diff = fabs((double)a[i] - (double)b[i]);
        if (isnan(diff)) {
            const int equal_infinities = isinf(a[i]) && isinf(b[i]) && (a[i] > 0) == (b[i] > 0);
            diff = equal_infinities ? 0 : (double)INFINITY;
        }
        if (r.i_worst < 0 || diff > r.max_abs) {
            r.max_abs = diff;
            r.i_worst = i;
            r.a_worst = a[i];
            r.b_worst = b[i];
        }
        scale = fmax(scale, fabs((double)b[i]));
    }
    r.max_rel = r.max_abs == 0 ? 0 : isinf(r.max_abs) ? r.max_abs : r.max_abs / scale;
    return r;
}
