/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/str.h"
#include "io/config.h"
#include "io/config_schema.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

#define REQUIRED "model: {path: m}\ndata: {path: d}\n"

static const char *const required_sets[] = {"model.path=m", "data.path=d"};

static mip_status load_text(temp_dir *t, arena *a, const char *text, mip_config *out) {
    return config_load(a, temp_text(t, "c.yaml", text), NULL, 0, out);
}

static void assert_refused(const char *text, const char *words) {
    temp_dir t;
    arena a;
    mip_config c;
    temp_make(&t);
    arena_init(&a);
    ASSERT_FAILS(load_text(&t, &a, text, &c), MIP_E_CONFIG, words);
    arena_deinit(&a);
    temp_remove(&t);
}

static void assert_set_refused(const char *set, const char *words) {
    arena a;
    mip_config c;
    const char *const sets[] = {"model.path=m", "data.path=d", set};
    arena_init(&a);
    ASSERT_FAILS(config_load(&a, NULL, sets, 3, &c), MIP_E_CONFIG, words);
    arena_deinit(&a);
}

Test(config, defaults_are_those_of_the_method) {
    arena a;
    mip_config c;
    arena_init(&a);
    ASSERT_OK(config_load(&a, NULL, required_sets, 2, &c));
    cr_assert_str_eq(c.name, "run");
    cr_assert_str_eq(c.output, "runs/run");
    cr_assert_eq(c.seed, 42);
    cr_assert_eq(c.data.forget_pct, 5);
    cr_assert_str_eq(c.attribute.quadrature, "radau5");
    cr_assert_eq(c.attribute.modalities, CONFIG_ATTRIBUTE_TEXT | CONFIG_ATTRIBUTE_VISION);
    cr_assert_eq(c.attribute.objective, CONFIG_OBJECTIVE_P);
    cr_assert_eq(c.attribute.labels, CONFIG_LABELS_ANSWER);
    cr_assert_eq(c.attribute.positions, CONFIG_POSITIONS_LAST_PROMPT);
    cr_assert_eq(c.attribute.vision_positions, CONFIG_VISION_POSITIONS_ALL);
    cr_assert_eq(c.attribute.candidate, CONFIG_CANDIDATE_WHOLE_LAYER);
    cr_assert_eq(c.attribute.top_k, 5);
    cr_assert_eq(c.attribute.representative, CONFIG_REPRESENTATIVE_FIRST);
    cr_assert_not(c.attribute.fisher_abs);
    cr_assert_eq(c.attribute.aggregate, CONFIG_AGGREGATE_UNION);
    cr_assert_eq(c.attribute.completeness_floor, 0.01);
    cr_assert_eq(c.edit.layer, 7);
    cr_assert_eq(c.edit.lr, 5e-4);
    cr_assert_eq(c.edit.eps, 1e-8);
    cr_assert_eq(c.eval.sets, CONFIG_SET_FORGET | CONFIG_SET_RETAIN | CONFIG_SET_CELEBRITY);
    cr_assert(c.eval.option_likelihood);
    arena_deinit(&a);
}

Test(config, a_file_is_read_and_sets_come_after_it) {
    temp_dir t;
    arena a;
    mip_config c;
    const char *const sets[] = {"edit.layer=3", "attribute.modalities=[vision]", "eval.tasks=mcq",
                                "output=elsewhere"};
    temp_make(&t);
    arena_init(&a);
    const char *path = temp_text(&t, "c.yaml",
                                 "name: demo\n"
                                 "model: {path: demo/model, dtype: f32}\n"
                                 "data:\n  path: \"demo/data\"\n  forget: 15\n"
                                 "attribute:\n  quadrature: left4\n  fisher_abs: true\n"
                                 "edit: {method: mip, layer: 4, strength: 2, lr: 1.0e-2}\n"
                                 "eval:\n");
    ASSERT_OK(config_load(&a, path, sets, 4, &c));
    cr_assert_str_eq(c.model.path, "demo/model");
    cr_assert_eq(c.data.forget_pct, 15);
    cr_assert_str_eq(c.attribute.quadrature, "left4");
    cr_assert(c.attribute.fisher_abs);
    cr_assert_eq(c.attribute.modalities, CONFIG_ATTRIBUTE_VISION);
    cr_assert_eq(c.edit.method, CONFIG_METHOD_MIP);
    cr_assert_eq(c.edit.layer, 3);
    cr_assert_eq(c.edit.strength, 2.0);
    cr_assert_eq(c.edit.lr, 0.01);
    cr_assert_eq(c.eval.tasks, CONFIG_TASK_MCQ);
    cr_assert_str_eq(c.output, "elsewhere");
    ASSERT_OK(config_load(&a, path, NULL, 0, &c));
    cr_assert_str_eq(c.output, "runs/demo");
    arena_deinit(&a);
    temp_remove(&t);
}

