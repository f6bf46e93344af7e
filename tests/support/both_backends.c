/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/both_backends.c - see both_backends.h. */
#include "support/both_backends.h"

struct criterion_test_params both_backends(void) {
    static backend_name names[] = {{"ref"}, {"cpu"}};
    return cr_make_param_array(backend_name, names, 2);
}
