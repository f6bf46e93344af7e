/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_session.c - opening a model on a backend. */
#include "model/session.h"

#include <criterion/criterion.h>

static const char model_dir[] = "tests/golden/qwen25vl_tiny/model";

Test(session, opens_a_model_and_closes_more_than_once) {
    session s;
    cr_assert_eq(session_open(&s, "cpu", model_dir, MIP_DTYPE_F32), MIP_OK, "%s",
                 mip_error_last()->what);
    cr_expect_eq(s.model.text.n_layers, 3);
    cr_expect_not(s.x.dry);
    session_close(&s);
    session_close(&s);
}

Test(session, a_dry_one_reads_headers_only) {
    session s;
    cr_assert_eq(session_open_dry(&s, "cpu", model_dir, MIP_DTYPE_F32), MIP_OK, "%s",
                 mip_error_last()->what);
    cr_expect_eq(s.model.vocab, 400);
    cr_expect(s.x.dry);
    session_close(&s);
}

Test(session, a_missing_folder_or_backend_leaves_it_closed) {
    session s;
    cr_expect_eq(session_open(&s, "cpu", "tests/none", MIP_DTYPE_F32), MIP_E_IO);
    session_close(&s);
    cr_expect_eq(session_open(&s, "quantum", model_dir, MIP_DTYPE_F32), MIP_E_BACKEND);
    cr_expect_eq(s.x.backend, NULL);
    session_close(&s);
}
