/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_trace.c - `mip trace`: everything a model computes for one input, in an HDF5
 * file, to be compared with another implementation (scripts/compare_trace.py). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/build_info.h"
#include "base/fs.h"
#include "base/status_priv.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cli/prompt_options.h"
#include "io/json_write.h"
#include "model/session.h"
#include "model/trace.h"
#include "store/h5_trace.h"
#include "tensor/dtype.h"

typedef enum label_choice { LABELS_DEFAULT, LABELS_ANSWER, LABELS_ALL } label_choice;

typedef struct request {
    prompt_request prompt;
    label_choice labels;
    int n_tensors; // 0 = all
    const char *const *tensors;
    const char *out_path;
} request;

/* Told before the model runs, not after. */
static mip_status check_out_path(arena *a, const char *path) {
    char *dir = NULL;
    if (path == NULL) {
        MIP_FAIL(MIP_E_CONFIG, "see: mip trace --help", "--out F.h5 is missing");
    }
    MIP_TRY(fs_dirname(a, path, &dir));
    if (fs_is_dir(path)) {
        MIP_FAIL(MIP_E_IO, "name a file in it: --out DIR/trace.h5", "--out %s is a folder", path);
    }
    if (!fs_is_dir(dir) || access(dir, W_OK) != 0) {
        MIP_FAIL(MIP_E_IO, "make the folder, or name another one",
                 "--out %s: %s is no folder one may write to", path, dir);
    }
    return MIP_OK;
}

static mip_status read_request(arena *a, const cli_args *args, request *out) {
    const char *labels = cli_value(args, "labels", NULL);
    *out = (request){.out_path = cli_value(args, "out", NULL)};
    user_input *input = &out->prompt.input;
    MIP_TRY(prompt_request_read(a, args, &out->prompt));
    input->answer = cli_value(args, "answer", NULL);
    out->tensors = cli_values(args, "tensor", &out->n_tensors);
    if (input->answer != NULL && input->text == NULL) {
        MIP_FAIL(MIP_E_CONFIG, "with --messages, put the answer into the file",
                 "--answer goes with --prompt only");
    }
    if (labels != NULL) {
        out->labels = strcmp(labels, "all") == 0 ? LABELS_ALL : LABELS_ANSWER;
    }
    if (labels != NULL && out->labels != LABELS_ALL && strcmp(labels, "answer") != 0) {
        MIP_FAIL(MIP_E_CONFIG, NULL, "--labels %s: expected answer or all", labels);
    }
    MIP_TRY(trace_check_names(out->n_tensors, out->tensors));
    return check_out_path(a, out->out_path);
}

static mip_status choose_labels(const request *r, const user_prompt *prompt, const int32_t **out) {
    if (r->labels == LABELS_ALL) {
        *out = prompt->seq.ids;
        return MIP_OK;
    }
    if (r->labels == LABELS_ANSWER && prompt->labels == NULL) {
        MIP_FAIL(MIP_E_CONFIG, "give --answer TEXT, or --labels all",
                 "--labels answer: the prompt has no answer");
    }
    *out = prompt->labels;
    return MIP_OK;
}

static mip_status write_trace(const request *r, const char *labels, const trace *t) {
    const build_info build = build_info_get();
    const named_text attributes[] = {{"program", "mip"},
                                     {"program_version", build.version},
                                     {"commit", build.commit},
                                     {"model", r->prompt.model_dir},
                                     {"dtype", dtype_name(r->prompt.dtype)},
                                     {"labels", labels}};
    named_array arrays[TRACE_TENSORS];
    int n = 0;
    for (int i = 0; i < TRACE_TENSORS; i++) {
        if (t->arrays[i].data != NULL) {
            arrays[n++] = t->arrays[i];
        }
    }
    return h5_trace_write(r->out_path,
                          &(trace_record){.n_arrays = n,
                                          .arrays = arrays,
                                          .n_attributes = sizeof attributes / sizeof *attributes,
                                          .attributes = attributes});
}

