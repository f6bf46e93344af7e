/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_attribution_read.c - reading attribution.h5; the layout is in h5_attribution.h. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/status_priv.h"
#include "store/h5.h"
#include "store/h5_attribution.h"
#include "store/h5_tensor.h"

enum { NAME_BYTES = 64 };

static const int64_t MAX_ELEMS = INT64_C(1) << 34; // far above any real file, far below an overflow

struct h5_attribution {
    h5_file *file;
    arena memory;
    attribution_spec spec;
    uint8_t *done[ATTRIBUTION_MODALITIES]; // [N], NULL if the modality is absent
    attribution_union unions[ATTRIBUTION_MODALITIES];
};

static const char *name_of(char out[NAME_BYTES], attribution_modality m, const char *part) {
    snprintf(out, NAME_BYTES, "/%s/%s", attribution_modality_name(m), part);
    return out;
}

static mip_status shape_expect(const h5_attribution *f, const char *name, int rank,
                               tensor_shape *out) {
    int64_t n = 0;
    MIP_TRY(h5_dataset_shape(f->file, name, out));
    if (out->rank != rank || !shape_elems(out, &n) || n > MAX_ELEMS) {
        char text[SHAPE_TEXT_BYTES];
        shape_text(out, text);
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s is %s, expected %d dimensions", h5_path(f->file), name,
                 text, rank);
    }
    return MIP_OK;
}

/* The fingerprint stands among the attributes, but is none of the caller's. */
static mip_status attributes_read(h5_attribution *f) {
    const named_text *all = NULL;
    named_text *own = NULL;
    int64_t n = 0;
    MIP_TRY(h5_attr_get_texts(f->file, "/", "format_version", &f->memory, &all, &n));
    MIP_TRY(ARENA_NEW(&f->memory, n, &own));
    for (int64_t i = 0; i < n; i++) {
        if (strcmp(all[i].name, "fingerprint") == 0) {
            f->spec.fingerprint = all[i].value;
        } else {
            own[f->spec.n_attributes++] = all[i];
        }
    }
    f->spec.attributes = own;
    return MIP_OK;
}

static mip_status header_read(h5_attribution *f) {
    int64_t version = 0;
    int64_t n_ids = 0;
    tensor_shape shape;
    int64_t *n_tokens = NULL;
    if (!h5_exists(f->file, "/sample/n_tokens")) {
        MIP_FAIL(MIP_E_FORMAT, "see what is in it: h5dump -H FILE",
                 "%s is an HDF5 file, but not one of attribution scores", h5_path(f->file));
    }
    MIP_TRY(h5_attr_get_i64(f->file, "/", "format_version", &version));
    if (version != H5_ATTRIBUTION_VERSION) {
        MIP_FAIL(MIP_E_FORMAT, "make it again: mip attribute CONFIG",
                 "%s: format version %" PRId64 ", this program reads %d", h5_path(f->file), version,
                 (int)H5_ATTRIBUTION_VERSION);
    }
    MIP_TRY(attributes_read(f));
    MIP_TRY(shape_expect(f, "/sample/n_tokens", 1, &shape));
    f->spec.n_samples = shape.dims[0];
    MIP_TRY(ARENA_NEW(&f->memory, shape.dims[0], &n_tokens));
    MIP_TRY(h5_dataset_read(f->file, "/sample/n_tokens", NULL, NULL, MIP_DTYPE_I64, n_tokens));
    f->spec.n_tokens = n_tokens;
    MIP_TRY(h5_strings_read(f->file, "/sample/id", &f->memory, &f->spec.ids, &n_ids));
    if (n_ids != f->spec.n_samples) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %" PRId64 " ids for %" PRId64 " samples",
                 h5_path(f->file), n_ids, f->spec.n_samples);
    }
    return MIP_OK;
}

