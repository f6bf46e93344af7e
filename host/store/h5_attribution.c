/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_attribution.c - see h5_attribution.h: writing. Reading is in
 * h5_attribution_read.c. */
#include "store/h5_attribution.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/status_priv.h"
#include "store/h5.h"
#include "store/h5_tensor.h"

/* One modality being written: names are "/text/scores" and so on. */
typedef struct writer {
    h5_file *file;
    arena *a;
    const attribution_journal *journal;
    const attribution_spec *spec;
    attribution_modality m;
    int64_t n_layers;
    int64_t n_neurons;
    int64_t kept;
} writer;

static mip_status name_of(const writer *w, const char *part, const char **out) {
    char *name = NULL;
    MIP_TRY(arena_printf(w->a, &name, "/%s/%s", attribution_modality_name(w->m), part));
    *out = name;
    return MIP_OK;
}

static mip_status scale_add(const writer *w, const char *part, int64_t n, const char *long_name) {
    const char *name = NULL;
    MIP_TRY(name_of(w, part, &name));
    return h5_scale_create(w->file, name, n, long_name);
}

enum { ARRAY_MAX_RANK = 3 };

typedef struct array_row {
    const char *name;
    mip_dtype dtype;
    const char *scales[ARRAY_MAX_RANK]; // NULL after the last
    const char *long_name;
} array_row;

static int64_t scale_size(const writer *w, const char *scale) {
    return strcmp(scale, "sample") == 0   ? w->spec->n_samples
           : strcmp(scale, "layer") == 0  ? w->n_layers
           : strcmp(scale, "neuron") == 0 ? w->n_neurons
           : strcmp(scale, "kept") == 0   ? w->kept
                                          : w->spec->top_k;
}

static const array_row all_scores[] = {
    {"scores", MIP_DTYPE_F32, {"sample", "layer", "neuron"}, "score of every neuron"},
};
static const array_row best_scores[] = {
    {"scores", MIP_DTYPE_F32, {"sample", "layer", "kept"}, "best scores of a layer, best first"},
    {"scores_index", MIP_DTYPE_I32, {"sample", "layer", "kept"}, "neuron index of each score"},
};
static const array_row others[] = {
    {"logp_clean", MIP_DTYPE_F64, {"sample"}, "log-probability of the labels in the clean run"},
    {"done", MIP_DTYPE_U8, {"sample"}, "1 = this sample was scored"},
};

/* Scores: one sample and layer per chunk; the small arrays: one sample. [sample] alone
 * is not chunked. */
static mip_status array_add(const writer *w, const array_row *row) {
    h5_dataset_spec spec = {.dtype = row->dtype, .units = "1", .long_name = row->long_name};
    int rank = 0;
    MIP_TRY(name_of(w, row->name, &spec.name));
    for (; rank < ARRAY_MAX_RANK && row->scales[rank] != NULL; rank++) {
        MIP_TRY(name_of(w, row->scales[rank], &spec.scales[rank]));
        spec.shape.dims[rank] = scale_size(w, row->scales[rank]);
        spec.chunk.dims[rank] = rank == 0 ? 1 : spec.shape.dims[rank];
    }
    spec.shape.rank = rank;
    spec.chunk.rank = rank > 1 ? rank : 0;
    if (strncmp(row->name, "scores", 6) == 0) {
        spec.chunk.dims[1] = 1;
    }
    return h5_dataset_create(w->file, &spec);
}

static mip_status arrays_add(const writer *w) {
    const bool all = w->kept == w->n_neurons;
    for (size_t i = 0; i < (all ? 1 : 2); i++) {
        MIP_TRY(array_add(w, all ? &all_scores[i] : &best_scores[i]));
    }
    int n = 0;
    const attribution_array *arrays = attribution_arrays(&n);
    for (int i = 0; i < n; i++) {
        const attribution_array *a = &arrays[i];
        MIP_TRY(array_add(w, &(array_row){a->name,
                                          a->dtype,
                                          {"sample", "layer", a->per_rank ? "rank" : NULL},
                                          a->long_name}));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        MIP_TRY(array_add(w, &others[i]));
    }
    return MIP_OK;
}

