/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect_scan.c - see inspect_scan.h. */
#include "cli/inspect_scan.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/status_priv.h"
#include "cli/print.h"
#include "io/safetensors_scan.h"
#include "tensor/dtype.h"

mip_status tensor_totals_get(arena *a, const safetensors_index *index, bool scan,
                             tensor_totals *out) {
    *out = (tensor_totals){.n_tensors = safetensors_index_size(index), .scanned = scan};
    MIP_TRY(ARENA_NEW(a, out->n_tensors, &out->first));
    for (int64_t i = 0; i < out->n_tensors; i++) {
        const safetensors_entry *e = safetensors_index_at(index, i);
        out->n_elems += e->n_elems;
        out->n_bytes += e->n_bytes;
        out->of_dtype[e->dtype]++;
        out->first[i] = -1;
        if (scan) {
            MIP_TRY(safetensors_scan(e, &out->first[i]));
            out->n_bad += out->first[i] >= 0;
        }
    }
    return MIP_OK;
}

void tensor_totals_print(const tensor_totals *t, const safetensors_index *index) {
    char bytes[PRINT_BYTES_TEXT];
    printf("  %-12s %" PRId64 " in %" PRId64 " tensors, %s:", "parameters", t->n_elems,
           t->n_tensors, print_bytes(t->n_bytes, bytes));
    for (int d = 0; d < INSPECT_DTYPES; d++) {
        if (t->of_dtype[d] > 0) {
            printf(" %" PRId64 " %s", t->of_dtype[d], dtype_name((mip_dtype)d));
        }
    }
    putchar('\n');
    for (int i = 0; i < safetensors_index_n_files(index); i++) {
        print_row(i == 0 ? "files" : "", "%s", safetensors_path(safetensors_index_file(index, i)));
    }
    if (t->scanned && t->n_bad == 0) {
        print_row("scan", "no NaN or Inf");
    }
    for (int64_t i = 0; t->scanned && i < t->n_tensors; i++) {
        if (t->first[i] >= 0) {
            print_row("scan", "NaN or Inf in %s, first at element %" PRId64,
                      safetensors_index_at(index, i)->name, t->first[i]);
        }
    }
}

mip_status tensor_totals_write(json_writer *w, const tensor_totals *t,
                               const safetensors_index *index) {
    MIP_TRY(json_put_i64(w, "parameters", t->n_elems));
    MIP_TRY(json_put_i64(w, "bytes", t->n_bytes));
    MIP_TRY(json_put_i64(w, "n_tensors", t->n_tensors));
    MIP_TRY(json_begin_object(w, "dtypes"));
    for (int d = 0; d < INSPECT_DTYPES; d++) {
        if (t->of_dtype[d] > 0) {
            MIP_TRY(json_put_i64(w, dtype_name((mip_dtype)d), t->of_dtype[d]));
        }
    }
    MIP_TRY(json_end(w));
    MIP_TRY(json_begin_array(w, "files"));
    for (int i = 0; i < safetensors_index_n_files(index); i++) {
        MIP_TRY(json_put_string(w, NULL, safetensors_path(safetensors_index_file(index, i))));
    }
    MIP_TRY(json_end(w));
    if (!t->scanned) {
        return MIP_OK;
    }
    MIP_TRY(json_begin_array(w, "not_finite"));
    for (int64_t i = 0; i < t->n_tensors; i++) {
        if (t->first[i] >= 0) {
            MIP_TRY(json_begin_object(w, NULL));
            MIP_TRY(json_put_string(w, "name", safetensors_index_at(index, i)->name));
            MIP_TRY(json_put_i64(w, "first", t->first[i]));
            MIP_TRY(json_end(w));
        }
    }
    return json_end(w);
}

mip_status tensor_totals_verdict(const tensor_totals *t, const char *path) {
    if (t->n_bad > 0) {
        MIP_FAIL(MIP_E_NUMERIC, "get the file again from where it came from",
                 "%s: %" PRId64 " of %" PRId64 " tensors hold NaN or Inf", path, t->n_bad,
                 t->n_tensors);
    }
    return MIP_OK;
}
