/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/named_text.h - a name and a text: a string attribute, or a file and its hash. */
#ifndef MIP_STORE_NAMED_TEXT_H
#define MIP_STORE_NAMED_TEXT_H

typedef struct named_text {
    const char *name;
    const char *value;
} named_text;

#endif
