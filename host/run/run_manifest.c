/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_manifest.c - see run_manifest.h. */
#include "run/run_manifest.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/build_info.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/machine.h"
#include "base/status_priv.h"
#include "io/json_doc.h"
#include "io/json_write.h"
#include "run/run_budget.h"

enum { MANIFEST_MAX_BYTES = 1 << 20 };
static const char file_name[] = "manifest.json";
static const char format[] = "mip-run/1";

/* The one file a stage writes; eval's grows question by question and has no mark of its own. */
static const char *result_name(run_stage stage) {
    static const char *const names[RUN_STAGES] = {"attribution.h5", "edit.h5", NULL};
    return names[stage];
}

const char *run_stage_name(run_stage stage) {
    static const char *const names[RUN_STAGES] = {"attribute", "edit", "eval"};
    return names[stage];
}

static mip_status read_mark(const json_doc *doc, const json_value *stages, run_stage stage,
                            stage_mark *out) {
    const json_value *mark = json_find(stages, run_stage_name(stage));
    const char *fingerprint = NULL;
    const char *sha = NULL;
    if (mark == NULL) {
        return MIP_OK;
    }
    MIP_TRY(json_string(doc, mark, "fingerprint", &fingerprint));
    snprintf(out->fingerprint, sizeof out->fingerprint, "%s", fingerprint);
    MIP_TRY(json_string_or(doc, mark, "sha256", "", &sha));
    snprintf(out->result_sha, sizeof out->result_sha, "%s", sha);
    MIP_TRY(json_f64(doc, mark, "seconds", 0, 1e12, &out->seconds));
    MIP_TRY(json_i64(doc, mark, "peak_bytes", 0, INT64_C(1) << 52, &out->peak_bytes));
    if (json_find(mark, "planned_bytes") == NULL) {
        return MIP_OK;
    }
    return json_i64(doc, mark, "planned_bytes", 0, INT64_C(1) << 52, &out->planned_bytes);
}

static mip_status read_marks(const json_doc *doc, run_manifest *out) {
    const char *found = NULL;
    const json_value *stages = NULL;
    MIP_TRY(json_string_or(doc, doc->root, "format", format, &found));
    if (strcmp(found, format) != 0) {
        MIP_FAIL(MIP_E_CONFIG,
                 "choose another folder: --set output=runs/NAME; or use the mip that made this one",
                 "%s: format \"%s\", this program reads \"%s\"", doc->name, found, format);
    }
    MIP_TRY(json_object(doc, doc->root, "stages", &stages));
    for (int s = 0; s < RUN_STAGES; s++) {
        MIP_TRY(read_mark(doc, stages, (run_stage)s, &out->stages[s]));
    }
    return MIP_OK;
}

mip_status run_manifest_read(arena *a, const char *dir, run_manifest *out) {
    mip_status status = MIP_OK;
    char *path = NULL;
    json_doc doc = {0};
    *out = (run_manifest){0};
    MIP_TRY(fs_join(a, dir, file_name, &path));
    if (!fs_exists(path)) {
        return MIP_OK;
    }
    MIP_TRY_GOTO(json_doc_read(path, MANIFEST_MAX_BYTES, &doc));
    MIP_TRY_GOTO(read_marks(&doc, out));
out:
    json_doc_deinit(&doc);
    if (status == MIP_E_FORMAT) {
        MIP_FAIL(MIP_E_FORMAT, "remove it: the same command runs the stages again", "%s",
                 mip_error_last()->what);
    }
    return status;
}

static mip_status put_origin(json_writer *w, const experiment *e) {
    const build_info b = build_info_get();
    const machine m = machine_get();
    struct utsname host;
    mip_device_info device = {0};
    char now[CLOCK_ISO_BYTES];
    memset(&host, 0, sizeof host);
    uname(&host);
    clock_iso_utc(clock_unix_s(), now);
    MIP_TRY(e->session.x.backend->device.info(e->session.x.backend->self, 0, &device));
    MIP_TRY(json_put_string(w, "format", format));
    MIP_TRY(json_put_string(w, "version", b.version));
    MIP_TRY(json_put_string(w, "commit", b.commit));
    MIP_TRY(json_put_string(w, "compiler", b.compiler));
    MIP_TRY(json_put_string(w, "host", host.nodename));
    MIP_TRY(json_put_string(w, "cpu", m.cpu));
    MIP_TRY(json_put_i64(w, "cores", m.n_cores));
    MIP_TRY(json_put_string(w, "backend", e->session.x.backend->name));
    MIP_TRY(json_put_string(w, "device", device.name));
    MIP_TRY(json_put_string(w, "updated", now));
    MIP_TRY(json_put_i64(w, "seed", e->config.seed));
    MIP_TRY(json_put_string(w, "model", e->config.model.path));
    MIP_TRY(json_put_string(w, "model_sha", e->model_sha));
    MIP_TRY(json_put_string(w, "data", e->config.data.path));
    return json_put_string(w, "data_sha", e->data_sha);
}

