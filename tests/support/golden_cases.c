/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/golden_cases.c - see golden_cases.h. */
#include "support/golden_cases.h"

#include <stdio.h>

#include <criterion/alloc.h>

const tiny_family tiny_families[TINY_FAMILIES] = {{"qwen25vl_tiny", true},
                                                  {"qwen2vl_tiny", true},
                                                  {"llava_tiny", true},
                                                  {"llama_tiny", false},
                                                  {"qwen2_tiny", false}};

static const char *const backends[] = {"ref", "cpu"};
enum { N_BACKENDS = 2 };

static void release(struct criterion_test_params *params) {
    cr_free(params->params);
}

struct criterion_test_params golden_cases(int n_text, int n_all, const char *const *names) {
    // The runner's own memory: the workers of a test see nothing else that was made at run time.
    golden_case *out = cr_malloc((size_t)(N_BACKENDS * TINY_FAMILIES * n_all) * sizeof *out);
    size_t n = 0;
    for (int b = 0; b < N_BACKENDS; b++) {
        for (int f = 0; f < TINY_FAMILIES; f++) {
            const int n_cases = tiny_families[f].vision ? n_all : n_text;
            for (int i = 0; i < n_cases; i++, n++) {
                snprintf(out[n].backend, sizeof out[n].backend, "%s", backends[b]);
                snprintf(out[n].name, sizeof out[n].name, "%s/%s", tiny_families[f].name, names[i]);
            }
        }
    }
    return cr_make_param_array(golden_case, out, n, release);
}
