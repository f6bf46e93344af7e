/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/library.h - the third-party libraries of a room, as `mip doctor` lists them.
 *
 * What    A room that links libraries has host/<room>/<room>_libraries.[ch] with a list of these;
 *         the version is the one loaded now, not the one compiled against, wherever
 *         the library can tell.
 * Tested  tests/cli/doctor.sh */
#ifndef MIP_BASE_LIBRARY_H
#define MIP_BASE_LIBRARY_H

enum { LIBRARY_VERSION_BYTES = 48, LIBRARY_MAX_PER_ROOM = 4 };

typedef struct library {
    const char *name;
    const char *use; // what it is there for, a few words
    char version[LIBRARY_VERSION_BYTES];
} library;

typedef struct library_list {
    int n;
    library items[LIBRARY_MAX_PER_ROOM];
} library_list;

/* library_add - one more; the text of version is copied, cut to fit. */
void library_add(library_list *list, const char *name, const char *use, const char *version);

#endif
