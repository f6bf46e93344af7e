/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/env.c - see env.h.
 *
 * Tested  tests/unit/base/test_env.c */
#include "base/env.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "base/str.h"

static const env_var table[ENV_COUNT] = {
    [ENV_BACKEND_DIR] = {.name = "MIP_BACKEND_DIR",
                         .unit = "path",
                         .default_value = "",
                         .help = "folder searched for backend plugins before the program's own"},
    [ENV_THREADS] = {.name = "MIP_THREADS",
                     .unit = "count",
                     .default_value = "0",
                     .help = "threads of the CPU backend; 0 = one per core this process may use"},
    [ENV_GRAIN] = {.name = "MIP_GRAIN",
                   .unit = "multiply-adds",
                   .default_value = "16777216",
                   .help = "work below which one thread does an operation alone; lower it on an "
                           "idle machine with many cores"},
    [ENV_LOG] = {.name = "MIP_LOG",
                 .unit = "level",
                 .default_value = "info",
                 .help = "least serious message that is shown: debug, info, warn, error, off"},
};

const env_var *env_table(void) {
    return table;
}

const char *env_get(env_id id) {
    const char *value = getenv(table[id].name);
    return value != NULL && value[0] != '\0' ? value : table[id].default_value;
}

mip_status env_get_i64(env_id id, int64_t min, int64_t max, int64_t *out) {
    int64_t value = 0;
    if (!str_parse_i64(env_get(id), &value) || value < min || value > max) {
        MIP_FAIL(MIP_E_CONFIG, "unset it or give such a number",
                 "%s is \"%s\", expected a whole number from %" PRId64 " to %" PRId64,
                 table[id].name, env_get(id), min, max);
    }
    *out = value;
    return MIP_OK;
}
