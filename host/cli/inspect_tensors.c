/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect_tensors.c - `mip inspect` on safetensors: one line per tensor,
 * then the totals. */
#include <inttypes.h>
#include <stdio.h>

#include "base/status_priv.h"
#include "cli/inspect.h"
#include "cli/inspect_scan.h"
#include "cli/print.h"
#include "tensor/dtype.h"

static void print_list(const safetensors_index *index) {
    for (int64_t i = 0; i < safetensors_index_size(index); i++) {
        const safetensors_entry *e = safetensors_index_at(index, i);
        char shape[SHAPE_TEXT_BYTES];
        shape_text(&e->shape, shape);
        printf("  %-5s %-20s %s\n", dtype_name(e->dtype), shape, e->name);
    }
}

static mip_status write_list(json_writer *w, const safetensors_index *index) {
    MIP_TRY(json_begin_array(w, "tensors"));
    for (int64_t i = 0; i < safetensors_index_size(index); i++) {
        const safetensors_entry *e = safetensors_index_at(index, i);
        MIP_TRY(json_begin_object(w, NULL));
        MIP_TRY(json_put_string(w, "name", e->name));
        MIP_TRY(json_put_string(w, "dtype", dtype_name(e->dtype)));
        MIP_TRY(json_begin_array(w, "shape"));
        for (int d = 0; d < e->shape.rank; d++) {
            MIP_TRY(json_put_i64(w, NULL, e->shape.dims[d]));
        }
        MIP_TRY(json_end(w));
        MIP_TRY(json_put_i64(w, "bytes", e->n_bytes));
        MIP_TRY(json_end(w));
    }
    return json_end(w);
}

static mip_status print_json(const char *path, const safetensors_index *index,
                             const tensor_totals *totals) {
    mip_status status = MIP_OK;
    str text;
    str_init(&text);
    json_writer w = json_writer_start(&text, true);
    MIP_TRY_GOTO(json_begin_object(&w, NULL));
    MIP_TRY_GOTO(json_put_string(&w, "kind", "safetensors"));
    MIP_TRY_GOTO(json_put_string(&w, "path", path));
    MIP_TRY_GOTO(tensor_totals_write(&w, totals, index));
    MIP_TRY_GOTO(write_list(&w, index));
    MIP_TRY_GOTO(json_end(&w));
    print_text(&text);
out:
    str_deinit(&text);
    return status;
}

mip_status inspect_tensors(arena *a, const char *path, const inspect_options *options) {
    mip_status status = MIP_OK;
    safetensors_index *index = NULL;
    tensor_totals totals;
    MIP_TRY_GOTO(safetensors_index_open(path, &index));
    MIP_TRY_GOTO(tensor_totals_get(a, index, options->scan, &totals));
    if (options->json) {
        MIP_TRY_GOTO(print_json(path, index, &totals));
    } else {
        printf("safetensors %s\n", path);
        print_list(index);
        tensor_totals_print(&totals, index);
    }
    MIP_TRY_GOTO(tensor_totals_verdict(&totals, path));
out:
    safetensors_index_close(index);
    return status;
}
