/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/attribution_journal.c - see attribution_journal.h.
 *
 * A sample file: record_head, then the scores and the arrays in the order of attribution_arrays;
 * numbers as in memory, for a journal never leaves its machine. The checksum covers everything
 * behind it. */
#include "store/attribution_journal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/status_priv.h"

enum { N_PARTS = ATTRIBUTION_ARRAYS + 1, MAGIC = 0x324a504d }; // "MPJ2"

struct attribution_journal {
    arena memory;
    const char *dir;
    const attribution_spec *spec;
    bool *done[ATTRIBUTION_MODALITIES]; // [N]
};

typedef struct record_head {
    uint64_t checksum; // of the bytes behind this field
    uint64_t magic;
    int64_t i_sample;
    int64_t n_bytes; // of the whole file
    double logp_clean;
} record_head;

typedef struct part {
    void *data;
    size_t n_bytes;
} part;

static void parts_list(const attribution_spec *spec, attribution_modality m,
                       const attribution_sample *s, part out[N_PARTS]) {
    int n = 0;
    const attribution_array *arrays = attribution_arrays(&n);
    const int64_t n_scores = spec->shapes[m].n_layers * spec->shapes[m].n_neurons;
    out[0] = (part){s->score, sizeof(float) * (size_t)n_scores};
    for (int i = 0; i < n; i++) {
        const size_t elems = (size_t)attribution_array_elems(spec, m, &arrays[i]);
        out[i + 1] = (part){attribution_array_data(s, &arrays[i]), sizeof(float) * elems};
    }
}

static size_t record_bytes(const attribution_spec *spec, attribution_modality m) {
    part parts[N_PARTS];
    const attribution_sample none = {0};
    size_t n = sizeof(record_head);
    parts_list(spec, m, &none, parts);
    for (int i = 0; i < N_PARTS; i++) {
        n += parts[i].n_bytes;
    }
    return n;
}

static mip_status record_path(const attribution_journal *j, arena *a, attribution_modality m,
                              int64_t i_sample, char **out) {
    return arena_printf(a, out, "%s/%s_%06" PRId64 ".bin", j->dir, attribution_modality_name(m),
                        i_sample);
}

static uint64_t record_checksum(const char *bytes, size_t n_bytes) {
    return hash_key_n(bytes + sizeof(uint64_t), n_bytes - sizeof(uint64_t));
}

/* The whole file, checked; *bytes lives in a. */
static mip_status record_read(const attribution_journal *j, arena *a, attribution_modality m,
                              int64_t i_sample, char **bytes) {
    const size_t wanted = record_bytes(j->spec, m);
    char *path = NULL;
    size_t n_bytes = 0;
    record_head head;
    MIP_TRY(record_path(j, a, m, i_sample, &path));
    MIP_TRY(fs_read_file(a, path, wanted, bytes, &n_bytes));
    if (n_bytes != wanted) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: expected %zu bytes, found %zu", path, wanted, n_bytes);
    }
    memcpy(&head, *bytes, sizeof head);
    if (head.magic != MAGIC || head.i_sample != i_sample || head.n_bytes != (int64_t)wanted ||
        head.checksum != record_checksum(*bytes, wanted)) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: the checksum does not match", path);
    }
    return MIP_OK;
}

/* What must be equal for two runs to share a journal, as text a person can compare. */
static mip_status spec_text(const attribution_spec *spec, arena *a, char **out) {
    return arena_printf(
        a, out,
        "samples %" PRId64 "\ntext %" PRId64 " x %" PRId64 "\nvision %" PRId64 " x %" PRId64
        "\ntop_k %" PRId64 "\nkeep %" PRId64 "\nfingerprint %s\n",
        spec->n_samples, spec->shapes[ATTRIBUTION_TEXT].n_layers,
        spec->shapes[ATTRIBUTION_TEXT].n_neurons, spec->shapes[ATTRIBUTION_VISION].n_layers,
        spec->shapes[ATTRIBUTION_VISION].n_neurons, spec->top_k, spec->keep, spec->fingerprint);
}

static mip_status spec_agree(const attribution_journal *j, arena *a) {
    char *path = NULL;
    char *ours = NULL;
    char *theirs = NULL;
    size_t n_bytes = 0;
    MIP_TRY(fs_join(a, j->dir, "spec.txt", &path));
    MIP_TRY(spec_text(j->spec, a, &ours));
    if (!fs_exists(path)) {
        return fs_write_file(path, ours, strlen(ours));
    }
    MIP_TRY(fs_read_file(a, path, 64 * 1024, &theirs, &n_bytes));
    if (strcmp(ours, theirs) != 0) {
        MIP_FAIL(MIP_E_CONFIG, "choose another output folder, or remove this one to start again",
                 "%s holds scores made with other settings, model or data (see %s)", j->dir, path);
    }
    return MIP_OK;
}

/* Look for finished samples; whatever does not check is as if it were not there. */
static mip_status done_find(attribution_journal *j, attribution_modality m) {
    MIP_TRY(ARENA_NEW(&j->memory, j->spec->n_samples, &j->done[m]));
    for (int64_t i = 0; i < j->spec->n_samples && j->spec->shapes[m].n_layers > 0; i++) {
        arena scratch;
        char *path = NULL;
        char *bytes = NULL;
        arena_init(&scratch);
        mip_status status = record_path(j, &scratch, m, i, &path);
        if (status == MIP_OK && fs_exists(path)) {
            j->done[m][i] = record_read(j, &scratch, m, i, &bytes) == MIP_OK;
            if (!j->done[m][i]) {
                log_warn("%s; the sample is computed again", mip_error_last()->what);
            }
        }
        arena_deinit(&scratch);
        MIP_TRY(status);
    }
    return MIP_OK;
}

