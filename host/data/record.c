/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/record.c - see record.h.
 *
 * How     A line is parsed into a JSON tree, its fields are copied into the arena one by one.
 *         A field of the wrong kind becomes a breach and reading goes on with the next field.
 * Tested  tests/unit/data/test_record.c */
#include "data/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/status_priv.h"
#include "base/str.h"

enum { MAX_LIST = 4096 };

static const char *const SUBSETS[RECORD_SUBSETS] = {
    "full",       "test",       "celebrity", "train", "forget_perturbed", "retain_perturbed",
    "real_faces", "real_world", "holdout"};
static const char *const TASKS[RECORD_TASKS] = {"mcq",  "gen",   "cloze", "caption",
                                                "name", "train", "qa"};
static const char *const MODALITIES[RECORD_MODALITIES] = {"image", "text"};

const char *record_subset_name(record_subset subset) {
    return SUBSETS[subset];
}

const char *record_task_name(record_task task) {
    return TASKS[task];
}

const char *record_modality_name(record_modality modality) {
    return MODALITIES[modality];
}

static int name_index(const char *name, const char *const *names, int n) {
    for (int i = 0; i < n; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

bool record_subset_parse(const char *name, record_subset *out) {
    const int i = name_index(name, SUBSETS, RECORD_SUBSETS);
    *out = i >= 0 ? (record_subset)i : *out;
    return i >= 0;
}

bool record_task_parse(const char *name, record_task *out) {
    const int i = name_index(name, TASKS, RECORD_TASKS);
    *out = i >= 0 ? (record_task)i : *out;
    return i >= 0;
}

bool record_modality_parse(const char *name, record_modality *out) {
    const int i = name_index(name, MODALITIES, RECORD_MODALITIES);
    *out = i >= 0 ? (record_modality)i : *out;
    return i >= 0;
}

bool record_in_split(const record *r, const char *split) {
    return name_index(split, r->splits, r->n_splits) >= 0;
}

bool record_id_is_legal(const char *id) {
    return id[0] != '\0' && id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789/_+-")] == '\0';
}

bool record_path_is_inside(const char *path) {
    const char *part = path;
    for (;;) {
        const char *slash = strchr(part, '/');
        const size_t n = slash != NULL ? (size_t)(slash - part) : strlen(part);
        if (n == 0 || (n == 2 && strncmp(part, "..", 2) == 0)) {
            return false;
        }
        if (slash == NULL) {
            return true;
        }
        part = slash + 1;
    }
}

/* What every reading function below needs. */
typedef struct reading {
    arena *memory;
    breach_list *breaches;
    const char *file;
    int64_t line;
    const json_doc *doc;
} reading;

/* A getter's failure is a fault of the data; anything else stops the reading. */
static mip_status noted(const reading *r, mip_status status) {
    return breach_add_error(r->breaches, r->file, r->line, status);
}

#define BREACH(r, ...) MIP_TRY(breach_add((r)->breaches, (r)->file, (r)->line, __VA_ARGS__))

/* *out is a copy, or NULL where the key is missing, null (if allowed), or no string. */
static mip_status read_text(const reading *r, const json_value *object, const char *key,
                            bool may_be_null, const char **out) {
    const char *found = NULL;
    char *copy = NULL;
    *out = NULL;
    const mip_status status = may_be_null ? json_string_or(r->doc, object, key, NULL, &found)
                                          : json_string(r->doc, object, key, &found);
    MIP_TRY(noted(r, status));
    if (status == MIP_OK && found != NULL) {
        MIP_TRY(arena_strdup(r->memory, found, &copy));
        *out = copy;
    }
    return MIP_OK;
}

static mip_status read_texts(const reading *r, const json_value *object, const char *key,
                             bool may_be_null, int *out_n, const char *const **out) {
    const json_value *list = NULL;
    const json_value *found = json_find(object, key);
    *out_n = 0;
    *out = NULL;
    if (may_be_null && (found == NULL || json_kind_get(found) == JSON_NULL)) {
        return MIP_OK;
    }
    const mip_status status = json_array(r->doc, object, key, 0, MAX_LIST, &list);
    if (status != MIP_OK) {
        return noted(r, status);
    }
    const char **texts = NULL;
    MIP_TRY(ARENA_NEW(r->memory, json_size(list), &texts));
    for (const json_value *v = json_first(list); v != NULL; v = json_next(v)) {
        const char *text = "";
        char *copy = NULL;
        MIP_TRY(noted(r, json_value_string(r->doc, v, &text)));
        MIP_TRY(arena_strdup(r->memory, text, &copy));
        texts[(*out_n)++] = copy;
    }
    *out = texts;
    return MIP_OK;
}

static mip_status read_name(const reading *r, const char *key, const char *const *names, int n,
                            int *out) {
    const char *name = NULL;
    MIP_TRY(read_text(r, r->doc->root, key, false, &name));
    *out = name != NULL ? name_index(name, names, n) : 0;
    if (*out < 0) {
        BREACH(r, "%s \"%s\" is none of the format's", key, name);
        *out = 0;
    }
    return MIP_OK;
}

static mip_status read_part(const reading *r, const json_value *v, int n_images, record_part *out) {
    *out = (record_part){.image = -1};
    if (json_find(v, "image") == NULL) {
        return read_text(r, v, "text", false, &out->text);
    }
    int64_t image = 0;
    const mip_status status = json_i64(r->doc, v, "image", 0, MAX_LIST, &image);
    MIP_TRY(noted(r, status));
    if (status == MIP_OK && image >= n_images) {
        BREACH(r, "a turn shows image %" PRId64 ", the record has %d", image, n_images);
    }
    out->image = (int)image;
    return MIP_OK;
}

static mip_status read_turn(const reading *r, const json_value *v, int n_images, record_turn *out) {
    const char *role = NULL;
    const json_value *content = NULL;
    record_part *parts = NULL;
    MIP_TRY(read_text(r, v, "role", false, &role));
    out->assistant = role != NULL && strcmp(role, "assistant") == 0;
    if (role != NULL && !out->assistant && strcmp(role, "user") != 0) {
        BREACH(r, "role \"%s\" is neither user nor assistant", role);
    }
    const mip_status status = json_array(r->doc, v, "content", 1, MAX_LIST, &content);
    if (status != MIP_OK) {
        return noted(r, status);
    }
    MIP_TRY(ARENA_NEW(r->memory, json_size(content), &parts));
    out->parts = parts;
    for (const json_value *p = json_first(content); p != NULL; p = json_next(p)) {
        MIP_TRY(read_part(r, p, n_images, &parts[out->n_parts]));
        if (out->assistant && parts[out->n_parts].image >= 0) {
            BREACH(r, "an assistant's turn shows an image");
        }
        out->n_parts++;
    }
    return MIP_OK;
}

static mip_status read_turns(const reading *r, record *out) {
    const json_value *found = json_find(r->doc->root, "turns");
    const json_value *list = NULL;
    record_turn *turns = NULL;
    if (found == NULL || json_kind_get(found) == JSON_NULL) {
        return MIP_OK;
    }
    const mip_status status = json_array(r->doc, r->doc->root, "turns", 1, MAX_LIST, &list);
    if (status != MIP_OK) {
        return noted(r, status);
    }
    MIP_TRY(ARENA_NEW(r->memory, json_size(list), &turns));
    out->turns = turns;
    for (const json_value *v = json_first(list); v != NULL; v = json_next(v)) {
        MIP_TRY(read_turn(r, v, out->n_images, &turns[out->n_turns]));
        out->n_turns++;
    }
    return MIP_OK;
}

static mip_status read_fields(const reading *r, record *out) {
    const json_value *root = r->doc->root;
    int subset = 0;
    int modality = 0;
    int task = 0;
    MIP_TRY(read_text(r, root, "id", false, &out->id));
    MIP_TRY(read_text(r, root, "person", false, &out->person));
    MIP_TRY(read_name(r, "subset", SUBSETS, RECORD_SUBSETS, &subset));
    MIP_TRY(read_name(r, "modality", MODALITIES, RECORD_MODALITIES, &modality));
    MIP_TRY(read_name(r, "task", TASKS, RECORD_TASKS, &task));
    out->subset = (record_subset)subset;
    out->modality = (record_modality)modality;
    out->task = (record_task)task;
    MIP_TRY(read_texts(r, root, "splits", false, &out->n_splits, &out->splits));
    MIP_TRY(read_texts(r, root, "images", false, &out->n_images, &out->images));
    MIP_TRY(read_text(r, root, "question", true, &out->question));
    MIP_TRY(read_turns(r, out));
    MIP_TRY(read_texts(r, root, "options", true, &out->n_options, &out->options));
    MIP_TRY(read_text(r, root, "answer", true, &out->answer));
    return read_text(r, root, "answer_text", true, &out->answer_text);
}

static mip_status check_choice(const reading *r, const record *out) {
    if (out->n_options < 2 || out->n_options > RECORD_MAX_OPTIONS) {
        BREACH(r, "mcq has %d options, expected 2 to %d", out->n_options, RECORD_MAX_OPTIONS);
    }
    const char *letter = out->answer;
    if (letter == NULL || letter[0] < 'A' || letter[0] >= 'A' + out->n_options ||
        letter[1] != '\0') {
        BREACH(r, "mcq answer is \"%s\", expected the letter of one of %d options",
               letter != NULL ? letter : "null", out->n_options);
    } else if (out->answer_text != NULL &&
               !str_has_prefix(out->answer_text, out->options[letter[0] - 'A'])) {
        BREACH(r, "answer_text \"%s\" does not begin with option %s \"%s\"", out->answer_text,
               letter, out->options[letter[0] - 'A']);
    }
    for (int i = 0; i < out->n_options; i++) {
        if (out->options[i][0] == '\0') {
            BREACH(r, "mcq option %c is empty", 'A' + i);
        }
        for (int k = 0; k < i; k++) {
            if (strcmp(out->options[i], out->options[k]) == 0) {
                BREACH(r, "mcq options %c and %c are both \"%s\"", 'A' + k, 'A' + i,
                       out->options[i]);
            }
        }
    }
    return MIP_OK;
}

static mip_status check_line(const reading *r, const record *out) {
    if (!record_id_is_legal(out->id)) {
        BREACH(r, "id \"%s\" has characters outside [a-z0-9/_+-]", out->id);
    }
    if ((out->modality == RECORD_TEXT) != (out->n_images == 0)) {
        BREACH(r, "modality %s with %d images", MODALITIES[out->modality], out->n_images);
    }
    for (int i = 0; i < out->n_images; i++) {
        if (!record_path_is_inside(out->images[i])) {
            BREACH(r, "image \"%s\" is not below the data folder", out->images[i]);
        }
    }
    if (out->task == RECORD_CONVERSATION) {
        if (out->n_turns == 0 || !out->turns[out->n_turns - 1].assistant) {
            BREACH(r, "task train needs turns that end with an assistant's");
        }
        return MIP_OK;
    }
    if (out->question == NULL && out->task != RECORD_CAPTION) {
        BREACH(r, "task %s needs a question", TASKS[out->task]);
    }
    if (out->answer_text == NULL || out->answer_text[0] == '\0') {
        BREACH(r, "task %s needs a non-empty answer_text", TASKS[out->task]);
    }
    if (out->task == RECORD_MCQ) {
        return check_choice(r, out);
    }
    if (out->n_options > 0) {
        BREACH(r, "task %s has options, only mcq may", TASKS[out->task]);
    }
    if (out->task == RECORD_CLOZE && out->question != NULL &&
        strstr(out->question, "[Blank]") == NULL && strstr(out->question, "__") == NULL) {
        BREACH(r, "cloze question has no blank (\"[Blank]\" or \"__\")");
    }
    return MIP_OK;
}

mip_status record_read(arena *a, breach_list *b, const char *file, int64_t line, const char *text,
                       size_t n_bytes, record *out) {
    char name[256];
    json_doc doc = {0};
    mip_status status = MIP_OK;
    *out = (record){.line = line};
    snprintf(name, sizeof name, "%s:%" PRId64, file, line);
    const mip_status parsed = json_doc_parse(name, text, n_bytes, NULL, &doc);
    if (parsed != MIP_OK) {
        return breach_add_error(b, file, line, parsed);
    }
    const reading r = {.memory = a, .breaches = b, .file = file, .line = line, .doc = &doc};
    const int64_t n_before = b->n;
    if (json_kind_get(doc.root) != JSON_OBJECT) {
        MIP_TRY_GOTO(breach_add(b, file, line, "expected an object"));
        goto out;
    }
    MIP_TRY_GOTO(read_fields(&r, out));
    if (b->n == n_before) { // the rules of a line speak about fields that could be read
        MIP_TRY_GOTO(check_line(&r, out));
    }
out:
    json_doc_deinit(&doc);
    return status;
}
