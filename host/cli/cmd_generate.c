/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_generate.c - `mip generate`: a model's greedy answer to a text with pictures.
 *
 * How     The prompt is made from the checkpoint's headers alone, so that a broken picture
 *         is told before the weights are read. Repetition penalty and stop tokens are those
 *         of generation_config.json. */
#include <inttypes.h>

#include "base/status_priv.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cli/prompt_options.h"
#include "io/json_write.h"
#include "model/generate.h"
#include "model/session.h"

enum { DEFAULT_NEW_TOKENS = 128, MAX_NEW_TOKENS = 1 << 20 };

static mip_status answer_prompt(const prompt_request *r, int64_t max_new_tokens,
                                const sequence *prompt, generated *out) {
    session s;
    MIP_TRY(session_open(&s, r->backend, r->model_dir, r->dtype));
    const generate_options options = {.max_new_tokens = max_new_tokens,
                                      .repetition_penalty = s.model.repetition_penalty};
    const mip_status status = generate_answer(&s.x, &s.model, prompt, &options, out);
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
    prompt_request r;
    int64_t max_new_tokens = 0;
    text_front front = {0};
    user_prompt prompt = {0};
    generated answer = {0};
    MIP_TRY_GOTO(prompt_request_read(&c->memory, args, &r));
    MIP_TRY_GOTO(
        cli_int(args, "max-new-tokens", 1, MAX_NEW_TOKENS, DEFAULT_NEW_TOKENS, &max_new_tokens));
    MIP_TRY_GOTO(prompt_front_load(&c->memory, &r, &front));
    MIP_TRY_GOTO(prompt_make(&r, &front, &prompt));
    if (prompt.n_prompt < prompt.seq.n) {
        MIP_FAIL_GOTO(MIP_E_CONFIG, "end it with a message of the user",
                      "%s ends with the assistant's answer: nothing is left to say",
                      r.input.messages_path);
    }
    MIP_TRY_GOTO(answer_prompt(&r, max_new_tokens, &prompt.seq, &answer));
    MIP_TRY_GOTO(print_answer(&front, &answer, cli_flag(args, "json") > 0));
out:
    generated_free(&answer, 1);
    user_prompt_destroy(&prompt);
    text_front_deinit(&front);
    return status;
}

static const cli_option options[] = {
    CLI_PROMPT_OPTIONS,
    {.name = "max-new-tokens", .value = "N", .help = "longest answer (128)"},
    {.name = "json", .help = "{\"ids\": [...], \"text\": \"...\"}"},
    {.name = NULL},
};

extern const cmd_entry cmd_generate;
const cmd_entry cmd_generate = {
    .name = "generate",
    .summary = "a model's greedy answer to a text with pictures",
    .usage = "--model DIR (--prompt TEXT | --ids 1,2,3 | --messages F.json) [options]",
    .options = options,
    .examples =
        "  mip generate --model demo/model/vanilla --prompt \"What is the name of this person?\" "
        "--image F.png\n",
    .run = run,
};
