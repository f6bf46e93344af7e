/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/tmp_dir.h - a fresh folder for one test. */
#ifndef MIP_TESTS_SUPPORT_TMP_DIR_H
#define MIP_TESTS_SUPPORT_TMP_DIR_H

enum { TMP_DIR_BYTES = 64 };

/* tmp_dir_create - make build/tmp/test-XXXXXX (relative to the repository root);
 * fails the test if it cannot. */
void tmp_dir_create(char out[TMP_DIR_BYTES]);

/* tmp_dir_remove - remove it with everything in it. */
void tmp_dir_remove(const char *path);

#endif
