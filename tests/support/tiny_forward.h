/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/tiny_forward.h - a forward pass of packed sequences through the tiny model,
 * everything kept.
 *
 * What    Neurons of every layer and row are tapped, so that a backward or tangent pass
 *         leaves da or ta there. */
#ifndef MIP_TESTS_TINY_FORWARD_H
#define MIP_TESTS_TINY_FORWARD_H

#include "model/sequence.h"
#include "support/tiny_model.h"

enum { TINY_MAX_LAYERS = 8 };

typedef struct tiny_taps {
    neuron_tap taps[TINY_MAX_LAYERS];
    tap_list list;
    int32_t *rows; // host [N]: 0..N-1
} tiny_taps;

typedef struct tiny_forward {
    tiny_model t;
    text_pack text;
    vision_pack vision;
    vision_trace vision_trace;
    stack_trace trace;
    tiny_taps text_taps, vision_taps;
    float *last; // dev [N, C] after the last text block
} tiny_forward;

/* tiny_forward_run - n sequences on a backend with the model of a folder. */
void tiny_forward_run(tiny_forward *f, const char *backend, const char *folder, int64_t n,
                      const sequence *seqs);

/* tiny_forward_run_as - the same with weight matrices in dtype (F32 above). */
void tiny_forward_run_as(tiny_forward *f, const char *backend, const char *folder, mip_dtype dtype,
                         int64_t n, const sequence *seqs);

/* tiny_forward_run_case - n sequences through the model their golden case was made with. */
void tiny_forward_run_case(tiny_forward *f, const char *backend, const char *case_name, int64_t n,
                           const sequence *seqs);
void tiny_forward_finish(tiny_forward *f);

/* tiny_forward_text_call / _vision_call - the stack call for vjp and jvp over what was run. */
stack_call tiny_forward_text_call(tiny_forward *f);
stack_call tiny_forward_vision_call(tiny_forward *f);

/* tiny_forward_check - dev [n] against b: expects max|a - b| / max|b| <= gate.
 * tiny_forward_check_host: a on the host. */
void tiny_forward_check(tiny_forward *f, const char *what, const float *dev, const float *b,
                        int64_t n, double gate);
void tiny_forward_check_host(const char *what, const float *a, const float *b, int64_t n,
                             double gate);

/* tiny_forward_fetch - a host copy of dev [n]; free it. tiny_forward_put - a device copy
 * of host [n] in the arena. */
float *tiny_forward_fetch(tiny_forward *f, const float *dev, int64_t n);
float *tiny_forward_put(tiny_forward *f, const float *host, int64_t n);

/* tiny_forward_zeros - dev [n] zeros in the arena. */
float *tiny_forward_zeros(tiny_forward *f, int64_t n);

#endif
