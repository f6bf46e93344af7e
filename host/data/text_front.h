/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/text_front.h - what turns messages into token ids for one checkpoint:
 * its tokenizer and chat template.
 *
 * Tested  tests/unit/data/test_prompt.c */
#ifndef MIP_DATA_TEXT_FRONT_H
#define MIP_DATA_TEXT_FRONT_H

#include "text/chat_template.h"
#include "text/tokenizer.h"

typedef struct text_front {
    tokenizer *tokens;   // owned
    chat_template *chat; // owned
} text_front;

/* text_front_load - from the checkpoint folder: tokenizer.json, and the template
 * of chat_template.jinja, chat_template.json or tokenizer_config.json, the first that has one,
 * as transformers looks for it.
 *   error MIP_E_IO, MIP_E_FORMAT; MIP_E_UNSUPPORTED an unknown template or tokenizer step */
mip_status text_front_load(const char *model_dir, text_front *out);

/* text_front_load_tokenizer - only the tokenizer, for a checkpoint whose template is not
 * known here; chat stays NULL. */
mip_status text_front_load_tokenizer(const char *model_dir, text_front *out);

/* text_front_deinit - fine on a zeroed struct. */
void text_front_deinit(text_front *f);

#endif
