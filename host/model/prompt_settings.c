/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/prompt_settings.c - see prompt_settings.h. */
#include "model/prompt_settings.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/status_priv.h"
#include "model/config_field.h"

enum { MAX_JSON_BYTES = 1 << 20, RESAMPLE_BICUBIC = 3 };

static const int64_t max_pixels_limit = (int64_t)1 << 32;

/* One id or a list of them. */
static mip_status read_stop(const json_doc *doc, const json_value *value, model *m) {
    const bool is_list = json_kind_get(value) == JSON_ARRAY;
    const int64_t n = is_list ? json_size(value) : 1;
    if (n > MODEL_MAX_STOP) {
        MIP_FAIL(MIP_E_UNSUPPORTED, NULL,
                 "%s: eos_token_id has %lld entries, at most %d are supported", doc->name,
                 (long long)n, (int)MODEL_MAX_STOP);
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t id = 0;
        MIP_TRY(json_value_i64(doc, is_list ? json_at(value, i) : value, 0, m->vocab - 1, &id));
        m->stop[i] = (int32_t)id;
    }
    m->n_stop = (int)n;
    return MIP_OK;
}

static mip_status read_generation(const json_doc *config, const json_doc *generation, model *m) {
    const json_value *eos = config_present(generation->root, "eos_token_id");
    const json_doc *from = generation;
    if (eos == NULL) {
        from = config;
        eos = config_present(config_text_home(config, "eos_token_id"), "eos_token_id");
    }
    if (eos != NULL) {
        MIP_TRY(read_stop(from, eos, m));
    }
    return json_f64_or(generation, generation->root, "repetition_penalty", 1e-3, 1e3, 1.0,
                       &m->repetition_penalty);
}

static mip_status refuse_changed_steps(const json_doc *doc) {
    static const char *const steps[] = {"do_resize", "do_rescale", "do_normalize",
                                        "do_convert_rgb"};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        bool on = true;
        MIP_TRY(json_bool_or(doc, doc->root, steps[i], true, &on));
        if (!on) {
            MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "%s: %s: false is not supported", doc->name,
                     steps[i]);
        }
    }
    int64_t resample = 0;
    return json_i64_or(doc, doc->root, "resample", RESAMPLE_BICUBIC, RESAMPLE_BICUBIC,
                       RESAMPLE_BICUBIC, &resample);
}

static mip_status check_patch_sizes(const json_doc *doc, const vision_desc *v) {
    int64_t same = 0;
    MIP_TRY(json_i64_or(doc, doc->root, "patch_size", v->patch, v->patch, v->patch, &same));
    MIP_TRY(json_i64_or(doc, doc->root, "temporal_patch_size", v->temporal, v->temporal,
                        v->temporal, &same));
    return json_i64_or(doc, doc->root, "merge_size", v->merge, v->merge, v->merge, &same);
}

static mip_status read_colours(const json_doc *doc, const char *key, const double *fallback,
                               double min, float *out) {
    const json_value *list = config_present(doc->root, key);
    if (list != NULL) {
        MIP_TRY(json_array(doc, doc->root, key, 3, 3, &list));
    }
    for (int i = 0; i < 3; i++) {
        double value = fallback[i];
        if (list != NULL) {
            MIP_TRY(json_value_f64(doc, json_at(list, i), min, 1e3, &value));
        }
        out[i] = (float)value;
    }
    return MIP_OK;
}

/* min_pixels and max_pixels; newer files call the same counts size.shortest_edge
 * and size.longest_edge. */
static mip_status read_pixel_limits(const json_doc *doc, vision_desc *v) {
    const json_value *size = config_present(doc->root, "size");
    const int64_t cell = v->patch * v->merge * v->patch * v->merge;
    MIP_TRY(json_i64_or(doc, size, "shortest_edge", 1, max_pixels_limit, 4 * cell, &v->min_pixels));
    MIP_TRY(
        json_i64_or(doc, size, "longest_edge", 1, max_pixels_limit, 1280 * cell, &v->max_pixels));
    MIP_TRY(json_i64_or(doc, doc->root, "min_pixels", 1, max_pixels_limit, v->min_pixels,
                        &v->min_pixels));
    MIP_TRY(json_i64_or(doc, doc->root, "max_pixels", 1, max_pixels_limit, v->max_pixels,
                        &v->max_pixels));
    if (v->min_pixels > v->max_pixels || v->max_pixels < cell) {
        MIP_FAIL(MIP_E_FORMAT, NULL,
                 "%s: min_pixels %lld, max_pixels %lld: expected min <= max and max >= %lld",
                 doc->name, (long long)v->min_pixels, (long long)v->max_pixels, (long long)cell);
    }
    return MIP_OK;
}

