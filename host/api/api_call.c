/* SPDX-License-Identifier: Apache-2.0 */
/* host/api/api_call.c - see api_call.h; and the calls of mip.h that need no turn. */
#include "api/api_call.h"

#include <pthread.h>

#include <mip/mip.h>

#include "base/signals.h"
#include "base/status_priv.h"
#include "cpu/cpu_threads.h"

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

mip_status api_call_begin(api_call *c) {
    c->caller_threads = cpu_threads_get();
    MIP_TRY(cpu_threads_from_env());
    pthread_mutex_lock(&turn);
    c->lent_stack = signals_stack_lend();
    return MIP_OK;
}

mip_status api_call_end(const api_call *c, mip_status status) {
    if (c->lent_stack) {
        signals_stack_return();
    }
    pthread_mutex_unlock(&turn);
    cpu_threads_set(c->caller_threads);
    return status;
}

int mip_version(void) {
    return MIP_VERSION;
}

void mip_cancel(void) {
    signals_cancel();
}
