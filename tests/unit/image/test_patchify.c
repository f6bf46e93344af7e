/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "image/patchify.h"
#include "support/golden.h"
#include "support/golden_image.h"

/* preprocessor_config.json of the tiny model. */
static patch_settings tiny_settings(void) {
    patch_settings s = patch_settings_qwen();
    s.max_pixels = 78400;
    return s;
}

static void assert_bits(const float *got, const float *expected, int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++) {
        cr_assert(memcmp(&got[i], &expected[i], sizeof *got) == 0,
                  "%s: value %d is %.9g, transformers has %.9g", what, (int)i, got[i], expected[i]);
    }
}

Test(patchify, pixel_values_equal_the_transformers_processor_in_every_bit) {
    safetensors_file *file;
    arena memory;
    patch_rows got;
    const patch_settings s = tiny_settings();
    static float expected[16 * 1176];
    arena_init(&memory);
    cr_assert_eq(safetensors_open("tests/golden/image/pixel_values.safetensors", &file), MIP_OK);
    const safetensors_entry *e = safetensors_find(file, "rgb.png.pixel_values");
    cr_assert_not_null(e);
    image im = golden_image_read("rgb.png");
    cr_assert_eq(patchify_image(&memory, &s, &im, &got), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(got.n_patches * got.row_elems, e->n_elems);
    cr_assert_eq(e->n_elems, 16 * 1176);
    cr_assert_eq(safetensors_read(e, MIP_DTYPE_F32, true, expected), MIP_OK);
    assert_bits(got.pixels, expected, e->n_elems, "rgb.png");
    image_deinit(&im);
    safetensors_close(file);
    arena_deinit(&memory);
}

/* The pictures of a case, one after the other, as its packed patch rows. */
static void check_case_with(const patch_settings *s, const char *case_name,
                            const char *const *names, int n_images) {
    const golden_name family = golden_name_split(case_name);
    golden g;
    golden_open(&g, case_name, "");
    int64_t n_expected = 0, n_grid = 0, at = 0;
    const float *expected = golden_pixels(&g, &n_expected);
    const int32_t *grid = golden_i32(&g, "grid_thw", &n_grid);
    cr_assert_eq(n_grid, 3 * n_images);
    for (int i = 0; i < n_images; i++) {
        char path[256];
        image im;
        patch_rows got;
        snprintf(path, sizeof path, "tests/golden/%s/cases/images/%s", family.family, names[i]);
        cr_assert_eq(image_read(path, NULL, &im), MIP_OK, "%s", mip_error_last()->what);
        cr_assert_eq(patchify_image(&g.memory, s, &im, &got), MIP_OK, "%s", mip_error_last()->what);
        cr_assert(got.grid_t == grid[3 * i] && got.grid_h == grid[3 * i + 1] &&
                      got.grid_w == grid[3 * i + 2],
                  "%s", names[i]);
        cr_assert_leq(at + got.n_patches, n_expected);
        assert_bits(got.pixels, expected + at * got.row_elems, got.n_patches * got.row_elems,
                    names[i]);
        at += got.n_patches;
        image_deinit(&im);
    }
    cr_assert_eq(at, n_expected);
    golden_close(&g);
}

static void check_case(const char *case_name, const char *const *names, int n_images) {
    const patch_settings s = tiny_settings();
    check_case_with(&s, case_name, names, n_images);
}

static patch_settings llava_settings(void) {
    patch_settings s = patch_settings_qwen();
    s.square_px = 56;
    s.merge = 1;
    s.temporal = 1;
    return s;
}

/* Scaled up and down, cropped at the sides and not at all. */
Test(patchify, pictures_cropped_to_a_square_are_equal_in_every_bit) {
    const patch_settings s = llava_settings();
    check_case_with(&s, "llava_tiny/image", (const char *const[]){"one_84x112.png"}, 1);
    check_case_with(
        &s, "llava_tiny/three_images",
        (const char *const[]){"strip_28x112.png", "square_56x56.png", "large_84x140.png"}, 3);
}

Test(patchify, one_picture_with_partial_windows_is_equal_in_every_bit) {
    check_case("image", (const char *const[]){"one_140x196.png"}, 1);
}

Test(patchify, three_pictures_of_one_prompt_are_equal_in_every_bit) {
    check_case("three_images",
               (const char *const[]){"strip_28x224.png", "square_56x56.png", "large_252x308.png"},
               3);
}

/* The golden keeps only some rows of the six pictures: pixel_rows counts over all of them. */
static void check_odd(const patch_settings *s, const char *case_name) {
    static const char *const names[] = {"odd_333x500.png",     "odd_70x70.png",
                                        "odd_98x126.png",      "odd_61x90_rgba.png",
                                        "odd_100x64_grey.png", "odd_85x77_palette.png"};
    golden g;
    golden_open(&g, case_name, "");
    int64_t n_kept = 0, n_rows = 0, first = 0, k = 0;
    const float *expected = golden_pixels(&g, &n_kept);
    const int32_t *rows = golden_i32(&g, "pixel_rows", &n_rows),
                  *grid = golden_i32(&g, "grid_thw", NULL);
    cr_assert_eq(n_rows, n_kept);
    for (int i = 0; i < 6; i++) {
        char path[256];
        image im;
        patch_rows got;
        snprintf(path, sizeof path, "tests/golden/qwen25vl_tiny/cases/images/%s", names[i]);
        cr_assert_eq(image_read(path, NULL, &im), MIP_OK, "%s", mip_error_last()->what);
        cr_assert_eq(patchify_image(&g.memory, s, &im, &got), MIP_OK);
        cr_assert(got.grid_h == grid[3 * i + 1] && got.grid_w == grid[3 * i + 2], "%s", names[i]);
        for (; k < n_kept && rows[k] < first + got.n_patches; k++) {
            assert_bits(got.pixels + (rows[k] - first) * got.row_elems,
                        expected + k * got.row_elems, got.row_elems, names[i]);
        }
        first += got.n_patches;
        image_deinit(&im);
    }
    cr_assert_eq(k, n_kept);
    golden_close(&g);
}

Test(patchify, odd_sizes_and_kinds_are_equal_in_every_bit) {
    const patch_settings qwen = tiny_settings();
    const patch_settings llava = llava_settings();
    check_odd(&qwen, "odd_sizes");
    check_odd(&qwen, "qwen2vl_tiny/odd_sizes");
    check_odd(&llava, "llava_tiny/odd_sizes");
}

Test(patchify, grid_is_known_without_decoding) {
    const patch_settings s = patch_settings_qwen();
    int64_t t, h, w;
    cr_assert_eq(patch_grid(&s, 640, 480, &t, &h, &w), MIP_OK);
    cr_assert(t == 1 && h == 34 && w == 46);
}

Test(patchify, settings_out_of_range_are_refused_by_name) {
    int64_t t, h, w;
    const struct {
        const char *word;
        patch_settings s;
    } cases[] = {
        {"patch_size", {.min_pixels = 1, .max_pixels = 9, .merge = 2, .temporal = 2}},
        {"merge_size",
         {.min_pixels = 1, .max_pixels = 9, .patch_px = 14, .merge = 99, .temporal = 2}},
        {"temporal_patch_size", {.min_pixels = 1, .max_pixels = 9, .patch_px = 14, .merge = 2}},
        {"max_pixels", {.min_pixels = 1, .patch_px = 14, .merge = 2, .temporal = 2}},
        {"min_pixels",
         {.min_pixels = 10, .max_pixels = 9, .patch_px = 14, .merge = 2, .temporal = 2}},
        {"rescale_factor",
         {.min_pixels = 1,
          .max_pixels = 9,
          .patch_px = 14,
          .merge = 2,
          .temporal = 2,
          .rescale_factor = NAN}},
        {"image_std",
         {.min_pixels = 1, .max_pixels = 9, .patch_px = 14, .merge = 2, .temporal = 2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(patch_grid(&cases[i].s, 100, 100, &t, &h, &w), MIP_E_CONFIG, "%s",
                     cases[i].word);
        cr_assert_not_null(strstr(mip_error_last()->what, cases[i].word), "%s",
                           mip_error_last()->what);
    }
}
