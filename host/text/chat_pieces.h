/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/chat_pieces.h - what a family's render function writes: the prompt in pieces.
 *
 * What    A piece begins where an added token cuts the text anyway, so that its ids are the same
 *         alone as within the whole; a joined one does not: it is tokenised together with the
 *         piece before, and a token belongs to the piece it begins in. Private to this folder. */
#ifndef MIP_TEXT_CHAT_PIECES_H
#define MIP_TEXT_CHAT_PIECES_H

#include "text/chat_template.h"

#define CHAT_NO_ANSWER SIZE_MAX
#define CHAT_NO_MESSAGE                                                                            \
    SIZE_MAX // text of the template itself: default system line, generation prompt

typedef struct chat_piece {
    size_t begin, end; // bytes of chat_pieces.text
    int64_t copies;    // of the whole piece; 1 but for image placeholders
    bool joined;
    // Tokens that begin at or after this byte of the piece are labels; CHAT_NO_ANSWER: none are.
    // The piece is ASCII before it, so that normalising does not move it; 0 in a joined piece.
    size_t answer_from;
    size_t i_message; // or CHAT_NO_MESSAGE
} chat_piece;

typedef struct chat_pieces {
    str text;
    chat_piece *pieces; // [n]
    size_t n, capacity;
} chat_pieces;

/* What a template's text was found to be. */
typedef struct chat_found {
    bool known;
    bool has_default_system;
    str default_system; // the sentence for a chat without a system message
} chat_found;

typedef struct chat_family {
    const char *name;
    const char *const *tokens; // NULL-terminated: marker tokens the tokenizer must have
    const char *image_token;   // NULL: no pictures
    /* recognise - is this the family's template, as a whole? `plain` is its text with a newline
     * within quotes spelled \\n, without spaces inside the braces and without comments. */
    mip_status (*recognise)(const char *plain, chat_found *found);
    mip_status (*render)(const chat_template *c, const chat_message *messages, size_t n_messages,
                         bool generation_prompt, chat_pieces *out);
} chat_family;

struct chat_template {
    const chat_family *family;
    char *default_system; // NULL: none
};

/* chat_pieces_add - append text to the newest piece. */
mip_status chat_pieces_add(chat_pieces *p, const char *text, size_t n_bytes);

/* chat_pieces_put - a new piece of this C string; copies 1, no answer, not joined. */
mip_status chat_pieces_put(chat_pieces *p, size_t i_message, const char *text);

/* chat_pieces_last - the newest piece; there must be one. */
chat_piece *chat_pieces_last(chat_pieces *p);

/* The families. */
extern const chat_family chat_family_qwen2_vl, chat_family_chatml, chat_family_llava;

#endif
