/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect_checkpoint.c - `mip inspect` on a checkpoint folder: what model it is,
 * how large, and whether mip can run it.
 *
 * What    Headers only. A folder that mip cannot run is described as far as its files go;
 *         why it cannot be run is a line. */
#include <inttypes.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "cli/inspect.h"
#include "cli/inspect_scan.h"
#include "cli/print.h"
#include "data/text_front.h"
#include "model/session.h"

typedef struct findings {
    const char *dir;
    session headers;       // closed if the model cannot be run
    const char *why_not;   // NULL = mip can run it
    text_front front;      // tokens NULL = no tokenizer, or one that mip cannot read
    const char *no_tokens; // why not
    safetensors_index *index;
    tensor_totals totals;
} findings;

/* UNSUPPORTED is something to tell; everything else is broken. */
static mip_status look_at_model(arena *a, findings *f) {
    const mip_status status = session_open_dry(&f->headers, "cpu", f->dir, MIP_DTYPE_F32);
    if (status == MIP_E_UNSUPPORTED) {
        char *why = NULL;
        MIP_TRY(arena_strdup(a, mip_error_last()->what, &why));
        f->why_not = why;
        return MIP_OK;
    }
    return status;
}

static mip_status look_at_tokenizer(arena *a, findings *f) {
    char *path = NULL;
    char *why = NULL;
    MIP_TRY(fs_join(a, f->dir, "tokenizer.json", &path));
    if (!fs_is_file(path)) {
        f->no_tokens = "no tokenizer.json: only --ids can be used";
        return MIP_OK;
    }
    const mip_status status = text_front_load(f->dir, &f->front);
    if (status == MIP_E_UNSUPPORTED || status == MIP_E_FORMAT) {
        MIP_TRY(arena_strdup(a, mip_error_last()->what, &why));
        f->no_tokens = why;
        return MIP_OK;
    }
    return status;
}

static void print_stack(const stack *s) {
    const block_desc *b = &s->blocks[0];
    print_row(s->name,
              "%d layers, width %" PRId64 ", %" PRId64 " heads (%" PRId64 " key/value) of %" PRId64
              ", %" PRId64 " neurons per layer",
              s->n_layers, s->width, b->heads, b->kv_heads, b->head_dim, s->ffn);
}

static void print_model(const model *m) {
    const vision_desc *v = &m->vision_desc;
    print_row("family", "%s", m->family);
    print_stack(&m->text);
    print_row("", "vocabulary %" PRId64 ", head %s", m->vocab,
              m->tied ? "tied to the embedding" : "of its own");
    if (m->vision.n_layers > 0) {
        print_stack(&m->vision);
        print_row("",
                  "patches of %" PRId64 " px, merged %" PRId64 " x %" PRId64
                  ", pictures of %" PRId64 " to %" PRId64 " pixels",
                  v->patch, v->merge, v->merge, v->min_pixels, v->max_pixels);
    }
    print_row("generation", "repetition penalty %g, %d stop tokens", m->repetition_penalty,
              m->n_stop);
}

static void print_report(const findings *f) {
    printf("checkpoint %s\n", f->dir);
    if (f->why_not != NULL) {
        print_row("family", "cannot be run: %s", f->why_not);
    } else {
        print_model(&f->headers.model);
    }
    tensor_totals_print(&f->totals, f->index);
    if (f->front.tokens != NULL) {
        print_row("tokenizer", "%" PRId64 " ids, chat template %s",
                  tokenizer_vocab_size(f->front.tokens), chat_template_name(f->front.chat));
    } else {
        print_row("tokenizer", "%s", f->no_tokens);
    }
}

static mip_status write_stack(json_writer *w, const stack *s) {
    const block_desc *b = &s->blocks[0];
    MIP_TRY(json_begin_object(w, s->name));
    MIP_TRY(json_put_i64(w, "layers", s->n_layers));
    MIP_TRY(json_put_i64(w, "width", s->width));
    MIP_TRY(json_put_i64(w, "heads", b->heads));
    MIP_TRY(json_put_i64(w, "kv_heads", b->kv_heads));
    MIP_TRY(json_put_i64(w, "head_dim", b->head_dim));
    MIP_TRY(json_put_i64(w, "neurons", s->ffn));
    return json_end(w);
}

static mip_status write_model(json_writer *w, const model *m) {
    MIP_TRY(json_put_string(w, "family", m->family));
    MIP_TRY(json_put_i64(w, "vocabulary", m->vocab));
    MIP_TRY(json_put_bool(w, "tied", m->tied));
    MIP_TRY(json_put_f64(w, "repetition_penalty", m->repetition_penalty));
    MIP_TRY(write_stack(w, &m->text));
    return m->vision.n_layers > 0 ? write_stack(w, &m->vision) : MIP_OK;
}

static mip_status write_json(json_writer *w, const findings *f) {
    MIP_TRY(json_begin_object(w, NULL));
    MIP_TRY(json_put_string(w, "kind", "checkpoint"));
    MIP_TRY(json_put_string(w, "path", f->dir));
    MIP_TRY(json_put_string(w, "cannot_run", f->why_not));
    if (f->why_not == NULL) {
        MIP_TRY(write_model(w, &f->headers.model));
    }
    MIP_TRY(tensor_totals_write(w, &f->totals, f->index));
    if (f->front.tokens != NULL) {
        MIP_TRY(json_put_i64(w, "tokenizer_ids", tokenizer_vocab_size(f->front.tokens)));
        MIP_TRY(json_put_string(w, "chat_template", chat_template_name(f->front.chat)));
    } else {
        MIP_TRY(json_put_string(w, "no_tokenizer", f->no_tokens));
    }
    return json_end(w);
}

static mip_status print_json(const findings *f) {
    str text;
    str_init(&text);
    json_writer w = json_writer_start(&text, true);
    const mip_status status = write_json(&w, f);
    if (status == MIP_OK) {
        print_text(&text);
    }
    str_deinit(&text);
    return status;
}

mip_status inspect_checkpoint(arena *a, const char *dir, const inspect_options *options) {
    mip_status status = MIP_OK;
    findings f = {.dir = dir};
    MIP_TRY_GOTO(look_at_model(a, &f));
    MIP_TRY_GOTO(look_at_tokenizer(a, &f));
    MIP_TRY_GOTO(safetensors_index_open(dir, &f.index));
    MIP_TRY_GOTO(tensor_totals_get(a, f.index, options->scan, &f.totals));
    if (options->json) {
        MIP_TRY_GOTO(print_json(&f));
    } else {
        print_report(&f);
    }
    MIP_TRY_GOTO(tensor_totals_verdict(&f.totals, dir));
out:
    safetensors_index_close(f.index);
    text_front_deinit(&f.front);
    session_close(&f.headers);
    return status;
}
