/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/picture_cache.c - see picture_cache.h.
 *
 * Tested  tests/unit/data/test_prompt.c */
#include "data/picture_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/status_priv.h"

enum { FIRST_CAPACITY = 64 };

static mip_status copy_text(const char *text, char **out) {
    const size_t n = strlen(text) + 1;
    *out = malloc(n);
    if (*out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", n);
    }
    memcpy(*out, text, n);
    return MIP_OK;
}

mip_status picture_cache_init(picture_cache *c, const char *dir) {
    *c = (picture_cache){0};
    return copy_text(dir, &c->dir);
}

static void picture_free(picture *p) {
    if (p != NULL) {
        image_deinit(&p->pixels);
        free(p->name);
        free(p);
    }
}

void picture_cache_deinit(picture_cache *c) {
    for (int64_t i = 0; i < c->n; i++) {
        picture_free(c->items[i]);
    }
    free(c->items);
    free(c->dir);
    *c = (picture_cache){0};
}

static mip_status reserve_one(picture_cache *c) {
    if (c->n < c->capacity) {
        return MIP_OK;
    }
    const int64_t capacity = c->capacity == 0 ? FIRST_CAPACITY : 2 * c->capacity;
    picture **grown = realloc(c->items, (size_t)capacity * sizeof *grown);
    if (grown == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", (size_t)capacity * sizeof *grown);
    }
    c->items = grown;
    c->capacity = capacity;
    return MIP_OK;
}

static mip_status picture_read(const char *dir, const char *name, picture *out) {
    arena a;
    char *path = NULL;
    mip_status status = MIP_OK;
    arena_init(&a);
    MIP_TRY_GOTO(copy_text(name, &out->name));
    MIP_TRY_GOTO(fs_join(&a, dir, name, &path));
    MIP_TRY_GOTO(image_read(path, NULL, &out->pixels));
out:
    arena_deinit(&a);
    return status;
}

mip_status picture_cache_get(picture_cache *c, const char *name, const image **out) {
    const uint64_t key = hash_key(name);
    *out = NULL;
    for (int64_t i = 0; i < c->n; i++) {
        if (c->items[i]->key == key && strcmp(c->items[i]->name, name) == 0) {
            *out = &c->items[i]->pixels;
            return MIP_OK;
        }
    }
    MIP_TRY(reserve_one(c));
    picture *p = calloc(1, sizeof *p);
    if (p == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof *p);
    }
    p->key = key;
    const mip_status status = picture_read(c->dir, name, p);
    if (status != MIP_OK) {
        picture_free(p);
        return mip_error_pass(status, __FILE__, __LINE__, __func__);
    }
    c->items[c->n++] = p;
    *out = &p->pixels;
    return MIP_OK;
}
