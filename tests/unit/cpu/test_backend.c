/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_backend.c - the two built-in tables are complete, and their memory
 * does what the contract says. */
#include "cpu/cpu_backend.h"

#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "backend/registry.h"

static const mip_backend *backend_at(int i) {
    return i == 0 ? ref_backend_get() : cpu_backend_get();
}

Test(cpu_backend, tables_are_complete) {
    for (int i = 0; i < 2; i++) {
        const mip_backend *b = backend_at(i);
        cr_expect_eq(b->abi, MIP_BACKEND_ABI);
        cr_expect_eq(b->struct_size, sizeof(mip_backend));
        for (int pass = 0; pass < MIP_PASS_COUNT; pass++) {
            cr_expect(b->ops.norm[pass] && b->ops.attention[pass] && b->ops.act[pass]);
        }
        cr_expect(b->ops.gemm && b->ops.rope && b->ops.rows && b->ops.entries && b->ops.cols &&
                  b->ops.colscale && b->ops.dot && b->ops.colsum && b->ops.xent[0] &&
                  b->ops.xent[1] && b->ops.mse && b->ops.adamw);
    }
}

Test(cpu_backend, buffers_are_aligned_and_copied) {
    for (int i = 0; i < 2; i++) {
        const mip_backend *b = backend_at(i);
        const char text[] = "seventeen bytes!";
        char back[sizeof text] = {1};
        void *p = NULL;
        void *q = NULL;
        cr_assert_eq(b->buffer.alloc(b->self, 0, sizeof text, &p), MIP_OK);
        cr_assert_eq(b->buffer.alloc(b->self, 0, 0, &q), MIP_OK);
        cr_expect_eq((uintptr_t)p % 256, 0);
        cr_expect_not_null(q);
        b->buffer.free(b->self, 0, q);
        cr_assert_eq(b->buffer.alloc(b->self, 0, sizeof text, &q), MIP_OK);
        b->buffer.h2d(b->self, NULL, p, text, sizeof text);
        b->buffer.d2d(b->self, NULL, q, p, sizeof text);
        b->buffer.zero(b->self, NULL, p, sizeof text);
        b->buffer.d2h(b->self, NULL, back, q, sizeof text);
        cr_expect_str_eq(back, text);
        b->buffer.d2h(b->self, NULL, back, p, sizeof text);
        cr_expect_eq(back[0], '\0');
        b->buffer.free(b->self, 0, p);
        b->buffer.free(b->self, 0, q);
        b->buffer.free(b->self, 0, NULL);
    }
}

Test(cpu_backend, impossible_allocation_is_an_error_not_a_crash) {
    void *p = &p;
    const mip_backend *b = cpu_backend_get();
    cr_expect_eq(b->buffer.alloc(b->self, 0, SIZE_MAX - 8, &p), MIP_E_NOMEM);
    cr_expect_null(p);
}

Test(cpu_backend, tells_its_device) {
    mip_device_info info;
    int n = 0;
    const mip_backend *b = cpu_backend_get();
    cr_assert_eq(b->device.count(b->self, &n), MIP_OK);
    cr_expect_eq(n, 1);
    cr_assert_eq(b->device.info(b->self, 0, &info), MIP_OK);
    cr_expect(info.name[0] != '\0' && info.n_units >= 1);
    cr_expect(info.free_bytes > 0 && info.free_bytes <= info.total_bytes);
    cr_expect_eq(b->device.info(b->self, 1, &info), MIP_E_ARG);
}

Test(cpu_backend, registering_twice_changes_nothing) {
    const mip_backend *found = NULL;
    cr_assert_eq(cpu_backends_register(), MIP_OK);
    cr_assert_eq(cpu_backends_register(), MIP_OK);
    cr_assert_eq(backend_open("ref", &found), MIP_OK);
    cr_expect_eq(found, ref_backend_get());
    cr_assert_eq(backend_open("auto", &found), MIP_OK);
    cr_expect_eq(found, cpu_backend_get());
}
