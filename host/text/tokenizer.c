/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/tokenizer.c - the encode pipeline and the look-ups.
 *
 * Order   raw text is cut at added tokens (normalized: false); each piece between is normalised by
 *         itself, cut at added tokens (normalized: true), given its space marks (Metaspace), then
 *         cut by the split patterns; BPE runs on each of these pieces. */
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "text/tokenizer_priv.h"
#include "text/unicode_text.h"

static const char mark[] = TOKENIZER_SPACE_MARK;
enum { MARK_BYTES = sizeof mark - 1 };

/* One encode call; the levels of the pipeline hand it down. */
typedef struct encode_run {
    const tokenizer *t;
    token_list *out; // NULL: only count normalised bytes
    const char *raw; // text of the call
    bool first;      // the text of the call begins a text
    bool part_first; // and so does the current piece between raw added tokens
    str normalized;  // that piece
    str marked;      // a part of it with space marks
    size_t n_done;   // normalised bytes handled so far; tokens begin there
} encode_run;

/* A piece that the split patterns from i_split on have still to cut. */
typedef struct split_run {
    encode_run *run;
    const char *text; // the part
    size_t from;      // where the piece begins in it
    int i_split;
} split_run;

static mip_status mark_spaces(const char *text, size_t n_bytes, str *out) {
    for (size_t i = 0; i < n_bytes; i++) {
        MIP_TRY(text[i] == ' ' ? str_append_n(out, mark, MARK_BYTES)
                               : str_append_char(out, text[i]));
    }
    return MIP_OK;
}

mip_status tokenizer_normalize(const tokenizer *t, const char *text, size_t n_bytes, str *out) {
    switch (t->normalizer) {
    case NORMALIZER_NONE:
        return str_append_n(out, text, n_bytes);
    case NORMALIZER_NFC:
        return unicode_append_nfc(out, text, n_bytes);
    case NORMALIZER_PREPEND_MARK:
        MIP_TRY(str_append_n(out, mark, MARK_BYTES));
        break;
    case NORMALIZER_MARK:
        break;
    }
    return mark_spaces(text, n_bytes, out);
}

static bool begins_with_mark(const char *text, size_t n_bytes) {
    return n_bytes >= MARK_BYTES && memcmp(text, mark, MARK_BYTES) == 0;
}

static mip_status encode_piece(encode_run *run, const char *text, size_t begin, size_t end,
                               int i_split);

static mip_status next_split(void *user, size_t begin, size_t end) {
    const split_run *s = user;
    return encode_piece(s->run, s->text, s->from + begin, s->from + end, s->i_split);
}

static mip_status encode_piece(encode_run *run, const char *text, size_t begin, size_t end,
                               int i_split) {
    const tokenizer *t = run->t;
    if (i_split < t->n_splits) {
        split_run s = {.run = run, .text = text, .from = begin, .i_split = i_split + 1};
        return split_text(t->splits[i_split], text + begin, end - begin, next_split, &s);
    }
    return bpe_encode(&t->merges, text + begin, end - begin, run->n_done + begin, run->out);
}

/* Pieces of a part with space marks. */
static mip_status encode_marked(encode_run *run, const char *text, size_t n_bytes) {
    size_t begin = 0;
    for (size_t at = 1; run->t->cut_at_marks && at < n_bytes; at++) {
        if (begins_with_mark(text + at, n_bytes - at)) {
            MIP_TRY(encode_piece(run, text, begin, at, 0));
            begin = at;
        }
    }
    return encode_piece(run, text, begin, n_bytes, 0);
}

