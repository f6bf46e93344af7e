/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/test_golden_edit.c - a whole edit against the same edit
 * in transformers and torch.
 *
 * Golden  tests/golden/edit.safetensors (scripts/goldens/edit.py): both stacks, prune,
 *         losses, four AdamW steps.
 * Gates   losses 1e-5; edited rows max|a - b| / max|b| per tensor 1e-5 on ref, 5e-5 on cpu
 *         (observed 4e-6 and 2.5e-5; torch in float32 is 4e-5 away from its own float64,
 *         which the golden is). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/str.h"
#include "io/json_doc.h"
#include "io/safetensors_read.h"
#include "support/tiny_model.h"
#include "tensor/compare.h"
#include "unlearn/rmisu.h"
#include "support/check_status.h"

enum { MAX_STEPS = 8 };

typedef struct golden_edit {
    safetensors_file *file;
    arena memory;
    tiny_model t;
    edit_set set;
    config_edit config;
    image_patches image;
    labelled_sample forget, retain;
    rmisu_loss losses[MAX_STEPS]; // found
} golden_edit;

static const void *read_tensor(golden_edit *g, const char *name, mip_dtype dtype, int64_t *n) {
    const safetensors_entry *e = safetensors_find(g->file, name);
    void *data = NULL;
    cr_assert_not_null(e, "%s", name);
    ASSERT_OK(arena_alloc(&g->memory, (size_t)e->n_bytes, &data));
    ASSERT_OK(safetensors_read(e, dtype, false, data));
    *n = e->n_elems;
    return data;
}

static void read_config(golden_edit *g) {
    json_doc doc;
    config_edit *c = &g->config;
    const json_value *grid = NULL;
    int64_t sides[3];
    ASSERT_OK(json_doc_read("tests/golden/edit.json", 1 << 16, &doc));
    *c = (config_edit){
        .batch = 1, .schedule = CONFIG_SCHEDULE_LINEAR, .prune = CONFIG_PRUNE_ZERO_ROW};
    ASSERT_OK(json_i64(&doc, doc.root, "layer", 0, 99, &c->layer));
    ASSERT_OK(json_i64(&doc, doc.root, "steps", 1, MAX_STEPS, &c->steps));
    ASSERT_OK(json_f64(&doc, doc.root, "gamma", 0, 99, &c->gamma));
    ASSERT_OK(json_f64(&doc, doc.root, "strength", 0, 99, &c->strength));
    ASSERT_OK(json_f64(&doc, doc.root, "lr", 0, 1, &c->lr));
    ASSERT_OK(json_f64(&doc, doc.root, "beta1", 0, 1, &c->beta1));
    ASSERT_OK(json_f64(&doc, doc.root, "beta2", 0, 1, &c->beta2));
    ASSERT_OK(json_f64(&doc, doc.root, "eps", 0, 1, &c->eps));
    ASSERT_OK(json_f64(&doc, doc.root, "weight_decay", 0, 1, &c->weight_decay));
    ASSERT_OK(json_array(&doc, doc.root, "grid", 3, 3, &grid));
    for (int64_t i = 0; i < 3; i++) {
        ASSERT_OK(json_value_i64(&doc, json_at(grid, i), 1, 99, &sides[i]));
    }
    g->image = (image_patches){.grid_t = sides[0], .grid_h = sides[1], .grid_w = sides[2]};
    json_doc_deinit(&doc);
}

static void read_neurons(golden_edit *g, edit_modality modality, const char *name) {
    int64_t n = 0;
    const int32_t *neurons = read_tensor(g, name, MIP_DTYPE_I32, &n);
    const int n_layers = g->set.stacks[modality].n_layers;
    for (int l = 0; l < n_layers; l++) {
        ASSERT_OK(
            edit_set_assign(&g->set, modality, l, n / n_layers, neurons + l * (n / n_layers)));
    }
}

static mip_status keep_loss(void *user, const rmisu_step *step) {
    golden_edit *g = user;
    if (step->done > 0) {
        g->losses[step->done - 1] = step->loss;
    }
    return MIP_OK;
}

