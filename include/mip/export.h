/* SPDX-License-Identifier: Apache-2.0 */
/* include/mip/export.h - which functions a program may call: those marked MIP_API. The library
 * is compiled with everything else hidden. */
#ifndef MIP_EXPORT_H
#define MIP_EXPORT_H

#if defined(__GNUC__)
#define MIP_API __attribute__((visibility("default")))
#else
#define MIP_API
#endif

#endif
