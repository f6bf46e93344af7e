/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/golden.c - see golden.h. */
#include "support/golden.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

enum { LABEL_NONE = -100, COLOURS = 3 };

golden_name golden_name_split(const char *name) {
    golden_name out = {.family = "qwen25vl_tiny", .name = name};
    const char *slash = strchr(name, '/');
    if (slash != NULL) {
        snprintf(out.family, sizeof out.family, "%.*s", (int)(slash - name), name);
        out.name = slash + 1;
    }
    return out;
}

void golden_open(golden *g, const char *case_name, const char *prefix) {
    char path[256];
    *g = (golden){0};
    arena_init(&g->memory);
    snprintf(g->prefix, sizeof g->prefix, "%s", prefix);
    const golden_name at = golden_name_split(case_name);
    snprintf(path, sizeof path, "tests/golden/%s/cases/%s.safetensors", at.family, at.name);
    cr_assert_eq(safetensors_open(path, &g->file), MIP_OK, "%s", mip_error_last()->what);
}

void golden_close(golden *g) {
    safetensors_close(g->file);
    arena_deinit(&g->memory);
    *g = (golden){0};
}

static const safetensors_entry *find(const golden *g, const char *name) {
    char full[256];
    snprintf(full, sizeof full, "%s%s", g->prefix, name);
    return safetensors_find(g->file, full);
}

bool golden_has(const golden *g, const char *name) {
    return find(g, name) != NULL;
}

const safetensors_entry *golden_entry(const golden *g, const char *name) {
    const safetensors_entry *e = find(g, name);
    cr_assert_not_null(e, "%s has no tensor %s%s", safetensors_path(g->file), g->prefix, name);
    return e;
}

static void *read_as(golden *g, const char *name, mip_dtype dtype, size_t elem_bytes, int64_t *n) {
    const safetensors_entry *e = golden_entry(g, name);
    void *data = NULL;
    cr_assert_eq(e->dtype, dtype, "%s has another type", name);
    cr_assert_eq(arena_array(&g->memory, (size_t)e->n_elems, elem_bytes, &data), MIP_OK);
    cr_assert_eq(safetensors_read(e, dtype, false, data), MIP_OK, "%s", mip_error_last()->what);
    if (n != NULL) {
        *n = e->n_elems;
    }
    return data;
}

const float *golden_f32(golden *g, const char *name, int64_t *n) {
    return read_as(g, name, MIP_DTYPE_F32, sizeof(float), n);
}

const int32_t *golden_i32(golden *g, const char *name, int64_t *n) {
    return read_as(g, name, MIP_DTYPE_I32, sizeof(int32_t), n);
}

/* Temporal slots of a still picture. */
static int64_t golden_frames(golden *g) {
    return golden_has(g, "pixel_frames") ? golden_i32(g, "pixel_frames", NULL)[0] : 2;
}

const float *golden_pixels(golden *g, int64_t *n_patches) {
    int64_t n_bytes = 0;
    const uint8_t *u8 = read_as(g, "pixel_u8", MIP_DTYPE_U8, 1, &n_bytes);
    const float *lut = golden_f32(g, "pixel_lut", NULL);
    const tensor_shape shape = golden_entry(g, "pixel_u8")->shape; // [P, 3, patch, patch]
    const int64_t area = shape.dims[2] * shape.dims[3];
    float *pixels = NULL;
    const int64_t frames = golden_frames(g);
    cr_assert_eq(ARENA_NEW(&g->memory, frames * n_bytes, &pixels), MIP_OK);
    for (int64_t i = 0; i < n_bytes; i++) {
        const int64_t plane = i / area;        // patch and colour
        for (int64_t t = 0; t < frames; t++) { // the temporal slots are equal
            pixels[(frames * plane + t) * area + i % area] = lut[plane % COLOURS * 256 + u8[i]];
        }
    }
    *n_patches = shape.dims[0];
    return pixels;
}

sequence golden_sequence(golden *g) {
    sequence s = {0};
    s.ids = golden_i32(g, "input_ids", &s.n);
    if (!golden_has(g, "grid_thw")) {
        return s;
    }
    int64_t n = 0;
    int64_t n_patches = 0;
    int64_t at = 0;
    image_patches *images = NULL;
    const int32_t *grid = golden_i32(g, "grid_thw", &n);
    const float *pixels = golden_pixels(g, &n_patches);
    const int64_t row = golden_entry(g, "pixel_u8")->n_elems / n_patches * golden_frames(g);
    cr_assert_eq(ARENA_NEW(&g->memory, n / 3, &images), MIP_OK);
    for (int64_t i = 0; i < n / 3; i++) {
        images[i] = (image_patches){.grid_t = grid[3 * i],
                                    .grid_h = grid[3 * i + 1],
                                    .grid_w = grid[3 * i + 2],
                                    .pixels = pixels + at * row};
        at += images[i].grid_t * images[i].grid_h * images[i].grid_w;
    }
    cr_assert_eq(at, n_patches);
    s.images = images;
    s.n_images = (int)(n / 3);
    return s;
}

void golden_open_batch(const char *case_name, golden g[2], sequence s[2]) {
    static const char *const prefixes[] = {"seq0.", "seq1."};
    for (int i = 0; i < 2; i++) {
        golden_open(&g[i], case_name, prefixes[i]);
        s[i] = golden_sequence(&g[i]);
    }
}

int golden_count(const golden *g, const char *begin) {
    char full[256];
    int64_t n = 0;
    int n_found = 0;
    const safetensors_entry *all = safetensors_entries(g->file, &n);
    snprintf(full, sizeof full, "%s%s", g->prefix, begin);
    for (int64_t i = 0; i < n; i++) {
        n_found += strncmp(all[i].name, full, strlen(full)) == 0;
    }
    return n_found;
}

int64_t golden_targets(golden *g, int64_t row_begin, int32_t *rows, int32_t *targets) {
    int64_t n = 0;
    int64_t n_scored = 0;
    const int32_t *labels = golden_i32(g, "labels", &n);
    for (int64_t i = 0; i + 1 < n; i++) { // position i is scored against labels[i + 1]
        if (labels[i + 1] != LABEL_NONE) {
            rows[n_scored] = (int32_t)(row_begin + i);
            targets[n_scored++] = labels[i + 1];
        }
    }
    return n_scored;
}
