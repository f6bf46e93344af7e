/* SPDX-License-Identifier: Apache-2.0 */
/* host/backend/registry.c - see registry.h.
 *
 * What    A short table of built-in backends, filled once at start; a name that is not in it
 *         becomes a plugin file.
 * Tested  tests/unit/backend/test_registry.c */
#include "backend/registry.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "backend/loader.h"
#include "base/log.h"
#include "base/status_priv.h"

enum { MAX_BACKENDS = 8, SEARCHED_BYTES = 384 };

static const mip_backend *backends[MAX_BACKENDS];
static int n_backends;

static const mip_backend *find(const char *name) {
    for (int i = 0; i < n_backends; i++) {
        if (strcmp(backends[i]->name, name) == 0) {
            return backends[i];
        }
    }
    return NULL;
}

mip_status backend_register(const mip_backend *backend) {
    const mip_backend *known = find(backend->name);
    if (known == backend) {
        return MIP_OK;
    }
    if (known != NULL) {
        MIP_FAIL(MIP_E_ARG, NULL, "there already is a backend called %s", backend->name);
    }
    if (n_backends == MAX_BACKENDS) {
        MIP_FAIL(MIP_E_INTERNAL, NULL, "no room for backend %s: %d are registered", backend->name,
                 n_backends);
    }
    backends[n_backends++] = backend;
    return MIP_OK;
}

static int is_path(const char *name) {
    const size_t n = strlen(name);
    return strchr(name, '/') != NULL || (n > 3 && strcmp(name + n - 3, ".so") == 0);
}

static mip_status open_path(const char *name, const mip_backend **out) {
    char path[PATH_MAX];
    /* Without a slash dlopen would look in the system's library folders instead of here. */
    const int n = snprintf(path, sizeof path, "%s%s", strchr(name, '/') != NULL ? "" : "./", name);
    if (n < 0 || (size_t)n >= sizeof path) {
        MIP_FAIL(MIP_E_BACKEND, NULL, "the path of the backend plugin is too long: %s", name);
    }
    return loader_open(path, out);
}

static mip_status open_name(const char *name, const mip_backend **out) {
    char path[PATH_MAX];
    char searched[SEARCHED_BYTES];
    int found = 0;
    *out = find(name);
    if (*out != NULL) {
        return MIP_OK;
    }
    loader_find(name, path, sizeof path, searched, sizeof searched, &found);
    if (!found) {
        MIP_FAIL(
            MIP_E_BACKEND, "set device.backend to cpu, or MIP_BACKEND_DIR to the plugin's folder",
            "no backend called %s: not built in, and no libmip_%s.so in %s", name, name, searched);
    }
    return loader_open(path, out);
}

/* A CUDA plugin that is there and works, else the CPU. A plugin that is there but fails
 * is said, never hidden. */
static mip_status open_auto(const mip_backend **out) {
    char path[PATH_MAX];
    char searched[SEARCHED_BYTES];
    int found = 0;
    int n_devices = 0;
    loader_find("cuda", path, sizeof path, searched, sizeof searched, &found);
    if (found) {
        if (loader_open(path, out) == MIP_OK &&
            (*out)->device.count((*out)->self, &n_devices) == MIP_OK && n_devices > 0) {
            return MIP_OK;
        }
        log_warn("backend auto: %s is not usable (%s); taking cpu", path,
                 *out == NULL ? mip_error_last()->what : "no device");
    }
    return open_name("cpu", out);
}

mip_status backend_open(const char *name, const mip_backend **out) {
    *out = NULL;
    if (strcmp(name, "auto") == 0) {
        MIP_TRY(open_auto(out));
    } else if (is_path(name)) {
        MIP_TRY(open_path(name, out));
    } else {
        MIP_TRY(open_name(name, out));
    }
    return MIP_OK;
}
