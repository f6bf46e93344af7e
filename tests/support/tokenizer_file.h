/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/tokenizer_file.h - a tokenizer of tests/golden for one test. */
#ifndef MIP_TESTS_SUPPORT_TOKENIZER_FILE_H
#define MIP_TESTS_SUPPORT_TOKENIZER_FILE_H

#include "text/tokenizer.h"

#define TOKENIZER_FILE_TINY "tests/golden/qwen25vl_tiny/model/tokenizer.json"

/* tokenizer_file_read - the file's tokenizer; a failure fails the test. tokenizer_destroy it. */
tokenizer *tokenizer_file_read(const char *path);

#endif
