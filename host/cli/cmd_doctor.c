/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_doctor.c - `mip doctor`: the machine, libraries, backends and GPUs:
 * found or not, what it means, what mends it.
 *
 * How     Everything is collected as findings first; the report and the JSON are two ways
 *         to write the same list. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend/loader.h"
#include "backend/registry.h"
#include "base/base_libraries.h"
#include "base/build_info.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/machine.h"
#include "base/status_priv.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cpu/cpu_backend.h"
#include "cpu/cpu_libraries.h"
#include "cpu/cpu_threads.h"
#include "cpu/tile_gemm.h"
#include "image/image_libraries.h"
#include "io/io_libraries.h"
#include "io/json_write.h"
#include "store/store_libraries.h"
#include "text/text_libraries.h"

enum { MAX_FINDINGS = 48, MAX_PATH_BYTES = 4096 };
static const int64_t LITTLE_ROOM_BYTES = INT64_C(1) << 30;

typedef enum finding_state { FOUND, ABSENT, BROKEN } finding_state;

typedef struct finding {
    const char *group; // "machine", "libraries", ...
    const char *name;
    finding_state state;
    const char *value;
    const char *meaning; // NULL = the value says it
    const char *mend;    // the command to type; NULL = nothing to mend
} finding;

typedef struct findings {
    arena *memory;
    int n;
    finding items[MAX_FINDINGS];
} findings;

static void add(findings *f, finding one) {
    if (f->n < MAX_FINDINGS) {
        f->items[f->n++] = one;
    }
}

/* ---- machine --------------------------------------------------------------------------------- */

static mip_status add_cores(findings *f, const machine *m) {
    char *value = NULL;
    MIP_TRY(
        arena_printf(f->memory, &value, "%d; %d threads are used", m->n_cores, cpu_threads_get()));
    if (m->n_cores_limit > 0.0 && m->n_cores_limit < m->n_cores) {
        MIP_TRY(arena_printf(f->memory, &value, "%s; the control group allows %.1f", value,
                             m->n_cores_limit));
    }
    add(f, (finding){.group = "machine", .name = "cores", .value = value});
    return MIP_OK;
}

static mip_status add_memory(findings *f, const machine *m) {
    char total[PRINT_BYTES_TEXT];
    char available[PRINT_BYTES_TEXT];
    char limit[PRINT_BYTES_TEXT];
    char *value = NULL;
    MIP_TRY(arena_printf(f->memory, &value, "%s, %s available", print_bytes(m->memory_bytes, total),
                         print_bytes(m->memory_free_bytes, available)));
    if (m->memory_limit_bytes > 0 && m->memory_limit_bytes < m->memory_bytes) {
        MIP_TRY(arena_printf(f->memory, &value, "%s; the control group allows %s", value,
                             print_bytes(m->memory_limit_bytes, limit)));
    }
    add(f, (finding){.group = "machine", .name = "memory", .value = value});
    return MIP_OK;
}

static mip_status add_vectors(findings *f, const machine *m) {
    const bool wide = m->avx2 || m->avx512;
    char *value = NULL;
    MIP_TRY(arena_printf(f->memory, &value, "%s%s%s%s", m->avx2 ? "avx2" : "no avx2",
                         m->avx512 ? ", avx512" : "", m->avx512_bf16 ? ", avx512_bf16" : "",
                         m->amx ? ", amx" : ""));
    add(f, (finding){.group = "machine",
                     .name = "vectors",
                     .value = value,
                     .meaning = wide ? NULL : "slow, but the results are the same"});
    return MIP_OK;
}

static void add_bf16(findings *f) {
    const bool fast = tile_has_bf16();
    add(f, (finding){.group = "machine",
                     .name = "bf16",
                     .value = fast ? "products of bf16 weights run on amx"
                                   : "products of bf16 weights run in f32",
                     .meaning = fast ? NULL : "model.dtype bf16 halves the memory, not the time"});
}

/* Where results go if nobody says otherwise: room, rights, and the shell's limit. */
static mip_status add_disk(findings *f) {
    finding one = {.group = "machine", .name = "disk"};
    char room[PRINT_BYTES_TEXT];
    char limit[PRINT_BYTES_TEXT];
    struct rlimit file_size = {.rlim_cur = RLIM_INFINITY};
    int64_t free_bytes = 0;
    char *value = NULL;
    MIP_TRY(fs_free_bytes(".", &free_bytes));
    MIP_TRY(arena_printf(f->memory, &value, "%s free here", print_bytes(free_bytes, room)));
    if (getrlimit(RLIMIT_FSIZE, &file_size) == 0 && file_size.rlim_cur != RLIM_INFINITY) {
        MIP_TRY(arena_printf(f->memory, &value, "%s; a file may have at most %s", value,
                             print_bytes((int64_t)file_size.rlim_cur, limit)));
        one.meaning = "larger results cannot be written";
        one.mend = "ulimit -f unlimited";
    }
    if (access(".", W_OK) != 0) {
        one.state = ABSENT;
        one.meaning = "this folder may not be written";
        one.mend = "mip run CONFIG --set output=FOLDER  # one of your own";
    } else if (free_bytes < LITTLE_ROOM_BYTES) {
        one.state = ABSENT;
        one.meaning = "a run writes a copy of the model and the scores of all neurons";
        one.mend = "df -h; mip run CONFIG --set output=FOLDER  # on another disk";
    }
    one.value = value;
    add(f, one);
    return MIP_OK;
}

