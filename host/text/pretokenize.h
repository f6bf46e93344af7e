/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/pretokenize.h - cutting text into pieces with the regular expression of tokenizer.json
 * ("Split", "Isolated").
 *
 * What    Matches are pieces and so is whatever lies between them. The expression is written for
 *         the Oniguruma library; we run PCRE2. Only constructs with the same meaning in both are
 *         accepted, and \s is spelled out as the property White_Space (PCRE2's own \s has one
 *         character more). Everything else is refused, not guessed.
 * Tested  tests/unit/text/test_pretokenize.c. Private to this folder. */
#ifndef MIP_TEXT_PRETOKENIZE_H
#define MIP_TEXT_PRETOKENIZE_H

#include <stddef.h>

#include <mip/status.h>

typedef struct split_pattern split_pattern;

/* split_pattern_create - compile. `path` is only used in messages.
 *   out    owned; split_pattern_destroy
 *   error  MIP_E_UNSUPPORTED a construct outside the common subset (named, with its offset), or one
 *          that can match nothing */
mip_status split_pattern_create(const char *regex, const char *path, split_pattern **out);
void split_pattern_destroy(split_pattern *p);

/* split_text - call piece(user, begin, end) for every piece of valid UTF-8 in order; together they
 * are the whole text.
 *   error  what piece returns; MIP_E_FORMAT if PCRE2 gives up */
typedef mip_status (*split_piece_fn)(void *user, size_t begin, size_t end);
mip_status split_text(const split_pattern *p, const char *text, size_t n_bytes,
                      split_piece_fn piece, void *user);

#endif
