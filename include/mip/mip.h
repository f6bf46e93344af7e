/* SPDX-License-Identifier: Apache-2.0 */
/* include/mip/mip.h - entry header of the C library: version, status, types. */
#ifndef MIP_MIP_H
#define MIP_MIP_H

#include <mip/backend.h>
#include <mip/status.h>
#include <mip/types.h>

#define MIP_VERSION_STRING "0.1.0"

#endif