static mip_status add_machine(findings *f, const machine *m) {
    char *cpu = NULL;
    MIP_TRY(arena_strdup(f->memory, m->cpu[0] != '\0' ? m->cpu : "unknown", &cpu));
    add(f, (finding){.group = "machine", .name = "processor", .value = cpu});
    MIP_TRY(add_cores(f, m));
    MIP_TRY(add_memory(f, m));
    add_bf16(f);
    MIP_TRY(add_disk(f));
    return add_vectors(f, m);
}

/* ---- libraries: linked, so without one of them this program would not have started ----------- */

static mip_status add_libraries(findings *f) {
    static void (*const rooms[])(library_list *) = {
        cpu_libraries,  store_libraries, image_libraries,
        text_libraries, io_libraries,    base_libraries,
    };
    for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
        library_list list = {0};
        rooms[r](&list);
        for (int i = 0; i < list.n; i++) {
            char *value = NULL;
            MIP_TRY(arena_printf(f->memory, &value, "%-14s %s", list.items[i].version,
                                 list.items[i].use));
            add(f, (finding){.group = "libraries", .name = list.items[i].name, .value = value});
        }
    }
    return MIP_OK;
}

/* ---- backends -------------------------------------------------------------------------------- */

static void add_built_in(findings *f, const char *name, const char *value) {
    const mip_backend *backend = NULL;
    if (backend_open(name, &backend) == MIP_OK) {
        add(f, (finding){.group = "backends", .name = name, .value = value});
    } else {
        add(f, (finding){.group = "backends",
                         .name = name,
                         .state = BROKEN,
                         .value = "missing",
                         .meaning = "this build is broken",
                         .mend = "make clean && make"});
    }
}

/* The plugin, loaded as `--backend auto` would. *n_devices 0 unless it works. */
static mip_status add_plugin(findings *f, const char *name, int *n_devices) {
    char path[MAX_PATH_BYTES];
    char searched[512];
    int found = 0;
    char *value = NULL;
    const mip_backend *backend = NULL;
    *n_devices = 0;
    loader_find(name, path, sizeof path, searched, sizeof searched, &found);
    if (!found) {
        MIP_TRY(arena_printf(f->memory, &value, "no libmip_%s.so in %s", name, searched));
        add(f, (finding){
                   .group = "backends",
                   .name = name,
                   .state = ABSENT,
                   .value = value,
                   .meaning = "GPUs cannot be used; everything runs on the processor",
                   .mend = "export MIP_BACKEND_DIR=FOLDER  # where the plugin is, if you have it"});
        return MIP_OK;
    }
    if (loader_open(path, &backend) == MIP_OK &&
        backend->device.count(backend->self, n_devices) == MIP_OK) {
        MIP_TRY(arena_printf(f->memory, &value, "%s, %d devices", path, *n_devices));
        add(f, (finding){.group = "backends", .name = name, .value = value});
        return MIP_OK;
    }
    MIP_TRY(arena_printf(f->memory, &value, "%s: %s", path, mip_error_last()->what));
    add(f, (finding){.group = "backends",
                     .name = name,
                     .state = BROKEN,
                     .value = value,
                     .meaning = "the plugin is there and cannot be used",
                     .mend = "unset MIP_BACKEND_DIR  # or put a plugin of this version there"});
    return MIP_OK;
}

/* ---- GPUs: what is missing first on the way from the card to the plugin ---------------------- */

