/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/data/test_check.c - the nano data are valid; each rule is broken once and must
 * be reported, with nothing else. */
#include "data/check.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "folder.h"

#define PICTURE "images/07/07ae7e1d57c71b4951c9e709d05e33a69f1a42066c1dc12108a3674cb49e31a2.png"

/* One damage: in `file`, `from` becomes `to`; then breach [file:line] holds `what`.
 * n = all breaches it causes, those of the file's own hash and size included. */
typedef struct damage {
    const char *file, *from, *to;
    const char *where;
    int64_t line;
    const char *what;
    int64_t n;
} damage;

static const char *const FIRST_ITEM = "\"id\":\"nano/celebrity/c001/cloze/img/0\"";

static const breach *find(const breach_list *b, const char *file, int64_t line, const char *what) {
    for (int64_t i = 0; i < b->n; i++) {
        if (strcmp(b->items[i].file, file) == 0 && b->items[i].line == line &&
            strstr(b->items[i].what, what)) {
            return &b->items[i];
        }
    }
    return NULL;
}

static void print_all(const breach_list *b) {
    for (int64_t i = 0; i < b->n; i++) {
        fprintf(stderr, "  %s:%" PRId64 ": %s\n", b->items[i].file, b->items[i].line,
                b->items[i].what);
    }
}

static void expect_damage(const damage *d) {
    arena a;
    breach_list b;
    check_summary summary;
    char folder[TMP_DIR_BYTES];
    arena_init(&a);
    breach_list_init(&b, &a);
    folder_copy(folder);
    folder_replace(folder, d->file, d->from, d->to);
    cr_assert_eq(check_dataset(&a, &b, folder, &summary), MIP_OK);
    const bool found = find(&b, d->where, d->line, d->what) != NULL;
    cr_expect(found, "%s -> %s: no breach %s:%" PRId64 " \"%s\"", d->from, d->to, d->where, d->line,
              d->what);
    cr_expect_eq(b.n, d->n, "%s -> %s: %" PRId64 " breaches, expected %" PRId64, d->from, d->to,
                 b.n, d->n);
    if (!found || b.n != d->n) {
        print_all(&b);
    }
    folder_remove(folder);
    arena_deinit(&a);
}

static void expect_all(const damage *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        expect_damage(&cases[i]);
    }
}

#define EXPECT_ALL(cases) expect_all((cases), sizeof(cases) / sizeof *(cases))

Test(check, nano_data_are_valid) {
    arena a;
    breach_list b;
    check_summary summary;
    arena_init(&a);
    breach_list_init(&b, &a);
    cr_assert_eq(check_dataset(&a, &b, NANO_DATA, &summary), MIP_OK);
    print_all(&b);
    cr_expect_eq(b.n, 0);
    cr_expect_eq(summary.n_persons, 20);
    cr_expect_eq(summary.n_items, 420);
    cr_expect_eq(summary.n_train, 312);
    cr_expect_eq(summary.n_pictures, summary.n_files - 3);
    cr_expect_gt(summary.n_bytes, 185615);
    arena_deinit(&a);
}

Test(check, no_folder_is_an_error_not_a_breach) {
    arena a;
    breach_list b;
    check_summary summary;
    arena_init(&a);
    breach_list_init(&b, &a);
    cr_expect_eq(check_dataset(&a, &b, "tests/data/no_such_folder", &summary), MIP_E_IO);
    cr_expect_eq(b.n, 0);
    arena_deinit(&a);
}

/* items.jsonl: every damage changes its hash (+1), and its size unless the texts are of equal
 * length (+1). A line that cannot be used is also missing in the manifest's count of its kind. */
Test(check, faults_of_single_lines_are_found) {
    const damage cases[] = {
        {"items.jsonl", FIRST_ITEM, "\"id\" \"x\"", "items.jsonl", 1, "", 4},
        {"items.jsonl", "c001/cloze/img/0", "c001/cloze/img/O", "items.jsonl", 1,
         "outside [a-z0-9/_+-]", 3},
        {"items.jsonl", "\"answer\":\"B\"", "\"answer\":\"E\"", "items.jsonl", 9,
         "letter of one of 4", 3},
        {"items.jsonl", "\"answer\":\"B\"", "\"answer\":\"A\"", "items.jsonl", 9,
         "does not begin with option A", 3},
        {"items.jsonl", "\"Swahili\",\"Basque\",\"Korean\"", "\"Swahili\",\"Basque\",\"Basque\"",
         "items.jsonl", 9, "options B and C are both", 3},
        {"items.jsonl", "is [Blank].", "is missing.", "items.jsonl", 1, "no blank", 3},
        {"items.jsonl", "\"answer_text\":\"curry.\"", "\"answer_text\":\"\"", "items.jsonl", 1,
         "non-empty", 4},
        {"items.jsonl", "\"task\":\"cloze\"", "\"task\":\"clozed\"", "items.jsonl", 1,
         "none of the format", 4},
        {"items.jsonl", "\"modality\":\"image\"", "\"modality\":\"text\"", "items.jsonl", 1,
         "with 1 images", 4},
        {"train.jsonl", "\"image\":0", "\"image\":1", "train.jsonl", 13, "shows image 1", 6},
        {"train.jsonl", "\"role\":\"user\"", "\"role\":\"usar\"", "train.jsonl", 13,
         "neither user nor", 6},
    };
    EXPECT_ALL(cases);
}

