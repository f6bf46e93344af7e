/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/chat_pieces.h - what a family's render function writes: the prompt in pieces that
 * tokenise independently.
 *
 * What    A piece begins and ends where an added token cuts the text anyway, so its ids are the
 *         same alone as within the whole. Private to this folder. */
#ifndef MIP_TEXT_CHAT_PIECES_H
#define MIP_TEXT_CHAT_PIECES_H

#include "text/chat_template.h"

#define CHAT_NO_ANSWER SIZE_MAX
#define CHAT_NO_MESSAGE                                                                            \
    SIZE_MAX // text of the template itself: default system line, generation prompt

typedef struct chat_piece {
    size_t begin, end; // bytes of chat_pieces.text
    int64_t copies;    // of the whole piece; 1 but for image placeholders
    // Tokens that begin at or after this byte of the piece are labels; CHAT_NO_ANSWER: none are.
    // The piece is ASCII before it, so that normalising does not move it.
    size_t answer_from;
    size_t i_message; // or CHAT_NO_MESSAGE
} chat_piece;

typedef struct chat_pieces {
    str text;
    chat_piece *pieces; // [n]
    size_t n, capacity;
} chat_pieces;

struct chat_template {
    const char *name;
    const char *const *needs;  // NULL-terminated: the template's text contains each of these
    const char *const *tokens; // NULL-terminated: marker tokens the tokenizer must have
    const char *image_token, *end_of_turn;
    mip_status (*render)(const chat_message *messages, size_t n_messages, bool generation_prompt,
                         chat_pieces *out);
};

/* chat_pieces_add - append text to the newest piece. */
mip_status chat_pieces_add(chat_pieces *p, const char *text, size_t n_bytes);

/* chat_pieces_put - a new piece of this C string; copies 1, no answer. */
mip_status chat_pieces_put(chat_pieces *p, size_t i_message, const char *text);

/* chat_pieces_last - the newest piece; there must be one. */
chat_piece *chat_pieces_last(chat_pieces *p);

/* The families. */
extern const chat_template chat_template_qwen2_vl;

#endif
