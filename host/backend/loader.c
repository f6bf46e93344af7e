/* SPDX-License-Identifier: Apache-2.0 */
/* host/backend/loader.c - see loader.h.
 *
 * Tested  tests/unit/backend/test_loader.c (a plugin that counts calls, one of another
 *         interface version) */
#include "backend/loader.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/log.h"
#include "base/status_priv.h"

/* Did the plugin report while its entry ran? Its NULL alone carries no words. */
static _Thread_local int reported;

static mip_status host_report(mip_status code, const char *file, int line, const char *func,
                              const char *hint, const char *what) {
    reported = 1;
    return mip_error_set(code, file, line, func, hint, "%s", what);
}

static void host_log(int level, const char *message) {
    log_write((log_level)level, "%s", message);
}

static const mip_host_services services = {
    .abi = MIP_BACKEND_ABI,
    .struct_size = sizeof(mip_host_services),
    .report = host_report,
    .log = host_log,
};

static mip_status table_check(const char *path, const mip_backend *table) {
    const char *const hint = "rebuild the plugin from the same source as this program";
    if (table->abi != MIP_BACKEND_ABI) {
        MIP_FAIL(MIP_E_BACKEND, hint, "plugin %s has interface version %u, this program has %u",
                 path, (unsigned)table->abi, (unsigned)MIP_BACKEND_ABI);
    }
    if (table->struct_size != sizeof(mip_backend)) {
        MIP_FAIL(MIP_E_BACKEND, hint, "plugin %s has a table of %zu bytes, this program of %zu",
                 path, table->struct_size, sizeof(mip_backend));
    }
    return MIP_OK;
}

mip_status loader_open(const char *path, const mip_backend **out) {
    mip_backend_entry_fn entry = NULL;
    *out = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        MIP_FAIL(MIP_E_BACKEND, "run: mip doctor", "cannot load backend plugin: %s", dlerror());
    }
    void *symbol = dlsym(library, MIP_BACKEND_ENTRY_SYMBOL);
    if (symbol == NULL) {
        dlclose(library);
        MIP_FAIL(MIP_E_BACKEND, NULL, "%s is not a backend plugin: it has no symbol %s", path,
                 MIP_BACKEND_ENTRY_SYMBOL);
    }
    /* POSIX: an object pointer of dlsym holds the function's address. */
    memcpy(&entry, &symbol, sizeof entry);
    reported = 0;
    const mip_backend *table = entry(MIP_BACKEND_ABI, &services);
    if (table == NULL && reported) {
        return mip_error_pass(mip_error_last()->code, __FILE__, __LINE__, __func__);
    }
    if (table == NULL) {
        MIP_FAIL(MIP_E_BACKEND, "run: mip doctor", "plugin %s offers no backend and gave no reason",
                 path);
    }
    MIP_TRY(table_check(path, table));
    *out = table;
    return MIP_OK;
}

/* The directory of the running program, or "." when the system does not say. */
static void executable_dir(char *out, size_t out_bytes) {
    char exe[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    snprintf(out, out_bytes, ".");
    if (n > 0) {
        exe[n] = '\0';
        char *slash = strrchr(exe, '/');
        if (slash != NULL) {
            *slash = '\0';
            snprintf(out, out_bytes, "%s", exe);
        }
    }
}

static int exists_in(const char *dir, const char *name, char *path, size_t path_bytes) {
    const int n = snprintf(path, path_bytes, "%s/libmip_%s.so", dir, name);
    return n > 0 && (size_t)n < path_bytes && access(path, R_OK) == 0;
}

void loader_find(const char *name, char *path, size_t path_bytes, char *searched,
                 size_t searched_bytes, int *found) {
    char beside[PATH_MAX];
    const char *dir = env_get(ENV_BACKEND_DIR);
    const int has_dir = dir[0] != '\0';
    executable_dir(beside, sizeof beside);
    snprintf(searched, searched_bytes, "MIP_BACKEND_DIR (%s) and %s", has_dir ? dir : "not set",
             beside);
    *found = (has_dir && exists_in(dir, name, path, path_bytes)) ||
             exists_in(beside, name, path, path_bytes);
}
