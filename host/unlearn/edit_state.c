/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_state.c - see edit_state.h. */
#include "unlearn/edit_state.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "io/safetensors_read.h"
#include "io/safetensors_write.h"

enum { PARTS = 3, LOSSES = 4 };
static const char *const part_names[PARTS] = {"p", "m", "v"};

static float *part_of(const edit_params *params, const adamw *optimiser, int block, int part) {
    float *const parts[PARTS] = {params->blocks[block].p, optimiser->m[block], optimiser->v[block]};
    return parts[part];
}

static mip_status part_name(arena *a, const edit_params *params, int block, int part, char **out) {
    return arena_printf(a, out, "%s.%s", part_names[part], params->of[block].name);
}

static mip_status declare(safetensors_writer *w, const char *name, mip_dtype dtype, int64_t n) {
    const tensor_shape shape = {.rank = 1, .dims = {n}};
    return safetensors_writer_declare(w, name, dtype, &shape);
}

static mip_status declare_all(safetensors_writer *w, arena *a, const edit_params *params) {
    MIP_TRY(declare(w, "fingerprint", MIP_DTYPE_I64, 1));
    MIP_TRY(declare(w, "step", MIP_DTYPE_I64, 1));
    MIP_TRY(declare(w, "losses", MIP_DTYPE_F64, LOSSES));
    for (int i = 0; i < params->n; i++) {
        for (int part = 0; part < PARTS; part++) {
            char *name = NULL;
            MIP_TRY(part_name(a, params, i, part, &name));
            MIP_TRY(declare(w, name, MIP_DTYPE_F32, params->blocks[i].n));
        }
    }
    return MIP_OK;
}

static mip_status append_part(safetensors_writer *w, const edit_params *params,
                              const adamw *optimiser, int block, int part) {
    const size_t bytes = (size_t)params->blocks[block].n * sizeof(float);
    mip_status status = MIP_OK;
    float *data = malloc(bytes > 0 ? bytes : 1);
    if (data == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", bytes);
    }
    MIP_TRY_GOTO(exec_download(params->x, data, part_of(params, optimiser, block, part), bytes));
    MIP_TRY_GOTO(safetensors_writer_append(w, data, bytes));
out:
    free(data);
    return status;
}

mip_status edit_state_save(const char *path, const edit_params *params, const adamw *optimiser,
                           const edit_progress *progress) {
    const double losses[LOSSES] = {progress->first.forget, progress->first.retain,
                                   progress->last.forget, progress->last.retain};
    mip_status status = MIP_OK;
    safetensors_writer *w = NULL;
    arena a;
    arena_init(&a);
    MIP_TRY_GOTO(safetensors_writer_create(path, &w));
    MIP_TRY_GOTO(declare_all(w, &a, params));
    MIP_TRY_GOTO(
        safetensors_writer_append(w, &progress->fingerprint, sizeof progress->fingerprint));
    MIP_TRY_GOTO(safetensors_writer_append(w, &optimiser->step, sizeof optimiser->step));
    MIP_TRY_GOTO(safetensors_writer_append(w, losses, sizeof losses));
    for (int i = 0; i < params->n; i++) {
        for (int part = 0; part < PARTS; part++) {
            MIP_TRY_GOTO(append_part(w, params, optimiser, i, part));
        }
    }
    MIP_TRY_GOTO(safetensors_writer_finish(w));
out:
    safetensors_writer_destroy(w);
    arena_deinit(&a);
    return status;
}

static mip_status read_vector(const safetensors_file *file, const char *name, mip_dtype dtype,
                              int64_t n, void *dst) {
    const safetensors_entry *entry = safetensors_find(file, name);
    if (entry == NULL || entry->dtype != dtype) {
        MIP_FAIL(MIP_E_FORMAT, "remove it to begin the edit afresh",
                 "%s: tensor %s is missing or of another type", safetensors_path(file), name);
    }
    MIP_TRY(safetensors_expect(entry, 1, &n));
    return safetensors_read(entry, dtype, false, dst);
}

static mip_status load_parts(const safetensors_file *file, const edit_params *params,
                             const adamw *optimiser) {
    mip_status status = MIP_OK;
    arena a;
    arena_init(&a);
    for (int i = 0; i < params->n; i++) {
        for (int part = 0; part < PARTS; part++) {
            const int64_t elems = params->blocks[i].n;
            float *data = NULL;
            char *name = NULL;
            MIP_TRY_GOTO(ARENA_NEW(&a, elems, &data));
            MIP_TRY_GOTO(part_name(&a, params, i, part, &name));
            MIP_TRY_GOTO(read_vector(file, name, MIP_DTYPE_F32, elems, data));
            MIP_TRY_GOTO(exec_upload(params->x, part_of(params, optimiser, i, part), data,
                                     (size_t)elems * sizeof *data));
        }
    }
out:
    arena_deinit(&a);
    return status;
}

mip_status edit_state_load(const char *path, const edit_params *params, adamw *optimiser,
                           edit_progress *progress) {
    mip_status status = MIP_OK;
    safetensors_file *file = NULL;
    int64_t fingerprint = 0;
    double losses[LOSSES];
    MIP_TRY(safetensors_open(path, &file));
    MIP_TRY_GOTO(read_vector(file, "fingerprint", MIP_DTYPE_I64, 1, &fingerprint));
    if (fingerprint != progress->fingerprint) {
        MIP_FAIL_GOTO(MIP_E_CONFIG, "choose another output folder, or remove it to begin afresh",
                      "%s belongs to an edit with other settings, neurons or samples", path);
    }
    MIP_TRY_GOTO(read_vector(file, "step", MIP_DTYPE_I64, 1, &optimiser->step));
    MIP_TRY_GOTO(read_vector(file, "losses", MIP_DTYPE_F64, LOSSES, losses));
    MIP_TRY_GOTO(load_parts(file, params, optimiser));
    progress->first = (rmisu_loss){.forget = losses[0], .retain = losses[1]};
    progress->last = (rmisu_loss){.forget = losses[2], .retain = losses[3]};
out:
    safetensors_close(file);
    return status;
}
