/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/tiny_model.h - a tiny model of tests/golden loaded on a backend, ready to run. */
#ifndef MIP_TESTS_TINY_MODEL_H
#define MIP_TESTS_TINY_MODEL_H

#include "model/model.h"

typedef struct tiny_model {
    exec x;
    model m;
} tiny_model;

/* tiny_model_open - model folder `folder` ("model", "qwen2vl_tiny/model": golden_name_split)
 * on backend "ref", "cpu" or a plugin's path, with arena_bytes to work in (0: dry). */
void tiny_model_open(tiny_model *t, const char *backend, const char *folder, size_t arena_bytes);

/* tiny_model_open_as - the same with weight matrices in dtype (F32 above). */
void tiny_model_open_as(tiny_model *t, const char *backend, const char *folder, mip_dtype dtype,
                        size_t arena_bytes);

/* tiny_model_open_of - the model the golden case was made with. */
void tiny_model_open_of(tiny_model *t, const char *backend, const char *case_name,
                        size_t arena_bytes);
void tiny_model_close(tiny_model *t);

#endif
