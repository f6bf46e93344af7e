/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/user_prompt.c - see user_prompt.h.
 *
 * Tested  tests/unit/data/test_user_prompt.c, tests/cli/generate.sh, tests/cli/trace.sh */
#include "data/user_prompt.h"

#include <string.h>

#include "base/status_priv.h"
#include "data/chat_file.h"
#include "data/prompt.h"
#include "image/image.h"
#include "image/patchify.h"

static mip_status read_picture(arena *memory, const patch_settings *s, const char *path,
                               image_patches *out) {
    image decoded = {0};
    patch_rows rows;
    mip_status status = MIP_OK;
    MIP_TRY_GOTO(image_read(path, NULL, &decoded));
    MIP_TRY_GOTO(patchify_image(memory, s, &decoded, &rows));
    *out = (image_patches){
        .grid_t = rows.grid_t, .grid_h = rows.grid_h, .grid_w = rows.grid_w, .pixels = rows.pixels};
out:
    image_deinit(&decoded);
    return status;
}

static mip_status read_pictures(const model *m, const user_input *input, user_prompt *out) {
    const patch_settings settings = patch_settings_of_model(m);
    image_patches *images = NULL;
    if (input->n_images > 0 && m->vision.n_layers == 0) {
        MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "%s reads text only, but %d pictures were given", m->dir,
                 input->n_images);
    }
    MIP_TRY(ARENA_NEW(&out->memory, input->n_images, &images));
    for (int i = 0; i < input->n_images; i++) {
        MIP_TRY(read_picture(&out->memory, &settings, input->image_paths[i], &images[i]));
    }
    out->seq.images = images;
    out->seq.n_images = input->n_images;
    return MIP_OK;
}

static mip_status count_image_tokens(const model *m, user_prompt *out, int64_t **counts) {
    const int64_t cell = m->vision_desc.merge * m->vision_desc.merge;
    MIP_TRY(ARENA_NEW(&out->memory, out->seq.n_images, counts));
    for (int i = 0; i < out->seq.n_images; i++) {
        const image_patches *p = &out->seq.images[i];
        (*counts)[i] = p->grid_t * p->grid_h * p->grid_w / cell;
    }
    return MIP_OK;
}

/* user: the pictures, then the text; and where there is one, assistant: the answer. */
static mip_status typed_messages(arena *a, const user_input *input, const int64_t *image_tokens,
                                 chat_message **out, size_t *n) {
    const int n_images = input->n_images;
    chat_part *parts = NULL;
    MIP_TRY(ARENA_NEW(a, n_images + 2, &parts));
    MIP_TRY(ARENA_NEW(a, 2, out));
    for (int i = 0; i < n_images; i++) {
        parts[i] = (chat_part){.kind = CHAT_IMAGE, .n_image_tokens = image_tokens[i]};
    }
    parts[n_images] =
        (chat_part){.kind = CHAT_TEXT, .text = input->text, .n_bytes = strlen(input->text)};
    (*out)[0] = (chat_message){.role = "user", .parts = parts, .n_parts = (size_t)n_images + 1};
    *n = 1;
    if (input->answer != NULL) {
        parts[n_images + 1] =
            (chat_part){.kind = CHAT_TEXT, .text = input->answer, .n_bytes = strlen(input->answer)};
        (*out)[(*n)++] =
            (chat_message){.role = "assistant", .parts = &parts[n_images + 1], .n_parts = 1};
    }
    return MIP_OK;
}

static mip_status encode_turns(const model *m, const text_front *front, const user_input *input,
                               user_prompt *out) {
    arena *a = &out->memory;
    int64_t *image_tokens = NULL;
    chat_message *messages = NULL;
    size_t n = 0;
    chat_tokens tokens = {0};
    MIP_TRY(count_image_tokens(m, out, &image_tokens));
    if (input->messages_path != NULL) {
        MIP_TRY(
            chat_file_read(a, input->messages_path, input->n_images, image_tokens, &messages, &n));
    } else {
        MIP_TRY(typed_messages(a, input, image_tokens, &messages, &n));
    }
    const bool answered = strcmp(messages[n - 1].role, "assistant") == 0;
    MIP_TRY(chat_encode(a, front->chat, front->tokens, messages, n, !answered, &tokens));
    out->seq.ids = tokens.ids;
    out->seq.n = tokens.n;
    out->n_prompt = answered ? tokens.answer[n - 1].begin : tokens.n;
    for (int64_t i = 0; i < tokens.n; i++) {
        if (tokens.labels[i] != CHAT_NO_LABEL) {
            out->labels = tokens.labels;
        }
    }
    return MIP_OK;
}

static mip_status copy_ids(const user_input *input, user_prompt *out) {
    int32_t *ids = NULL;
    MIP_TRY(ARENA_NEW(&out->memory, input->n_ids, &ids));
    memcpy(ids, input->ids, (size_t)input->n_ids * sizeof *ids);
    out->seq.ids = ids;
    out->seq.n = input->n_ids;
    out->n_prompt = input->n_ids;
    return MIP_OK;
}

mip_status user_prompt_create(const model *m, const text_front *front, const user_input *input,
                              user_prompt *out) {
    mip_status status = MIP_OK;
    *out = (user_prompt){0};
    arena_init(&out->memory);
    MIP_TRY_GOTO(read_pictures(m, input, out));
    if (input->ids != NULL) {
        MIP_TRY_GOTO(copy_ids(input, out));
    } else {
        MIP_TRY_GOTO(encode_turns(m, front, input, out));
    }
    MIP_TRY_GOTO(prompt_length_check("the prompt", out->seq.n, m->max_positions));
out:
    if (status != MIP_OK) {
        user_prompt_destroy(out);
    }
    return status;
}

void user_prompt_destroy(user_prompt *p) {
    arena_deinit(&p->memory);
    *p = (user_prompt){0};
}
