/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/eval_record.c - see eval_record.h.
 *
 * Tested  tests/unit/eval/test_eval_record.c */
#include "eval/eval_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "io/json_doc.h"
#include "io/json_write.h"

static const size_t MAX_FILE_BYTES = (size_t)4 << 30;
static const int64_t MAX_TOKENS = INT64_C(1) << 20;
static const char *const SETS[EVAL_SETS] = {"forget", "retain", "celebrity", "holdout"};

const char *eval_set_name(eval_set set) {
    return SETS[set];
}

/* ---- writing --------------------------------------------------------------------------------- */

/* An option by its letter, or null. */
static mip_status put_option(json_writer *w, const char *key, int option) {
    const char letter[2] = {(char)('A' + option), '\0'};
    return json_put_string(w, key, option < 0 ? NULL : letter);
}

static mip_status put_tokens(json_writer *w, const eval_record *r) {
    MIP_TRY(json_begin_array(w, "tokens"));
    for (int64_t i = 0; i < r->n_tokens; i++) {
        MIP_TRY(json_put_i64(w, NULL, r->tokens[i]));
    }
    return json_end(w);
}

static mip_status put_likelihood(json_writer *w, const eval_record *r) {
    if (r->n_options == 0) {
        MIP_TRY(json_put_string(w, "options_logp", NULL));
        MIP_TRY(json_put_string(w, "likelihood_choice", NULL));
        return json_put_string(w, "likelihood_correct", NULL);
    }
    MIP_TRY(json_begin_array(w, "options_logp"));
    for (int i = 0; i < r->n_options; i++) {
        MIP_TRY(json_put_f64(w, NULL, r->options_logp[i]));
    }
    MIP_TRY(json_end(w));
    MIP_TRY(put_option(w, "likelihood_choice", r->likelihood_choice));
    return json_put_bool(w, "likelihood_correct", r->likelihood_correct);
}

mip_status eval_record_write(const eval_record *r, str *out) {
    json_writer w = json_writer_start(out, false);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_put_string(&w, "id", r->id));
    MIP_TRY(json_put_string(&w, "set", SETS[r->set]));
    MIP_TRY(json_put_string(&w, "task", record_task_name(r->task)));
    MIP_TRY(json_put_string(&w, "modality", record_modality_name(r->modality)));
    MIP_TRY(json_put_string(&w, "protocol", r->protocol));
    MIP_TRY(json_put_string(&w, "model_sha", r->model_sha));
    MIP_TRY(json_put_string(&w, "prompt_sha", r->prompt_sha));
    MIP_TRY(json_put_i64(&w, "n_prompt", r->n_prompt));
    MIP_TRY(json_put_i64(&w, "n_image_tokens", r->n_image_tokens));
    MIP_TRY(json_put_string(&w, "output", r->output));
    MIP_TRY(put_tokens(&w, r));
    MIP_TRY(json_put_bool(&w, "stopped", r->stopped));
    MIP_TRY(put_option(&w, "parsed", r->parsed));
    MIP_TRY(json_put_bool(&w, "correct", r->correct));
    MIP_TRY(json_put_bool(&w, "unreadable", r->unreadable));
    MIP_TRY(put_likelihood(&w, r));
    return json_end(&w);
}

/* ---- reading --------------------------------------------------------------------------------- */

static mip_status read_text(arena *a, const json_doc *doc, const char *key, const char **out) {
    const char *found = NULL;
    char *copy = NULL;
    MIP_TRY(json_string(doc, doc->root, key, &found));
    MIP_TRY(arena_strdup(a, found, &copy));
    *out = copy;
    return MIP_OK;
}

static mip_status read_option(const json_doc *doc, const char *key, int *out) {
    const char *letter = NULL;
    MIP_TRY(json_string_or(doc, doc->root, key, NULL, &letter));
    *out = -1;
    if (letter == NULL) {
        return MIP_OK;
    }
    if (letter[0] < 'A' || letter[0] >= 'A' + RECORD_MAX_OPTIONS || letter[1] != '\0') {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s is \"%s\", expected a letter or null", doc->name, key,
                 letter);
    }
    *out = letter[0] - 'A';
    return MIP_OK;
}

static mip_status read_kind(const json_doc *doc, eval_record *out) {
    const char *set = NULL;
    const char *task = NULL;
    const char *modality = NULL;
    MIP_TRY(json_string(doc, doc->root, "set", &set));
    MIP_TRY(json_string(doc, doc->root, "task", &task));
    MIP_TRY(json_string(doc, doc->root, "modality", &modality));
    int i = 0;
    while (i < EVAL_SETS && strcmp(set, SETS[i]) != 0) {
        i++;
    }
    out->set = (eval_set)i;
    if (i == EVAL_SETS || !record_task_parse(task, &out->task) ||
        !record_modality_parse(modality, &out->modality)) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: no set, task or modality of ours: \"%s\", \"%s\", \"%s\"",
                 doc->name, set, task, modality);
    }
    return MIP_OK;
}