Test(config, unknown_keys_are_refused_with_line_and_the_nearest_right_one) {
    assert_refused(REQUIRED "attribute:\n  topk: 5\n",
                   "c.yaml:4: unknown key \"attribute.topk\"; did you mean \"attribute.top_k\"?");
    assert_refused(REQUIRED "atribute:\n  top_k: 5\n",
                   "c.yaml:3: unknown key \"atribute\"; did you mean \"attribute\"?");
    assert_refused(REQUIRED "top_k: 5\n", "did you mean \"attribute.top_k\"?");
    assert_refused(REQUIRED "nmae: x\n", "did you mean \"name\"?");
    assert_refused("dataa: {path: x}\n", "c.yaml:1: unknown key \"dataa\"; did you mean \"data\"?");
    assert_refused(REQUIRED "xylophone: 5\n", "c.yaml:3: unknown key \"xylophone\"");
    assert_set_refused(
        "edit.layr=3",
        "--set edit.layr=3: unknown key \"edit.layr\"; did you mean \"edit.layer\"?");
}

Test(config, wrong_types_and_ranges_name_expected_and_found) {
    assert_refused(REQUIRED "edit: {layer: five}\n",
                   "c.yaml:3: edit.layer: expected an integer 0..255, found \"five\"");
    assert_refused(REQUIRED "edit:\n  layer: 256\n",
                   "c.yaml:4: edit.layer: expected an integer 0..255");
    assert_refused(REQUIRED "edit: {layer: 1.5}\n", "found \"1.5\"");
    assert_refused(REQUIRED "edit: {layer: \"7\"}\n", "expected an integer");
    assert_refused(REQUIRED "edit: {layer: }\n", "found nothing");
    assert_refused(REQUIRED "edit: {layer: [7]}\n", "found a list");
    assert_refused(REQUIRED "edit: {layer: {a: 7}}\n", "found a group of keys");
    assert_refused(REQUIRED "edit: {lr: nan}\n", "edit.lr: expected a number 0..10, found \"nan\"");
    assert_refused(REQUIRED "edit: {lr: inf}\n", "found \"inf\"");
    assert_refused(REQUIRED "edit: {lr: -1}\n", "found \"-1\"");
    assert_refused(REQUIRED "edit: {method: manu}\n",
                   "edit.method: expected one of none, mip, found \"manu\"");
    assert_refused(REQUIRED "attribute: {fisher_abs: yes}\n",
                   "expected true or false, found \"yes\"");
    assert_refused(REQUIRED "attribute: {modalities: []}\n", "expected a list of text, vision");
    assert_refused(REQUIRED "attribute: {modalities: [text, audio]}\n", "found \"audio\"");
    assert_refused(REQUIRED "attribute: {top_k: 70000}\n", "1..65536 neurons");
    assert_refused(REQUIRED "attribute: {quadrature: radau}\n", "like radau5");
    assert_refused(REQUIRED "attribute: {quadrature: left-4}\n", "found \"left-4\"");
    assert_refused(REQUIRED "data: 5\n", "appears twice");
    assert_refused("model: 5\n", "c.yaml:1: model: expected a group of keys");
    assert_refused("- a\n", "expected keys and values");
    assert_refused(REQUIRED "name: a/b\n", "name: expected letters");
    assert_refused(REQUIRED "data.forget: 7\n",
                   "data.forget: expected one of 5, 10, 15, found \"7\"");
    assert_set_refused("edit.layer", "expected key=value");
    assert_set_refused("=3", "expected key=value");
    assert_set_refused("edit.layer=",
                       "--set edit.layer=: edit.layer: expected an integer 0..255, found");
}

Test(config, required_keys_are_missed_by_name) {
    assert_refused("name: x\ndata: {path: d}\n",
                   "c.yaml: model.path: expected a folder, found nothing");
}

Test(config, a_missing_file_is_an_io_error) {
    arena a;
    mip_config c;
    arena_init(&a);
    cr_assert_eq(config_load(&a, "/nonexistent/c.yaml", NULL, 0, &c), MIP_E_IO);
    arena_deinit(&a);
}

Test(config, the_written_config_loads_as_the_same_struct) {
    temp_dir t;
    arena a;
    mip_config first;
    mip_config second;
    const char *text = NULL;
    const char *again = NULL;
    const char *const sets[] = {
        "model.path=a \"quoted\" #path", "data.path=d",        "edit.lr=0.1",
        "attribute.representative=sum",  "eval.sets=[retain]", "name=demo"};
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(config_load(&a, NULL, sets, 6, &first));
    ASSERT_OK(config_write(&a, &first, &text));
    ASSERT_OK(load_text(&t, &a, text, &second));
    ASSERT_OK(config_write(&a, &second, &again));
    cr_assert_str_eq(text, again);
    cr_assert_str_eq(first.model.path, second.model.path);
    cr_assert_eq(second.edit.lr, 0.1);
    cr_assert_eq(second.attribute.representative, CONFIG_REPRESENTATIVE_SUM);
    cr_assert_eq(second.eval.sets, CONFIG_SET_RETAIN);
    size_t n = 0;
    const config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) { // every default is written out
        const char *dot = strrchr(keys[i].name, '.');
        char line[80];
        snprintf(line, sizeof line, "%s: ", dot != NULL ? dot + 1 : keys[i].name);
        cr_assert_not_null(strstr(text, line), "%s", keys[i].name);
    }
    arena_deinit(&a);
    temp_remove(&t);
}

