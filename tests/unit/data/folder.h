/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/data/folder.h - throw-away copies of the nano data, to be damaged. */
#ifndef MIP_TESTS_DATA_FOLDER_H
#define MIP_TESTS_DATA_FOLDER_H

#include "support/tmp_dir.h"

#define NANO_DATA "tests/data/nano"

/* folder_copy - a copy of NANO_DATA in a new temporary folder; folder_remove deletes it.
 * Failures fail the test. */
void folder_copy(char path[TMP_DIR_BYTES]);
void folder_remove(const char *path);

/* folder_replace - in one file of the folder, the first occurrence of `from` becomes `to`;
 * it must occur. */
void folder_replace(const char *folder, const char *file, const char *from, const char *to);

/* folder_write - a file of the folder becomes this text. */
void folder_write(const char *folder, const char *file, const char *text);

#endif
