/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_safetensors.c - a whole .safetensors file: header, byte ranges, every tensor. */
#include "fuzz/fuzz_input.h"
#include "io/safetensors_read.h"
#include "io/safetensors_scan.h"
#include "tensor/dtype.h"

/* A file that was accepted has all its bytes: whatever is read must come without an error, but for
 * NaN where they are looked for. */
static void read_entry(const safetensors_entry *e, size_t n_file) {
    const bool weight = dtype_is_weight(e->dtype);
    int64_t bad = -1;
    FUZZ_HOLDS(e->n_bytes >= 0 && (size_t)e->n_bytes <= n_file);
    FUZZ_HOLDS(e->begin_bytes >= 8 && (size_t)(e->begin_bytes + e->n_bytes) <= n_file);
    FUZZ_HOLDS(e->n_bytes == e->n_elems * (int64_t)dtype_bytes(e->dtype));
    unsigned char *own = malloc(e->n_bytes > 0 ? (size_t)e->n_bytes : 1);
    float *wide = malloc(e->n_elems > 0 ? (size_t)e->n_elems * sizeof *wide : 1);
    if (own == NULL || wide == NULL) {
        abort();
    }
    FUZZ_HOLDS(safetensors_read(e, e->dtype, false, own) == MIP_OK);
    const mip_status status = safetensors_read(e, MIP_DTYPE_F32, true, wide);
    FUZZ_HOLDS(safetensors_scan(e, &bad) == MIP_OK);
    FUZZ_HOLDS(status == (!weight   ? e->dtype == MIP_DTYPE_F32 ? MIP_OK : MIP_E_DTYPE
                          : bad < 0 ? MIP_OK
                                    : MIP_E_NUMERIC));
    if (e->shape.rank > 0 && e->shape.dims[0] > 0) {
        const int64_t last = e->shape.dims[0] - 1;
        FUZZ_HOLDS(safetensors_read_rows(e, last, last + 1, e->dtype, false, own) == MIP_OK);
    }
    free(own);
    free(wide);
}

bool fuzz_accepts(const uint8_t *data, size_t n) {
    safetensors_file *f = NULL;
    const mip_status status = safetensors_open_bytes("x.safetensors", data, n, &f);
    fuzz_check_words(status);
    if (status == MIP_OK) {
        int64_t n_entries = 0;
        const safetensors_entry *entries = safetensors_entries(f, &n_entries);
        for (int64_t i = 0; i < n_entries; i++) {
            FUZZ_HOLDS(safetensors_find(f, entries[i].name) == &entries[i]);
            read_entry(&entries[i], n);
        }
    }
    safetensors_close(f);
    return status == MIP_OK;
}
