/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/signals.c - see signals.h.
 *
 * Tested  tests/unit/base/test_signals.c */
#define _XOPEN_SOURCE 700 // sigaltstack
#include "base/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/status_priv.h"

enum { CANCELLED = -1 };

static volatile sig_atomic_t requested;
static char stack_memory[65536];

static void on_signal(int number) {
    if (number == SIGINT && requested == SIGINT) {
        signal(SIGINT, SIG_DFL); // the person insists: end as if it had never been caught
        raise(SIGINT);
        return;
    }
    requested = number;
}

/* oneDNN 2.6 (dnnl_sgemm) keeps values below the stack pointer, where the kernel puts the frame
 * of a signal: a handler on the same stack corrupts the heap. The kernel prefers the main thread
 * for signals to the process, so its stack alone needs the care. */
static mip_status use_own_stack(void) {
    const stack_t own = {.ss_sp = stack_memory, .ss_size = sizeof stack_memory};
    if (sigaltstack(&own, NULL) != 0) {
        MIP_FAIL(MIP_E_IO, NULL, "cannot set the stack of signals: %s", strerror(errno));
    }
    return MIP_OK;
}

mip_status signals_install(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction action;
    MIP_TRY(use_own_stack());
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART | SA_ONSTACK; // a read in flight goes on; loops look at the flag
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (sigaction(numbers[i], &action, NULL) != 0) {
            MIP_FAIL(MIP_E_IO, NULL, "cannot catch signal %d: %s", numbers[i], strerror(errno));
        }
    }
    return MIP_OK;
}

bool signals_stack_lend(void) {
    stack_t now;
    return sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) != 0 &&
           use_own_stack() == MIP_OK;
}

void signals_stack_return(void) {
    const stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
}

void signals_cancel(void) {
    requested = CANCELLED;
}

int signals_requested(void) {
    return (int)requested;
}

mip_status signals_check(void) {
    const int number = signals_requested();
    if (number != 0) {
        const char *name = number == SIGINT      ? "SIGINT"
                           : number == SIGTERM   ? "SIGTERM"
                           : number == CANCELLED ? "mip_cancel"
                                                 : "SIGUSR1";
        MIP_FAIL(MIP_E_CANCELLED, "the same command goes on from here",
                 "stopped by %s; the work so far is kept", name);
    }
    return MIP_OK;
}

void signals_reset(void) {
    requested = 0;
}