static mip_status add_gpus(findings *f, const machine *m, int n_devices) {
    finding one = {.group = "gpus", .name = "nvidia"};
    char *value = NULL;
    const bool has_driver = m->nvidia_driver[0] != '\0';
    MIP_TRY(arena_printf(f->memory, &value, "%d on the bus, driver %s", m->n_nvidia,
                         has_driver ? m->nvidia_driver : "none"));
    one.value = value;
    if (m->n_nvidia == 0 && !has_driver) {
        one.state = ABSENT;
        one.value = "none";
        one.meaning =
            "everything runs on the processor; every command works, large models are slow";
        one.mend = "lspci | grep -i nvidia  # on a machine that should have one";
    } else if (!has_driver) {
        one.state = ABSENT;
        one.meaning = "a GPU without its kernel driver cannot be used";
        one.mend = "apt-get install nvidia-driver";
    } else if (n_devices == 0) {
        one.state = ABSENT;
        one.meaning = "a GPU and its driver are there; mip lacks the plugin to use them";
        one.mend = "export MIP_BACKEND_DIR=FOLDER  # with libmip_cuda.so";
    }
    add(f, one);
    return MIP_OK;
}

static void add_environment(findings *f) {
    const env_var *table = env_table();
    for (int i = 0; i < ENV_COUNT; i++) {
        const char *value = env_get((env_id)i);
        add(f, (finding){.group = "environment",
                         .name = table[i].name,
                         .value = value[0] != '\0' ? value : "not set"});
    }
}

/* ---- output ---------------------------------------------------------------------------------- */

static void print_report(const findings *f) {
    static const char *const marks[] = {[FOUND] = "ok", [ABSENT] = "--", [BROKEN] = "!!"};
    const char *group = "";
    for (int i = 0; i < f->n; i++) {
        const finding *one = &f->items[i];
        if (strcmp(group, one->group) != 0) {
            group = one->group;
            printf("%s\n", group);
        }
        printf("  %s %-16s %s\n", marks[one->state], one->name, one->value);
        if (one->meaning != NULL) {
            printf("     %-16s %s\n", "", one->meaning);
        }
        if (one->mend != NULL) {
            printf("     %-16s type: %s\n", "", one->mend);
        }
    }
}

static mip_status write_json(str *out, const findings *f) {
    static const char *const names[] = {
        [FOUND] = "found", [ABSENT] = "absent", [BROKEN] = "broken"};
    const build_info b = build_info_get();
    json_writer w = json_writer_start(out, true);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_put_string(&w, "version", b.version));
    MIP_TRY(json_put_string(&w, "commit", b.commit));
    MIP_TRY(json_begin_array(&w, "findings"));
    for (int i = 0; i < f->n; i++) {
        const finding *one = &f->items[i];
        MIP_TRY(json_begin_object(&w, NULL));
        MIP_TRY(json_put_string(&w, "group", one->group));
        MIP_TRY(json_put_string(&w, "name", one->name));
        MIP_TRY(json_put_string(&w, "state", names[one->state]));
        MIP_TRY(json_put_string(&w, "value", one->value));
        MIP_TRY(json_put_string(&w, "meaning", one->meaning));
        MIP_TRY(json_put_string(&w, "mend", one->mend));
        MIP_TRY(json_end(&w));
    }
    MIP_TRY(json_end(&w));
    return json_end(&w);
}

static mip_status print_findings(const findings *f, bool json) {
    const build_info b = build_info_get();
    str text;
    if (!json) {
        printf("mip %s (%s, %s, %s)\n", b.version, b.commit, b.compiler, b.variant);
        print_report(f);
        return MIP_OK;
    }
    str_init(&text);
    const mip_status status = write_json(&text, f);
    if (status == MIP_OK) {
        print_text(&text);
    }
    str_deinit(&text);
    return status;
}

static mip_status run(cli *c, const cli_args *args) {
    const machine m = machine_get();
    findings f = {.memory = &c->memory};
    int n_devices = 0;
    MIP_TRY(cpu_threads_from_env());
    MIP_TRY(cpu_backends_register());
    MIP_TRY(add_machine(&f, &m));
    MIP_TRY(add_libraries(&f));
    add_built_in(&f, "cpu", "ready: fast kernels on all threads");
    add_built_in(&f, "ref", "ready: plain kernels on one thread, the meaning of every op");
    MIP_TRY(add_plugin(&f, "cuda", &n_devices));
    MIP_TRY(add_gpus(&f, &m, n_devices));
    add_environment(&f);
    MIP_TRY(print_findings(&f, cli_flag(args, "json") > 0));
    for (int i = 0; i < f.n; i++) {
        if (f.items[i].state == BROKEN) {
            MIP_FAIL(MIP_E_BACKEND, f.items[i].mend, "%s: %s", f.items[i].name, f.items[i].value);
        }
    }
    return MIP_OK;
}

static const cli_option options[] = {
    {.name = "json", .help = "the findings as JSON"},
    {.name = NULL},
};

extern const cmd_entry cmd_doctor;
const cmd_entry cmd_doctor = {
    .name = "doctor",
    .summary = "the machine, libraries, backends, GPUs: found or not, and what mends it",
    .usage = "[--json]",
    .options = options,
    .examples = "  mip doctor\n",
    .run = run,
};
