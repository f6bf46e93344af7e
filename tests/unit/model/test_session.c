/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_session.c - opening a model on a backend, and work that is planned before it runs. */
#include <criterion/criterion.h>
#include <string.h>

#include "model/session.h"

static const char model_dir[] = "tests/golden/qwen25vl_tiny/model";

/* Work that takes two buffers, gives one back, and notes how it was called. */
typedef struct probe {
    int n_dry, n_real;
    int64_t elems;
    float first; // of what was copied, in the real run
} probe;

static mip_status probe_work(exec *x, void *user) {
    probe *p = user;
    const float value = 7.0F;
    float *a = NULL;
    float *b = NULL;
    *(x->dry ? &p->n_dry : &p->n_real) += 1;
    const size_t mark = exec_mark(x);
    mip_status status = EXEC_NEW(x, p->elems, &a);
    status = status == MIP_OK ? EXEC_NEW(x, p->elems, &b) : status;
    if (status == MIP_OK && p->elems > 0) {
        status = exec_upload(x, a, &value, sizeof value);
        status = status == MIP_OK ? exec_copy(x, b, a, sizeof value) : status;
        status = status == MIP_OK ? exec_download(x, &p->first, b, sizeof value) : status;
    }
    exec_release(x, mark);
    return status;
}

Test(session, runs_work_dry_then_for_real_in_the_memory_it_measured) {
    session s;
    probe p = {.elems = 1000};
    cr_assert_eq(session_open(&s, "cpu", model_dir), MIP_OK, "%s", mip_error_last()->what);
    cr_expect_eq(s.model.text.n_layers, 3);
    cr_assert_eq(session_run_planned(&s, probe_work, &p), MIP_OK, "%s", mip_error_last()->what);
    cr_expect_eq(p.n_dry, 1);
    cr_expect_eq(p.n_real, 1);
    cr_expect_eq(p.first, 7.0F);
    cr_expect_eq(s.x.arena.capacity_bytes, 2 * 4096); // 4,000 bytes in lines of 256
    cr_expect_eq(s.x.arena.peak_bytes, s.x.arena.capacity_bytes);

    p.elems = 10; // smaller work keeps the block
    cr_assert_eq(session_run_planned(&s, probe_work, &p), MIP_OK);
    cr_expect_eq(s.x.arena.capacity_bytes, 2 * 4096);
    session_close(&s);
    session_close(&s);
}

Test(session, keeps_what_the_arena_holds_if_the_block_was_reserved_large_enough) {
    session s;
    probe p = {.elems = 64};
    const float value = 3.0F;
    float back = 0;
    float *mine = NULL;
    cr_assert_eq(session_open(&s, "ref", model_dir), MIP_OK);
    cr_assert_eq(session_reserve(&s, 3 * 256), MIP_OK);
    cr_assert_eq(EXEC_NEW(&s.x, 1, &mine), MIP_OK);
    cr_assert_eq(exec_upload(&s.x, mine, &value, sizeof value), MIP_OK);
    cr_assert_eq(session_run_planned(&s, probe_work, &p), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(exec_download(&s.x, &back, mine, sizeof back), MIP_OK);
    cr_expect_eq(back, 3.0F);

    p.elems = 65; // one line more per buffer: does not fit beside it
    cr_expect_eq(session_run_planned(&s, probe_work, &p), MIP_E_INTERNAL);
    cr_expect_eq(p.n_real, 1);
    session_close(&s);
}

Test(session, work_larger_than_the_memory_is_refused_before_it_runs) {
    session s;
    probe p = {.elems = INT64_C(1) << 46};
    cr_assert_eq(session_open(&s, "cpu", model_dir), MIP_OK);
    cr_expect_eq(session_run_planned(&s, probe_work, &p), MIP_E_NOFIT);
    cr_expect_eq(p.n_real, 0);
    cr_expect_neq(strstr(mip_error_last()->what, "562949953421312 bytes"), NULL, "%s",
                  mip_error_last()->what);
    session_close(&s);
}

Test(session, a_dry_session_plans_and_runs_nothing) {
    session s;
    session_need need;
    probe p = {.elems = INT64_C(1) << 40};
    cr_assert_eq(session_open_dry(&s, "cpu", model_dir), MIP_OK, "%s", mip_error_last()->what);
    cr_expect_eq(s.model.vocab, 400);
    cr_assert_eq(session_plan(&s, probe_work, &p, &need), MIP_OK);
    cr_expect_eq(need.arena_bytes, (size_t)8 << 40);
    cr_assert_eq(session_run_planned(&s, probe_work, &p), MIP_OK);
    cr_expect_eq(p.n_real, 0);
    session_close(&s);
}

Test(session, an_error_of_the_dry_run_is_the_result) {
    session s;
    probe p = {.elems = -1};
    cr_assert_eq(session_open(&s, "cpu", model_dir), MIP_OK);
    cr_expect_eq(session_run_planned(&s, probe_work, &p), MIP_E_SHAPE);
    cr_expect_eq(p.n_real, 0);
    session_close(&s);
}

Test(session, a_missing_folder_or_backend_leaves_it_closed) {
    session s;
    cr_expect_eq(session_open(&s, "cpu", "tests/none"), MIP_E_IO);
    session_close(&s);
    cr_expect_eq(session_open(&s, "quantum", model_dir), MIP_E_BACKEND);
    cr_expect_eq(s.backend, NULL);
    session_close(&s);
}
