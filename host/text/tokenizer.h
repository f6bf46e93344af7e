/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/tokenizer.h - text to token ids and back, driven by a model's tokenizer.json.
 *
 * What    The pipeline of the file (added tokens, normaliser, split pattern, BPE, decoder) with the
 *         ids the `tokenizers` library gives. What the file asks for and this room does not have is
 *         refused with the field's name, never ignored. Here: byte-level BPE (Qwen2, SmolLM2) and
 *         BPE over characters with byte fallback (Llama); pipeline_json.c lists the steps.
 * Threads A tokenizer is not changed after creation; any number of threads may use it at once.
 * Tested  tests/unit/text/test_tokenizer.c, test_tokenizer_json.c */
#ifndef MIP_TEXT_TOKENIZER_H
#define MIP_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/str.h"
#include "text/token_list.h"

enum { TOKENIZER_JSON_MAX_BYTES = 64 << 20 }; // the largest published files have half of it

typedef struct tokenizer tokenizer;

/* tokenizer_create_from_json - from the bytes of a tokenizer.json; `path` is only used in messages.
 *   out    owned; free with tokenizer_destroy. The JSON bytes are not needed afterwards.
 *   error  MIP_E_FORMAT broken file (not JSON, duplicate or negative id, merge of an unknown token,
 *          bad UTF-8, ...); MIP_E_UNSUPPORTED a pipeline step we do not have; both name the field.
 *          */
mip_status tokenizer_create_from_json(const char *json, size_t n_bytes, const char *path,
                                      tokenizer **out);
void tokenizer_destroy(tokenizer *t);

/* tokenizer_encode - append the ids of text [n_bytes] to out; added tokens are recognised, none is
 * put in front or behind.
 *   error  MIP_E_FORMAT if text is not UTF-8 (byte offset in the message). out then keeps what was
 *          appended before. */
mip_status tokenizer_encode(const tokenizer *t, const char *text, size_t n_bytes, token_list *out);

/* tokenizer_encode_part - the same for a part of a text that is encoded part by part, cut where added
 * tokens cut it anyway; first = it is the part that begins the text. */
mip_status tokenizer_encode_part(const tokenizer *t, const char *text, size_t n_bytes, bool first,
                                 token_list *out);

/* tokenizer_normalized_bytes - how long the text is where token begins are counted. For a text that
 * goes on: where the rest begins, if no added token and no composition crosses that place. */
mip_status tokenizer_normalized_bytes(const tokenizer *t, const char *text, size_t n_bytes,
                                      bool first, size_t *out);

/* tokenizer_prefix - the ids [*n] that belong in front of every prompt ("<s>"), borrowed; most
 * byte-level tokenizers have none. */
const int32_t *tokenizer_prefix(const tokenizer *t, size_t *n);

/* tokenizer_decode - append the text of ids [n] to out; bytes that are no UTF-8 become U+FFFD, as
 * `tokenizers` does it. skip_special leaves out added tokens marked special. Ids without a token
 * (padding rows of the embedding) give nothing.
 *   error  MIP_E_ARG for a negative id. */
mip_status tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                            str *out);

/* tokenizer_id - the id of a token by its spelling in the file ("<|im_end|>", "\u0120the"); -1 if
 * there is none. */
int32_t tokenizer_id(const tokenizer *t, const char *token);

/* tokenizer_added_id - as tokenizer_id, but only tokens that cut the raw text wherever they stand
 * (added, not normalised, no strip or single-word rule); -1 otherwise. */
int32_t tokenizer_added_id(const tokenizer *t, const char *token);

/* tokenizer_token - spelling of an id in the file, borrowed; NULL if the id has no token. */
const char *tokenizer_token(const tokenizer *t, int32_t id);

/* tokenizer_vocab_size - largest id + 1, added tokens included; the model's V may be larger, not
 * smaller. */
int64_t tokenizer_vocab_size(const tokenizer *t);

#endif
