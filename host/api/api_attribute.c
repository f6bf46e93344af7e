/* SPDX-License-Identifier: Apache-2.0 */
/* host/api/api_attribute.c - neuron scores of one prompt into the caller's buffers.
 *
 * How     score_sample computes, as in `mip attribute`.
 * Tested  tests/unit/api/test_api_attribute.c, tests/cli/library.sh (equal to `mip attribute`) */
#include <string.h>

#include "api/api_call.h"
#include "api/api_model.h"
#include "api/api_settings.h"
#include "attr/score_sample.h"
#include "base/status_priv.h"

_Static_assert((int)MIP_TEXT == (int)ATTRIBUTION_TEXT && (int)MIP_VISION == (int)ATTRIBUTION_VISION,
               "the public numbers are those of the store");

static mip_status check(const mip_model *m, const mip_prompt *prompt, mip_modality modality,
                        const mip_attribution *out) {
    MIP_TRY(api_check_prompt(m, prompt));
    if (out->struct_bytes < sizeof *out) {
        MIP_FAIL(MIP_E_ARG, "set struct_bytes = sizeof(mip_attribution)",
                 "mip_attribution says %zu bytes, expected at least %zu", out->struct_bytes,
                 sizeof *out);
    }
    if (prompt->made.labels == NULL) {
        MIP_FAIL(MIP_E_ARG, "make the prompt with an answer",
                 "the prompt has no answer whose neurons could be found");
    }
    if (modality == MIP_VISION && prompt->made.seq.n_images == 0) {
        MIP_FAIL(MIP_E_ARG, "give the prompt a picture, or ask for MIP_TEXT",
                 "the prompt has no picture: there is no vision path");
    }
    return MIP_OK;
}

static void copy_result(const attribution_sample *from, int64_t n_layers, int64_t n_neurons,
                        mip_attribution *out) {
    const size_t layers = (size_t)n_layers;
    if (out->score != NULL) {
        memcpy(out->score, from->score, layers * (size_t)n_neurons * sizeof *out->score);
    }
    if (out->path != NULL) {
        memcpy(out->path, from->path, layers * (size_t)out->top_k * sizeof *out->path);
    }
    if (out->completeness != NULL) {
        memcpy(out->completeness, from->completeness, layers * sizeof *out->completeness);
    }
    if (out->log_scale != NULL) {
        memcpy(out->log_scale, from->log_scale, layers * sizeof *out->log_scale);
    }
    out->logp = from->logp_clean;
}

static mip_status attribute(mip_model *m, const mip_prompt *prompt, mip_modality modality,
                            const mip_config *config, mip_attribution *out) {
    const attribution_modality kind = (attribution_modality)modality;
    const user_prompt *p = &prompt->made;
    quadrature rule;
    attribution_sample result;
    attribution_spec spec = {.n_samples = 1, .top_k = out->top_k};
    spec.shapes[kind] = (attribution_shape){.n_layers = mip_model_layers(m, modality),
                                            .n_neurons = mip_model_neurons(m, modality)};
    MIP_TRY(quadrature_parse(config->attribute.quadrature, &rule));
    MIP_TRY(attribution_sample_create(&spec, kind, &result));
    score_work work = {.m = &m->session.model,
                       .config = &config->attribute,
                       .rule = &rule,
                       .sample = {.id = "prompt",
                                  .seq = p->seq,
                                  .labels = config->attribute.labels == CONFIG_LABELS_CHAT
                                                ? p->seq.ids
                                                : p->labels},
                       .modality = kind,
                       .out = &result};
    const mip_status status = exec_run_planned(&m->session.x, score_sample, &work);
    if (status == MIP_OK) {
        copy_result(&result, spec.shapes[kind].n_layers, spec.shapes[kind].n_neurons, out);
    }
    attribution_sample_destroy(&result);
    return status;
}

mip_status mip_attribute(mip_model *m, const mip_prompt *prompt, mip_modality modality,
                         const char *const *settings, int n_settings, mip_attribution *out) {
    static const char *const keys[] = {"attribute.", NULL};
    api_call call;
    arena memory;
    mip_config config;
    char *top_k = NULL;
    mip_status status = MIP_OK;
    MIP_TRY(api_call_begin(&call));
    arena_init(&memory);
    MIP_TRY_GOTO(check(m, prompt, modality, out));
    MIP_TRY_GOTO(arena_printf(&memory, &top_k, "attribute.top_k=%lld", (long long)out->top_k));
    MIP_TRY_GOTO(api_settings_load(&memory, keys, settings, n_settings, top_k, &config));
    MIP_TRY_GOTO(attribute(m, prompt, modality, &config, out));
out:
    arena_deinit(&memory);
    return api_call_end(&call, status);
}
