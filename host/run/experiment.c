/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/experiment.c - see experiment.h. */
#include "run/experiment.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "cpu/cpu_threads.h"

mip_status experiment_write_config(experiment *e) {
    const char *text = NULL;
    char *path = NULL;
    MIP_TRY(config_write(&e->memory, &e->config, &text));
    MIP_TRY(experiment_path(e, "config.yaml", &path));
    return fs_write_file(path, text, strlen(text));
}

/* What a killed process was writing: "NAME.tmp-PID" or "NAME.undo-PID". Only the holder
 * of the lock may remove it. */
static mip_status remove_leftovers(experiment *e, const char *dir) {
    char **names = NULL;
    size_t n = 0;
    if (!fs_is_dir(dir)) {
        return MIP_OK;
    }
    MIP_TRY(fs_list_dir(&e->memory, dir, &names, &n));
    for (size_t i = 0; i < n; i++) {
        char *path = NULL;
        if (strstr(names[i], ".tmp-") == NULL && strstr(names[i], ".undo-") == NULL) {
            continue;
        }
        MIP_TRY(fs_join(&e->memory, dir, names[i], &path));
        MIP_TRY(fs_remove_tree(path));
    }
    return MIP_OK;
}

static mip_status take_folder(experiment *e) {
    static const char *const written[] = {"eval", "model"};
    char *lock_path = NULL;
    MIP_TRY(fs_mkdirs(e->dir));
    MIP_TRY(experiment_path(e, "lock", &lock_path));
    MIP_TRY(fs_lock_acquire(lock_path, &e->lock));
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        char *path = NULL;
        MIP_TRY(experiment_path(e, written[i], &path));
        MIP_TRY(remove_leftovers(e, path));
    }
    return remove_leftovers(e, e->dir);
}

static mip_status check_model_folder(experiment *e) {
    const char *dir = e->config.model.path;
    char *config_path = NULL;
    MIP_TRY(fs_join(&e->memory, dir, "config.json", &config_path));
    if (!fs_is_file(config_path)) {
        MIP_FAIL(MIP_E_IO, "give model.path the folder of a Hugging Face checkpoint",
                 "model folder %s %s", dir,
                 fs_is_dir(dir) ? "has no config.json" : "does not exist");
    }
    return MIP_OK;
}

/* What only the last stage would notice is said before the first one works. */
static mip_status check_settings(const experiment *e) {
    const config_edit *edit = &e->config.edit;
    const int n_layers = e->session.model.text.n_layers;
    if (edit->method == CONFIG_METHOD_NONE) {
        return MIP_OK;
    }
    if (edit->retain_ce != 0) {
        MIP_FAIL(MIP_E_CONFIG, "--set edit.retain_ce=0",
                 "edit.retain_ce is %g, this build trains without it (0)", edit->retain_ce);
    }
    if (edit->layer >= n_layers) {
        MIP_FAIL(MIP_E_CONFIG, "--set edit.layer=N",
                 "edit.layer is %lld, the model has text layers 0 to %d", (long long)edit->layer,
                 n_layers - 1);
    }
    return MIP_OK;
}

mip_status experiment_open(const char *config_path, const char *const *sets, int n_sets,
                           experiment_use use, progress *p, experiment *out) {
    experiment *e = out;
    char *manifest_path = NULL;
    *e = (experiment){.progress = p};
    arena_init(&e->memory);
    MIP_TRY(config_load(&e->memory, config_path, sets, (size_t)n_sets, &e->config));
    /* MIP_THREADS has the last word, see session_open. */
    cpu_threads_set((int)e->config.device.threads);
    e->dir = e->config.output;
    MIP_TRY(dataset_open(&e->memory, e->config.data.path, &e->data));
    MIP_TRY(fs_join(&e->memory, e->config.data.path, "manifest.json", &manifest_path));
    MIP_TRY(hash_sha256_file(manifest_path, e->data_sha));
    MIP_TRY(check_model_folder(e));
    MIP_TRY(text_front_load(e->config.model.path, &e->front));
    if (use == EXPERIMENT_RUN) {
        MIP_TRY(take_folder(e));
        MIP_TRY(session_open(&e->session, e->config.device.backend, e->config.model.path,
                             e->config.model.dtype));
        MIP_TRY(experiment_model_sha(&e->memory, e->config.model.path, e->model_sha));
    } else {
        MIP_TRY(session_open_dry(&e->session, e->config.device.backend, e->config.model.path,
                                 e->config.model.dtype));
    }
    MIP_TRY(check_settings(e));
    const patch_settings patches = patch_settings_of_model(&e->session.model);
    MIP_TRY(prompt_maker_init(&e->maker, &e->data, &e->front, &patches));
    e->maker.max_tokens = e->session.model.max_positions;
    return MIP_OK;
}

