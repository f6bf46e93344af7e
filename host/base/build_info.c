/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/build_info.c - see build_info.h; the Makefile gives MIP_BUILD_COMMIT, _VARIANT
 * and _FLAGS to this file only.
 *
 * Tested  tests/unit/base/test_build_info.c */
#include "base/build_info.h"

#include <mip/mip.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

build_info build_info_get(void) {
    return (build_info){
        .version = MIP_VERSION_STRING,
        .commit = MIP_BUILD_COMMIT,
        .compiler = COMPILER,
        .variant = MIP_BUILD_VARIANT,
        .flags = MIP_BUILD_FLAGS,
    };
}