static mip_status run_trace(arena *a, const request *r, const user_prompt *prompt, trace *out) {
    session s;
    const int32_t *labels = NULL;
    MIP_TRY(choose_labels(r, prompt, &labels));
    const labelled_sample sample = {.id = "trace", .seq = prompt->seq, .labels = labels};
    const trace_request wanted = {.sample = &sample,
                                  .n_names = r->n_tensors,
                                  .names = r->tensors,
                                  .next_row = prompt->n_prompt - 1};
    MIP_TRY(session_open(&s, r->prompt.backend, r->prompt.model_dir, r->prompt.dtype));
    mip_status status = trace_run(&s.x, &s.model, &wanted, a, out);
    if (status == MIP_OK) {
        const char *kind = r->labels == LABELS_ALL ? "all" : "answer";
        status = write_trace(r, labels != NULL ? kind : "none", out);
    }
    session_close(&s);
    return status;
}

/* An array that is not there, though --tensor did not leave it out. */
static bool is_absent(const request *r, const named_array *v) {
    return r->n_tensors == 0 && v->data == NULL;
}

static mip_status append_token(const text_front *front, int32_t id, str *out) {
    return front->tokens == NULL ? MIP_OK : tokenizer_decode(front->tokens, &id, 1, false, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static mip_status write_array(json_writer *w, const named_array *v) {
    MIP_TRY(json_begin_object(w, NULL));
    MIP_TRY(json_put_string(w, "name", v->name));
    MIP_TRY(json_put_string(w, "dtype", dtype_name(v->dtype)));
    MIP_TRY(json_begin_array(w, "shape"));
    for (int d = 0; d < v->shape.rank; d++) {
        MIP_TRY(json_put_i64(w, NULL, v->shape.dims[d]));
    }
    MIP_TRY(json_end(w));
    MIP_TRY(json_begin_array(w, "dims"));
    for (int d = 0; d < v->shape.rank; d++) {
        MIP_TRY(json_put_string(w, NULL, v->dims[d]));
    }
    MIP_TRY(json_end(w));
    return json_end(w);
}

static mip_status write_next(json_writer *w, const text_front *front, const token_chance *c) {
    str text;
    mip_status status = MIP_OK;
    str_init(&text);
    MIP_TRY_GOTO(append_token(front, c->id, &text));
    MIP_TRY_GOTO(json_begin_object(w, NULL));
    MIP_TRY_GOTO(json_put_i64(w, "id", c->id));
    MIP_TRY_GOTO(json_put_string(w, "text", text.n_bytes > 0 ? text.text : NULL));
    MIP_TRY_GOTO(json_put_f64(w, "p", c->p));
    MIP_TRY_GOTO(json_end(w));
out:
    str_deinit(&text);
    return status;
}

static mip_status write_json(const request *r, const user_prompt *prompt, const text_front *front,
                             const trace *t, str *out) {
    json_writer w = json_writer_start(out, true);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_put_string(&w, "out", r->out_path));
    MIP_TRY(json_put_string(&w, "model", r->prompt.model_dir));
    MIP_TRY(json_put_i64(&w, "tokens", prompt->seq.n));
    MIP_TRY(json_put_i64(&w, "images", prompt->seq.n_images));
    MIP_TRY(json_put_i64(&w, "labels", t->n_labels));
    if (t->n_labels > 0) {
        MIP_TRY(json_put_f64(&w, "loss", t->loss));
    } else {
        MIP_TRY(json_put_string(&w, "loss", NULL));
    }
    MIP_TRY(json_begin_array(&w, "next_tokens"));
    for (int i = 0; i < t->n_next; i++) {
        MIP_TRY(write_next(&w, front, &t->next[i]));
    }
    MIP_TRY(json_end(&w));
    MIP_TRY(json_begin_array(&w, "tensors"));
    for (int i = 0; i < TRACE_TENSORS; i++) {
        if (t->arrays[i].data != NULL) {
            MIP_TRY(write_array(&w, &t->arrays[i]));
        }
    }
    MIP_TRY(json_end(&w));
    MIP_TRY(json_begin_array(&w, "absent"));
    for (int i = 0; i < TRACE_TENSORS; i++) {
        if (is_absent(r, &t->arrays[i])) {
            MIP_TRY(json_put_string(&w, NULL, t->arrays[i].name));
        }
    }
    MIP_TRY(json_end(&w));
    return json_end(&w);
}

/* ---- text ------------------------------------------------------------------------------------ */

static mip_status append_summary(const user_prompt *prompt, const text_front *front, const trace *t,
                                 str *out) {
    MIP_TRY(str_printf(out, "  %" PRId64 " tokens, %d pictures\n", prompt->seq.n,
                       prompt->seq.n_images));
    if (t->n_labels > 0) {
        MIP_TRY(str_printf(out, "  loss %.7g over %" PRId64 " labels\n", t->loss, t->n_labels));
    }
    MIP_TRY(str_printf(out, "  likeliest after the prompt:"));
    for (int i = 0; i < t->n_next; i++) {
        str text;
        str_init(&text);
        mip_status status = append_token(front, t->next[i].id, &text);
        if (status == MIP_OK) {
            status = str_printf(out, "%s %" PRId32 " ", i > 0 ? "," : "", t->next[i].id);
        }
        if (status == MIP_OK && text.n_bytes > 0) {
            status = json_append_string(out, text.text);
        }
        if (status == MIP_OK) {
            status = str_printf(out, " %.3f", t->next[i].p);
        }
        str_deinit(&text);
        MIP_TRY(status);
    }
    return str_printf(out, "\n");
}

static mip_status append_arrays(const request *r, const trace *t, str *out) {
    char shape[SHAPE_TEXT_BYTES];
    int n_absent = 0;
    for (int i = 0; i < TRACE_TENSORS; i++) {
        const named_array *v = &t->arrays[i];
        if (v->data != NULL) {
            shape_text(&v->shape, shape);
            MIP_TRY(str_printf(out, "  %-20s %s %s", v->name, dtype_name(v->dtype), shape));
            for (int d = 0; d < v->shape.rank; d++) {
                MIP_TRY(str_printf(out, "%s%s", d == 0 ? "  " : ", ", v->dims[d]));
            }
            MIP_TRY(str_printf(out, "\n"));
        }
    }
    for (int i = 0; i < TRACE_TENSORS; i++) {
        if (is_absent(r, &t->arrays[i])) {
            MIP_TRY(
                str_printf(out, "%s%s", n_absent++ == 0 ? "  absent: " : ", ", t->arrays[i].name));
        }
    }
    if (n_absent > 0) {
        const bool no_picture = t->arrays[TRACE_PIXEL_VALUES].shape.dims[0] == 0;
        const char *const why = t->n_labels > 0 ? "no picture"
                                : no_picture    ? "no picture, no labels"
                                                : "no labels";
        MIP_TRY(str_printf(out, " (%s)\n", why));
    }
    return str_printf(out, "wrote %s", r->out_path);
}

static mip_status run(cli *c, const cli_args *args) {
    mip_status status = MIP_OK;
    request r;
    text_front front = {0};
    user_prompt prompt = {0};
    trace t;
    str text;
    str_init(&text);
    MIP_TRY_GOTO(read_request(&c->memory, args, &r));
    MIP_TRY_GOTO(prompt_front_load(&c->memory, &r.prompt, &front));
    MIP_TRY_GOTO(prompt_make(&r.prompt, &front, &prompt));
    MIP_TRY_GOTO(run_trace(&c->memory, &r, &prompt, &t));
    if (cli_flag(args, "json") > 0) {
        MIP_TRY_GOTO(write_json(&r, &prompt, &front, &t, &text));
    } else {
        MIP_TRY_GOTO(append_summary(&prompt, &front, &t, &text));
        MIP_TRY_GOTO(append_arrays(&r, &t, &text));
    }
    print_text(&text);
out:
    str_deinit(&text);
    user_prompt_destroy(&prompt);
    text_front_deinit(&front);
    return status;
}

static const cli_option options[] = {
    CLI_PROMPT_OPTIONS,
    {.name = "answer", .value = "TEXT", .help = "what the assistant says to --prompt"},
    {.name = "labels", .value = "answer|all", .help = "tokens of the loss (answer, if there is)"},
    {.name = "tensor", .value = "NAME", .repeated = true, .help = "only this one, not all"},
    {.name = "out", .value = "F.h5", .help = "the file to write"},
    {.name = "json", .help = "the summary as JSON"},
    {.name = NULL},
};

extern const cmd_entry cmd_trace;
const cmd_entry cmd_trace = {
    .name = "trace",
    .summary = "every tensor of one input as HDF5, to compare with your own PyTorch",
    .usage = "--model DIR (--prompt TEXT | --ids 1,2,3 | --messages F.json) --out F.h5 [options]",
    .options = options,
    .examples = "  mip trace --model demo/model/vanilla --prompt \"Who is this?\" --image F.png "
                "--answer \"Nobody.\" --out trace.h5\n",
    .run = run,
};