static mip_status put_stages(json_writer *w, const run_manifest *m) {
    MIP_TRY(json_begin_object(w, "stages"));
    for (int s = 0; s < RUN_STAGES; s++) {
        if (m->stages[s].fingerprint[0] == '\0') {
            continue;
        }
        MIP_TRY(json_begin_object(w, run_stage_name((run_stage)s)));
        MIP_TRY(json_put_string(w, "fingerprint", m->stages[s].fingerprint));
        if (m->stages[s].result_sha[0] != '\0') {
            MIP_TRY(json_put_string(w, "sha256", m->stages[s].result_sha));
        }
        MIP_TRY(json_put_f64(w, "seconds", m->stages[s].seconds));
        MIP_TRY(json_put_i64(w, "peak_bytes", m->stages[s].peak_bytes));
        MIP_TRY(json_put_i64(w, "planned_bytes", m->stages[s].planned_bytes));
        MIP_TRY(json_end(w));
    }
    return json_end(w);
}

/* Path of the stage's file, NULL if it has none or it is not there. */
static mip_status result_path(arena *a, const char *dir, run_stage stage, char **out) {
    *out = NULL;
    if (result_name(stage) != NULL) {
        MIP_TRY(fs_join(a, dir, result_name(stage), out));
    }
    *out = *out != NULL && fs_exists(*out) ? *out : NULL;
    return MIP_OK;
}

mip_status run_manifest_result(arena *a, const char *dir, run_stage stage, bool *is_there) {
    char *path = NULL;
    char sha[HASH_HEX_BYTES];
    run_manifest m;
    MIP_TRY(run_manifest_read(a, dir, &m));
    const char *wanted = m.stages[stage].result_sha;
    MIP_TRY(result_path(a, dir, stage, &path));
    *is_there = path != NULL;
    if (path == NULL || wanted[0] == '\0') {
        return MIP_OK;
    }
    MIP_TRY(hash_sha256_file(path, sha));
    if (strcmp(sha, wanted) != 0) {
        MIP_FAIL(
            MIP_E_FORMAT, "remove it: the command that made it makes it again",
            "%s was changed or damaged since '%s' wrote it: sha256 %.16s..., expected %.16s...",
            path, run_stage_name(stage), sha, wanted);
    }
    return MIP_OK;
}

mip_status run_manifest_finish(experiment *e, run_stage stage, const char *fingerprint,
                               double seconds) {
    mip_status status = MIP_OK;
    char *path = NULL;
    char *result = NULL;
    run_manifest m;
    str text;
    str_init(&text);
    MIP_TRY_GOTO(run_manifest_read(&e->memory, e->dir, &m));
    MIP_TRY_GOTO(result_path(&e->memory, e->dir, stage, &result));
    if (result != NULL) {
        MIP_TRY_GOTO(hash_sha256_file(result, m.stages[stage].result_sha));
    }
    snprintf(m.stages[stage].fingerprint, sizeof m.stages[stage].fingerprint, "%s", fingerprint);
    m.stages[stage].seconds = seconds;
    run_stage_end(e, run_stage_name(stage), &m.stages[stage].peak_bytes,
                  &m.stages[stage].planned_bytes);
    json_writer w = json_writer_start(&text, true);
    MIP_TRY_GOTO(json_begin_object(&w, NULL));
    MIP_TRY_GOTO(put_origin(&w, e));
    MIP_TRY_GOTO(put_stages(&w, &m));
    MIP_TRY_GOTO(json_end(&w));
    MIP_TRY_GOTO(str_append(&text, "\n"));
    MIP_TRY_GOTO(experiment_path(e, file_name, &path));
    MIP_TRY_GOTO(fs_write_file(path, text.text, text.n_bytes));
out:
    str_deinit(&text);
    return status;
}

mip_status run_manifest_check(experiment *e, run_stage stage, const char *fingerprint, bool *done) {
    run_manifest m;
    *done = false;
    MIP_TRY(run_manifest_read(&e->memory, e->dir, &m));
    const char *found = m.stages[stage].fingerprint;
    if (found[0] == '\0') {
        return MIP_OK;
    }
    if (strcmp(found, fingerprint) != 0) {
        char *hint = NULL;
        MIP_TRY(arena_printf(&e->memory, &hint,
                             "choose another folder: --set output=runs/NAME; or remove %s",
                             e->dir));
        MIP_FAIL(MIP_E_CONFIG, hint,
                 "%s holds the finished stage '%s' of other settings, model or data", e->dir,
                 run_stage_name(stage));
    }
    return run_manifest_result(&e->memory, e->dir, stage, done);
}

mip_status run_manifest_has(experiment *e, run_stage stage, const char *fingerprint, bool *done) {
    run_manifest m;
    MIP_TRY(run_manifest_read(&e->memory, e->dir, &m));
    *done = strcmp(m.stages[stage].fingerprint, fingerprint) == 0;
    return MIP_OK;
}