static mip_status encode_metaspace(encode_run *run, const char *text, size_t n_bytes, bool first) {
    const tokenizer_metaspace scheme = run->t->metaspace;
    str_clear(&run->marked);
    const bool lacks_mark = !begins_with_mark(text, n_bytes) && text[0] != ' ';
    if (lacks_mark && (scheme == METASPACE_ALWAYS || (scheme == METASPACE_FIRST && first))) {
        MIP_TRY(str_append_n(&run->marked, mark, MARK_BYTES));
    }
    MIP_TRY(mark_spaces(text, n_bytes, &run->marked));
    if (run->out != NULL) {
        MIP_TRY(encode_marked(run, run->marked.text, run->marked.n_bytes));
    }
    run->n_done += run->marked.n_bytes;
    return MIP_OK;
}

static mip_status encode_token(encode_run *run, const added_token *token, size_t n_bytes) {
    if (run->out != NULL) {
        MIP_TRY(token_list_append(run->out, token->id, run->n_done));
    }
    run->n_done += n_bytes;
    return MIP_OK;
}

static mip_status encode_normalized(void *user, const added_token *token, size_t begin,
                                    size_t end) {
    encode_run *run = user;
    const char *text = run->normalized.text + begin;
    if (token != NULL) {
        return encode_token(run, token, end - begin);
    }
    if (run->t->metaspace != METASPACE_OFF) {
        return encode_metaspace(run, text, end - begin, run->part_first && begin == 0);
    }
    if (run->out != NULL) {
        MIP_TRY(encode_piece(run, text, 0, end - begin, 0));
    }
    run->n_done += end - begin;
    return MIP_OK;
}

static mip_status encode_raw(void *user, const added_token *token, size_t begin, size_t end) {
    encode_run *run = user;
    if (token != NULL) {
        return encode_token(run, token, end - begin);
    }
    str_clear(&run->normalized);
    MIP_TRY(tokenizer_normalize(run->t, run->raw + begin, end - begin, &run->normalized));
    run->part_first = run->first && begin == 0;
    return added_cut(&run->t->normalized_set, run->normalized.text, run->normalized.n_bytes,
                     encode_normalized, run);
}

static mip_status encode(const tokenizer *t, const char *text, size_t n_bytes, bool first,
                         token_list *out, size_t *n_normalized) {
    mip_status status = MIP_OK;
    encode_run run = {.t = t, .out = out, .raw = text, .first = first};
    str_init(&run.normalized);
    str_init(&run.marked);
    const size_t n_valid = unicode_valid_bytes(text, n_bytes);
    if (n_valid < n_bytes) {
        MIP_FAIL_GOTO(MIP_E_FORMAT, "save the text as UTF-8",
                      "text of %zu bytes is not UTF-8 at byte %zu (0x%02x)", n_bytes, n_valid,
                      (unsigned char)text[n_valid]);
    }
    MIP_TRY_GOTO(added_cut(&t->raw_set, text, n_bytes, encode_raw, &run));
    *n_normalized = run.n_done;
out:
    str_deinit(&run.normalized);
    str_deinit(&run.marked);
    return status;
}

mip_status tokenizer_encode_part(const tokenizer *t, const char *text, size_t n_bytes, bool first,
                                 token_list *out) {
    const size_t n_before = out->n;
    size_t n_normalized = 0;
    const mip_status status = encode(t, text, n_bytes, first, out, &n_normalized);
    if (status != MIP_OK) {
        out->n = n_before;
    }
    return status;
}

mip_status tokenizer_encode(const tokenizer *t, const char *text, size_t n_bytes, token_list *out) {
    return tokenizer_encode_part(t, text, n_bytes, true, out);
}

mip_status tokenizer_normalized_bytes(const tokenizer *t, const char *text, size_t n_bytes,
                                      bool first, size_t *out) {
    return encode(t, text, n_bytes, first, NULL, out);
}

const int32_t *tokenizer_prefix(const tokenizer *t, size_t *n) {
    *n = t->n_prefix;
    return t->prefix;
}

void tokenizer_destroy(tokenizer *t) {
    if (t != NULL) {
        for (int i = 0; i < t->n_splits; i++) {
            split_pattern_destroy(t->splits[i]);
        }
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
