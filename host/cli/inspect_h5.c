/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect_h5.c - see inspect_h5.h. */
#include "cli/inspect_h5.h"

#include <inttypes.h>
#include <string.h>

#include "base/status_priv.h"
#include "cli/print.h"
#include "report/trace_neurons.h"
#include "store/h5_describe.h"

/* The stacks a trace may have neurons of. */
static const char *const stacks[] = {"text", "vision"};
enum { N_STACKS = sizeof stacks / sizeof *stacks };

typedef struct content {
    h5_listing all;
    trace_neurons neurons[N_STACKS];
} content;

static mip_status read_content(arena *a, const char *path, int n_top, content *out) {
    mip_status status = MIP_OK;
    h5_file *file = NULL;
    MIP_TRY(h5_open(path, &file));
    MIP_TRY_GOTO(h5_describe(file, a, &out->all));
    for (int i = 0; i < N_STACKS; i++) {
        MIP_TRY_GOTO(trace_neurons_get(a, file, stacks[i], n_top, &out->neurons[i]));
    }
out:
    h5_abandon(&file);
    return status;
}

static const char *attribute(const h5_object *o, const char *name) {
    for (int64_t i = 0; i < o->n_attributes; i++) {
        if (strcmp(o->attributes[i].name, name) == 0) {
            return o->attributes[i].value;
        }
    }
    return NULL;
}

/* "[layer 3, neuron 88]" */
static mip_status append_shape(const h5_object *o, str *out) {
    MIP_TRY(str_append(out, "["));
    for (int i = 0; i < o->rank; i++) {
        MIP_TRY(str_printf(out, "%s%s%s%" PRId64, i > 0 ? ", " : "",
                           o->dim[i] != NULL ? o->dim[i] : "", o->dim[i] != NULL ? " " : "",
                           o->dims[i]));
    }
    return str_append(out, "]");
}

static mip_status append_dataset(const h5_object *o, str *out) {
    char bytes[PRINT_BYTES_TEXT];
    const char *long_name = attribute(o, "long_name");
    const char *units = attribute(o, "units");
    MIP_TRY(str_printf(out, "  %-28s %-6s ", o->name, o->type));
    MIP_TRY(append_shape(o, out));
    MIP_TRY(str_printf(out, "  %s\n", print_bytes(o->stored_bytes, bytes)));
    if (long_name != NULL) {
        const bool unit = units != NULL && strcmp(units, "1") != 0;
        MIP_TRY(str_printf(out, "  %-28s %s%s%s\n", "", long_name, unit ? ", in " : "",
                           unit ? units : ""));
    }
    return MIP_OK;
}

/* Attributes of the root and of groups; a whole config is too long for a line. */
static mip_status append_group(const h5_object *o, str *out) {
    for (int64_t i = 0; i < o->n_attributes; i++) {
        const named_text *t = &o->attributes[i];
        if (strchr(t->value, '\n') == NULL) {
            MIP_TRY(str_printf(out, "  %s%s%-24s %s\n", o->name[1] != '\0' ? o->name : "",
                               o->name[1] != '\0' ? ": " : "", t->name, t->value));
        }
    }
    return MIP_OK;
}

mip_status inspect_h5_append(arena *a, const char *path, int n_top, str *out) {
    content c;
    MIP_TRY(read_content(a, path, n_top, &c));
    MIP_TRY(str_printf(out, "hdf5 %s\n", path));
    for (int64_t i = 0; i < c.all.n; i++) {
        if (!c.all.objects[i].is_dataset) {
            MIP_TRY(append_group(&c.all.objects[i], out));
        }
    }
    for (int64_t i = 0; i < c.all.n; i++) {
        const h5_object *o = &c.all.objects[i];
        if (o->is_dataset && !o->is_scale) { // a scale is seen in the shapes
            MIP_TRY(append_dataset(o, out));
        }
    }
    for (int i = 0; i < N_STACKS; i++) {
        if (c.neurons[i].n_layers > 0) {
            MIP_TRY(trace_neurons_append(&c.neurons[i], stacks[i], out));
        }
    }
    return MIP_OK;
}

static mip_status write_object(const h5_object *o, json_writer *w) {
    MIP_TRY(json_begin_object(w, NULL));
    MIP_TRY(json_put_string(w, "name", o->name));
    if (o->is_dataset) {
        MIP_TRY(json_put_string(w, "dtype", o->type));
        MIP_TRY(json_put_bool(w, "scale", o->is_scale));
        MIP_TRY(json_begin_array(w, "shape"));
        for (int i = 0; i < o->rank; i++) {
            MIP_TRY(json_put_i64(w, NULL, o->dims[i]));
        }
        MIP_TRY(json_end(w));
        MIP_TRY(json_begin_array(w, "dims"));
        for (int i = 0; i < o->rank; i++) {
            MIP_TRY(json_put_string(w, NULL, o->dim[i]));
        }
        MIP_TRY(json_end(w));
        MIP_TRY(json_put_i64(w, "stored_bytes", o->stored_bytes));
    }
    MIP_TRY(json_begin_object(w, "attributes"));
    for (int64_t i = 0; i < o->n_attributes; i++) {
        MIP_TRY(json_put_string(w, o->attributes[i].name, o->attributes[i].value));
    }
    MIP_TRY(json_end(w));
    return json_end(w);
}

mip_status inspect_h5_write(arena *a, const char *path, int n_top, json_writer *w) {
    content c;
    MIP_TRY(read_content(a, path, n_top, &c));
    MIP_TRY(json_put_string(w, "kind", "hdf5"));
    MIP_TRY(json_put_string(w, "path", path));
    MIP_TRY(json_begin_array(w, "objects"));
    for (int64_t i = 0; i < c.all.n; i++) {
        MIP_TRY(write_object(&c.all.objects[i], w));
    }
    MIP_TRY(json_end(w));
    for (int i = 0; i < N_STACKS; i++) {
        if (c.neurons[i].n_layers > 0) {
            MIP_TRY(trace_neurons_write(&c.neurons[i], stacks[i], w));
        }
    }
    return MIP_OK;
}
