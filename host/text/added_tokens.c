/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/added_tokens.c - the index and the scan.
 *
 * Cost    Per byte of text: one comparison with each token that begins with this byte. */
#include "text/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "text/unicode_text.h"

static int compare_tokens(const void *left, const void *right) {
    const added_token *a = *(const added_token *const *)left,
                      *b = *(const added_token *const *)right;
    const unsigned char first_a = (unsigned char)a->text[0], first_b = (unsigned char)b->text[0];
    if (first_a != first_b) {
        return first_a < first_b ? -1 : 1;
    }
    return a->n_bytes > b->n_bytes ? -1 : a->n_bytes < b->n_bytes;
}

mip_status added_set_init(arena *memory, const added_token *tokens, size_t n, bool normalized,
                          added_set *out) {
    *out = (added_set){0};
    MIP_TRY(ARENA_NEW(memory, n, &out->tokens));
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (tokens[i].normalized == normalized) {
            out->tokens[n_kept++] = &tokens[i];
            out->first[(unsigned char)tokens[i].text[0] + 1]++;
        }
    }
    for (size_t b = 0; b < 256; b++) {
        out->first[b + 1] += out->first[b];
    }
    qsort(out->tokens, n_kept, sizeof out->tokens[0], compare_tokens);
    return MIP_OK;
}

static const added_token *longest_at(const added_set *set, const char *text, size_t n_bytes) {
    const unsigned char b = (unsigned char)text[0];
    for (size_t i = set->first[b]; i < set->first[b + 1]; i++) {
        const added_token *token = set->tokens[i];
        if (token->n_bytes <= n_bytes && memcmp(token->text, text, token->n_bytes) == 0) {
            return token;
        }
    }
    return NULL;
}

/* Start of the last character before `at` (> 0). */
static size_t step_back(const char *text, size_t at) {
    do {
        at--;
    } while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80);
    return at;
}

static bool stands_alone(const char *text, size_t n_bytes, size_t begin, size_t end) {
    if (begin > 0) {
        size_t before = step_back(text, begin);
        if (unicode_is_word(unicode_next(text, &before))) {
            return false;
        }
    }
    return end == n_bytes || !unicode_is_word(unicode_next(text, &end));
}

/* Move begin back over white space, not further than `limit`. */
static size_t strip_left(const char *text, size_t begin, size_t limit) {
    while (begin > limit) {
        const size_t before = step_back(text, begin);
        size_t next = before;
        if (!unicode_is_space(unicode_next(text, &next))) {
            break;
        }
        begin = before;
    }
    return begin;
}

static size_t strip_right(const char *text, size_t n_bytes, size_t end) {
    while (end < n_bytes) {
        size_t next = end;
        if (!unicode_is_space(unicode_next(text, &next))) {
            break;
        }
        end = next;
    }
    return end;
}

mip_status added_cut(const added_set *set, const char *text, size_t n_bytes, added_part_fn part,
                     void *user) {
    size_t done = 0; // everything before has been handed out
    size_t at = 0;
    while (at < n_bytes) {
        const added_token *token = longest_at(set, text + at, n_bytes - at);
        if (token == NULL) {
            at++;
            continue;
        }
        size_t begin = at, end = at + token->n_bytes;
        at = end;
        if (token->single_word && !stands_alone(text, n_bytes, begin, end)) {
            continue;
        }
        if (token->lstrip) {
            begin = strip_left(text, begin, done);
        }
        if (token->rstrip) {
            end = strip_right(text, n_bytes, end);
        }
        if (done < begin) {
            MIP_TRY(part(user, NULL, done, begin));
        }
        MIP_TRY(part(user, token, begin, end));
        done = end;
    }
    if (done < n_bytes) {
        MIP_TRY(part(user, NULL, done, n_bytes));
    }
    return MIP_OK;
}
