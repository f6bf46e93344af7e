/* SPDX-License-Identifier: Apache-2.0 */
/* host/api/api_model.c - the model of mip.h: opened, asked for its numbers and answers.
 *
 * Tested  tests/unit/api/test_api_model.c */
#include "api/api_model.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_call.h"
#include "api/api_settings.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "model/generate.h"

static mip_status open_model(const char *dir, const mip_config *config, mip_model **out) {
    mip_model *m = calloc(1, sizeof *m);
    if (m == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a model handle");
    }
    const mip_status status =
        session_open(&m->session, config->device.backend, dir, config->model.dtype);
    if (status != MIP_OK) {
        free(m);
        return mip_error_pass(status, __FILE__, __LINE__, __func__);
    }
    *out = m;
    return MIP_OK;
}

mip_status mip_model_open(const char *dir, const char *const *settings, int n_settings,
                          mip_model **out) {
    static const char *const keys[] = {"model.dtype=", "device.backend=", NULL};
    api_call call;
    arena memory;
    mip_config config;
    mip_status status = MIP_OK;
    *out = NULL;
    MIP_TRY(api_call_begin(&call));
    arena_init(&memory);
    MIP_TRY_GOTO(api_settings_load(&memory, keys, settings, n_settings, NULL, &config));
    MIP_TRY_GOTO(open_model(dir, &config, out));
out:
    arena_deinit(&memory);
    return api_call_end(&call, status);
}

void mip_model_close(mip_model *m) {
    if (m != NULL) {
        text_front_deinit(&m->front);
        session_close(&m->session);
        free(m);
    }
}

static const stack *stack_of(const mip_model *m, mip_modality modality) {
    return modality == MIP_VISION ? &m->session.model.vision : &m->session.model.text;
}

int64_t mip_model_layers(const mip_model *m, mip_modality modality) {
    return stack_of(m, modality)->n_layers;
}

int64_t mip_model_neurons(const mip_model *m, mip_modality modality) {
    const stack *s = stack_of(m, modality);
    return s->n_layers > 0 ? s->ffn : 0;
}

mip_status api_check_prompt(const mip_model *m, const mip_prompt *prompt) {
    if (prompt->model != m) {
        MIP_FAIL(MIP_E_ARG, "make it with mip_prompt_create for the model it is used with",
                 "the prompt was made for another model than %s", m->session.model.dir);
    }
    return MIP_OK;
}

static mip_status generate(mip_model *m, const mip_prompt *prompt, int64_t room, int32_t *ids,
                           int64_t *n) {
    const user_prompt *p = &prompt->made;
    const generate_options options = {.max_new_tokens = room,
                                      .repetition_penalty = m->session.model.repetition_penalty};
    generated answer = {0};
    MIP_TRY(api_check_prompt(m, prompt));
    if (p->n_prompt < p->seq.n) {
        MIP_FAIL(MIP_E_ARG, "make the prompt without an answer",
                 "the prompt ends with an answer: nothing is left to say");
    }
    MIP_TRY(generate_answer(&m->session.x, &m->session.model, &p->seq, &options, &answer));
    memcpy(ids, answer.ids, (size_t)answer.n * sizeof *ids);
    *n = answer.n;
    generated_free(&answer, 1);
    return MIP_OK;
}

mip_status mip_generate(mip_model *m, const mip_prompt *prompt, int64_t room, int32_t *ids,
                        int64_t *n) {
    api_call call;
    *n = 0;
    MIP_TRY(api_call_begin(&call));
    return api_call_end(&call, generate(m, prompt, room, ids, n));
}

static mip_status decode(mip_model *m, const int32_t *ids, int64_t n, str *out) {
    if (m->front.tokens == NULL) {
        MIP_TRY(text_front_load_tokenizer(m->session.model.dir, &m->front));
    }
    return tokenizer_decode(m->front.tokens, ids, (size_t)n, true, out);
}

mip_status mip_decode(mip_model *m, const int32_t *ids, int64_t n, char *text, size_t n_bytes,
                      size_t *need_bytes) {
    api_call call;
    str whole;
    MIP_TRY(api_call_begin(&call));
    str_init(&whole);
    const mip_status status = decode(m, ids, n, &whole);
    if (status == MIP_OK && n_bytes > 0) {
        const size_t kept = whole.n_bytes < n_bytes ? whole.n_bytes : n_bytes - 1;
        memcpy(text, whole.text, kept);
        text[kept] = '\0';
    }
    if (status == MIP_OK && need_bytes != NULL) {
        *need_bytes = whole.n_bytes + 1;
    }
    str_deinit(&whole);
    return api_call_end(&call, status);
}