/* Row i_sample of an array whose other dimensions are written whole. */
static mip_status row_write(const writer *w, const char *part, int64_t i_sample, mip_dtype dtype,
                            const void *data) {
    const char *name = NULL;
    tensor_shape shape;
    int64_t begin[SHAPE_MAX_RANK] = {i_sample};
    MIP_TRY(name_of(w, part, &name));
    MIP_TRY(h5_dataset_shape(w->file, name, &shape));
    shape.dims[0] = 1;
    return h5_dataset_write(w->file, name, begin, shape.dims, dtype, data);
}

typedef struct ranked {
    float score;
    int32_t neuron;
} ranked;

/* Score descending, index ascending: the order of the path search. */
static int compare_ranked(const void *a, const void *b) {
    const ranked *x = a;
    const ranked *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return (x->neuron > y->neuron) - (x->neuron < y->neuron);
}

static mip_status best_scores_write(const writer *w, int64_t i_sample, const float *score) {
    ranked *order = NULL;
    float *best = NULL;
    int32_t *index = NULL;
    const arena_mark mark = arena_mark_get(w->a);
    MIP_TRY(ARENA_NEW(w->a, w->n_neurons, &order));
    MIP_TRY(ARENA_NEW(w->a, w->n_layers * w->kept, &best));
    MIP_TRY(ARENA_NEW(w->a, w->n_layers * w->kept, &index));
    for (int64_t l = 0; l < w->n_layers; l++) {
        for (int64_t f = 0; f < w->n_neurons; f++) {
            order[f] = (ranked){.score = score[l * w->n_neurons + f], .neuron = (int32_t)f};
        }
        qsort(order, (size_t)w->n_neurons, sizeof *order, compare_ranked);
        for (int64_t k = 0; k < w->kept; k++) {
            best[l * w->kept + k] = order[k].score;
            index[l * w->kept + k] = order[k].neuron;
        }
    }
    MIP_TRY(row_write(w, "scores", i_sample, MIP_DTYPE_F32, best));
    MIP_TRY(row_write(w, "scores_index", i_sample, MIP_DTYPE_I32, index));
    arena_release(w->a, mark);
    return MIP_OK;
}

static mip_status sample_write(const writer *w, int64_t i_sample, const attribution_sample *s) {
    const uint8_t done = 1;
    if (w->kept < w->n_neurons) {
        MIP_TRY(best_scores_write(w, i_sample, s->score));
    } else {
        MIP_TRY(row_write(w, "scores", i_sample, MIP_DTYPE_F32, s->score));
    }
    int n = 0;
    const attribution_array *arrays = attribution_arrays(&n);
    for (int i = 0; i < n; i++) {
        MIP_TRY(row_write(w, arrays[i].name, i_sample, arrays[i].dtype,
                          attribution_array_data(s, &arrays[i])));
    }
    MIP_TRY(row_write(w, "logp_clean", i_sample, MIP_DTYPE_F64, &s->logp_clean));
    return row_write(w, "done", i_sample, MIP_DTYPE_U8, &done);
}

static mip_status samples_write(const writer *w) {
    mip_status status = MIP_OK;
    attribution_sample s = {0};
    MIP_TRY(attribution_sample_create(w->spec, w->m, &s));
    for (int64_t i = 0; i < w->spec->n_samples; i++) {
        if (journal_has(w->journal, w->m, i)) {
            MIP_TRY_GOTO(journal_get(w->journal, w->m, i, &s));
            MIP_TRY_GOTO(sample_write(w, i, &s));
        }
    }
out:
    attribution_sample_destroy(&s);
    return status;
}

static mip_status vector_write(const writer *w, const char *part, const char *scale,
                               mip_dtype dtype, int64_t n, const char *long_name,
                               const void *data) {
    h5_dataset_spec spec = {
        .dtype = dtype, .shape = {.rank = 1, .dims = {n}}, .units = "1", .long_name = long_name};
    MIP_TRY(name_of(w, part, &spec.name));
    MIP_TRY(name_of(w, scale, &spec.scales[0]));
    MIP_TRY(h5_dataset_create(w->file, &spec));
    return n > 0 ? h5_dataset_write(w->file, spec.name, NULL, NULL, dtype, data) : MIP_OK;
}

