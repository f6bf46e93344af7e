/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_yaml.c - the YAML of an experiment; what is accepted must survive being written
 * and read again. */
#include "base/arena.h"
#include "fuzz/fuzz_input.h"
#include "io/config.h"

static mip_status load(arena *a, const char *text, size_t n, mip_config *out) {
    const yaml_node *root = NULL;
    const mip_status status = yaml_parse(a, "c.yaml", text, n, &root);
    return status == MIP_OK ? config_bind(a, "c.yaml", root, NULL, 0, out) : status;
}

static void write_and_read(arena *a, const mip_config *config) {
    const char *first = NULL;
    const char *second = NULL;
    mip_config again;
    FUZZ_HOLDS(config_write(a, config, &first) == MIP_OK);
    FUZZ_HOLDS(load(a, first, strlen(first), &again) == MIP_OK);
    FUZZ_HOLDS(config_write(a, &again, &second) == MIP_OK);
    FUZZ_HOLDS(strcmp(first, second) == 0);
}

bool fuzz_accepts(const uint8_t *data, size_t n) {
    mip_config config;
    arena a;
    arena_init(&a);
    const mip_status status = load(&a, (const char *)data, n, &config);
    fuzz_check_words(status);
    if (status == MIP_OK) {
        write_and_read(&a, &config);
    }
    arena_deinit(&a);
    return status == MIP_OK;
}
