/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/corpus_main.c - a fuzz target without libFuzzer: every file of a corpus once.
 *
 * Usage   fuzz_NAME FOLDER...    prints one line of TAP per file: sound_* must be accepted, every
 *                                other file refused; a finding ends the program. */
#include <stdio.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/str.h"
#include "fuzz/fuzz_input.h"

enum { MAX_SEED_BYTES = 1 << 20 };

/* The input in a block of exactly its size, so that reading on is seen. */
static bool run_one(const char *bytes, size_t n) {
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, bytes, n);
    const bool accepted = fuzz_accepts(exact, n);
    free(exact);
    return accepted;
}

static mip_status run_folder(arena *a, const char *folder, int *n_run, int *n_failed) {
    char **names = NULL;
    size_t n_names = 0;
    mip_status status = fs_list_dir(a, folder, &names, &n_names);
    for (size_t i = 0; i < n_names && status == MIP_OK; i++) {
        char *path = NULL;
        char *bytes = NULL;
        size_t n = 0;
        status = fs_join(a, folder, names[i], &path);
        if (status == MIP_OK) {
            status = fs_read_file(a, path, MAX_SEED_BYTES, &bytes, &n);
        }
        if (status == MIP_OK) {
            const bool wanted = str_has_prefix(names[i], "sound_");
            const bool good = run_one(bytes, n) == wanted;
            printf("%s %d - %s is %s\n", good ? "ok" : "not ok", ++*n_run, path,
                   wanted ? "accepted" : "refused");
            *n_failed += !good;
            fflush(stdout);
        }
    }
    return status;
}

int main(int argc, char **argv) {
    int n_run = 0;
    int n_failed = 0;
    arena a;
    arena_init(&a);
    for (int i = 1; i < argc; i++) {
        if (run_folder(&a, argv[i], &n_run, &n_failed) != MIP_OK) {
            printf("not ok %d - %s\n", ++n_run, mip_error_last()->what);
            n_failed++;
        }
    }
    printf("1..%d\n", n_run);
    arena_deinit(&a);
    return n_run > 0 && n_failed == 0 ? 0 : 1;
}
