/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/env.h - every environment variable mip reads; the only getenv of the project.
 *
 * The table is data, so `mip doctor` and `mip help env` print it.
 * Tested  tests/unit/base/test_env.c */
#ifndef MIP_BASE_ENV_H
#define MIP_BASE_ENV_H

#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

typedef enum env_id { ENV_BACKEND_DIR = 0, ENV_THREADS, ENV_GRAIN, ENV_LOG, ENV_COUNT } env_id;

typedef struct env_var {
    const char *name;          // "MIP_THREADS"
    const char *unit;          // "count", "path", "level"
    const char *default_value; // as text; "" = not set
    const char *help;          // one sentence
} env_var;

/* env_table - the ENV_COUNT variables in the order of env_id. Static. */
const env_var *env_table(void);

/* env_get - the variable's value, or its default if unset or empty. Never NULL;
 * valid until the environment changes. */
const char *env_get(env_id id);

/* env_get_i64 - the value as an integer in [min, max]. MIP_E_CONFIG with the variable's
 * name and the range if not. */
mip_status env_get_i64(env_id id, int64_t min, int64_t max, int64_t *out);

#endif
