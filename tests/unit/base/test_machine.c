/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_machine.c - the machine as /proc and the system tell it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

enum { BLOCK_BYTES = 64 << 20 };

/* A file of zeros of that size, mapped, touched and unmapped: no allocator keeps it. */
static void touch_memory(void) {
    FILE *f = tmpfile();
    cr_assert_not_null(f);
    cr_assert_eq(ftruncate(fileno(f), BLOCK_BYTES), 0);
    volatile char *block =
        mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(f), 0);
    cr_assert_neq((void *)block, MAP_FAILED);
    for (size_t i = 0; i < BLOCK_BYTES; i += 1024) {
        block[i] = 1;
    }
    munmap((void *)block, BLOCK_BYTES);
    fclose(f);
}

Test(machine, the_peak_is_the_most_memory_since_the_last_reset) {
    const int64_t before = machine_resident_bytes();
    cr_assert_gt(before, 1 << 20);
    touch_memory();
    cr_expect_lt(machine_resident_bytes(), before + BLOCK_BYTES / 2, "it was given back");
    const int64_t peak = machine_peak_resident_bytes();
    cr_expect_geq(peak, before + BLOCK_BYTES / 2);
    if (!machine_peak_reset()) {
        cr_skip_test("the system does not let us begin anew");
    }
    cr_expect_lt(machine_peak_resident_bytes(), peak - BLOCK_BYTES / 2);
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