/* Pictures cropped to the square the tower has places for: the sizes can only be that one. */
static mip_status check_square(const json_doc *doc, vision_desc *v) {
    static const char *const sides[] = {"height", "width"};
    const json_value *size = config_present(doc->root, "size");
    const json_value *crop = config_present(doc->root, "crop_size");
    const int64_t px = v->square_px;
    int64_t same = 0;
    bool on = true;
    bool pad = false;
    MIP_TRY(json_bool_or(doc, doc->root, "do_center_crop", true, &on));
    MIP_TRY(json_bool_or(doc, doc->root, "do_pad", false, &pad));
    if (!on || pad) {
        MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "%s: %s is not supported", doc->name,
                 pad ? "do_pad: true" : "do_center_crop: false");
    }
    MIP_TRY(json_i64_or(doc, size, "shortest_edge", px, px, px, &same));
    for (int i = 0; i < 2; i++) {
        MIP_TRY(json_i64_or(doc, crop, sides[i], px, px, px, &same));
    }
    v->min_pixels = px * px;
    v->max_pixels = px * px;
    return MIP_OK;
}

static mip_status read_preprocessor(const json_doc *doc, vision_desc *v) {
    static const double clip_mean[3] = {0.48145466, 0.4578275, 0.40821073};
    static const double clip_std[3] = {0.26862954, 0.26130258, 0.27577711};
    MIP_TRY(refuse_changed_steps(doc));
    MIP_TRY(check_patch_sizes(doc, v));
    MIP_TRY(read_colours(doc, "image_mean", clip_mean, -1e3, v->mean));
    MIP_TRY(read_colours(doc, "image_std", clip_std, 1e-6, v->std));
    MIP_TRY(v->square_px > 0 ? check_square(doc, v) : read_pixel_limits(doc, v));
    return json_f64_or(doc, doc->root, "rescale_factor", 1e-9, 1e3, 1.0 / 255.0, &v->rescale);
}

/* A missing file is an empty object under the file's name. */
static mip_status read_or_empty(arena *a, const char *dir, const char *name, json_doc *out) {
    static const char empty[] = "{}";
    char *path = NULL;
    MIP_TRY(fs_join(a, dir, name, &path));
    if (fs_is_file(path)) {
        return json_doc_read(path, MAX_JSON_BYTES, out);
    }
    log_info("%s does not exist: defaults hold", path);
    return json_doc_parse(path, empty, sizeof empty - 1, NULL, out);
}

mip_status prompt_settings_take(const json_doc *config, const json_doc *generation,
                                const json_doc *preprocessor, model *m) {
    MIP_TRY(read_generation(config, generation, m));
    return m->vision.n_layers > 0 ? read_preprocessor(preprocessor, &m->vision_desc) : MIP_OK;
}

mip_status prompt_settings_read(const json_doc *config, const char *dir, model *m) {
    mip_status status = MIP_OK;
    json_doc generation = {0};
    json_doc preprocessor = {0};
    arena memory;
    arena_init(&memory);
    MIP_TRY_GOTO(read_or_empty(&memory, dir, "generation_config.json", &generation));
    if (m->vision.n_layers > 0) {
        MIP_TRY_GOTO(read_or_empty(&memory, dir, "preprocessor_config.json", &preprocessor));
    }
    MIP_TRY_GOTO(prompt_settings_take(config, &generation, &preprocessor, m));
out:
    json_doc_deinit(&generation);
    json_doc_deinit(&preprocessor);
    arena_deinit(&memory);
    return status;
}
