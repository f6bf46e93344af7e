/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/signals.h - a polite stop: the first SIGINT, SIGTERM or SIGUSR1 sets a flag
 * that loops look at.
 *
 * What    Loops ask signals_check() between samples; the sample in flight is finished and stored.
 *         A second SIGINT ends the process at once (the store survives that too).
 * Tested  tests/unit/base/test_signals.c */
#ifndef MIP_BASE_SIGNALS_H
#define MIP_BASE_SIGNALS_H

#include <stdbool.h>

#include <mip/status.h>

/* signals_install - catch the three signals from now on; MIP_E_IO if the system refuses.
 * Called once by host/cli. */
mip_status signals_install(void);

/* signals_stack_lend - give the calling thread a stack for handlers (those installed with SA_ONSTACK)
 * if it has none; whether it was lent. signals_stack_return takes it back. For one thread at a
 * time. */
bool signals_stack_lend(void);
void signals_stack_return(void);

/* signals_cancel - ask for a stop as a signal would. Any thread, also from a handler. */
void signals_cancel(void);

/* signals_requested - 0, or the number of the signal that asked for a stop (-1: signals_cancel did).
 * Any thread. */
int signals_requested(void);

/* signals_check - MIP_OK, or MIP_E_CANCELLED with words that name the signal and say that
 * the work so far is kept. */
mip_status signals_check(void);

/* signals_reset - forget a request (for tests and for a program that runs several commands). */
void signals_reset(void);

#endif
