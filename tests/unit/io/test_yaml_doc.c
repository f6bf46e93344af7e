/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/str.h"
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
    ASSERT_HINT("");
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

/* Merge keys and a bomb of nine levels, as they go round. */
Test(yaml_doc, no_alias_gets_through) {
    assert_refused("a: &a {x: 1}\nb:\n  <<: *a\n", "anchors");
    assert_refused("a: [*a]\n", "aliases");
    assert_refused("*a : 1\n", "aliases");
    assert_refused("&k a: 1\n", "anchors");
    assert_refused("a: &a [lol,lol]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\ne: &e [*d,*d]\n"
                   "f: &f [*e,*e]\ng: &g [*f,*f]\nh: &h [*g,*g]\ni: &i [*h,*h]\n",
                   "c.yaml:1:4: anchors");
}

Test(yaml_doc, documents_and_directives_are_one_at_most) {
    assert_refused("--- a\n--- b\n", "a second document");
    assert_refused("a: 1\n...\nb: 2\n", "");
    assert_refused("%YAML 9.9\n---\na: 1\n", "not valid YAML");
}

Test(yaml_doc, tabs_and_control_characters_are_no_indentation) {
    assert_refused("a:\n\tb: 1\n", "not valid YAML");
    ASSERT_HINT("not tabs");
    assert_refused("a: \"\x01\"\n", "not valid YAML");
    assert_refused("a: 'open\n", "not valid YAML");
    assert_refused("a: {b: 1\n", "not valid YAML");
    assert_refused("a: b: c\n", "not valid YAML");
    assert_refused("\xef\xbf", "UTF-8");
}

Test(yaml_doc, maps_have_1024_keys_at_most) {
    arena a;
    str text;
    const yaml_node *root = NULL;
    arena_init(&a);
    str_init(&text);
    for (int i = 0; i < 1024; i++) {
        ASSERT_OK(str_printf(&text, "k%d: %d\n", i, i));
    }
    ASSERT_OK(parse(&a, text.text, &root));
    ASSERT_OK(str_append(&text, "last: 1\n"));
    assert_refused(text.text, "c.yaml:1025:1: a map of more than 1024 keys");
    str_deinit(&text);
    arena_deinit(&a);
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