static mip_status union_read(h5_attribution *f, attribution_modality m) {
    char name[NAME_BYTES];
    tensor_shape shape;
    int64_t *offsets = NULL;
    int32_t *neurons = NULL;
    const int64_t n_layers = f->spec.shapes[m].n_layers;
    if (!h5_exists(f->file, name_of(name, m, "union_offset"))) {
        return MIP_OK;
    }
    MIP_TRY(shape_expect(f, name, 1, &shape));
    if (shape.dims[0] != n_layers + 1) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s has %" PRId64 " entries for %" PRId64 " layers",
                 h5_path(f->file), name, shape.dims[0], n_layers);
    }
    MIP_TRY(ARENA_NEW(&f->memory, n_layers + 1, &offsets));
    MIP_TRY(h5_dataset_read(f->file, name, NULL, NULL, MIP_DTYPE_I64, offsets));
    MIP_TRY(shape_expect(f, name_of(name, m, "union"), 1, &shape));
    for (int64_t l = 0; l <= n_layers; l++) {
        const int64_t least = l == 0 ? 0 : offsets[l - 1];
        if (offsets[l] < least || offsets[l] > shape.dims[0] || (l == 0 && offsets[0] != 0)) {
            MIP_FAIL(MIP_E_FORMAT, NULL, "%s: the offsets of %s are not in order", h5_path(f->file),
                     name);
        }
    }
    MIP_TRY(ARENA_NEW(&f->memory, shape.dims[0], &neurons));
    MIP_TRY(h5_dataset_read(f->file, name, NULL, NULL, MIP_DTYPE_I32, neurons));
    for (int64_t i = 0; i < shape.dims[0]; i++) {
        if (neurons[i] < 0 || neurons[i] >= f->spec.shapes[m].n_neurons) {
            MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s[%" PRId64 "] is neuron %d", h5_path(f->file), name,
                     i, (int)neurons[i]);
        }
    }
    f->unions[m] = (attribution_union){.neurons = neurons, .offsets = offsets};
    return MIP_OK;
}

static mip_status modality_read(h5_attribution *f, attribution_modality m) {
    char name[NAME_BYTES];
    tensor_shape shape;
    tensor_shape path;
    int64_t n_neurons = 0;
    if (!h5_exists(f->file, name_of(name, m, "scores"))) {
        return MIP_OK;
    }
    MIP_TRY(shape_expect(f, name, 3, &shape));
    MIP_TRY(shape_expect(f, name_of(name, m, "path"), 3, &path));
    MIP_TRY(h5_attr_get_i64(f->file, attribution_modality_name(m), "n_neurons", &n_neurons));
    if (h5_exists(f->file, name_of(name, m, "scores_index"))) {
        f->spec.keep = shape.dims[2];
    }
    if (shape.dims[0] != f->spec.n_samples || path.dims[0] != f->spec.n_samples ||
        path.dims[1] != shape.dims[1] || n_neurons < shape.dims[2] || n_neurons > INT32_MAX) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: the arrays of /%s do not fit together", h5_path(f->file),
                 attribution_modality_name(m));
    }
    f->spec.shapes[m] = (attribution_shape){.n_layers = shape.dims[1], .n_neurons = n_neurons};
    f->spec.top_k = path.dims[2];
    MIP_TRY(ARENA_NEW(&f->memory, f->spec.n_samples, &f->done[m]));
    MIP_TRY(shape_expect(f, name_of(name, m, "done"), 1, &shape));
    if (shape.dims[0] != f->spec.n_samples) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s has %" PRId64 " entries", h5_path(f->file), name,
                 shape.dims[0]);
    }
    MIP_TRY(h5_dataset_read(f->file, name, NULL, NULL, MIP_DTYPE_U8, f->done[m]));
    return union_read(f, m);
}

mip_status h5_attribution_open(const char *path, h5_attribution **out) {
    mip_status status = MIP_OK;
    *out = NULL;
    h5_attribution *f = calloc(1, sizeof *f);
    if (f == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof *f);
    }
    arena_init(&f->memory);
    MIP_TRY_GOTO(h5_open(path, &f->file));
    MIP_TRY_GOTO(header_read(f));
    MIP_TRY_GOTO(modality_read(f, ATTRIBUTION_TEXT));
    MIP_TRY_GOTO(modality_read(f, ATTRIBUTION_VISION));
    *out = f;
    return MIP_OK;
out:
    h5_attribution_close(f);
    return status;
}

void h5_attribution_close(h5_attribution *f) {
    if (f != NULL) {
        h5_abandon(&f->file);
        arena_deinit(&f->memory);
        free(f);
    }
}

