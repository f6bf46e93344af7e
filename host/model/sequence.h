/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/sequence.h - token sequences with images -> packed rows of the two stacks,
 * and the model's front end.
 *
 * What    Several sequences are packed one after the other without padding; each is a segment
 *         of its own. Images of all sequences are packed likewise for the vision tower (window
 *         order, see window.h).
 * Tested  tests/unit/model/test_sequence.c, test_parity.c */
#ifndef MIP_MODEL_SEQUENCE_H
#define MIP_MODEL_SEQUENCE_H

#include "model/model.h"

typedef struct image_patches {
    int64_t grid_t, grid_h, grid_w; // patches; P = product
    const float *pixels; // host [P, patch_dim] in the processor's row order (2x2 cells); borrowed
} image_patches;

typedef struct sequence {
    const int32_t *ids; // host [n]; image tokens already expanded
    int64_t n;
    const image_patches *images;
    int n_images;
} sequence;

/* A question with its answer, what attribution and training read. Everything is borrowed. */
typedef struct labelled_sample {
    const char *id; // the same in every run: random directions depend on it
    sequence seq;
    const int32_t *labels; // [seq.n] own id where a token counts (row i - 1 predicts it), else
                           // CHAT_NO_LABEL; NULL = no token counts
} labelled_sample;

/* Packed text rows of several sequences. Host arrays live in `memory`. */
typedef struct text_pack {
    row_layout layout; // one causal segment per sequence, list 0
    int64_t n_sequences;
    int64_t *begin;       // [n_sequences + 1] first row of each sequence
    int32_t *ids;         // [N]
    int32_t *positions;   // [3, N] t, h, w
    int64_t n_image_rows; // image tokens of all sequences, in order
    int32_t *image_rows;  // [n_image_rows] packed row of each
} text_pack;

typedef struct vision_pack {
    row_layout layout;   // list 0: windows, list 1: whole images (one per frame)
    int64_t n_patches;   // rows, in window order; layout.n_rows has the class tokens too
    int64_t n_features;  // n_patches / merge^2
    float *pixels;       // dev [n_patches, patch_dim], window order
    int32_t *order;      // host [n_rows]: packed row i is row order[i] of the processor's order
                         // (with class tokens: of that order with each image's token before it)
    int32_t *feature_of; // host [n_features]: merger output row of feature k (processor's order)
    int64_t n_images;
    int32_t *patch_row; // host [n_patches]: tower row of a patch; NULL = the same number
    int32_t *class_row; // host [n_images]: row of each class token; NULL = none
    int32_t *place;     // host [n_rows]: row's number within its image; NULL without class tokens
} vision_pack;

/* text_pack_create - positions, rope tables (uploaded to the arena) and segments of n sequences.
 *   memory  host: malloc, free with text_pack_destroy; device: the exec's arena
 *   error   MIP_E_SHAPE when the number of image tokens and of features disagree (both numbers),
 *           MIP_E_ARG for an empty sequence or too many rows */
mip_status text_pack_create(exec *x, const model *m, int64_t n, const sequence *seqs,
                            text_pack *out);
void text_pack_destroy(text_pack *p);

/* text_pack_suffix - `copies` copies of the rows from first_row to the end of sequence
 * i_sequence of `full`, each a causal segment that also sees the sequence's rows before
 * first_row as prefix rows (numbered as in `full`). The copies are the nodes of an attribution,
 * or the options of a question. first_row counts in packed rows of `full`.
 * MIP_E_ARG for rows that are not inside the sequence. */
mip_status text_pack_suffix(exec *x, const model *m, const text_pack *full, int64_t i_sequence,
                            int64_t first_row, int64_t copies, text_pack *out);

/* vision_pack_create - pixels uploaded in window order, rope tables, window and image segments
 * of all images of n sequences. */
mip_status vision_pack_create(exec *x, const model *m, int64_t n, const sequence *seqs,
                              vision_pack *out);
void vision_pack_destroy(vision_pack *p);

/* sequence_pixel_bytes - of the patch rows of its images, loaded or not. */
size_t sequence_pixel_bytes(const model *m, const sequence *s);

/* The vision side of a forward pass, kept for vjp/jvp. */
typedef struct vision_trace {
    float *stem_sum; // dev [n_rows, Cv] before the stem's norm; NULL without
    stack_trace blocks;
    adapter_saved merger;
    float *features; // dev [n_features, C] merger output rows (window order)
} vision_trace;

/* vision_fwd - patch embedding, tower, merger. trace->features is filled; with keep the rest
 * too (for vision_vjp). taps act on the tower's blocks. */
mip_status vision_fwd(exec *x, const model *m, const vision_pack *p, const tap_list *taps,
                      bool keep, vision_trace *trace);

/* Gradients of the patch embedding and the stem; NULL = not wanted. */
typedef struct stem_grads {
    linear_grads patch_embed;
    float *class_token, *positions;
    norm_grads norm;
} stem_grads;

/* What a backward pass of the vision side gives; NULL = not wanted, but for d_tower. */
typedef struct vision_grads {
    float *d_tower;              // dev [n_rows, Cv] at the tower's input, overwritten
    float *d_pixels;             // dev [P, patch_dim] overwritten
    const block_grads *blocks;   // [n_layers] +=
    const adapter_grads *merger; // +=
    const stem_grads *stem;      // +=
} vision_grads;

/* vision_vjp - d_features [n_features, C] (merger output order) down to the tower's input;
 * captures of taps are filled on the way. */
mip_status vision_vjp(exec *x, const model *m, const vision_pack *p, const tap_list *taps,
                      const vision_trace *trace, const float *d_features,
                      const vision_grads *grads);
void vision_trace_free(vision_trace *t);

/* embed_rows - h [N, C] overwritten: embedding of each id, image rows replaced by features (merger
 * output order; NULL = no images). */
mip_status embed_rows(exec *x, const model *m, const text_pack *t, const vision_pack *v,
                      const float *features, float *h);

/* embed_rows_vjp - d_features [n_features, C] overwritten with the rows of dh [N, C] that
 * belong to image tokens. */
mip_status embed_rows_vjp(exec *x, const model *m, const text_pack *t, const vision_pack *v,
                          const float *dh, float *d_features);

#endif
