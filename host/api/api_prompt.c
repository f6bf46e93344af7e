/* SPDX-License-Identifier: Apache-2.0 */
/* host/api/api_prompt.c - the prompt of mip.h, from text or from ids.
 *
 * Tested  tests/unit/api/test_api_model.c */
#include <stdlib.h>

#include "api/api_call.h"
#include "api/api_model.h"
#include "base/status_priv.h"

static mip_status create(mip_model *m, const user_input *input, mip_prompt **out) {
    mip_prompt *p = calloc(1, sizeof *p);
    if (p == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a prompt handle");
    }
    p->model = m;
    const mip_status status = user_prompt_create(&m->session.model, &m->front, input, &p->made);
    if (status != MIP_OK) {
        free(p);
        return mip_error_pass(status, __FILE__, __LINE__, __func__);
    }
    *out = p;
    return MIP_OK;
}

static mip_status create_from_text(mip_model *m, const user_input *input, mip_prompt **out) {
    if (m->front.chat == NULL) {
        text_front_deinit(&m->front); // the tokenizer alone may be there
        MIP_TRY(text_front_load(m->session.model.dir, &m->front));
    }
    return create(m, input, out);
}

mip_status mip_prompt_create(mip_model *m, const char *text, const char *answer, int n_images,
                             const char *const *images, mip_prompt **out) {
    api_call call;
    const user_input input = {
        .text = text, .answer = answer, .n_images = n_images, .image_paths = images};
    *out = NULL;
    MIP_TRY(api_call_begin(&call));
    return api_call_end(&call, create_from_text(m, &input, out));
}

/* The ids after the prompt are what the assistant says. */
static mip_status mark_answer(user_prompt *p, int64_t n_prompt) {
    int32_t *labels = NULL;
    if (n_prompt == p->seq.n) {
        return MIP_OK;
    }
    MIP_TRY(ARENA_NEW(&p->memory, p->seq.n, &labels));
    for (int64_t i = 0; i < p->seq.n; i++) {
        labels[i] = i < n_prompt ? CHAT_NO_LABEL : p->seq.ids[i];
    }
    p->labels = labels;
    p->n_prompt = n_prompt;
    return MIP_OK;
}

static mip_status create_from_ids(mip_model *m, const user_input *input, int64_t n_prompt,
                                  mip_prompt **out) {
    const int64_t vocab = m->session.model.vocab;
    if (n_prompt < 1 || n_prompt > input->n_ids) {
        MIP_FAIL(MIP_E_ARG, NULL, "a prompt of %lld tokens in %lld ids: expected 1 to all of them",
                 (long long)n_prompt, (long long)input->n_ids);
    }
    for (int64_t i = 0; i < input->n_ids; i++) {
        if (input->ids[i] < 0 || input->ids[i] >= vocab) {
            MIP_FAIL(MIP_E_ARG, NULL, "token %d at place %lld is outside the vocabulary of %lld",
                     (int)input->ids[i], (long long)i, (long long)vocab);
        }
    }
    MIP_TRY(create(m, input, out));
    const mip_status status = mark_answer(&(*out)->made, n_prompt);
    if (status != MIP_OK) {
        mip_prompt_destroy(*out);
        *out = NULL;
    }
    return status;
}

mip_status mip_prompt_create_ids(mip_model *m, const int32_t *ids, int64_t n, int64_t n_prompt,
                                 int n_images, const char *const *images, mip_prompt **out) {
    api_call call;
    const user_input input = {.ids = ids, .n_ids = n, .n_images = n_images, .image_paths = images};
    *out = NULL;
    MIP_TRY(api_call_begin(&call));
    return api_call_end(&call, create_from_ids(m, &input, n_prompt, out));
}

void mip_prompt_destroy(mip_prompt *prompt) {
    if (prompt != NULL) {
        user_prompt_destroy(&prompt->made);
        free(prompt);
    }
}

const int32_t *mip_prompt_ids(const mip_prompt *prompt, int64_t *n) {
    *n = prompt->made.seq.n;
    return prompt->made.seq.ids;
}