void experiment_close(experiment *e) {
    prompt_maker_deinit(&e->maker);
    session_close(&e->session);
    text_front_deinit(&e->front);
    fs_lock_release(e->lock);
    arena_deinit(&e->memory);
    *e = (experiment){0};
}

mip_status experiment_path(experiment *e, const char *name, char **out) {
    return fs_join(&e->memory, e->dir, name, out);
}

mip_status experiment_model_sha(arena *a, const char *dir, char out[HASH_HEX_BYTES]) {
    mip_status status = MIP_OK;
    char **names = NULL;
    size_t n = 0;
    str lines;
    str_init(&lines);
    MIP_TRY_GOTO(fs_list_dir(a, dir, &names, &n));
    for (size_t i = 0; i < n; i++) {
        char *path = NULL;
        char sha[HASH_HEX_BYTES];
        if (!str_has_suffix(names[i], ".safetensors") && strcmp(names[i], "config.json") != 0 &&
            strcmp(names[i], "generation_config.json") != 0) {
            continue;
        }
        MIP_TRY_GOTO(fs_join(a, dir, names[i], &path));
        MIP_TRY_GOTO(hash_sha256_file(path, sha));
        MIP_TRY_GOTO(str_printf(&lines, "%s %s\n", names[i], sha));
    }
    MIP_TRY_GOTO(hash_sha256(lines.text, lines.n_bytes, out));
out:
    str_deinit(&lines);
    return status;
}

static bool has_any_prefix(const char *line, const char *prefixes) {
    while (*prefixes != '\0') {
        const size_t n = strcspn(prefixes, " ");
        if (strncmp(line, prefixes, n) == 0) {
            return true;
        }
        prefixes += n + (prefixes[n] == ' ');
    }
    return false;
}

/* config_write gives YAML with two levels: "section:" and indented keys; the fingerprint
 * reads "section.key: value" lines. */
static mip_status add_settings(str *out, const char *yaml, const char *prefixes) {
    char section[64] = "";
    for (const char *line = yaml; *line != '\0';) {
        const size_t n = strcspn(line, "\n");
        char key[512];
        if (line[0] == ' ') {
            snprintf(key, sizeof key, "%s.%.*s", section, (int)(n - strspn(line, " ")),
                     line + strspn(line, " "));
        } else {
            snprintf(key, sizeof key, "%.*s", (int)n, line);
            snprintf(section, sizeof section, "%.*s", (int)strcspn(key, ":"), key);
        }
        if (has_any_prefix(key, prefixes) && strncmp(key, "attribute.from:", 15) != 0) {
            MIP_TRY(str_printf(out, "%s\n", key));
        }
        line += n + (line[n] == '\n');
    }
    return MIP_OK;
}

mip_status experiment_settings(experiment *e, const char *prefixes, char **out) {
    mip_status status = MIP_OK;
    const char *yaml = NULL;
    str text;
    str_init(&text);
    MIP_TRY_GOTO(config_write(&e->memory, &e->config, &yaml));
    MIP_TRY_GOTO(add_settings(&text, yaml, prefixes));
    MIP_TRY_GOTO(arena_strdup(&e->memory, text.text, out));
out:
    str_deinit(&text);
    return status;
}

mip_status experiment_fingerprint(experiment *e, const char *prefixes, char out[HASH_HEX_BYTES]) {
    char *settings = NULL;
    char *text = NULL;
    MIP_TRY(experiment_settings(e, prefixes, &settings));
    MIP_TRY(arena_printf(&e->memory, &text, "%smodel %s\ndata %s\n", settings, e->model_sha,
                         e->data_sha));
    return hash_sha256(text, strlen(text), out);
}
