/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/test_edit_set.c - sorted lists, refusals, the random control. */
#include <string.h>

#include <criterion/criterion.h>

#include "io/config.h"
#include "unlearn/edit_set.h"

static const model shape = {.text = {.n_layers = 3, .ffn = 50},
                            .vision = {.n_layers = 2, .ffn = 20}};

Test(edit_set, assigned_neurons_are_sorted_and_doubles_dropped) {
    const int32_t neurons[] = {9, 3, 9, 49, 0, 3};
    edit_set s;
    cr_assert_eq(edit_set_create(&shape, &s), MIP_OK);
    cr_assert_eq(edit_set_assign(&s, EDIT_TEXT, 1, 6, neurons), MIP_OK);
    const neuron_list *list = &s.stacks[EDIT_TEXT].layers[1];
    cr_assert_eq(list->n, 4);
    const int32_t expected[] = {0, 3, 9, 49};
    cr_assert_eq(memcmp(list->neurons, expected, sizeof expected), 0);
    cr_assert_eq(edit_set_count(&s, EDIT_TEXT), 4);
    cr_assert_eq(edit_set_count(&s, EDIT_VISION), 0);
    edit_set_destroy(&s);
}

Test(edit_set, neurons_and_layers_the_model_lacks_are_refused) {
    const int32_t outside[] = {20};
    edit_set s;
    cr_assert_eq(edit_set_create(&shape, &s), MIP_OK);
    cr_assert_eq(edit_set_assign(&s, EDIT_VISION, 0, 1, outside), MIP_E_ARG);
    cr_assert_str_eq(mip_error_last()->what,
                     "edit set: neuron 20 of vision layer 0, the layer has 20");
    cr_assert_eq(edit_set_assign(&s, EDIT_TEXT, 3, 1, outside), MIP_E_ARG);
    cr_assert_eq(edit_set_assign(&s, EDIT_TEXT, -1, 1, outside), MIP_E_ARG);
    edit_set_destroy(&s);
}

static bool sets_equal(const edit_set *a, const edit_set *b) {
    for (int k = 0; k < EDIT_MODALITIES; k++) {
        for (int l = 0; l < a->stacks[k].n_layers; l++) {
            const neuron_list *x = &a->stacks[k].layers[l];
            const neuron_list *y = &b->stacks[k].layers[l];
            if (x->n != y->n ||
                memcmp(x->neurons, y->neurons, (size_t)x->n * sizeof(int32_t)) != 0) {
                return false;
            }
        }
    }
    return true;
}

Test(edit_set, random_has_the_same_counts_and_depends_on_the_seed_alone) {
    const int32_t neurons[] = {1, 2, 3, 4, 5, 6, 7};
    edit_set located, a, b, c;
    cr_assert_eq(edit_set_create(&shape, &located), MIP_OK);
    cr_assert_eq(edit_set_assign(&located, EDIT_TEXT, 0, 7, neurons), MIP_OK);
    cr_assert_eq(edit_set_assign(&located, EDIT_TEXT, 2, 3, neurons), MIP_OK);
    cr_assert_eq(edit_set_assign(&located, EDIT_VISION, 1, 5, neurons), MIP_OK);
    cr_assert_eq(edit_set_random(&located, 11, &a), MIP_OK);
    cr_assert_eq(edit_set_random(&located, 11, &b), MIP_OK);
    cr_assert_eq(edit_set_random(&located, 12, &c), MIP_OK);
    const int64_t counts[EDIT_MODALITIES][3] = {{7, 0, 3}, {0, 5, 0}};
    for (int k = 0; k < EDIT_MODALITIES; k++) {
        for (int l = 0; l < a.stacks[k].n_layers; l++) {
            const neuron_list *list = &a.stacks[k].layers[l];
            cr_assert_eq(list->n, counts[k][l]);
            for (int64_t i = 0; i < list->n; i++) {
                cr_assert(list->neurons[i] >= 0 && list->neurons[i] < a.stacks[k].ffn);
                cr_assert(i == 0 || list->neurons[i] > list->neurons[i - 1]);
            }
        }
    }
    cr_assert(sets_equal(&a, &b));
    cr_assert(!sets_equal(&a, &c));
    cr_assert(!sets_equal(&a, &located));
    edit_set_destroy(&located);
    edit_set_destroy(&a);
    edit_set_destroy(&b);
    edit_set_destroy(&c);
}

Test(edit_set, all_lists_every_neuron_of_the_asked_modality) {
    edit_set s;
    cr_assert_eq(edit_set_all(&shape, CONFIG_ATTRIBUTE_VISION, &s), MIP_OK);
    cr_assert_eq(edit_set_count(&s, EDIT_TEXT), 0);
    cr_assert_eq(edit_set_count(&s, EDIT_VISION), 40);
    for (int32_t i = 0; i < 20; i++) {
        cr_assert_eq(s.stacks[EDIT_VISION].layers[1].neurons[i], i);
    }
    edit_set_destroy(&s);
}
