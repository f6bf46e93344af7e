/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/exec_pool.c - see exec_pool.h. */
#include "ops/exec_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "cpu/cpu_threads.h"

struct exec_pool {
    exec *owner;
    int n_workers;
    exec *workers; // [n_workers]
};

/* One call of exec_pool_run, shared by its threads. */
typedef struct pool_run {
    exec_unit work;
    void *user;
    int64_t n_units;
    pthread_mutex_t lock; // of everything below
    int64_t next;
    int64_t failed_unit; // n_units = none
    mip_error error;     // of that unit
} pool_run;

typedef struct pool_thread {
    pthread_t id;
    int n_threads; // of the operations it runs
    pool_run *run;
    exec *x;
} pool_thread;

int exec_pool_width(const mip_backend *backend) {
    return backend->concurrent ? cpu_threads_get() : 1;
}

mip_status exec_pool_create(exec *x, exec_pool **out) {
    mip_status status = MIP_OK;
    exec_pool *p = calloc(1, sizeof *p);
    const int most = x->dry ? 1 : exec_pool_width(x->backend);
    const int limit = x->thrift.workers;
    const int wanted = limit > 0 && limit < most ? limit : most;
    *out = p;
    if (p == NULL || (p->workers = calloc((size_t)wanted, sizeof *p->workers)) == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate %d workers", wanted);
    }
    p->owner = x;
    while (p->n_workers < wanted) {
        exec *worker = &p->workers[p->n_workers];
        MIP_TRY_GOTO(exec_init(worker, x->backend, x->arena.device, x->dry));
        worker->thrift = x->thrift;
        p->n_workers++;
    }
out:
    if (status != MIP_OK) {
        exec_pool_destroy(p);
        *out = NULL;
    }
    return status;
}

void exec_pool_destroy(exec_pool *p) {
    if (p == NULL) {
        return;
    }
    for (int i = 0; i < p->n_workers; i++) {
        exec_counts_add(&p->owner->counts, &p->workers[i].counts);
        exec_deinit(&p->workers[i]);
    }
    free(p->workers);
    free(p);
}

int exec_pool_workers(const exec_pool *p) {
    return p->n_workers;
}

mip_status exec_pool_reserve(exec_pool *p, size_t bytes) {
    for (int i = 0; i < p->n_workers; i++) {
        MIP_TRY(exec_reserve(&p->workers[i], bytes));
    }
    return MIP_OK;
}

/* The next unit, or n_units when there is none or something has failed. */
static int64_t take_unit(pool_run *run) {
    pthread_mutex_lock(&run->lock);
    const int64_t unit = run->failed_unit < run->n_units ? run->n_units : run->next;
    run->next += unit < run->n_units;
    pthread_mutex_unlock(&run->lock);
    return unit;
}

static void keep_error(pool_run *run, int64_t unit) {
    pthread_mutex_lock(&run->lock);
    if (unit < run->failed_unit) {
        run->failed_unit = unit;
        run->error = *mip_error_last();
    }
    pthread_mutex_unlock(&run->lock);
}

static void run_units(pool_run *run, exec *x) {
    for (int64_t unit = take_unit(run); unit < run->n_units; unit = take_unit(run)) {
        mip_status status = run->work(x, unit, run->user);
        if (status == MIP_OK) {
            status = exec_sync(x);
        }
        if (status != MIP_OK) {
            keep_error(run, unit);
        }
    }
}

static void *thread_main(void *user) {
    const pool_thread *t = user;
    cpu_threads_set(t->n_threads); // of this thread: the units are what runs side by side
    run_units(t->run, t->x);
    return NULL;
}

/* Signals stay with the caller's thread, which has a stack for them (base/signals.h): libraries keep
 * values below the stack pointer that a handler on a worker's stack would overwrite. */
static void block_signals(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

/* Threads for all workers. A thread that cannot be had is no error: the others do its units. */
static mip_status run_threads(const exec_pool *p, pool_run *run) {
    pool_thread *threads = calloc((size_t)p->n_workers, sizeof *threads);
    const int share = exec_pool_width(p->owner->backend) / p->n_workers;
    sigset_t signals;
    int n = 0;
    if (threads == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %d threads", p->n_workers);
    }
    block_signals(&signals); // new threads take this mask over
    while (n < p->n_workers) {
        threads[n] = (pool_thread){.n_threads = share, .run = run, .x = &p->workers[n]};
        if (pthread_create(&threads[n].id, NULL, thread_main, &threads[n]) != 0) {
            break;
        }
        n++;
    }
    pthread_sigmask(SIG_SETMASK, &signals, NULL);
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i].id, NULL);
    }
    free(threads);
    if (n == 0) {
        run_units(run, &p->workers[0]);
    }
    return MIP_OK;
}

mip_status exec_pool_run(exec_pool *p, int64_t n_units, exec_unit work, void *user) {
    pool_run run = {.work = work, .user = user, .n_units = n_units, .failed_unit = n_units};
    MIP_TRY(exec_sync(p->owner)); // units may read what was written there
    pthread_mutex_init(&run.lock, NULL);
    mip_status status = MIP_OK;
    if (p->n_workers == 1) {
        run_units(&run, &p->workers[0]); // on this thread, with all its threads per operation
    } else {
        status = run_threads(p, &run);
    }
    pthread_mutex_destroy(&run.lock);
    MIP_TRY(status);
    return run.failed_unit < n_units ? mip_error_adopt(&run.error) : MIP_OK;
}
