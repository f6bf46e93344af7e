/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/completion.h - the completion script of bash, made from the tables that the program
 * works by. */
#ifndef MIP_CLI_COMPLETION_H
#define MIP_CLI_COMPLETION_H

#include <mip/status.h>

#include "base/str.h"

/* completion_append - the script. It completes commands, their options, values with a fixed choice,
 * the keys of --set and their values; whatever else as file names. */
mip_status completion_append(str *out);

#endif
