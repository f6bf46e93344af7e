/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_arena.c - blocks are zeroed, aligned, apart from each other,
 * and freed back to a mark. */
#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

Test(arena, allocations_are_zeroed_aligned_and_apart) {
    enum { N = 60 };
    arena a;
    unsigned char *block[N];
    arena_init(&a);
    for (int k = 0; k < N; k++) {
        void *p = NULL;
        cr_assert_eq(arena_alloc(&a, (size_t)k * 37, &p), MIP_OK);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p % 16, 0);
        block[k] = p;
        for (int i = 0; i < k * 37; i++) {
            cr_assert_eq(block[k][i], 0);
            block[k][i] = (unsigned char)k;
        }
    }
    for (int k = 0; k < N; k++) { // nobody wrote into another's block
        for (int i = 0; i < k * 37; i++) {
            cr_assert_eq(block[k][i], k);
        }
    }
    arena_deinit(&a);
}

Test(arena, memory_is_zeroed_again_after_release) {
    arena a;
    arena_init(&a);
    void *p = NULL;
    cr_assert_eq(arena_alloc(&a, 64, &p), MIP_OK);
    const arena_mark mark = arena_mark_get(&a);
    cr_assert_eq(arena_alloc(&a, 1000, &p), MIP_OK);
    memset(p, 0xff, 1000);
    arena_release(&a, mark);
    void *again = NULL;
    cr_assert_eq(arena_alloc(&a, 1000, &again), MIP_OK);
    cr_assert_eq(again, p);
    cr_assert_eq(((unsigned char *)again)[999], 0);
    arena_deinit(&a);
}

Test(arena, release_keeps_what_came_before_the_mark) {
    arena a;
    arena_init(&a);
    char *kept = NULL;
    cr_assert_eq(arena_strdup(&a, "kept", &kept), MIP_OK);
    const arena_mark mark = arena_mark_get(&a);
    for (int i = 0; i < 50; i++) {
        void *p = NULL;
        cr_assert_eq(arena_alloc(&a, 10000, &p), MIP_OK);
    }
    arena_release(&a, mark);
    cr_assert_str_eq(kept, "kept");
    arena_deinit(&a);
    cr_assert_null(a.head);
}

Test(arena, a_block_larger_than_the_usual_is_whole) {
    arena a;
    arena_init(&a);
    void *p = NULL;
    cr_assert_eq(arena_alloc(&a, 1000000, &p), MIP_OK);
    memset(p, 1, 1000000);
    arena_deinit(&a);
}

Test(arena, impossible_sizes_are_refused) {
    arena a;
    arena_init(&a);
    void *p = &a;
    cr_assert_eq(arena_alloc(&a, SIZE_MAX, &p), MIP_E_NOMEM);
    cr_assert_null(p);
    cr_assert_eq(arena_array(&a, SIZE_MAX / 2, 4, &p), MIP_E_NOMEM);
    arena_deinit(&a);
}

Test(arena, strings_are_copied_cut_and_formatted) {
    arena a;
    arena_init(&a);
    char *s = NULL;
    cr_assert_eq(arena_strndup(&a, "abcdef", 3, &s), MIP_OK);
    cr_assert_str_eq(s, "abc");
    cr_assert_eq(arena_printf(&a, &s, "%s-%d", "layer", 12), MIP_OK);
    cr_assert_str_eq(s, "layer-12");
    int64_t *numbers = NULL;
    cr_assert_eq(ARENA_NEW(&a, 5, &numbers), MIP_OK);
    cr_assert_eq(numbers[4], 0);
    arena_deinit(&a);
}
