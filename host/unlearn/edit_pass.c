/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_pass.c - see edit_pass.h. */
#include "unlearn/edit_pass.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "ops/ops.h"

/* merger output rows -> the processor's order, on the host. */
static mip_status features_download(exec *x, const model *m, const vision_pack *pack,
                                    const float *features, float *out) {
    float *ordered = NULL;
    MIP_TRY(EXEC_NEW(x, pack->n_features * m->text.width, &ordered));
    MIP_TRY(rows_run(x, (mip_rows_args){.n = pack->n_features,
                                        .width = m->text.width,
                                        .src = features,
                                        .ld_src = m->text.width,
                                        .src_rows = pack->feature_of,
                                        .dst = ordered,
                                        .ld_dst = m->text.width}));
    return exec_download(x, out, ordered, (size_t)(pack->n_features * m->text.width) * sizeof *out);
}

mip_status edit_pass_features(exec *x, const model *m, const sequence *seq, float **features) {
    mip_status status = MIP_OK;
    vision_pack pack = {0};
    vision_trace trace = {0};
    const size_t mark = exec_mark(x);
    *features = NULL;
    if (seq->n_images == 0) {
        return MIP_OK;
    }
    MIP_TRY_GOTO(vision_pack_create(x, m, 1, seq, &pack));
    MIP_TRY_GOTO(vision_fwd(x, m, &pack, NULL, false, &trace));
    *features = malloc((size_t)(pack.n_features * m->text.width) * sizeof **features);
    if (*features == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate %lld image features",
                      (long long)pack.n_features);
    }
    MIP_TRY_GOTO(features_download(x, m, &pack, trace.features, *features));
out:
    if (status != MIP_OK) {
        free(*features);
        *features = NULL;
    }
    vision_trace_free(&trace);
    vision_pack_destroy(&pack);
    exec_release(x, mark);
    return status;
}

static int64_t images_of(int64_t n, const sequence *seqs) {
    int64_t images = 0;
    for (int64_t i = 0; i < n; i++) {
        images += seqs[i].n_images;
    }
    return images;
}

/* The cached features of every sequence over the embeddings of its image tokens. */
static mip_status features_upload(edit_pass *p, int64_t n, float *const *features, float *embeds) {
    const int64_t width = p->m->text.width;
    const int64_t n_rows = p->text.n_image_rows;
    float *on_device = NULL;
    int64_t at = 0; // image rows come sequence by sequence, as the features do
    MIP_TRY(EXEC_NEW(p->x, n_rows * width, &on_device));
    for (int64_t i = 0; i < n; i++) {
        const int64_t begin = at;
        while (at < n_rows && p->text.image_rows[at] < p->text.begin[i + 1]) {
            at++;
        }
        if (at > begin) {
            MIP_TRY(exec_upload(p->x, on_device + begin * width, features[i],
                                (size_t)((at - begin) * width) * sizeof(float)));
        }
    }
    return rows_run(p->x, (mip_rows_args){.n = n_rows,
                                          .width = width,
                                          .src = on_device,
                                          .ld_src = width,
                                          .dst = embeds,
                                          .ld_dst = width,
                                          .dst_rows = p->text.image_rows});
}

static mip_status embed(edit_pass *p, int64_t n, const sequence *seqs, float *const *features,
                        float *embeds) {
    const bool images = images_of(n, seqs) > 0;
    p->tower = images && features == NULL;
    if (!p->tower) {
        MIP_TRY(embed_rows(p->x, p->m, &p->text, NULL, NULL, embeds));
        return images ? features_upload(p, n, features, embeds) : MIP_OK;
    }
    MIP_TRY(vision_pack_create(p->x, p->m, n, seqs, &p->vision));
    MIP_TRY(vision_fwd(p->x, p->m, &p->vision, NULL, true, &p->vision_kept));
    return embed_rows(p->x, p->m, &p->text, &p->vision, p->vision_kept.features, embeds);
}

static stack_call text_call(const edit_pass *p) {
    return (stack_call){.x = p->x, .s = &p->m->text, .rows = &p->text.layout};
}

mip_status edit_pass_fwd(exec *x, const model *m, int layer, int64_t n, const sequence *seqs,
                         float *const *features, const edit_params *params, edit_pass *out) {
    const int end = layer + 1;
    float *embeds = NULL;
    *out = (edit_pass){.x = x, .m = m, .layer = layer, .first_layer = end};
    MIP_TRY(text_pack_create(x, m, n, seqs, &out->text));
    const int64_t n_elems = out->text.layout.n_rows * m->text.width;
    MIP_TRY(EXEC_NEW(x, n_elems, &embeds));
    MIP_TRY(embed(out, n, seqs, features, embeds));
    MIP_TRY(EXEC_NEW(x, n_elems, &out->h));
    if (params != NULL && out->tower && params->grads[EDIT_VISION] != NULL) {
        out->first_layer = 0;
    } else if (params != NULL && params->first_text_layer < end) {
        out->first_layer = params->first_text_layer;
    }
    const stack_call call = text_call(out);
    const int first = out->first_layer;
    if (first == end) {
        return stack_fwd(&call, 0, end, embeds, out->h, NULL);
    }
    if (first > 0) {
        MIP_TRY(stack_fwd(&call, 0, first, embeds, embeds, NULL));
    }
    MIP_TRY(stack_trace_alloc(&m->text, &out->kept));
    out->kept.recompute = x->thrift.recompute;
    return stack_fwd(&call, first, end, embeds, out->h, &out->kept);
}

mip_status edit_pass_vjp(edit_pass *p, const edit_params *params, float *dh) {
    const stack_call call = text_call(p);
    if (p->first_layer > p->layer) {
        return MIP_OK; // nothing trained below the loss in this batch
    }
    MIP_TRY(stack_vjp(&call, &p->kept, p->first_layer, p->layer + 1, dh, params->grads[EDIT_TEXT],
                      NULL));
    if (!p->tower || params->grads[EDIT_VISION] == NULL) {
        return MIP_OK;
    }
    float *d_features = NULL;
    float *d_tower = NULL;
    MIP_TRY(EXEC_NEW(p->x, p->vision.n_features * p->m->text.width, &d_features));
    MIP_TRY(EXEC_NEW(p->x, p->vision.layout.n_rows * p->m->vision.width, &d_tower));
    MIP_TRY(embed_rows_vjp(p->x, p->m, &p->text, &p->vision, dh, d_features));
    return vision_vjp(p->x, p->m, &p->vision, NULL, &p->vision_kept, d_features,
                      &(vision_grads){.d_tower = d_tower, .blocks = params->grads[EDIT_VISION]});
}

void edit_pass_destroy(edit_pass *p) {
    stack_trace_free(&p->kept);
    vision_trace_free(&p->vision_kept);
    vision_pack_destroy(&p->vision);
    text_pack_destroy(&p->text);
    *p = (edit_pass){0};
}