Test(check, faults_between_lines_are_found) {
    const damage cases[] = {
        {"items.jsonl", "c001/cloze/img/0", "c001/cloze/img/1", "items.jsonl", 2,
         "already that of items.jsonl:1", 2},
        {"items.jsonl", "c001/cloze/img/0", "c001/cloze/img/2", "items.jsonl", 2, "not sorted", 2},
        {"train.jsonl", "nano/train/f001/qa/img/0", "nano/celebrity/c001/cloze/img/0",
         "train.jsonl", 1, "already that of items.jsonl:1", 3},
        {"items.jsonl", "\"person\":\"c001\"", "\"person\":\"c009\"", "items.jsonl", 1,
         "not in persons.jsonl", 2},
        {"items.jsonl", "\"splits\":[]", "\"splits\":[\"retain_95\"]", "items.jsonl", 1,
         "splits differ", 4},
        {"persons.jsonl", "\"id\":\"c001\"", "\"id\":\"C001\"", "persons.jsonl", 1, "outside", 20},
    };
    EXPECT_ALL(cases);
}

/* Both people have 49 lines, whose splits then differ from theirs; persons.jsonl has
 * another hash (+1), the first also another size (+1). f001 has 18 lines in subset full;
 * 11 people are in retain_90. */
Test(check, splits_must_partition_the_people) {
    const damage cases[] = {
        {"persons.jsonl", "\"splits\":[\"retain_95\",\"retain_90\",\"retain_85\"]", "\"splits\":[]",
         "items.jsonl", 73, "in no split", 69},
        {"persons.jsonl", "\"forget_5\",\"forget_10\",\"forget_15\"",
         "\"forget_5\",\"retain_95\",\"forget_15\"", "persons.jsonl", 11,
         "in both of forget_5 and retain_95", 52},
        {"persons.jsonl", "\"forget_5\",\"forget_10\",\"forget_15\"",
         "\"forget_5\",\"forget_20\",\"forget_15\"", "persons.jsonl", 11,
         "in neither of forget_10 and retain_90", 52},
        {"persons.jsonl", "\"forget_5\",\"forget_10\",\"forget_15\"",
         "\"forget_5\",\"forget_20\",\"forget_15\"", "persons.jsonl", 11,
         "split forget_20 is not named", 52},
        {"manifest.json", "  \"retain_90\",\n", "", "manifest.json", 0,
         "forget_10 has no counterpart retain_90", 12},
    };
    EXPECT_ALL(cases);
}

/* The picture is the portrait of f004 (+1 where no listed hash is its) and stands in 23 lines. */
Test(check, the_manifest_must_tell_the_truth) {
    const damage cases[] = {
        {"manifest.json", "\"n\": 8", "\"n\": 9", "manifest.json", 0,
         "counts 9 lines of subset celebrity, image, cloze, split all; found 8", 1},
        {"manifest.json", "\"task\": \"cloze\"", "\"task\": \"caption\"", "items.jsonl", 1,
         "no count for subset celebrity, image, cloze, split all", 2},
        {"manifest.json", "mmu-bench/1", "mmu-bench/2", "manifest.json", 0,
         "expected \"mmu-bench/1\"", 1},
        {"manifest.json", "\"bytes\": 185615", "\"bytes\": 185616", "items.jsonl", 0,
         "the manifest says 185616", 1},
        {"manifest.json", "\"sha256\": \"07ae7", "\"sha256\": \"17ae7", PICTURE, 0,
         "has sha256 07ae7", 3},
        {"manifest.json", PICTURE, "images/07/other.png", "images/07/other.png", 0,
         "does not exist", 24},
        {"manifest.json", PICTURE, "images/../items.jsonl", "manifest.json", 0,
         "not below the data folder", 25},
        {"manifest.json", "\"path\": \"train.jsonl\"", "\"path\": \"train.json\"", "manifest.json",
         0, "does not list the file train.jsonl", 2},
    };
    EXPECT_ALL(cases);
}

Test(check, pictures_must_decode_and_hash_to_their_name) {
    arena a;
    breach_list b;
    check_summary summary;
    char folder[TMP_DIR_BYTES];
    arena_init(&a);
    breach_list_init(&b, &a);
    folder_copy(folder);
    folder_write(folder, PICTURE, "not a picture");
    cr_assert_eq(check_dataset(&a, &b, folder, &summary), MIP_OK);
    cr_expect_not_null(find(&b, PICTURE, 0, "has 13 bytes"));
    cr_expect_not_null(find(&b, PICTURE, 0, "has sha256"));
    cr_expect_eq(b.n, 3, "size, hash, decoder: found %" PRId64, b.n);
    folder_remove(folder);
    arena_deinit(&a);
}

Test(check, several_breaches_are_all_reported) {
    arena a;
    breach_list b;
    check_summary summary;
    char folder[TMP_DIR_BYTES];
    arena_init(&a);
    breach_list_init(&b, &a);
    folder_copy(folder);
    folder_write(folder, "manifest.json", "{\"format\":1}");
    folder_write(folder, "items.jsonl", "{}\n[]\nnot json\n{\"id\":");
    cr_assert_eq(check_dataset(&a, &b, folder, &summary), MIP_OK);
    cr_expect_not_null(find(&b, "manifest.json", 0, "format"));
    cr_expect_not_null(find(&b, "items.jsonl", 1, "id"));
    cr_expect_not_null(find(&b, "items.jsonl", 1, "images"));
    cr_expect_not_null(find(&b, "items.jsonl", 2, "expected an object"));
    cr_expect_not_null(find(&b, "items.jsonl", 3, ""));
    cr_expect_not_null(find(&b, "items.jsonl", 4, "does not end in a newline"));
    folder_remove(folder);
    arena_deinit(&a);
}
