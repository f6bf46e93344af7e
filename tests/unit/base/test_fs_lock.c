/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_fs_lock.c - one holder at a time, named to the second;
 * a dead holder holds nothing.
 *
 * The other process is made with fork and ends with _exit before Criterion sees it. */
#include "base/fs_lock.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/tmp_dir.h"

static char dir[TMP_DIR_BYTES];
static char path[TMP_DIR_BYTES + 8];

static void begin(void) {
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/lock", dir);
}

static void end(void) {
    tmp_dir_remove(dir);
}

TestSuite(fs_lock, .init = begin, .fini = end);

/* A child that takes the lock, says so, and waits to be killed. */
static pid_t other_holder(void) {
    int ready[2];
    char byte = 0;
    cr_assert_eq(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        fs_lock *lock = NULL;
        byte = fs_lock_acquire(path, &lock) == MIP_OK ? 'y' : 'n';
        if (write(ready[1], &byte, 1) == 1) {
            pause();
        }
        _exit(0);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_assert_eq(byte, 'y');
    close(ready[0]);
    close(ready[1]);
    return child;
}

Test(fs_lock, the_second_process_learns_who_holds_it) {
    fs_lock *lock = NULL;
    char expected[64];
    const pid_t child = other_holder();
    cr_assert_eq(fs_lock_acquire(path, &lock), MIP_E_IO);
    cr_assert_null(lock);
    snprintf(expected, sizeof expected, "is held by pid %ld on ", (long)child);
    cr_assert_not_null(strstr(mip_error_last()->what, expected), "%s", mip_error_last()->what);

    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    cr_assert_eq(fs_lock_acquire(path, &lock), MIP_OK, "a killed holder left its lock behind");
    fs_lock_release(lock);
}

Test(fs_lock, the_same_process_is_refused_too_and_keeps_its_lock) {
    fs_lock *lock = NULL;
    fs_lock *second = NULL;
    cr_assert_eq(fs_lock_acquire(path, &lock), MIP_OK);
    cr_assert_eq(fs_lock_acquire(path, &second), MIP_E_IO);
    const pid_t child = fork();
    if (child == 0) {
        _exit(fs_lock_acquire(path, &second) == MIP_OK ? 1 : 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    fs_lock_release(lock);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0,
              "the failed second try dropped the lock");
}

Test(fs_lock, released_locks_can_be_taken_again) {
    fs_lock *lock = NULL;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(fs_lock_acquire(path, &lock), MIP_OK);
        fs_lock_release(lock);
    }
    fs_lock_release(NULL);
}

Test(fs_lock, a_missing_folder_is_named) {
    fs_lock *lock = NULL;
    cr_assert_eq(fs_lock_acquire("build/no/such/lock", &lock), MIP_E_IO);
    cr_assert_not_null(strstr(mip_error_last()->what, "build/no/such/lock"));
}
