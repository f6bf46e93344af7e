/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/picture_cache.h - the pictures of a data set, each decoded once.
 *
 * Memory  Decoded pixels (3 bytes each) stay until the cache is destroyed; patch rows,
 *         8 times as large, are made per prompt.
 * Threads One thread at a time.
 * Tested  tests/unit/data/test_prompt.c */
#ifndef MIP_DATA_PICTURE_CACHE_H
#define MIP_DATA_PICTURE_CACHE_H

#include <stdint.h>

#include "image/image.h"

typedef struct picture {
    char *name; // path below the folder
    uint64_t key;
    image pixels;
} picture;

typedef struct picture_cache {
    char *dir;
    int64_t n, capacity;
    picture **items; // in the order of their first use
} picture_cache;

/* picture_cache_init - an empty cache of the pictures below `dir`. MIP_E_NOMEM. */
mip_status picture_cache_init(picture_cache *c, const char *dir);
void picture_cache_deinit(picture_cache *c);

/* picture_cache_get - the decoded picture; borrowed, valid until deinit. Errors of image_read. */
mip_status picture_cache_get(picture_cache *c, const char *name, const image **out);

#endif
