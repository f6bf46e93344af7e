/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/api/test_api_run.c - a whole experiment through the public library: progress,
 * cancel, resume. */
#include <mip/mip.h>
#include <stdio.h>
#include <unistd.h>

#include "support/check_status.h"
#include "support/temp_dir.h"

#define CONFIG "tests/cli/configs/nano.yaml"

typedef struct watcher {
    int n_calls;
    int64_t cancel_at; // done of the label "edit"; -1 = never
    bool saw_eval;
} watcher;

static void watch(const char *label, int64_t done, int64_t total, void *user) {
    watcher *w = user;
    w->n_calls++;
    w->saw_eval = w->saw_eval || strncmp(label, "eval", 4) == 0;
    cr_expect(total == 0 || done <= total);
    if (w->cancel_at >= 0 && strcmp(label, "edit") == 0 && done >= w->cancel_at) {
        mip_cancel();
    }
}

Test(api_run, stops_when_asked_and_goes_on) {
    temp_dir t;
    char output[TMP_DIR_BYTES + 16];
    watcher w = {.cancel_at = 0};
    temp_make(&t);
    snprintf(output, sizeof output, "output=%s/run", t.path);
    const char *const settings[] = {output, "eval.sets=[forget]", "eval.tasks=[mcq]"};
    ASSERT_FAILS(mip_run(CONFIG, settings, 3, watch, &w), MIP_E_CANCELLED, "mip_cancel");
    cr_expect_gt(w.n_calls, 0);
    cr_expect_not(w.saw_eval);
    cr_expect_eq(access(temp_path(&t, "run/attribution.h5"), R_OK), 0);
    cr_expect_neq(access(temp_path(&t, "run/edit.h5"), R_OK), 0);
    w.cancel_at = -1;
    ASSERT_OK(mip_run(CONFIG, settings, 3, watch, &w));
    cr_expect(w.saw_eval);
    cr_expect_eq(access(temp_path(&t, "run/edit.h5"), R_OK), 0);
    cr_expect_eq(access(temp_path(&t, "run/eval/items.jsonl"), R_OK), 0);
    ASSERT_OK(mip_run(CONFIG, settings, 3, NULL, NULL));
    temp_remove(&t);
}

Test(api_run, a_cancel_before_the_run_stops_the_next_one_only) {
    temp_dir t;
    char output[TMP_DIR_BYTES + 16];
    temp_make(&t);
    snprintf(output, sizeof output, "output=%s/run", t.path);
    const char *const settings[] = {output, "attribute.max_samples=1", "edit.method=none",
                                    "eval.tasks=[mcq]", "eval.sets=[forget]"};
    mip_cancel();
    ASSERT_FAILS(mip_run(CONFIG, settings, 5, NULL, NULL), MIP_E_CANCELLED, "mip_cancel");
    ASSERT_OK(mip_run(CONFIG, settings, 5, NULL, NULL));
    temp_remove(&t);
}

Test(api_run, a_wrong_setting_is_named) {
    static const char *const settings[] = {"edit.layr=3"};
    ASSERT_FAILS(mip_run(CONFIG, settings, 1, NULL, NULL), MIP_E_CONFIG, "edit.layr");
    ASSERT_FAILS(mip_run("tests/none.yaml", NULL, 0, NULL, NULL), MIP_E_IO, "tests/none.yaml");
}
