/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/model.h - a loaded vision-language model: stacks, stem, adapter, head,
 * and the numbers its prompts need.
 *
 * What    Filled by a family file (family_qwen_vl.c) from config.json and the checkpoint;
 *         read-only afterwards, except that the edit changes weights in place.
 *         One device block holds all weights, the matrices in f32 or bf16.
 * Tested  tests/unit/model/test_checkpoint.c, test_parity.c */
#ifndef MIP_MODEL_MODEL_H
#define MIP_MODEL_MODEL_H

#include "model/adapter.h"
#include "model/head.h"
#include "model/stack.h"

enum { MODEL_MAX_STOP = 8, MROPE_SECTIONS = 3 };

typedef struct vision_desc {
    int64_t patch, temporal, merge; // 14, 2, 2
    int64_t square_px;    // pictures are cropped to this square; 0 = they keep their shape
    int64_t window_cells; // side of a window in merged cells, or WINDOW_WHOLE_FRAME
    int64_t patch_dim;    // columns of pixel rows: 3 * temporal * patch * patch
    float rope_theta;
    int64_t min_pixels, max_pixels; // preprocessor_config.json
    float mean[3], std[3];
    double rescale;
} vision_desc;

/* Between the patch embedding and the first block, for towers of CLIP: a class token before
 * the patches of an image, learned positions, a LayerNorm. n_positions 0: patches go in as they
 * are. */
typedef struct vision_stem {
    int64_t n_positions;  // rows of an image: class token, then patches row by row
    float *class_token;   // dev [Cv]
    dev_matrix positions; // [n_positions, Cv]
    norm_weights norm;
    float norm_eps;
} vision_stem;

typedef struct model {
    const char *family; // "qwen2_5_vl"
    char *dir;          // checkpoint folder
    exec *x;            // borrowed: where the weights live
    void *weights;      // dev block, owned
    size_t weights_bytes;
    size_t loading_bytes;    // on the host while the weights are read
    struct weights_map *map; // name and place of every tensor of the checkpoint; owned
    int64_t vocab;
    dev_matrix embed;   // [V, C]
    stack text, vision; // vision.n_layers == 0 for text-only models
    vision_desc vision_desc;
    linear patch_embed; // [Cv, patch_dim]
    vision_stem stem;
    adapter merger;
    vocab_head head;
    bool tied;
    float rope_theta;
    int64_t max_positions;                 // tokens of a sequence the model is made for
    int64_t mrope_section[MROPE_SECTIONS]; // t, h, w frequencies; {D/2, 0, 0} = plain rope
    int32_t image_token, vision_start_token, vision_end_token; // -1 = the family has none
    int32_t stop[MODEL_MAX_STOP];                              // generation_config.json
    int n_stop;
    double repetition_penalty; // generation_config.json, 1 = off
} model;

/* model_load - read the checkpoint folder onto the exec's device, weight matrices as dtype.
 *   in    F32, or BF16: matrices of f32 and f16 files are rounded (to nearest, ties to even);
 *         vectors keep the file's values, in f32
 *   error MIP_E_IO / FORMAT (file, tensor, rule), MIP_E_UNSUPPORTED (a setting this
 *         build does not do, with the field's name), MIP_E_NUMERIC (NaN in a tensor).
 *         A dry exec reads headers only and counts the bytes. */
mip_status model_load(exec *x, const char *dir, mip_dtype dtype, model *out);
void model_destroy(model *m);

/* A parameter of the checkpoint as the model holds it: rows
 * [0, rows) of a possibly fused matrix. */
typedef struct model_tensor {
    const char *name;   // as in the checkpoint file
    dev_matrix data;    // [rows, cols] contiguous
    int64_t rows, cols; // vectors: rows = length, cols = 1
} model_tensor;

/* model_tensor_row - one row as f32 [cols] on the host. */
mip_status model_tensor_row(exec *x, const model_tensor *t, int64_t row, float *out);

/* model_tensor_find - where a checkpoint tensor lives (canonical or file name).
 * MIP_E_ARG if there is none. */
mip_status model_tensor_find(const model *m, const char *name, model_tensor *out);

/* model_tensor_at - the i-th tensor in file order, false past the end: to walk all parameters. */
bool model_tensor_at(const model *m, int i, model_tensor *out);

#endif
