/* SPDX-License-Identifier: Apache-2.0 */
/* tests/plugins/empty_backend.c - a shared object that is no backend: it lacks
 * mip_backend_entry. */
extern const int empty_backend_exports_nothing_else;
const int empty_backend_exports_nothing_else = 1;
