# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/preflight.py - is this installation a fit oracle? Runs before any
golden is written.

What    known vectors of positions, windows and sizes; slow image path; eager attention
        everywhere; F32, no TF32, no dropout; tied head shares storage. (Load report:
        store.load_checked; same bits and padding: cases.py.)
Used by make_goldens.py."""

import torch
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from .base import require

# ids T T S [I x 6, grid 1,4,6] E T S [I x 2, grid 1,2,4] E T T
POSITIONS = (
    [(0, 0, 0), (1, 1, 1), (2, 2, 2)]
    + [(3, 3, 3), (3, 3, 4), (3, 3, 5), (3, 4, 3), (3, 4, 4), (3, 4, 5)]
    + [(6, 6, 6), (7, 7, 7), (8, 8, 8), (9, 9, 9), (9, 9, 10)]
    + [(11, 11, 11), (12, 12, 12), (13, 13, 13)]
)
RESIZE = [  # h, w, max_pixels -> h, w
    ((480, 640, 12845056), (476, 644)),
    ((1080, 1920, 12845056), (1092, 1932)),
    ((1080, 1920, 1003520), (728, 1316)),
    ((70, 70, 12845056), (56, 56)),
    ((98, 126, 12845056), (112, 112)),
    ((42, 70, 12845056), (56, 56)),
    ((13, 200, 12845056), (28, 224)),
    ((10, 1990, 12845056), (28, 812)),
    ((375, 1242, 12845056), (364, 1232)),
    ((4000, 6000, 12845056), (2912, 4368)),
    ((4000, 6000, 1003520), (812, 1204)),
    ((7000, 7000, 12845056), (3584, 3584)),
]


def check_positions(model):
    config = model.config
    text, start, image, end = (
        5,
        config.vision_start_token_id,
        config.image_token_id,
        config.vision_end_token_id,
    )
    ids = [text, text, start] + [image] * 6 + [end, text, start] + [image] * 2 + [end, text, text]
    grid = torch.tensor([[1, 4, 6], [1, 2, 4]])
    at, delta = model.model.get_rope_index(
        torch.tensor([ids]), grid, None, attention_mask=torch.ones(1, len(ids))
    )
    require(
        [tuple(p) for p in at[:, 0].T.tolist()] == POSITIONS,
        f"position ids are {at[:, 0].T.tolist()}",
    )
    require(delta.item() == -3, f"rope delta is {delta.item()}, not -3")


def check_windows(model):
    def windows(grid):
        index, cu = model.model.visual.get_window_index(torch.tensor(grid))
        return index.tolist(), torch.unique_consecutive(torch.tensor(cu)).tolist()

    rows = [0, 1, 2, 3], [4, 5, 6]
    wanted = [7 * r + c for r in range(4) for c in rows[0]] + [
        7 * r + c for r in range(4) for c in rows[1]
    ]
    wanted += [28, 29, 30, 31, 32, 33, 34]
    require(
        windows([[1, 10, 14]]) == (wanted, [0, 64, 112, 128, 140]), "window index of grid 1,10,14"
    )
    require(
        windows([[1, 16, 8], [1, 4, 6]]) == (list(range(38)), [0, 64, 128, 152]),
        "window index of two images",
    )


def check_resize():
    for (h, w, limit), wanted in RESIZE:
        found = smart_resize(h, w, factor=28, min_pixels=3136, max_pixels=limit)
        require(tuple(found) == wanted, f"smart_resize {h}x{w} is {found}, not {wanted}")


def check_numbers(model):
    require(model.config._attn_implementation == "eager", "text attention is not eager")
    for module in model.modules():
        config = getattr(module, "config", None)
        if config is not None:
            require(config._attn_implementation == "eager", f"{type(module).__name__} is not eager")
        if isinstance(module, torch.nn.Dropout):
            require(module.p == 0, "dropout")
    require(model.config.get_text_config().attention_dropout == 0, "attention dropout")
    require(not model.training, "model is in training mode")
    for name, parameter in model.named_parameters():
        require(parameter.dtype == torch.float32, f"{name} is {parameter.dtype}")
    require(not torch.backends.cuda.matmul.allow_tf32, "TF32 matmul is allowed")
    require(torch.get_num_threads() == 1, "more than one thread")


def check_tie(model, tied):
    same = model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    require(same == tied, f"lm_head shares storage: {same}, config says tied: {tied}")


SLOW = ("Qwen2VLImageProcessor", "CLIPImageProcessor")


def run(bench):
    """What there is of it in this family's model."""
    model = bench.model()
    check_numbers(model)
    check_tie(model, model.config.get_text_config().tie_word_embeddings)
    if hasattr(model.model, "get_rope_index"):
        check_positions(model)
        check_resize()
    if hasattr(getattr(model.model, "visual", None), "get_window_index"):
        check_windows(model)
    image_processor = getattr(bench.processor, "image_processor", None)
    if image_processor is not None:
        name = type(image_processor).__name__
        require(name in SLOW, f"image processor is {name}, not a slow (PIL) one")
