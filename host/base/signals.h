/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/signals.h - a polite stop: the first SIGINT, SIGTERM or SIGUSR1 sets a flag
 * that loops look at.
 *
 * What    Loops ask signals_check() between samples; the sample in flight is finished and stored.
 *         A second SIGINT ends the process at once (the store survives that too).
 * Tested  tests/unit/base/test_signals.c */
#ifndef MIP_BASE_SIGNALS_H
#define MIP_BASE_SIGNALS_H

#include <mip/status.h>

/* signals_install - catch the three signals from now on; MIP_E_IO if the system refuses.
 * Called once by host/cli. */
mip_status signals_install(void);

/* signals_requested - 0, or the number of the signal that asked for a stop. Any thread. */
int signals_requested(void);

/* signals_check - MIP_OK, or MIP_E_CANCELLED with words that name the signal and say that
 * the work so far is kept. */
mip_status signals_check(void);

/* signals_reset - forget a request (for tests and for a program that runs several commands). */
void signals_reset(void);

#endif
