/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/tokenizer.c - the encode pipeline and the look-ups.
 *
 * Order   raw text is cut at added tokens (normalized: false); each piece between is normalised by
 *         itself, cut at added tokens (normalized: true), then by the split pattern; BPE runs on
 *         each of these pieces. */
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "text/tokenizer_priv.h"
#include "text/unicode_text.h"

/* One encode call; the levels of the pipeline hand it down. */
typedef struct encode_run {
    const tokenizer *t;
    token_list *out;
    const char *raw;   // text of the call
    str normalized;    // the current piece between raw added tokens
    size_t piece_from; // where that piece begins in the normalised text as a whole
    size_t part_from;  // where the current part begins in `normalized`
    size_t n_done;     // normalised bytes handled so far
} encode_run;

mip_status tokenizer_normalize(tokenizer_normalizer kind, const char *text, size_t n_bytes,
                               str *out) {
    switch (kind) {
    case NORMALIZER_NONE:
        MIP_TRY(str_append_n(out, text, n_bytes));
        break;
    case NORMALIZER_NFC:
        MIP_TRY(unicode_append_nfc(out, text, n_bytes));
        break;
    }
    return MIP_OK;
}

static mip_status encode_word(void *user, size_t begin, size_t end) {
    encode_run *run = user;
    const size_t from = run->part_from + begin;
    MIP_TRY(bpe_encode(&run->t->merges, run->normalized.text + from, end - begin,
                       run->piece_from + from, run->out));
    return MIP_OK;
}

static mip_status encode_normalized(void *user, const added_token *token, size_t begin,
                                    size_t end) {
    encode_run *run = user;
    if (token != NULL) {
        MIP_TRY(token_list_append(run->out, token->id, run->piece_from + begin));
        return MIP_OK;
    }
    run->part_from = begin;
    MIP_TRY(split_text(run->t->split, run->normalized.text + begin, end - begin, encode_word, run));
    return MIP_OK;
}

static mip_status encode_raw(void *user, const added_token *token, size_t begin, size_t end) {
    encode_run *run = user;
    if (token != NULL) {
        MIP_TRY(token_list_append(run->out, token->id, run->n_done));
        run->n_done += end - begin;
        return MIP_OK;
    }
    str_clear(&run->normalized);
    MIP_TRY(
        tokenizer_normalize(run->t->normalizer, run->raw + begin, end - begin, &run->normalized));
    run->piece_from = run->n_done;
    MIP_TRY(added_cut(&run->t->normalized_set, run->normalized.text, run->normalized.n_bytes,
                      encode_normalized, run));
    run->n_done += run->normalized.n_bytes;
    return MIP_OK;
}

mip_status tokenizer_encode(const tokenizer *t, const char *text, size_t n_bytes, token_list *out) {
    mip_status status = MIP_OK;
    const size_t n_before = out->n;
    encode_run run = {.t = t, .out = out, .raw = text};
    str_init(&run.normalized);
    const size_t n_valid = unicode_valid_bytes(text, n_bytes);
    if (n_valid < n_bytes) {
        MIP_FAIL_GOTO(MIP_E_FORMAT, "save the text as UTF-8",
                      "text of %zu bytes is not UTF-8 at byte %zu (0x%02x)", n_bytes, n_valid,
                      (unsigned char)text[n_valid]);
    }
    MIP_TRY_GOTO(added_cut(&t->raw_set, text, n_bytes, encode_raw, &run));
out:
    if (status != MIP_OK) {
        out->n = n_before;
    }
    str_deinit(&run.normalized);
    return status;
}

void tokenizer_destroy(tokenizer *t) {
    if (t != NULL) {
        split_pattern_destroy(t->split);
        arena_deinit(&t->memory);
        free(t);
    }
}

int32_t tokenizer_id(const tokenizer *t, const char *token) {
    return vocab_find(&t->vocab, token, strlen(token));
}

int32_t tokenizer_added_id(const tokenizer *t, const char *token) {
    for (size_t i = 0; i < t->n_added; i++) {
        const added_token *a = &t->added[i];
        if (strcmp(a->text, token) == 0 && !a->normalized && !a->lstrip && !a->rstrip &&
            !a->single_word) {
            return a->id;
        }
    }
    return -1;
}

const char *tokenizer_token(const tokenizer *t, int32_t id) {
    return id >= 0 && id < t->vocab.n_ids ? t->vocab.token[id] : NULL;
}

int64_t tokenizer_vocab_size(const tokenizer *t) {
    return t->vocab.n_ids;
}
