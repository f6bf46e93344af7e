/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/prompt_options.c - see prompt_options.h. */
#include "cli/prompt_options.h"

#include <string.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "model/session.h"

/* "1,2,3" */
static mip_status parse_ids(arena *a, const char *text, user_input *out) {
    char *copy = NULL;
    int32_t *ids = NULL;
    char *next = NULL;
    int64_t n = 0;
    MIP_TRY(arena_strdup(a, text, &copy));
    MIP_TRY(ARENA_NEW(a, strlen(text) / 2 + 1, &ids));
    for (char *word = copy; word != NULL; word = next) {
        int64_t id = 0;
        next = strchr(word, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (!str_parse_i64(word, &id) || id < 0 || id > INT32_MAX) {
            MIP_FAIL(MIP_E_CONFIG, "example: --ids 1,2,3",
                     "--ids: expected token ids with commas between them, found '%s'", word);
        }
        ids[n++] = (int32_t)id;
    }
    out->ids = ids;
    out->n_ids = n;
    return MIP_OK;
}

mip_status cli_weights_dtype(const cli_args *args, mip_dtype *out) {
    const char *text = cli_value(args, "dtype", "f32");
    if (strcmp(text, "f32") != 0 && strcmp(text, "bf16") != 0) {
        MIP_FAIL(MIP_E_CONFIG, "example: --dtype bf16", "--dtype: expected f32 or bf16, found '%s'",
                 text);
    }
    *out = strcmp(text, "bf16") == 0 ? MIP_DTYPE_BF16 : MIP_DTYPE_F32;
    return MIP_OK;
}

mip_status prompt_request_read(arena *a, const cli_args *args, prompt_request *out) {
    const char *ids = cli_value(args, "ids", NULL);
    user_input *input = &out->input;
    char *hint = NULL;
    *out = (prompt_request){.model_dir = cli_value(args, "model", NULL),
                            .backend = cli_value(args, "backend", "auto")};
    input->text = cli_value(args, "prompt", NULL);
    input->messages_path = cli_value(args, "messages", NULL);
    input->image_paths = cli_values(args, "image", &input->n_images);
    MIP_TRY(arena_printf(a, &hint, "see: mip %s --help", args->entry->name));
    if (out->model_dir == NULL) {
        MIP_FAIL(MIP_E_CONFIG, hint, "--model DIR is missing");
    }
    MIP_TRY(cli_weights_dtype(args, &out->dtype));
    const int given = (input->text != NULL) + (ids != NULL) + (input->messages_path != NULL);
    if (given != 1) {
        MIP_FAIL(MIP_E_CONFIG, hint,
                 "give either --prompt TEXT or --ids 1,2,3 or --messages F.json%s",
                 given > 1 ? ", not both" : "");
    }
    return ids != NULL ? parse_ids(a, ids, input) : MIP_OK;
}

mip_status prompt_front_load(arena *a, const prompt_request *r, text_front *out) {
    char *path = NULL;
    *out = (text_front){0};
    if (r->input.ids == NULL) {
        return text_front_load(r->model_dir, out);
    }
    MIP_TRY(fs_join(a, r->model_dir, "tokenizer.json", &path));
    return fs_is_file(path) ? text_front_load_tokenizer(r->model_dir, out) : MIP_OK;
}

mip_status prompt_make(const prompt_request *r, const text_front *front, user_prompt *out) {
    session headers;
    MIP_TRY(session_open_dry(&headers, r->backend, r->model_dir, r->dtype));
    const mip_status status = user_prompt_create(&headers.model, front, &r->input, out);
    session_close(&headers);
    return status;
}