/* Characters at which YAML breaks lines or which it takes only as escapes. */
Test(config, strings_with_rare_characters_survive_writing_and_reading) {
    temp_dir t;
    arena a;
    mip_config first;
    mip_config second;
    const char *text = NULL;
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(load_text(
        &t, &a,
        "name: x\ndata: {path: d}\n"
        "model: {path: \"a\\L\\Lb\\P\\N c\\_\\n\\e\\x7f\\x80\\x9f\\uFEFF\\uFFFE\\uFFFFz\"}\n",
        &first));
    ASSERT_OK(config_write(&a, &first, &text));
    ASSERT_OK(load_text(&t, &a, text, &second));
    cr_assert_str_eq(first.model.path, second.model.path);
    cr_assert_eq(strlen(first.model.path), 1 + 6 + 1 + 3 + 2 + 2 + 2 + 1 + 1 + 1 + 4 + 9 + 1);
    arena_deinit(&a);
    temp_remove(&t);
}

Test(config, mode_official_decides_its_keys_and_refuses_other_values) {
    temp_dir t;
    arena a;
    mip_config first;
    mip_config second;
    const char *text = NULL;
    const char *const sets[] = {"attribute.mode=official", "model.path=m", "data.path=d",
                                "attribute.labels=chat"};
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(config_load(&a, NULL, sets, 4, &first));
    cr_assert_str_eq(first.attribute.quadrature, "left4");
    cr_assert_eq(first.attribute.representative, CONFIG_REPRESENTATIVE_LAST);
    cr_assert_eq(first.attribute.path, CONFIG_PATH_TOP_K);
    cr_assert_eq(first.attribute.objective, CONFIG_OBJECTIVE_CE);
    cr_assert_eq(first.attribute.positions, CONFIG_POSITIONS_FIRST);
    cr_assert_eq(first.attribute.vision_score, CONFIG_VISION_SCORE_Z_SCORE);
    ASSERT_OK(config_write(&a, &first, &text));
    ASSERT_OK(load_text(&t, &a, text, &second)); // every key is set there, as the mode wants it
    cr_assert_str_eq(second.attribute.quadrature, "left4");
    arena_deinit(&a);
    temp_remove(&t);
    assert_refused(REQUIRED "attribute: {mode: official, positions: last_prompt}\n",
                   "attribute.positions: attribute.mode: official stands for first, found "
                   "last_prompt");
    assert_refused(REQUIRED "attribute: {mode: official, quadrature: radau5}\n",
                   "attribute.quadrature: attribute.mode: official stands for \"left4\", found "
                   "\"radau5\"");
    assert_refused(REQUIRED "attribute: {mode: official, quadrature: adaptive}\n",
                   "attribute.quadrature: attribute.mode: official stands for \"left4\", found "
                   "\"adaptive\"");
}

Test(config, adaptive_nodes_are_refused_where_no_completeness_error_tells_when_to_stop) {
    assert_refused(REQUIRED "attribute: {quadrature: adaptive, modalities: [vision]}\n",
                   "adaptive needs text among attribute.modalities");
    assert_refused(REQUIRED "attribute: {quadrature: adaptive, candidate: exact}\n",
                   "adaptive needs attribute.candidate: whole_layer, found exact");
    assert_refused(REQUIRED "attribute: {quadrature: adaptive, objective: ce}\n",
                   "adaptive needs another attribute.objective than ce");
}

Test(config, help_names_every_key_once_in_sections_that_stay_together) {
    arena a;
    const char *text = NULL;
    size_t n = 0;
    const config_key *keys = config_keys(&n);
    arena_init(&a);
    ASSERT_OK(config_help(&a, &text));
    for (size_t i = 0; i < n; i++) {
        char line[80];
        snprintf(line, sizeof line, "%s: ", keys[i].name);
        const char *found = strstr(text, line);
        cr_assert_not_null(found, "%s", keys[i].name);
        cr_assert(keys[i].help != NULL && keys[i].help[0] != '\0', "%s", keys[i].name);
        for (size_t j = i + 1; j < n; j++) {
            cr_assert_str_neq(keys[i].name, keys[j].name);
        }
    }
    cr_assert_not_null(strstr(text, "attribute.top_k: integer 1..65536 neurons; default 5\n"));
    cr_assert_not_null(strstr(text, "model.path: a folder; required\n"));
    for (const char *line = text; *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        cr_assert_leq(length, 130);
        line += length + 1;
    }
    arena_deinit(&a);
}
