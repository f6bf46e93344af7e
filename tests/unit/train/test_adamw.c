/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/train/test_adamw.c - five steps against torch.optim.AdamW (tests/golden/README.md). */
#include "train/adamw.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cpu/cpu_backend.h"
#include "io/safetensors_read.h"
#include "train/schedule.h"

enum { N = 7 * 11, STEPS = 5 };

static void read_tensor(const safetensors_file *file, const char *name, float *dst) {
    const safetensors_entry *entry = safetensors_find(file, name);
    cr_assert_not_null(entry, "%s", name);
    cr_assert_eq(safetensors_read(entry, MIP_DTYPE_F32, true, dst), MIP_OK);
}

/* max |a - b| / max |b| */
static double distance(const float *a, const float *b, int n) {
    double difference = 0.0;
    double largest = 0.0;
    for (int i = 0; i < n; i++) {
        difference = fmax(difference, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    return difference / largest;
}

static void check_against_torch(const char *name, double weight_decay) {
    safetensors_file *file = NULL;
    static float grads[STEPS][N], weights[STEPS][N], m[N], v[N], p[N], g[N], empty[1];
    char tensor[64];
    exec x;
    adamw optimiser;
    cr_assert_eq(safetensors_open("tests/golden/adamw.safetensors", &file), MIP_OK);
    read_tensor(file, "weight", p);
    read_tensor(file, "grads", grads[0]);
    snprintf(tensor, sizeof tensor, "%s.weight", name);
    read_tensor(file, tensor, weights[0]);
    snprintf(tensor, sizeof tensor, "%s.m", name);
    read_tensor(file, tensor, m);
    snprintf(tensor, sizeof tensor, "%s.v", name);
    read_tensor(file, tensor, v);

    /* The tensor as two blocks (and an empty one): the optimiser must not care. */
    const param_block blocks[] = {{.n = 30, .p = p, .g = g},
                                  {.n = 0, .p = empty, .g = empty},
                                  {.n = N - 30, .p = p + 30, .g = g + 30}};
    const adamw_options options = {
        .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = weight_decay};
    cr_assert_eq(exec_init(&x, ref_backend_get(), 0, false), MIP_OK);
    cr_assert_eq(adamw_create(&x, &options, 3, blocks, &optimiser), MIP_OK);
    for (int step = 0; step < STEPS; step++) {
        memcpy(g, grads[step], sizeof g);
        cr_assert_eq(adamw_step(&optimiser, schedule_lr(CONFIG_SCHEDULE_LINEAR, 0.01, step, STEPS)),
                     MIP_OK);
        cr_assert_lt(distance(p, weights[step], N), 2e-7, "step %d", step + 1);
    }
    cr_assert_eq(optimiser.step, STEPS);
    cr_assert_lt(distance(optimiser.m[0], m, 30), 2e-7);
    cr_assert_lt(distance(optimiser.m[2], m + 30, N - 30), 2e-7);
    cr_assert_lt(distance(optimiser.v[2], v + 30, N - 30), 4e-7);
    adamw_destroy(&optimiser);
    exec_deinit(&x);
    safetensors_close(file);
}

Test(adamw, equals_torch_with_weight_decay) {
    check_against_torch("decay0", 0.05);
}

Test(adamw, equals_torch_without_weight_decay) {
    check_against_torch("decay1", 0.0);
}
