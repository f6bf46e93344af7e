/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/prefill.c - see prefill.h. */
#include "model/prefill.h"

#include <stdlib.h>

#include "base/status_priv.h"

/* Embeddings of all rows, image rows from the vision tower, whose memory is given back. */
static mip_status embed_prompts(exec *x, const model *m, int64_t n, const sequence *prompts,
                                const text_pack *text, float *h) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    vision_pack vision = {0};
    vision_trace trace = {0};
    MIP_TRY_GOTO(vision_pack_create(x, m, n, prompts, &vision));
    MIP_TRY_GOTO(vision_fwd(x, m, &vision, NULL, false, &trace));
    MIP_TRY_GOTO(embed_rows(x, m, text, &vision, trace.features, h));
out:
    vision_trace_free(&trace);
    vision_pack_destroy(&vision);
    exec_release(x, mark);
    return status;
}

mip_status prefill_run(exec *x, const model *m, int64_t n, const sequence *prompts,
                       const kv_cache *cache, const int64_t *cache_begin, prefill *out) {
    mip_status status = MIP_OK;
    int32_t *cache_rows = NULL;
    float *embeds = NULL;
    *out = (prefill){0};
    MIP_TRY_GOTO(text_pack_create(x, m, n, prompts, &out->text));
    const int64_t n_rows = out->text.layout.n_rows;
    MIP_TRY_GOTO(EXEC_NEW(x, n_rows * m->text.width, &out->hidden));
    const size_t mark = exec_mark(x);
    MIP_TRY_GOTO(EXEC_NEW(x, n_rows * m->text.width, &embeds));
    MIP_TRY_GOTO(embed_prompts(x, m, n, prompts, &out->text, embeds));
    cache_rows = malloc((size_t)n_rows * sizeof *cache_rows);
    if (cache_rows == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate %lld cache rows", (long long)n_rows);
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t row = out->text.begin[i]; row < out->text.begin[i + 1]; row++) {
            cache_rows[row] = (int32_t)(cache_begin[i] + row - out->text.begin[i]);
        }
    }
    MIP_TRY_GOTO(kv_cache_fwd(x, &m->text, &out->text.layout, false, embeds, out->hidden, cache,
                              cache_rows));
    exec_release(x, mark);
out:
    free(cache_rows);
    if (status != MIP_OK) {
        prefill_free(out);
    }
    return status;
}

void prefill_free(prefill *p) {
    text_pack_destroy(&p->text);
    *p = (prefill){0};
}

int32_t prefill_last_row(const prefill *p, int64_t i) {
    return (int32_t)(p->text.begin[i + 1] - 1);
}

int32_t prefill_next_position(const prefill *p, int64_t i) {
    int32_t last = -1;
    for (int64_t axis = 0; axis < MROPE_SECTIONS; axis++) {
        const int32_t *positions = p->text.positions + axis * p->text.layout.n_rows;
        for (int64_t row = p->text.begin[i]; row < p->text.begin[i + 1]; row++) {
            last = positions[row] > last ? positions[row] : last;
        }
    }
    return last + 1;
}
