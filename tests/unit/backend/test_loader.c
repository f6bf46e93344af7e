/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/backend/test_loader.c - plugins: found, loaded, and refused with the reason.
 *
 * The plugins are tests/plugins/<name>.c, built into TEST_BUILD_DIR/plugins. */
#include "backend/registry.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define PLUGIN(name) TEST_BUILD_DIR "/plugins/" name ".so"

static void expect_refused(const char *path, const char *words) {
    const mip_backend *b = (const mip_backend *)&path;
    cr_expect_eq(backend_open(path, &b), MIP_E_BACKEND, "%s", path);
    cr_expect_null(b);
    cr_expect_not_null(strstr(mip_error_last()->what, words), "%s", mip_error_last()->what);
}

Test(loader, loads_a_plugin_by_path) {
    const mip_backend *b = NULL;
    cr_assert_eq(backend_open(PLUGIN("counting_backend"), &b), MIP_OK, "%s",
                 mip_error_last()->what);
    cr_expect_str_eq(b->name, "counting");
}

Test(loader, finds_a_plugin_by_name_in_the_backend_dir) {
    const mip_backend *b = NULL;
    char dir[] = "/tmp/mip-loader-XXXXXX";
    char link_path[128];
    char target[512];
    char cwd[256];
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_not_null(getcwd(cwd, sizeof cwd));
    snprintf(link_path, sizeof link_path, "%s/libmip_counting.so", dir);
    snprintf(target, sizeof target, "%s/%s", cwd, PLUGIN("counting_backend"));
    cr_assert_eq(symlink(target, link_path), 0);
    setenv("MIP_BACKEND_DIR", dir, 1);
    const mip_status status = backend_open("counting", &b);
    unlink(link_path);
    rmdir(dir);
    cr_assert_eq(status, MIP_OK, "%s", mip_error_last()->what);
    cr_expect_str_eq(b->name, "counting");
}

Test(loader, says_both_numbers_when_the_versions_differ) {
    expect_refused(PLUGIN("other_version_backend"), "interface version 43, this program has 2");
}

static char reported[256];

static mip_status keep_report(mip_status code, const char *file, int line, const char *func,
                              const char *hint, const char *what) {
    (void)file;
    (void)line;
    (void)func;
    (void)hint;
    snprintf(reported, sizeof reported, "%s", what);
    return code;
}

Test(loader, plugin_that_checks_the_version_itself_says_both_numbers_too) {
    const mip_host_services services = {
        .abi = 77, .struct_size = sizeof services, .report = keep_report};
    mip_backend_entry_fn entry = NULL;
    void *library = dlopen(PLUGIN("counting_backend"), RTLD_NOW);
    cr_assert_not_null(library, "%s", dlerror());
    void *symbol = dlsym(library, MIP_BACKEND_ENTRY_SYMBOL);
    memcpy(&entry, &symbol, sizeof entry);
    cr_expect_null(entry(77, &services));
    cr_expect_not_null(strstr(reported, "version 2, the program 77"), "%s", reported);
    dlclose(library);
}

Test(loader, passes_on_the_plugins_own_reason) {
    const mip_backend *b = NULL;
    cr_expect_eq(backend_open(PLUGIN("no_device_backend"), &b), MIP_E_BACKEND);
    cr_expect_str_eq(mip_error_last()->what, "no imaginary device found");
    cr_expect_str_eq(mip_error_last()->hint, "buy one");
}

Test(loader, refuses_a_library_that_is_no_plugin_and_a_file_that_is_no_library) {
    expect_refused(PLUGIN("empty_backend"), "mip_backend_entry");
    expect_refused("./Makefile", "cannot load");
    expect_refused("./absent.so", "absent.so");
}
