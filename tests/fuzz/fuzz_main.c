/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_main.c - what libFuzzer calls for each input. */
#include "fuzz/fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    (void)fuzz_accepts(data, n);
    return 0;
}
