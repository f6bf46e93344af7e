/* SPDX-License-Identifier: Apache-2.0 */
/* host/api/api_settings.c - see api_settings.h.
 *
 * Tested  tests/unit/api/test_api_model.c, test_api_attribute.c */
#include "api/api_settings.h"

#include "base/status_priv.h"
#include "base/str.h"

static mip_status check(const char *setting, const char *const *allowed) {
    for (int i = 0; allowed[i] != NULL; i++) {
        if (str_has_prefix(setting, allowed[i])) {
            return MIP_OK;
        }
    }
    MIP_FAIL(MIP_E_CONFIG, "see: mip help config",
             "setting \"%.100s\": only keys %s%s%s are used here", setting, allowed[0],
             allowed[1] != NULL ? " and " : "", allowed[1] != NULL ? allowed[1] : "");
}

mip_status api_settings_load(arena *a, const char *const *allowed, const char *const *settings,
                             int n, const char *last, mip_config *out) {
    /* What every config must have, and nobody reads here. */
    static const char *const required[] = {"model.path=unused", "data.path=unused"};
    enum { N_REQUIRED = sizeof required / sizeof *required };
    const char **sets = NULL;
    size_t n_sets = 0;
    MIP_TRY(ARENA_NEW(a, n + N_REQUIRED + 1, &sets));
    for (int i = 0; i < N_REQUIRED; i++) {
        sets[n_sets++] = required[i];
    }
    for (int i = 0; i < n; i++) {
        MIP_TRY(check(settings[i], allowed));
        sets[n_sets++] = settings[i];
    }
    if (last != NULL) {
        sets[n_sets++] = last;
    }
    return config_load(a, NULL, sets, n_sets, out);
}
