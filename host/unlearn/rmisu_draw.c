/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/rmisu_draw.c - see rmisu_draw.h. */
#include "unlearn/rmisu_draw.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "base/status_priv.h"

int64_t rmisu_steps(const config_edit *config, int64_t n_retain) {
    if (config->steps > 0) {
        return config->steps;
    }
    return config->epochs * ((n_retain + config->batch - 1) / config->batch);
}

mip_status rmisu_draw_create(uint64_t seed, int64_t batch, int64_t n_forget, int64_t n_retain,
                             rmisu_draw *out) {
    *out = (rmisu_draw){
        .seed = seed, .batch = batch, .n_forget = n_forget, .n_retain = n_retain, .pass = -1};
    out->order = malloc((size_t)n_retain * sizeof *out->order);
    if (out->order == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the order of %lld samples",
                 (long long)n_retain);
    }
    return MIP_OK;
}

void rmisu_draw_destroy(rmisu_draw *d) {
    free(d->order);
    *d = (rmisu_draw){0};
}

static rng stream(uint64_t seed, const char *what, int64_t number) {
    char key[64];
    rng r;
    snprintf(key, sizeof key, "%s %lld", what, (long long)number);
    rng_init(&r, seed, hash_key(key));
    return r;
}

static void order_of_pass(rmisu_draw *d, int64_t pass) {
    if (pass == d->pass) {
        return;
    }
    for (int64_t i = 0; i < d->n_retain; i++) {
        d->order[i] = i;
    }
    rng r = stream(d->seed, "retain pass", pass);
    rng_shuffle(&r, d->order, d->n_retain);
    d->pass = pass;
}

void rmisu_draw_step(rmisu_draw *d, int64_t step, int64_t *forget, int64_t *retain) {
    rng r = stream(d->seed, "forget step", step);
    for (int64_t i = 0; i < d->batch; i++) {
        const int64_t at = step * d->batch + i;
        forget[i] = (int64_t)rng_below(&r, (uint64_t)d->n_forget);
        order_of_pass(d, at / d->n_retain);
        retain[i] = d->order[at % d->n_retain];
    }
}
