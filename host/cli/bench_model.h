/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/bench_model.h - `mip bench generate` and `mip bench load`: what a checkpoint costs to
 * decode and to load.
 *
 * Tested  tests/cli/bench.sh */
#ifndef MIP_CLI_BENCH_MODEL_H
#define MIP_CLI_BENCH_MODEL_H

#include "cli/cli.h"

/* bench_generate - greedy answers to --batch prompts of random ids, of equal length, that do not
 * end before --new-tokens. Ids are printed with --json, so that others can repeat the work.
 * MIP_E_CONFIG without --model or with numbers out of range; errors of generate_greedy. */
mip_status bench_generate(cli *c, const cli_args *args);

/* bench_load - seconds of loading the weights beside those of reading the same files, which are
 * in the page cache by then, and peak memory beside the bytes of the weights. */
mip_status bench_load(cli *c, const cli_args *args);

#endif
