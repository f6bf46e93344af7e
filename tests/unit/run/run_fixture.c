/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/run/run_fixture.c - see run_fixture.h. */
#include "run_fixture.h"

#include <stdio.h>

void fixture_open(experiment *e, experiment_use use, const char *dir, const char *set1,
                  const char *set2) {
    char output[TMP_DIR_BYTES + 16];
    const char *sets[FIXTURE_MAX_SETS] = {output};
    int n = 1;
    snprintf(output, sizeof output, "output=%s", dir);
    if (set1 != NULL) {
        sets[n++] = set1;
    }
    if (set2 != NULL) {
        sets[n++] = set2;
    }
    ASSERT_OK(experiment_open("tests/cli/configs/nano.yaml", sets, n, use, NULL, e));
}
