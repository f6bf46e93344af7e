/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_jsonl.c - a file of a data folder; its first byte says which: R items.jsonl,
 * P persons.jsonl, M manifest.json. */
#include "data/dataset.h"
#include "fuzz/fuzz_input.h"

static void check_record(const record *r) {
    FUZZ_HOLDS(record_id_is_legal(r->id) && r->person != NULL);
    for (int i = 0; i < r->n_images; i++) {
        FUZZ_HOLDS(record_path_is_inside(r->images[i]));
    }
    for (int i = 0; i < r->n_turns; i++) {
        for (int k = 0; k < r->turns[i].n_parts; k++) {
            const record_part *part = &r->turns[i].parts[k];
            FUZZ_HOLDS(part->image < r->n_images && (part->image >= 0 || part->text != NULL));
        }
    }
}

static mip_status parse(arena *a, breach_list *b, char kind, char *text, size_t n) {
    int64_t n_lines = 0;
    record *records = NULL;
    person *persons = NULL;
    manifest m;
    mip_status status = MIP_OK;
    if (kind == 'P') {
        status = dataset_parse_persons(a, b, text, n, &n_lines, &persons);
        for (int64_t i = 0; i < n_lines; i++) {
            FUZZ_HOLDS(persons[i].id != NULL && persons[i].name != NULL);
        }
        return status;
    }
    if (kind == 'M') {
        return manifest_parse(a, b, text, n, &m);
    }
    status = dataset_parse_records(a, b, DATASET_ITEMS_FILE, text, n, &n_lines, &records);
    for (int64_t i = 0; i < n_lines; i++) {
        check_record(&records[i]);
    }
    return status;
}

bool fuzz_accepts(const uint8_t *data, size_t n) {
    arena a;
    breach_list breaches;
    if (n == 0) {
        return false;
    }
    char *text = malloc(n);
    if (text == NULL) {
        abort();
    }
    memcpy(text, data + 1, n - 1);
    text[n - 1] = '\0';
    arena_init(&a);
    breach_list_init(&breaches, &a);
    FUZZ_HOLDS(parse(&a, &breaches, (char)data[0], text, n - 1) == MIP_OK);
    for (int64_t i = 0; i < breaches.n; i++) {
        FUZZ_HOLDS(breaches.items[i].what[0] != '\0');
    }
    const bool sound = breaches.n == 0;
    arena_deinit(&a);
    free(text);
    return sound;
}
