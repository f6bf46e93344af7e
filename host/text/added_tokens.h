/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/added_tokens.h - tokens that are found in the text before BPE sees it ("<|im_end|>").
 * Private to this folder.
 *
 * What    Leftmost first, longest among those; a match is passed over as a whole even if
 *         single_word then rejects it. lstrip and rstrip take the white space beside it along. All
 *         as the `tokenizers` library does it.
 * Tested  tests/unit/text/test_added_tokens.c */
#ifndef MIP_TEXT_ADDED_TOKENS_H
#define MIP_TEXT_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/arena.h"

typedef struct added_token {
    const char *text; // what is looked for
    size_t n_bytes;
    int32_t id;
    bool special;    // left out by decode when asked so; no other meaning
    bool normalized; // looked for in the normalised text instead of the raw text
    bool lstrip, rstrip, single_word;
} added_token;

/* Tokens sorted by first byte, then longest first. */
typedef struct added_set {
    const added_token **tokens; // [first[256]]
    size_t first[257];          // tokens with first byte b are [first[b], first[b + 1])
} added_set;

/* added_set_init - an index, in the arena, of the tokens whose `normalized` is as asked. tokens [n]
 * is borrowed. */
mip_status added_set_init(arena *memory, const added_token *tokens, size_t n, bool normalized,
                          added_set *out);

/* added_cut - call part(user, token, begin, end) in order for every token found and (token NULL)
 * the text between. text is valid UTF-8. Returns what part returns. */
typedef mip_status (*added_part_fn)(void *user, const added_token *token, size_t begin, size_t end);
mip_status added_cut(const added_set *set, const char *text, size_t n_bytes, added_part_fn part,
                     void *user);

#endif
