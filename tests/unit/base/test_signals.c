/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_signals.c - the first signal sets the flag, the second SIGINT
 * ends the process. */
#define _XOPEN_SOURCE 700 // sigaltstack
#include "base/signals.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

Test(signals, each_of_the_three_asks_for_a_stop) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    static const char *const names[] = {"SIGINT", "SIGTERM", "SIGUSR1"};
    cr_assert_eq(signals_install(), MIP_OK);
    cr_assert_eq(signals_check(), MIP_OK);
    for (int i = 0; i < 3; i++) {
        raise(numbers[i]);
        cr_assert_eq(signals_requested(), numbers[i]);
        cr_assert_eq(signals_check(), MIP_E_CANCELLED);
        cr_assert_not_null(strstr(mip_error_last()->what, names[i]));
        signals_reset();
        cr_assert_eq(signals_check(), MIP_OK);
    }
}

Test(signals, are_handled_off_the_stack_of_the_work) {
    struct sigaction action;
    stack_t own;
    cr_assert_eq(signals_install(), MIP_OK);
    cr_assert_eq(sigaction(SIGTERM, NULL, &action), 0);
    cr_expect_neq(action.sa_flags & SA_ONSTACK, 0);
    cr_assert_eq(sigaltstack(NULL, &own), 0);
    cr_expect_eq(own.ss_flags & SS_DISABLE, 0);
    cr_expect_geq(own.ss_size, 65536);
}

Test(signals, a_second_interrupt_ends_the_process, .signal = SIGINT) {
    cr_assert_eq(signals_install(), MIP_OK);
    raise(SIGINT);
    cr_assert_eq(signals_requested(), SIGINT);
    raise(SIGINT);
    cr_assert_fail("still running");
}

Test(signals, a_stack_is_lent_to_a_thread_without_one) {
    stack_t now;
    const stack_t none = {.ss_flags = SS_DISABLE};
    cr_assert_eq(sigaltstack(&none, NULL), 0);
    cr_assert(signals_stack_lend());
    cr_assert_eq(sigaltstack(NULL, &now), 0);
    cr_expect_eq(now.ss_flags & SS_DISABLE, 0);
    cr_expect_not(signals_stack_lend(), "it has one");
    signals_stack_return();
    cr_assert_eq(sigaltstack(NULL, &now), 0);
    cr_expect_neq(now.ss_flags & SS_DISABLE, 0);
}

Test(signals, a_cancel_asks_for_a_stop_too) {
    signals_cancel();
    cr_expect_eq(signals_check(), MIP_E_CANCELLED);
    cr_expect_not_null(strstr(mip_error_last()->what, "mip_cancel"));
    signals_reset();
    cr_expect_eq(signals_check(), MIP_OK);
}
