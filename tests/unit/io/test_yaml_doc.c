/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "io/yaml_doc.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

static mip_status parse(arena *a, const char *text, const yaml_node **out) {
    return yaml_parse(a, "c.yaml", text, strlen(text), out);
}

static void assert_refused(const char *text, const char *words) {
    arena a;
    const yaml_node *root = NULL;
    arena_init(&a);
    ASSERT_FAILS(parse(&a, text, &root), MIP_E_CONFIG, words);
    cr_assert_null(root);
    arena_deinit(&a);
}

Test(yaml_doc, maps_lists_and_scalars_know_their_lines) {
    arena a;
    const yaml_node *root = NULL;
    arena_init(&a);
    ASSERT_OK(parse(
        &a, "name: demo\nedit: {layer: 7,\n  note: \"8\"}\nlist:\n- 1\n- two # comment\n", &root));
    cr_assert_eq(root->kind, YAML_MAP);
    const yaml_node *name = root->first;
    const yaml_node *edit = name->next;
    const yaml_node *list = edit->next;
    cr_assert_str_eq(name->key, "name");
    cr_assert_str_eq(name->text, "demo");
    cr_assert(!name->quoted && name->line == 1 && name->column == 1);
    cr_assert_eq(edit->kind, YAML_MAP);
    cr_assert_str_eq(edit->first->next->text, "8");
    cr_assert(edit->first->next->quoted && edit->first->next->line == 3);
    cr_assert(list->kind == YAML_LIST && list->line == 4);
    cr_assert_str_eq(list->first->next->text, "two");
    cr_assert_null(list->first->key);
    cr_assert_null(list->next);
    arena_deinit(&a);
}

Test(yaml_doc, empty_texts_are_empty_maps) {
    arena a;
    const yaml_node *root = NULL;
    arena_init(&a);
    ASSERT_OK(parse(&a, "", &root));
    cr_assert(root->kind == YAML_MAP && root->first == NULL);
    ASSERT_OK(parse(&a, "# nothing\n", &root));
    cr_assert(root->kind == YAML_MAP && root->first == NULL);
    arena_deinit(&a);
}

Test(yaml_doc, what_settings_do_not_need_is_refused) {
    assert_refused("a: 1\nb: 2\na: 3\n", "c.yaml:3:1: key \"a\" appears twice, first in line 1");
    assert_refused("a: &x [1]\nb: *x\n", "anchors");
    assert_refused("a: &x 1\n", "anchors");
    assert_refused("a: *x\n", "aliases");
    assert_refused("a: !!int 1\n", "tags");
    assert_refused("a: 1\n---\nb: 2\n", "a second document");
    assert_refused("? [a]\n: 1\n", "a key must be a word");
    assert_refused("a: [1\n", "not valid YAML");
    assert_refused("a: \"\\0\"\n", "NUL");
    assert_refused("a: \xff\n", "UTF-8");
    assert_refused("\tx: 1\n", "not valid YAML");
}

Test(yaml_doc, a_small_text_cannot_stand_for_a_large_tree) {
    assert_refused("a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n", "anchors");
}

Test(yaml_doc, depth_is_limited) {
    arena a;
    const yaml_node *root = NULL;
    arena_init(&a);
    ASSERT_OK(parse(&a, "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", &root));
    arena_deinit(&a);
    assert_refused("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "deeper than 16");
    char deep[20000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_refused(deep, "deeper than 16");
}

Test(yaml_doc, files_over_one_mebibyte_are_refused) {
    temp_dir t;
    arena a;
    const yaml_node *root = NULL;
    temp_make(&t);
    arena_init(&a);
    const size_t n = 1024 * 1024 + 1;
    char *text = malloc(n);
    memset(text, '#', n);
    cr_assert_eq(yaml_read(&a, temp_write(&t, "big.yaml", text, n), &root), MIP_E_FORMAT);
    ASSERT_OK(yaml_read(&a, temp_write(&t, "fits.yaml", text, n - 1), &root));
    cr_assert_eq(yaml_read(&a, temp_path(&t, "none.yaml"), &root), MIP_E_IO);
    free(text);
    arena_deinit(&a);
    temp_remove(&t);
}
