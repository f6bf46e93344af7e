/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_generate.c - `mip generate`: a model's greedy answer to a text with pictures.
 *
 * How     The prompt is made from the checkpoint's headers alone, so that a broken picture
 *         is told before the weights are read. Repetition penalty and stop tokens are those
 *         of generation_config.json. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "data/text_front.h"
#include "data/user_prompt.h"
#include "io/json_write.h"
#include "model/generate.h"
#include "model/session.h"

enum { DEFAULT_NEW_TOKENS = 128, MAX_NEW_TOKENS = 1 << 20 };

typedef struct request {
    const char *model_dir;
    const char *backend;
    user_input input;
    int64_t max_new_tokens;
} request;

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

static mip_status read_request(arena *a, const cli_args *args, request *out) {
    const char *ids = cli_value(args, "ids", NULL);
    *out = (request){.model_dir = cli_value(args, "model", NULL),
                     .backend = cli_value(args, "backend", "auto")};
    out->input.text = cli_value(args, "prompt", NULL);
    out->input.image_paths = cli_values(args, "image", &out->input.n_images);
    MIP_TRY(cli_int(args, "max-new-tokens", 1, MAX_NEW_TOKENS, DEFAULT_NEW_TOKENS,
                    &out->max_new_tokens));
    if (out->model_dir == NULL) {
        MIP_FAIL(MIP_E_CONFIG, "see: mip generate --help", "--model DIR is missing");
    }
    if ((out->input.text == NULL) == (ids == NULL)) {
        MIP_FAIL(MIP_E_CONFIG, "see: mip generate --help",
                 "give either --prompt TEXT or --ids 1,2,3%s", ids == NULL ? "" : ", not both");
    }
    return ids != NULL ? parse_ids(a, ids, &out->input) : MIP_OK;
}

/* Ids need no template, and even the tokenizer only to show the answer as text. */
static mip_status load_front(arena *a, const request *r, text_front *out) {
    char *path = NULL;
    *out = (text_front){0};
    if (r->input.ids == NULL) {
        return text_front_load(r->model_dir, out);
    }
    MIP_TRY(fs_join(a, r->model_dir, "tokenizer.json", &path));
    return fs_is_file(path) ? text_front_load_tokenizer(r->model_dir, out) : MIP_OK;
}

static mip_status make_prompt(const request *r, const text_front *front, user_prompt *out) {
    session headers;
    MIP_TRY(session_open_dry(&headers, r->backend, r->model_dir));
    const mip_status status = user_prompt_create(&headers.model, front, &r->input, out);
    session_close(&headers);
    return status;
}

typedef struct generation_work {
    const model *m;
    const sequence *prompt;
    generate_options options;
    generated *out;
} generation_work;

static mip_status generate_work(exec *x, void *user) {
    const generation_work *w = user;
    MIP_TRY(generate_greedy(x, w->m, 1, w->prompt, &w->options, w->out));
    if (x->dry) {
        generated_free(w->out, 1);
    }
    return MIP_OK;
}

static mip_status generate_answer(const request *r, const sequence *prompt, generated *out) {
    session s;
    MIP_TRY(session_open(&s, r->backend, r->model_dir));
    generation_work work = {.m = &s.model,
                            .prompt = prompt,
                            .options = {.max_new_tokens = r->max_new_tokens,
                                        .repetition_penalty = s.model.repetition_penalty},
                            .out = out};
    const mip_status status = exec_run_planned(&s.x, generate_work, &work);
    session_close(&s);
    return status;
}

static mip_status write_ids(str *out, const generated *g) {
    for (int64_t i = 0; i < g->n; i++) {
        MIP_TRY(str_printf(out, "%s%" PRId32, i > 0 ? "," : "", g->ids[i]));
    }
    return MIP_OK;
}

static mip_status write_json(str *out, const generated *g, const char *text) {
    json_writer w = json_writer_start(out, false);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_begin_array(&w, "ids"));
    for (int64_t i = 0; i < g->n; i++) {
        MIP_TRY(json_put_i64(&w, NULL, g->ids[i]));
    }
    MIP_TRY(json_end(&w));
    MIP_TRY(json_put_string(&w, "text", text));
    return json_end(&w);
}

/* The text; the ids where the checkpoint has no tokenizer; or both as JSON. */
static mip_status print_answer(const text_front *front, const generated *g, bool json) {
    mip_status status = MIP_OK;
    str text;
    str line;
    str_init(&text);
    str_init(&line);
    if (front->tokens != NULL) {
        MIP_TRY_GOTO(tokenizer_decode(front->tokens, g->ids, (size_t)g->n, true, &text));
    }
    if (json) {
        MIP_TRY_GOTO(write_json(&line, g, front->tokens != NULL ? text.text : NULL));
    } else if (front->tokens == NULL) {
        MIP_TRY_GOTO(write_ids(&line, g));
    }
    print_text(line.n_bytes > 0 ? &line : &text);
out:
    str_deinit(&line);
    str_deinit(&text);
    return status;
}

static mip_status run(cli *c, const cli_args *args) {
    mip_status status = MIP_OK;
    request r;
    text_front front = {0};
    user_prompt prompt = {0};
    generated answer = {0};
    MIP_TRY_GOTO(read_request(&c->memory, args, &r));
    MIP_TRY_GOTO(load_front(&c->memory, &r, &front));
    MIP_TRY_GOTO(make_prompt(&r, &front, &prompt));
    MIP_TRY_GOTO(generate_answer(&r, &prompt.seq, &answer));
    MIP_TRY_GOTO(print_answer(&front, &answer, cli_flag(args, "json") > 0));
out:
    generated_free(&answer, 1);
    user_prompt_destroy(&prompt);
    text_front_deinit(&front);
    return status;
}

static const cli_option options[] = {
    {.name = "model", .value = "DIR", .help = "checkpoint folder (Hugging Face layout)"},
    {.name = "prompt", .value = "TEXT", .help = "what the user says; the chat template is added"},
    {.name = "ids", .value = "1,2,3", .help = "instead of --prompt: the token ids of all"},
    {.name = "image", .value = "FILE", .repeated = true, .help = "a PNG or JPEG before the text"},
    {.name = "max-new-tokens", .value = "N", .help = "longest answer (128)"},
    {.name = "backend", .value = "NAME", .help = "auto, cpu, ref, or a plugin (auto)"},
    {.name = "json", .help = "{\"ids\": [...], \"text\": \"...\"}"},
    {.name = NULL},
};

extern const cmd_entry cmd_generate;
const cmd_entry cmd_generate = {
    .name = "generate",
    .summary = "a model's greedy answer to a text with pictures",
    .usage = "--model DIR (--prompt TEXT | --ids 1,2,3) [options]",
    .options = options,
    .examples =
        "  mip generate --model demo/model/vanilla --prompt \"What is the name of this person?\" "
        "--image F.png\n",
    .run = run,
};
