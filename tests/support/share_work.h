/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/share_work.h - make small operations use every thread, for tests of thread counts.
 *
 * Call it before the first operation of the test (a test is a process of its own). */
#ifndef MIP_TESTS_SHARE_WORK_H
#define MIP_TESTS_SHARE_WORK_H

#include <stdlib.h>

static inline void share_all_work(void) {
    setenv("MIP_GRAIN", "1", 1);
}

#endif
