/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/sample_front.c - see sample_front.h. */
#include "attr/sample_front.h"

#include "base/status_priv.h"

/* The features stay in the arena, what the tower needed on the way does not. */
static mip_status clean_features(exec *x, const model *m, sample_front *f) {
    mip_status status = MIP_OK;
    vision_trace trace = {0};
    const size_t bytes = (size_t)(f->vision.n_features * m->merger.width_out) * sizeof(float);
    MIP_TRY(EXEC_NEW(x, f->vision.n_features * m->merger.width_out, &f->features));
    const size_t mark = exec_mark(x);
    MIP_TRY_GOTO(vision_fwd(x, m, &f->vision, NULL, false, &trace));
    MIP_TRY_GOTO(exec_copy(x, f->features, trace.features, bytes));
out:
    vision_trace_free(&trace);
    exec_release(x, mark);
    return status;
}

mip_status sample_front_create(exec *x, const model *m, const labelled_sample *s, bool features,
                               sample_front *out) {
    mip_status status = MIP_OK;
    *out = (sample_front){0};
    MIP_TRY_GOTO(text_pack_create(x, m, 1, &s->seq, &out->text));
    if (s->seq.n_images > 0) {
        MIP_TRY_GOTO(vision_pack_create(x, m, 1, &s->seq, &out->vision));
    }
    if (features && s->seq.n_images > 0) {
        MIP_TRY_GOTO(clean_features(x, m, out));
    }
    MIP_TRY_GOTO(EXEC_NEW(x, s->seq.n * m->text.width, &out->embeds));
    MIP_TRY_GOTO(embed_rows(x, m, &out->text, &out->vision, out->features, out->embeds));
out:
    if (status != MIP_OK) {
        sample_front_destroy(out);
    }
    return status;
}

void sample_front_destroy(sample_front *f) {
    text_pack_destroy(&f->text);
    vision_pack_destroy(&f->vision);
    *f = (sample_front){0};
}