static void open_and_edit(golden_edit *g, const char *backend) {
    int64_t n = 0;
    rmisu_result result;
    memset(g, 0, sizeof *g);
    arena_init(&g->memory);
    ASSERT_OK(safetensors_open("tests/golden/edit.safetensors", &g->file));
    tiny_model_open(&g->t, backend, "model", 1);
    read_config(g);
    ASSERT_OK(edit_set_create(&g->t.m, &g->set));
    read_neurons(g, EDIT_TEXT, "text.neurons");
    read_neurons(g, EDIT_VISION, "vision.neurons");
    g->image.pixels = read_tensor(g, "forget.pixels", MIP_DTYPE_F32, &n);
    g->forget = (labelled_sample){.id = "forget", .seq = {.images = &g->image, .n_images = 1}};
    g->forget.seq.ids = read_tensor(g, "forget.ids", MIP_DTYPE_I32, &g->forget.seq.n);
    g->retain = (labelled_sample){.id = "retain"};
    g->retain.seq.ids = read_tensor(g, "retain.ids", MIP_DTYPE_I32, &g->retain.seq.n);
    const rmisu_data data = {
        .forget = &g->forget, .n_forget = 1, .retain = &g->retain, .n_retain = 1};
    const rmisu_options options = {.config = &g->config, .after_step = keep_loss, .user = g};
    ASSERT_OK(rmisu_run(&g->t.x, &g->t.m, &g->set, &data, &options, &result));
}

static void close_golden(golden_edit *g) {
    edit_set_destroy(&g->set);
    tiny_model_close(&g->t);
    safetensors_close(g->file);
    arena_deinit(&g->memory);
}

/* The rows of a parameter (transformers' name) that the edit set lists, from the model
 * in memory. */
static float *listed_rows(golden_edit *g, const char *parameter, int64_t *n) {
    const edit_modality modality = strstr(parameter, "visual") != NULL ? EDIT_VISION : EDIT_TEXT;
    const int layer = atoi(strpbrk(parameter, "0123456789"));
    const neuron_list *list = &g->set.stacks[modality].layers[layer];
    model_tensor t;
    float *rows = NULL;
    ASSERT_OK(model_tensor_find(&g->t.m, parameter + strlen("model."), &t)); // the canonical name
    ASSERT_OK(ARENA_NEW(&g->memory, list->n * t.cols, &rows));
    for (int64_t i = 0; i < list->n; i++) {
        ASSERT_OK(model_tensor_row(&g->t.x, &t, list->neurons[i], rows + i * t.cols));
    }
    *n = list->n * t.cols;
    return rows;
}

ParameterizedTestParameters(golden_edit, equals_transformers_and_torch) {
    static char backends[2][4] = {"ref", "cpu"};
    return cr_make_param_array(char[4], backends, 2);
}

ParameterizedTest(char backend[4], golden_edit, equals_transformers_and_torch) {
    golden_edit g;
    int64_t n = 0;
    int64_t n_tensors = 0;
    int n_compared = 0;
    const double gate = strcmp(backend, "ref") == 0 ? 1e-5 : 5e-5;
    open_and_edit(&g, backend);
    const float *losses = read_tensor(&g, "losses", MIP_DTYPE_F32, &n);
    cr_assert_eq(n, 2 * g.config.steps);
    for (int64_t i = 0; i < g.config.steps; i++) {
        cr_expect(fabs(g.losses[i].forget - (double)losses[2 * i]) <= 1e-5 * (double)losses[0],
                  "step %lld", (long long)i);
        cr_expect(fabs(g.losses[i].retain - (double)losses[2 * i + 1]) <= 1e-5 * (double)losses[1],
                  "step %lld", (long long)i);
    }
    const safetensors_entry *entries = safetensors_entries(g.file, &n_tensors);
    for (int64_t i = 0; i < n_tensors; i++) {
        if (!str_has_prefix(entries[i].name, "rows.")) {
            continue;
        }
        const float *expected = read_tensor(&g, entries[i].name, MIP_DTYPE_F32, &n);
        int64_t n_found = 0;
        const float *found = listed_rows(&g, entries[i].name + strlen("rows."), &n_found);
        cr_assert_eq(n_found, n);
        const compare_result r = compare_f32(found, expected, n);
        cr_expect_leq(r.max_rel, gate, "%s: %.3g", entries[i].name, r.max_rel);
        n_compared++;
    }
    cr_assert_eq(n_compared, 2 * 3 + 4 * 4); // text gate, up; vision with biases
    close_golden(&g);
}