mip_status journal_open(const char *dir, const attribution_spec *spec, attribution_journal **out) {
    mip_status status = MIP_OK;
    char *copy = NULL;
    *out = NULL;
    attribution_journal *j = calloc(1, sizeof *j);
    if (j == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof *j);
    }
    arena_init(&j->memory);
    j->spec = spec;
    MIP_TRY_GOTO(arena_strdup(&j->memory, dir, &copy));
    j->dir = copy;
    MIP_TRY_GOTO(fs_mkdirs(dir));
    MIP_TRY_GOTO(spec_agree(j, &j->memory));
    MIP_TRY_GOTO(done_find(j, ATTRIBUTION_TEXT));
    MIP_TRY_GOTO(done_find(j, ATTRIBUTION_VISION));
    *out = j;
    return MIP_OK;
out:
    journal_close(j);
    return status;
}

void journal_close(attribution_journal *j) {
    if (j != NULL) {
        arena_deinit(&j->memory);
        free(j);
    }
}

const attribution_spec *journal_spec(const attribution_journal *j) {
    return j->spec;
}

bool journal_has(const attribution_journal *j, attribution_modality m, int64_t i_sample) {
    return i_sample >= 0 && i_sample < j->spec->n_samples && j->done[m][i_sample];
}

int64_t journal_count(const attribution_journal *j, attribution_modality m) {
    int64_t n = 0;
    for (int64_t i = 0; i < j->spec->n_samples; i++) {
        n += j->done[m][i];
    }
    return n;
}

static mip_status finite_check(const attribution_spec *spec, attribution_modality m,
                               int64_t i_sample, const attribution_sample *s) {
    const int64_t n_neurons = spec->shapes[m].n_neurons;
    for (int64_t i = 0; i < spec->shapes[m].n_layers * n_neurons; i++) {
        if (!isfinite(s->score[i])) {
            MIP_FAIL(MIP_E_NUMERIC, NULL,
                     "sample %s: the %s score of layer %" PRId64 ", neuron %" PRId64 " is %g",
                     spec->ids[i_sample], attribution_modality_name(m), i / n_neurons,
                     i % n_neurons, (double)s->score[i]);
        }
    }
    return MIP_OK;
}

mip_status journal_put(attribution_journal *j, attribution_modality m, int64_t i_sample,
                       const attribution_sample *sample) {
    mip_status status = MIP_OK;
    const size_t n_bytes = record_bytes(j->spec, m);
    part parts[N_PARTS];
    char *bytes = NULL;
    char *path = NULL;
    arena scratch;
    arena_init(&scratch);
    if (i_sample < 0 || i_sample >= j->spec->n_samples || j->spec->shapes[m].n_layers == 0) {
        MIP_FAIL_GOTO(MIP_E_ARG, NULL, "%s: there is no %s sample %" PRId64, j->dir,
                      attribution_modality_name(m), i_sample);
    }
    MIP_TRY_GOTO(finite_check(j->spec, m, i_sample, sample));
    MIP_TRY_GOTO(arena_alloc(&scratch, n_bytes, (void **)&bytes));
    parts_list(j->spec, m, sample, parts);
    size_t at = sizeof(record_head);
    for (int i = 0; i < N_PARTS; i++) {
        memcpy(bytes + at, parts[i].data, parts[i].n_bytes);
        at += parts[i].n_bytes;
    }
    record_head head = {.magic = MAGIC,
                        .i_sample = i_sample,
                        .n_bytes = (int64_t)n_bytes,
                        .logp_clean = sample->logp_clean};
    memcpy(bytes, &head, sizeof head);
    head.checksum = record_checksum(bytes, n_bytes);
    memcpy(bytes, &head, sizeof head);
    MIP_TRY_GOTO(record_path(j, &scratch, m, i_sample, &path));
    MIP_TRY_GOTO(fs_write_file(path, bytes, n_bytes));
    j->done[m][i_sample] = true;
out:
    arena_deinit(&scratch);
    return status;
}

mip_status journal_get(const attribution_journal *j, attribution_modality m, int64_t i_sample,
                       attribution_sample *out) {
    mip_status status = MIP_OK;
    part parts[N_PARTS];
    char *bytes = NULL;
    record_head head;
    arena scratch;
    arena_init(&scratch);
    if (!journal_has(j, m, i_sample)) {
        MIP_FAIL_GOTO(MIP_E_ARG, NULL, "%s: %s sample %" PRId64 " is not done", j->dir,
                      attribution_modality_name(m), i_sample);
    }
    MIP_TRY_GOTO(record_read(j, &scratch, m, i_sample, &bytes));
    memcpy(&head, bytes, sizeof head);
    out->logp_clean = head.logp_clean;
    parts_list(j->spec, m, out, parts);
    size_t at = sizeof head;
    for (int i = 0; i < N_PARTS; i++) {
        memcpy(parts[i].data, bytes + at, parts[i].n_bytes);
        at += parts[i].n_bytes;
    }
out:
    arena_deinit(&scratch);
    return status;
}

mip_status journal_remove(const char *dir) {
    return fs_remove_tree(dir);
}
