/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_input.h - what every fuzz target shares: its entry, and parts of the input as texts.
 *
 * What    fuzz_accepts gets bytes of libFuzzer's invention (fuzz_main.c), or a file of the corpus
 *         (corpus_main.c), which also looks at the answer. A target fails by a sanitizer's report
 *         or by FUZZ_HOLDS.
 * Parts   Formats of several texts are joined by NUL bytes, which no text may hold. */
#ifndef MIP_TESTS_FUZZ_INPUT_H
#define MIP_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mip/status.h>

/* fuzz_accepts - parse data [n]; true if it is sound. One per target. */
bool fuzz_accepts(const uint8_t *data, size_t n);

/* What must be true after the code under test said MIP_OK. */
#define FUZZ_HOLDS(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* An error must say what: never an empty message. */
static inline void fuzz_check_words(mip_status status) {
    FUZZ_HOLDS(status == MIP_OK ||
               (mip_error_last()->code == status && mip_error_last()->what[0] != '\0'));
}

/* The bytes up to the next NUL or the end as a text on the heap with a NUL after it, in a block of
 * exactly that size; *data and *n move behind it. "{}" where nothing is left. The caller frees it. */
static inline char *fuzz_text(const uint8_t **data, size_t *n, size_t *n_text) {
    const uint8_t *end = *n > 0 ? memchr(*data, '\0', *n) : NULL;
    const char *from = *n > 0 ? (const char *)*data : "{}";
    *n_text = end != NULL ? (size_t)(end - *data) : *n > 0 ? *n : 2;
    char *text = malloc(*n_text + 1);
    if (text == NULL) {
        abort();
    }
    memcpy(text, from, *n_text);
    text[*n_text] = '\0';
    const size_t used = *n == 0 ? 0 : end != NULL ? *n_text + 1 : *n_text;
    *data += used;
    *n -= used;
    return text;
}

#endif
