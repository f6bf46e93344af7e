/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_machine.c - the machine as /proc and the system tell it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/machine.h"

Test(machine, has_cores_and_memory) {
    const machine m = machine_get();
    cr_expect_eq(m.n_cores, (int)sysconf(_SC_NPROCESSORS_ONLN));
    const double pages = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    cr_expect_float_eq((double)m.memory_bytes / pages, 1.0, 0.01);
    cr_expect_gt(m.memory_free_bytes, 0);
    cr_expect_leq(m.memory_free_bytes, m.memory_bytes);
}

Test(machine, vector_instructions_are_what_the_compiler_finds) {
#if defined(__x86_64__)
    const machine m = machine_get();
    __builtin_cpu_init();
    cr_expect_eq(m.avx2, __builtin_cpu_supports("avx2") != 0);
    cr_expect_eq(m.avx512, __builtin_cpu_supports("avx512f") != 0);
#else
    cr_skip_test("flags of x86 processors only");
#endif
}
