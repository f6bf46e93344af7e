/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/experiment.c - see experiment.h. */
#include "run/experiment.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "cpu/cpu_threads.h"

/* The resolved settings, every default written out. Later stages compare fingerprints, so an edited copy does no harm. */
static mip_status write_config(experiment *e) {
    const char *text = NULL;
    char *path = NULL;
    MIP_TRY(config_write(&e->memory, &e->config, &text));
    MIP_TRY(experiment_path(e, "config.yaml", &path));
    return fs_write_file(path, text, strlen(text));
}

static mip_status take_folder(experiment *e) {
    char *lock_path = NULL;
    MIP_TRY(fs_mkdirs(e->dir));
    MIP_TRY(experiment_path(e, "lock", &lock_path));
    MIP_TRY(fs_lock_acquire(lock_path, &e->lock));
    return write_config(e);
}

mip_status experiment_open(const char *config_path, const char *const *sets, int n_sets,
                           experiment_use use, progress *p, experiment *out) {
    experiment *e = out;
    char *manifest_path = NULL;
    *e = (experiment){.progress = p};
    arena_init(&e->memory);
    MIP_TRY(config_load(&e->memory, config_path, sets, (size_t)n_sets, &e->config));
    cpu_threads_set(
        (int)e->config.device.threads); // MIP_THREADS has the last word, see session_open
    e->dir = e->config.output;
    if (use == EXPERIMENT_RUN) {
        MIP_TRY(take_folder(e));
    }
    MIP_TRY(dataset_open(&e->memory, e->config.data.path, &e->data));
    MIP_TRY(fs_join(&e->memory, e->config.data.path, "manifest.json", &manifest_path));
    MIP_TRY(hash_sha256_file(manifest_path, e->data_sha));
    MIP_TRY(text_front_load(e->config.model.path, &e->front));
    if (use == EXPERIMENT_RUN) {
        MIP_TRY(experiment_model_sha(&e->memory, e->config.model.path, e->model_sha));
        MIP_TRY(session_open(&e->session, e->config.device.backend, e->config.model.path));
    } else {
        MIP_TRY(session_open_dry(&e->session, e->config.device.backend, e->config.model.path));
    }
    const patch_settings patches = patch_settings_of_model(&e->session.model);
    return prompt_maker_init(&e->maker, &e->data, &e->front, &patches);
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

/* config_write gives YAML with two levels: "section:" and indented keys; the fingerprint reads "section.key: value" lines. */
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
