/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_config.c - config.json, generation_config.json and preprocessor_config.json of a
 * checkpoint (joined by NUL bytes): numbers of the model, list and layout of its weights. */
#include "fuzz/fuzz_input.h"
#include "model/family.h"
#include "model/prompt_settings.h"

typedef struct documents {
    json_doc config, generation, preprocessor;
} documents;

static mip_status parse_next(const uint8_t **data, size_t *n, const char *name, json_doc *out) {
    size_t n_text = 0;
    char *text = fuzz_text(data, n, &n_text);
    const mip_status status = json_doc_parse(name, text, n_text, NULL, out);
    free(text);
    return status;
}

static mip_status parse_all(const uint8_t *data, size_t n, documents *d) {
    mip_status status = parse_next(&data, &n, "config.json", &d->config);
    if (status == MIP_OK) {
        status = parse_next(&data, &n, "generation_config.json", &d->generation);
    }
    return status == MIP_OK ? parse_next(&data, &n, "preprocessor_config.json", &d->preprocessor)
                            : status;
}

/* What the code behind relies on without another look. */
static void check_model(const model *m) {
    FUZZ_HOLDS(m->text.n_layers >= 1 && m->vocab >= 1);
    for (int i = 0; i < m->text.n_layers; i++) {
        const block_desc *b = &m->text.blocks[i];
        FUZZ_HOLDS(b->heads * b->head_dim == b->width && b->heads % b->kv_heads == 0);
        FUZZ_HOLDS(b->head_dim % 2 == 0 && b->ffn >= 1 && b->norm_eps > 0);
    }
    for (int i = 0; i < m->vision.n_layers; i++) {
        const block_desc *b = &m->vision.blocks[i];
        FUZZ_HOLDS(b->heads * b->head_dim == b->width && b->ffn >= 1 && b->norm_eps > 0);
    }
    FUZZ_HOLDS(m->image_token < m->vocab && m->n_stop <= MODEL_MAX_STOP);
}

static mip_status describe(const documents *d, model *m) {
    const family *f = NULL;
    mip_status status = family_find(&d->config, &f);
    if (status == MIP_OK) {
        status = f->describe(&d->config, m);
    }
    if (status == MIP_OK) {
        status = prompt_settings_take(&d->config, &d->generation, &d->preprocessor, m);
    }
    if (status == MIP_OK) {
        check_model(m);
        status = weights_map_create(MIP_DTYPE_F32, &m->map);
    }
    if (status == MIP_OK) {
        status = f->place(m, m->map);
    }
    if (status == MIP_OK) {
        weights_map_layout(m->map);
        FUZZ_HOLDS(m->map->n_bytes > 0);
    }
    return status;
}

bool fuzz_accepts(const uint8_t *data, size_t n) {
    documents d = {0};
    model m = {0};
    mip_status status = parse_all(data, n, &d);
    if (status == MIP_OK) {
        status = describe(&d, &m);
    }
    fuzz_check_words(status);
    weights_map_destroy(m.map);
    free(m.text.blocks);
    free(m.vision.blocks);
    json_doc_deinit(&d.config);
    json_doc_deinit(&d.generation);
    json_doc_deinit(&d.preprocessor);
    return status == MIP_OK;
}