static mip_status read_tokens(arena *a, const json_doc *doc, eval_record *out) {
    const json_value *list = NULL;
    int32_t *ids = NULL;
    MIP_TRY(json_array(doc, doc->root, "tokens", 0, MAX_TOKENS, &list));
    MIP_TRY(ARENA_NEW(a, json_size(list), &ids));
    for (const json_value *v = json_first(list); v != NULL; v = json_next(v)) {
        int64_t id = 0;
        MIP_TRY(json_value_i64(doc, v, 0, INT32_MAX, &id));
        ids[out->n_tokens++] = (int32_t)id;
    }
    out->tokens = ids;
    return MIP_OK;
}

static mip_status read_likelihood(const json_doc *doc, eval_record *out) {
    const json_value *found = json_find(doc->root, "options_logp");
    const json_value *list = NULL;
    out->likelihood_choice = -1;
    if (found == NULL || json_kind_get(found) == JSON_NULL) {
        return MIP_OK;
    }
    MIP_TRY(json_array(doc, doc->root, "options_logp", 1, RECORD_MAX_OPTIONS, &list));
    for (const json_value *v = json_first(list); v != NULL; v = json_next(v)) {
        MIP_TRY(json_value_f64(doc, v, -1e300, 0, &out->options_logp[out->n_options++]));
    }
    MIP_TRY(read_option(doc, "likelihood_choice", &out->likelihood_choice));
    return json_bool(doc, doc->root, "likelihood_correct", &out->likelihood_correct);
}

static mip_status read_fields(arena *a, const json_doc *doc, eval_record *out) {
    const int64_t any = INT64_C(1) << 52;
    MIP_TRY(read_text(a, doc, "id", &out->id));
    MIP_TRY(read_kind(doc, out));
    MIP_TRY(read_text(a, doc, "protocol", &out->protocol));
    MIP_TRY(read_text(a, doc, "model_sha", &out->model_sha));
    MIP_TRY(read_text(a, doc, "prompt_sha", &out->prompt_sha));
    MIP_TRY(json_i64(doc, doc->root, "n_prompt", 0, any, &out->n_prompt));
    MIP_TRY(json_i64(doc, doc->root, "n_image_tokens", 0, any, &out->n_image_tokens));
    MIP_TRY(read_text(a, doc, "output", &out->output));
    MIP_TRY(read_tokens(a, doc, out));
    MIP_TRY(json_bool(doc, doc->root, "stopped", &out->stopped));
    MIP_TRY(read_option(doc, "parsed", &out->parsed));
    MIP_TRY(json_bool(doc, doc->root, "correct", &out->correct));
    MIP_TRY(json_bool(doc, doc->root, "unreadable", &out->unreadable));
    return read_likelihood(doc, out);
}

mip_status eval_record_read(arena *a, const char *file, int64_t line, const char *text,
                            size_t n_bytes, eval_record *out) {
    char name[512];
    json_doc doc = {0};
    *out = (eval_record){0};
    snprintf(name, sizeof name, "%s:%" PRId64, file, line);
    MIP_TRY(json_doc_parse(name, text, n_bytes, NULL, &doc));
    const mip_status status = read_fields(a, &doc, out);
    json_doc_deinit(&doc);
    return status;
}

mip_status eval_records_load(arena *a, const char *path, eval_records *out) {
    char *text = NULL;
    size_t n_bytes = 0;
    int64_t n_lines = 0;
    *out = (eval_records){0};
    MIP_TRY(fs_read_file(a, path, MAX_FILE_BYTES, &text, &n_bytes));
    for (size_t i = 0; i < n_bytes; i++) {
        n_lines += text[i] == '\n';
    }
    MIP_TRY(ARENA_NEW(a, n_lines, &out->items));
    char *line = text;
    while (out->n < n_lines) {
        char *end = memchr(line, '\n', n_bytes - (size_t)(line - text));
        *end = '\0';
        const mip_status status =
            eval_record_read(a, path, out->n + 1, line, (size_t)(end - line), &out->items[out->n]);
        if (status == MIP_E_FORMAT) {
            char hint[MIP_ERROR_HINT_BYTES];
            snprintf(hint, sizeof hint, "sed -i '%lld,$d' %.120s; those questions are asked again",
                     (long long)out->n + 1, path);
            MIP_FAIL(MIP_E_FORMAT, hint, "%s", mip_error_last()->what);
        }
        MIP_TRY(status);
        out->n++;
        line = end + 1;
    }
    return MIP_OK;
}