static mip_status union_write(const writer *w, const attribution_union *u) {
    const int64_t n = u->offsets[w->n_layers];
    for (int64_t i = 0; i < n; i++) {
        if (u->neurons[i] < 0 || u->neurons[i] >= w->n_neurons) {
            MIP_FAIL(MIP_E_ARG, NULL, "edit set: entry %" PRId64 " is neuron %d of %" PRId64, i,
                     (int)u->neurons[i], w->n_neurons);
        }
    }
    MIP_TRY(scale_add(w, "entry", n, "place in the edit set"));
    MIP_TRY(scale_add(w, "layer_edge", w->n_layers + 1, "boundary between layers"));
    MIP_TRY(vector_write(w, "union", "entry", MIP_DTYPE_I32, n,
                         "neurons to edit, layer after layer", u->neurons));
    return vector_write(w, "union_offset", "layer_edge", MIP_DTYPE_I64, w->n_layers + 1,
                        "layer l owns the entries from union_offset[l] to union_offset[l + 1]",
                        u->offsets);
}

static mip_status modality_write(const writer *w, const attribution_union *u) {
    char *group = NULL;
    MIP_TRY(arena_printf(w->a, &group, "/%s", attribution_modality_name(w->m)));
    MIP_TRY(h5_group_create(w->file, group));
    MIP_TRY(h5_attr_put_i64(w->file, group, "n_neurons", w->n_neurons));
    MIP_TRY(scale_add(w, "sample", w->spec->n_samples, "sample, see /sample/id"));
    MIP_TRY(scale_add(w, "layer", w->n_layers, "block of the stack, from 0"));
    MIP_TRY(w->kept == w->n_neurons ? scale_add(w, "neuron", w->n_neurons, "FFN neuron of a layer")
                                    : scale_add(w, "kept", w->kept, "place among the kept scores"));
    MIP_TRY(scale_add(w, "rank", w->spec->top_k, "place in the path, 0 is best"));
    MIP_TRY(arrays_add(w));
    MIP_TRY(samples_write(w));
    return u->offsets != NULL ? union_write(w, u) : MIP_OK;
}

static mip_status header_write(h5_file *file, const attribution_spec *spec) {
    const h5_dataset_spec n_tokens = {.name = "/sample/n_tokens",
                                      .dtype = MIP_DTYPE_I64,
                                      .shape = {.rank = 1, .dims = {spec->n_samples}},
                                      .scales = {"/sample/sample"},
                                      .units = "tokens",
                                      .long_name = "prompt and answer tokens"};
    MIP_TRY(h5_attr_put_i64(file, "/", "format_version", H5_ATTRIBUTION_VERSION));
    MIP_TRY(h5_attr_put_string(file, "/", "fingerprint", spec->fingerprint));
    MIP_TRY(h5_attr_put_texts(file, "/", spec->n_attributes, spec->attributes));
    MIP_TRY(h5_group_create(file, "/sample"));
    MIP_TRY(h5_scale_create(file, "/sample/sample", spec->n_samples, "sample"));
    MIP_TRY(h5_strings_write(file, "/sample/id", "/sample/sample", "name of the sample", spec->ids,
                             spec->n_samples));
    MIP_TRY(h5_dataset_create(file, &n_tokens));
    return h5_dataset_write(file, n_tokens.name, NULL, NULL, MIP_DTYPE_I64, spec->n_tokens);
}

typedef struct file_content {
    const attribution_journal *journal;
    const attribution_union *unions; // [ATTRIBUTION_MODALITIES]
} file_content;

static mip_status file_write(h5_file *file, arena *a, const void *content) {
    const file_content *c = content;
    const attribution_spec *spec = journal_spec(c->journal);
    MIP_TRY(header_write(file, spec));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        const writer w = {.file = file,
                          .a = a,
                          .journal = c->journal,
                          .spec = spec,
                          .m = (attribution_modality)m,
                          .n_layers = spec->shapes[m].n_layers,
                          .n_neurons = spec->shapes[m].n_neurons,
                          .kept = attribution_kept(spec, (attribution_modality)m)};
        if (w.n_layers > 0) {
            MIP_TRY(modality_write(&w, &c->unions[m]));
        }
    }
    return MIP_OK;
}

mip_status h5_attribution_write(const char *path, const attribution_journal *j,
                                const attribution_union unions[ATTRIBUTION_MODALITIES]) {
    return h5_write_whole(path, file_write, &(file_content){.journal = j, .unions = unions});
}
