/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_prompt_settings.c - preprocessor_config.json of a tower whose pictures are
 * cropped to a square: what it may say. The settings of Qwen: test_checkpoint.c. */
#include <criterion/criterion.h>
#include <string.h>

#include "model/prompt_settings.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

/* Reads `preprocessor` for a tower of 56 px and patches of 14. */
static mip_status read_settings(const char *preprocessor, model *m) {
    temp_dir dir;
    json_doc config = {0};
    *m = (model){.vocab = 416,
                 .vision = {.n_layers = 1},
                 .vision_desc = {.patch = 14, .temporal = 1, .merge = 1, .square_px = 56}};
    temp_make(&dir);
    temp_text(&dir, "preprocessor_config.json", preprocessor);
    ASSERT_OK(json_doc_parse("config.json", "{}", 2, NULL, &config));
    const mip_status status = prompt_settings_read(&config, dir.path, m);
    json_doc_deinit(&config);
    temp_remove(&dir);
    return status;
}

Test(prompt_settings, the_square_of_the_tower_is_the_size_of_pictures) {
    model m;
    ASSERT_OK(read_settings("{\"size\": {\"shortest_edge\": 56}, \"do_center_crop\": true,"
                            " \"crop_size\": {\"height\": 56, \"width\": 56}}",
                            &m));
    cr_assert_eq(m.vision_desc.min_pixels, 56 * 56);
    cr_assert_eq(m.vision_desc.max_pixels, 56 * 56);
    ASSERT_OK(read_settings("{}", &m));
    cr_assert_eq(m.vision_desc.max_pixels, 56 * 56);
}

Test(prompt_settings, another_size_or_another_way_is_refused_by_name) {
    static const struct {
        const char *text, *field;
        mip_status status;
    } bad[] = {{"{\"size\": {\"shortest_edge\": 336}}", "shortest_edge", MIP_E_FORMAT},
               {"{\"crop_size\": {\"height\": 56, \"width\": 70}}", "width", MIP_E_FORMAT},
               {"{\"do_center_crop\": false}", "do_center_crop", MIP_E_UNSUPPORTED},
               {"{\"do_pad\": true}", "do_pad", MIP_E_UNSUPPORTED},
               {"{\"resample\": 2}", "resample", MIP_E_FORMAT}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        model m;
        cr_expect_eq(read_settings(bad[i].text, &m), bad[i].status, "%s", bad[i].text);
        cr_expect_not_null(strstr(mip_error_last()->what, bad[i].field), "%s",
                           mip_error_last()->what);
    }
}
