/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/tiny_model.c - see tiny_model.h. */
#include "support/tiny_model.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "backend/registry.h"
#include "cpu/cpu_backend.h"
#include "support/golden.h"

void tiny_model_open(tiny_model *t, const char *backend, const char *folder, size_t arena_bytes) {
    tiny_model_open_as(t, backend, folder, MIP_DTYPE_F32, arena_bytes);
}

void tiny_model_open_as(tiny_model *t, const char *backend, const char *folder, mip_dtype dtype,
                        size_t arena_bytes) {
    char dir[256];
    const mip_backend *b = NULL;
    cr_assert_eq(cpu_backends_register(), MIP_OK);
    cr_assert_eq(backend_open(backend, &b), MIP_OK, "%s", mip_error_last()->what);
    const golden_name at = golden_name_split(folder);
    snprintf(dir, sizeof dir, "tests/golden/%s/%s", at.family, at.name);
    cr_assert_eq(exec_init(&t->x, b, 0, arena_bytes == 0), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(device_arena_reserve(&t->x.arena, arena_bytes), MIP_OK);
    cr_assert_eq(model_load(&t->x, dir, dtype, &t->m), MIP_OK, "%s", mip_error_last()->what);
}

void tiny_model_open_of(tiny_model *t, const char *backend, const char *case_name,
                        size_t arena_bytes) {
    char folder[64];
    snprintf(folder, sizeof folder, "%s/model", golden_name_split(case_name).family);
    tiny_model_open(t, backend, folder, arena_bytes);
}

void tiny_model_close(tiny_model *t) {
    model_destroy(&t->m);
    exec_deinit(&t->x);
}
