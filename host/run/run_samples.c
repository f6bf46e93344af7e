/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_samples.c - see run_samples.h. */
#include "run/run_samples.h"

#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "base/status_priv.h"

static mip_status select_split(experiment *e, bool forget, record_task task, record_list *out) {
    record_filter filter = {.tasks = DATASET_BIT(task)};
    MIP_TRY(dataset_split_name(&e->memory, forget, e->config.data.forget_pct, &filter.split));
    MIP_TRY(dataset_select(&e->memory, &e->data, e->data.train, e->data.n_train, &filter, out));
    if (out->n == 0) {
        MIP_FAIL(MIP_E_CONFIG, "look at the data: mip check DATA",
                 "%s/train.jsonl has no '%s' rows of split %s", e->data.dir, record_task_name(task),
                 filter.split);
    }
    return MIP_OK;
}

/* The people of a list in order of their first record. */
static mip_status people_of(experiment *e, const record_list *list, const char ***people,
                            int64_t *n) {
    *n = 0;
    MIP_TRY(ARENA_NEW(&e->memory, list->n, people));
    for (int64_t i = 0; i < list->n; i++) {
        int64_t p = 0;
        while (p < *n && strcmp((*people)[p], list->items[i]->person) != 0) {
            p++;
        }
        if (p == *n) {
            (*people)[(*n)++] = list->items[i]->person;
        }
    }
    return MIP_OK;
}

/* Keep the records of `wanted` people, drawn without replacement by the seed. */
static mip_status keep_some_people(experiment *e, int64_t wanted, record_list *list) {
    const char **people = NULL;
    int64_t n = 0;
    MIP_TRY(people_of(e, list, &people, &n));
    if (wanted >= n) {
        return MIP_OK;
    }
    int64_t *chosen = NULL;
    MIP_TRY(ARENA_NEW(&e->memory, wanted, &chosen));
    rng r;
    rng_init(&r, (uint64_t)e->config.seed, hash_key("contrast people"));
    rng_sample(&r, n, wanted, chosen);
    int64_t kept = 0;
    for (int64_t i = 0; i < list->n; i++) {
        for (int64_t c = 0; c < wanted; c++) {
            if (strcmp(list->items[i]->person, people[chosen[c]]) == 0) {
                list->items[kept++] = list->items[i];
                break;
            }
        }
    }
    list->n = kept;
    return MIP_OK;
}

mip_status attribute_samples_select(experiment *e, attribute_samples *out) {
    const config_attribute *c = &e->config.attribute;
    record_list forget = {0};
    record_list retain = {0};
    MIP_TRY(select_split(e, true, RECORD_QA, &forget));
    if (c->max_samples > 0 && c->max_samples < forget.n) {
        forget.n = c->max_samples;
    }
    if (c->aggregate == CONFIG_AGGREGATE_CONTRAST) {
        MIP_TRY(select_split(e, false, RECORD_QA, &retain));
        MIP_TRY(keep_some_people(e, c->contrast_people, &retain));
    }
    *out = (attribute_samples){.n_forget = forget.n, .n_retain = retain.n};
    MIP_TRY(ARENA_NEW(&e->memory, forget.n + retain.n, &out->records));
    memcpy(out->records, forget.items, (size_t)forget.n * sizeof *forget.items);
    if (retain.n > 0) {
        memcpy(out->records + forget.n, retain.items, (size_t)retain.n * sizeof *retain.items);
    }
    return MIP_OK;
}

mip_status edit_samples_select(experiment *e, bool forget, record_list *out) {
    return select_split(e, forget, RECORD_CONVERSATION, out);
}
