/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/text_pack.h - the parts a text_pack is made of, for packs that do not come
 * from whole sequences.
 *
 * What    Generation builds packs of one new row per sequence, scoring packs of continuations:
 *         they allocate, fill begin, ids, positions and segments themselves, and then
 *         upload the rope tables.
 * Tested  tests/unit/model/test_sequence.c, test_generate.c */
#ifndef MIP_MODEL_TEXT_PACK_H
#define MIP_MODEL_TEXT_PACK_H

#include "model/sequence.h"

/* text_pack_alloc - zeroed host arrays for n sequences of n_rows rows in all;
 * free with text_pack_destroy. */
mip_status text_pack_alloc(int64_t n, int64_t n_rows, text_pack *p);

/* text_pack_segments - the pack's own segments, to be filled [n_sequences]. */
mip_segment *text_pack_segments(text_pack *p);

/* text_pack_upload_rope - rope tables of the pack's positions, in the arena. */
mip_status text_pack_upload_rope(exec *x, const model *m, text_pack *p);

#endif
