/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "image/smart_resize.h"
#include "io/json_doc.h"

static int64_t number(const json_doc *doc, const json_value *entry, const char *key) {
    int64_t n = 0;
    cr_assert_eq(json_i64(doc, entry, key, 0, (int64_t)1 << 40, &n), MIP_OK, "%s",
                 mip_error_last()->what);
    return n;
}

Test(smart_resize, sizes_equal_transformers_on_every_golden_entry) {
    json_doc doc;
    cr_assert_eq(json_doc_read("tests/golden/image/smart_resize.json", 1 << 24, &doc), MIP_OK, "%s",
                 mip_error_last()->what);
    int n = 0;
    for (const json_value *v = json_first(doc.root); v != NULL; v = json_next(v), n++) {
        const int64_t h = number(&doc, v, "h"), w = number(&doc, v, "w");
        int64_t out_w = 0, out_h = 0;
        const mip_status status = smart_resize(w, h, 28, number(&doc, v, "min_pixels"),
                                               number(&doc, v, "max_pixels"), &out_w, &out_h);
        if (json_find(v, "error") != NULL) {
            cr_assert_eq(status, MIP_E_UNSUPPORTED, "%d x %d", (int)w, (int)h);
            continue;
        }
        cr_assert_eq(status, MIP_OK, "%s", mip_error_last()->what);
        cr_assert_eq(out_h, number(&doc, v, "out_h"), "height of %d x %d", (int)w, (int)h);
        cr_assert_eq(out_w, number(&doc, v, "out_w"), "width of %d x %d", (int)w, (int)h);
    }
    cr_assert_geq(n, 20);
    json_doc_deinit(&doc);
}

Test(smart_resize, sides_and_limits_that_make_no_sense_are_refused) {
    int64_t w, h;
    cr_assert_eq(smart_resize(0, 5, 28, 1, 2, &w, &h), MIP_E_ARG);
    cr_assert_eq(smart_resize(5, -1, 28, 1, 2, &w, &h), MIP_E_ARG);
    cr_assert_eq(smart_resize(5, 5, 28, 3, 2, &w, &h), MIP_E_ARG);
    cr_assert_eq(smart_resize(5, 5, 0, 1, 2, &w, &h), MIP_E_ARG);
}
