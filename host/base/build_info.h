/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/build_info.h - what this binary was made from, for manifests, `mip doctor`
 * and bench headers.
 *
 * Tested  tests/unit/base/test_build_info.c */
#ifndef MIP_BASE_BUILD_INFO_H
#define MIP_BASE_BUILD_INFO_H

/* All static strings. commit is "unknown" outside a git checkout, and ends in "-dirty"
 * with uncommitted changes. */
typedef struct build_info {
    const char *version;  // MIP_VERSION_STRING
    const char *commit;   // "1a2b3c4d5e6f"
    const char *compiler; // "gcc 12.2.0"
    const char *variant;  // "release"
    const char *flags;    // optimisation flags
} build_info;

build_info build_info_get(void);

#endif
