/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/chat_file.h - a conversation from a JSON file, in the form the processors
 * of Hugging Face take.
 *
 * What    [{"role": "user", "content": "text"}, ...], where content may be a list of parts:
 *         {"type": "text", "text": "..."} and {"type": "image"}. Pictures are not named in the
 *         file: the i-th image part is the i-th picture given beside it.
 * Tested  tests/unit/data/test_chat_file.c, tests/cli/trace.sh */
#ifndef MIP_DATA_CHAT_FILE_H
#define MIP_DATA_CHAT_FILE_H

#include "base/arena.h"
#include "text/chat_template.h"

/* chat_file_read - the messages, in the arena; at least one.
 *   in    image_tokens [n_images] placeholders of each picture
 *   error MIP_E_IO; MIP_E_FORMAT what is no such file; MIP_E_CONFIG more or fewer image parts
 *         than pictures. Roles are checked by chat_encode. */
mip_status chat_file_read(arena *a, const char *path, int n_images, const int64_t *image_tokens,
                          chat_message **out, size_t *out_n);

#endif
