/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/golden.h - reads a golden case of tests/golden/<family>/cases into host
 * arrays.
 *
 * What    Every failure is a failed assertion: a test that cannot read its golden must not pass.
 * Memory  Arrays live until golden_close. */
#ifndef MIP_TESTS_GOLDEN_H
#define MIP_TESTS_GOLDEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "io/safetensors_read.h"
#include "model/sequence.h"

typedef struct golden {
    safetensors_file *file;
    arena memory;
    char prefix[32]; // put before every name: "" or "seq1."
} golden;

/* golden_name_split - "qwen2vl_tiny/image" is `image` of that family; a name alone is one of
 * qwen25vl_tiny. Cases and model folders are named so. */
typedef struct golden_name {
    char family[32];
    const char *name; // borrowed
} golden_name;
golden_name golden_name_split(const char *name);

/* golden_open - the case's safetensors file with names prefixed by `prefix`. */
void golden_open(golden *g, const char *case_name, const char *prefix);
void golden_close(golden *g);

bool golden_has(const golden *g, const char *name);
const safetensors_entry *golden_entry(const golden *g, const char *name);

/* golden_f32 / golden_i32 - the tensor's values; *n (may be NULL) = how many. */
const float *golden_f32(golden *g, const char *name, int64_t *n);
const int32_t *golden_i32(golden *g, const char *name, int64_t *n);

/* golden_pixels - pixel_values [P, patch_dim] of the case. */
const float *golden_pixels(golden *g, int64_t *n_patches);

/* golden_sequence - the case's ids and images. */
sequence golden_sequence(golden *g);

/* golden_open_batch - the two sequences of a case "batch". */
void golden_open_batch(const char *case_name, golden g[2], sequence s[2]);

/* golden_count - how many tensors' names begin with the prefix of g and this. */
int golden_count(const golden *g, const char *begin);

/* golden_targets - rows and targets of the scored positions; rows count from row_begin. */
int64_t golden_targets(golden *g, int64_t row_begin, int32_t *rows, int32_t *targets);

#endif