const attribution_spec *h5_attribution_spec(const h5_attribution *f) {
    return &f->spec;
}

const char *h5_attribution_attribute(const h5_attribution *f, const char *name) {
    for (int64_t i = 0; i < f->spec.n_attributes; i++) {
        if (strcmp(f->spec.attributes[i].name, name) == 0) {
            return f->spec.attributes[i].value;
        }
    }
    return NULL;
}

bool h5_attribution_done(const h5_attribution *f, attribution_modality m, int64_t i_sample) {
    return f->done[m] != NULL && i_sample >= 0 && i_sample < f->spec.n_samples &&
           f->done[m][i_sample] != 0;
}

attribution_union h5_attribution_union(const h5_attribution *f, attribution_modality m) {
    return f->unions[m];
}

static mip_status row_read(const h5_attribution *f, attribution_modality m, const char *part,
                           int64_t i_sample, int64_t n, mip_dtype dtype, void *out) {
    char name[NAME_BYTES];
    tensor_shape shape;
    int64_t begin[SHAPE_MAX_RANK] = {i_sample};
    int64_t found = 0;
    MIP_TRY(h5_dataset_shape(f->file, name_of(name, m, part), &shape));
    shape.dims[0] = 1;
    if (!shape_elems(&shape, &found) || found != n) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s has %" PRId64 " numbers per sample, expected %" PRId64,
                 h5_path(f->file), name, found, n);
    }
    return h5_dataset_read(f->file, name, begin, shape.dims, dtype, out);
}

static mip_status kept_scores_read(const h5_attribution *f, attribution_modality m,
                                   int64_t i_sample, float *out) {
    mip_status status = MIP_OK;
    const int64_t n_layers = f->spec.shapes[m].n_layers;
    const int64_t n_neurons = f->spec.shapes[m].n_neurons;
    const int64_t kept = f->spec.keep;
    float *score = NULL;
    int32_t *index = NULL;
    arena scratch;
    arena_init(&scratch);
    MIP_TRY_GOTO(ARENA_NEW(&scratch, n_layers * kept, &score));
    MIP_TRY_GOTO(ARENA_NEW(&scratch, n_layers * kept, &index));
    MIP_TRY_GOTO(row_read(f, m, "scores", i_sample, n_layers * kept, MIP_DTYPE_F32, score));
    MIP_TRY_GOTO(row_read(f, m, "scores_index", i_sample, n_layers * kept, MIP_DTYPE_I32, index));
    for (int64_t i = 0; i < n_layers * n_neurons; i++) {
        out[i] = NAN;
    }
    for (int64_t i = 0; i < n_layers * kept; i++) {
        if (index[i] < 0 || index[i] >= n_neurons) {
            MIP_FAIL_GOTO(MIP_E_FORMAT, NULL, "%s: a kept score of neuron %d", h5_path(f->file),
                          (int)index[i]);
        }
        out[i / kept * n_neurons + index[i]] = score[i];
    }
out:
    arena_deinit(&scratch);
    return status;
}

mip_status h5_attribution_read(const h5_attribution *f, attribution_modality m, int64_t i_sample,
                               attribution_sample *out) {
    const attribution_shape shape = f->spec.shapes[m];
    if (!h5_attribution_done(f, m, i_sample)) {
        MIP_FAIL(MIP_E_ARG, NULL, "%s: %s sample %" PRId64 " is not done", h5_path(f->file),
                 attribution_modality_name(m), i_sample);
    }
    if (attribution_kept(&f->spec, m) < shape.n_neurons) {
        MIP_TRY(kept_scores_read(f, m, i_sample, out->score));
    } else {
        MIP_TRY(row_read(f, m, "scores", i_sample, shape.n_layers * shape.n_neurons, MIP_DTYPE_F32,
                         out->score));
    }
    int n = 0;
    const attribution_array *arrays = attribution_arrays(&n);
    for (int i = 0; i < n; i++) {
        MIP_TRY(row_read(f, m, arrays[i].name, i_sample,
                         attribution_array_elems(&f->spec, m, &arrays[i]), arrays[i].dtype,
                         attribution_array_data(out, &arrays[i])));
    }
    return row_read(f, m, "logp_clean", i_sample, 1, MIP_DTYPE_F64, &out->logp_clean);
}
