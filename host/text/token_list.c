/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/token_list.c - growth of the two parallel arrays. */
#include "text/token_list.h"

#include <stdlib.h>

#include "base/status_priv.h"

enum { FIRST_CAPACITY = 64 };

void token_list_init(token_list *t) {
    *t = (token_list){0};
}

void token_list_deinit(token_list *t) {
    free(t->ids);
    free(t->begin);
    *t = (token_list){0};
}

static mip_status grow(token_list *t) {
    const size_t capacity = t->capacity == 0 ? FIRST_CAPACITY : 2 * t->capacity;
    if (capacity > SIZE_MAX / sizeof *t->begin) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "no memory for %zu tokens", capacity);
    }
    int32_t *ids = realloc(t->ids, capacity * sizeof *ids);
    if (ids != NULL) {
        t->ids = ids;
    }
    size_t *begin = realloc(t->begin, capacity * sizeof *begin);
    if (begin != NULL) {
        t->begin = begin;
    }
    if (ids == NULL || begin == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "no memory for %zu tokens", capacity);
    }
    t->capacity = capacity;
    return MIP_OK;
}

mip_status token_list_append(token_list *t, int32_t id, size_t begin) {
    if (t->n == t->capacity) {
        MIP_TRY(grow(t));
    }
    t->ids[t->n] = id;
    t->begin[t->n] = begin;
    t->n++;
    return MIP_OK;
}
