/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/fs_lock.h - one process at a time on a run folder.
 *
 * What    An advisory fcntl lock on a small file that names its holder. The kernel drops the lock
 *         when the process dies, so a killed run never leaves a stale one; the file itself stays.
 * Limit   fcntl locks belong to the process: taking the same path twice in one process is refused
 *         by us, not the kernel.
 * Tested  tests/unit/base/test_fs_lock.c */
#ifndef MIP_BASE_FS_LOCK_H
#define MIP_BASE_FS_LOCK_H

#include <mip/status.h>

typedef struct fs_lock fs_lock;

/* fs_lock_acquire - take the lock at once or fail with MIP_E_IO that says who holds it (pid, host,
 * since when). The folder must exist. Writes "pid host time" into the file. The lock is owned. */
mip_status fs_lock_acquire(const char *path, fs_lock **out);

/* fs_lock_release - give it back; NULL is a no-op. */
void fs_lock_release(fs_lock *lock);

#endif
