/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/library.c - see library.h.
 *
 * Tested  tests/cli/doctor.sh */
#include "base/library.h"

#include <assert.h>
#include <stdio.h>

void library_add(library_list *list, const char *name, const char *use, const char *version) {
    assert(list->n < LIBRARY_MAX_PER_ROOM);
    library *l = &list->items[list->n++];
    l->name = name;
    l->use = use;
    snprintf(l->version, sizeof l->version, "%s", version);
}
