# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/parts.py - the same roles in models of different families: modules to record,
rows of pixels, positions.

What    of(model): language model, vision blocks that count, stem, connector. pixel_rows: what the
        patch embedding reads, one row a patch.
Used by recorder.py, cases.py, said.py."""

from dataclasses import dataclass

import torch

from .base import require


@dataclass
class Parts:
    text: torch.nn.Module
    vision_blocks: list  # empty: text only, and nothing below
    merger: torch.nn.Module | None = None  # tower rows -> features, in the order of the tower
    patch_embed: torch.nn.Module | None = None  # whose output is [patches, width]
    tower: torch.nn.Module | None = None  # whose output is the features in the processor's order


def is_clip(model):
    return hasattr(model.model, "vision_tower")


def is_text_only(model):
    return not hasattr(model.model, "language_model")


def is_plain_rope(model):
    """Positions count tokens, whatever they stand for."""
    return is_clip(model) or is_text_only(model)


def forget_positions(model):
    """Qwen's models keep the last prompt's rope deltas."""
    if not is_plain_rope(model):
        model.model.rope_deltas = None


def of(model):
    if is_text_only(model):
        return Parts(text=model.model, vision_blocks=[])
    if is_clip(model):
        # hidden_states[-2] is the input of the last layer.
        require(model.config.vision_feature_layer == -2, "features of another layer")
        blocks = model.model.vision_tower.vision_model.encoder.layers
        return Parts(
            text=model.model.language_model,
            vision_blocks=list(blocks)[:-1],
            merger=model.model.multi_modal_projector,
        )
    visual = model.model.visual
    return Parts(
        text=model.model.language_model,
        vision_blocks=list(visual.blocks),
        merger=visual.merger,
        patch_embed=visual.patch_embed,
        tower=visual,
    )


def neuron_output(block):
    """The linear layer whose input is the neurons: down_proj of a gated FFN, fc2 of a plain one."""
    return block.mlp.down_proj if hasattr(block.mlp, "down_proj") else block.mlp.fc2


def run_tower(model, inputs):
    if is_clip(model):
        return model.model.get_image_features(inputs["pixel_values"])
    return model.model.visual(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"])


def pixel_rows(model, pixels):
    """[patches, channel x time x y x x]; pictures of CLIP are cut into patches row by row."""
    if not is_clip(model):
        return pixels
    patch = model.config.vision_config.patch_size
    n, channels, height, width = pixels.shape
    cut = pixels.reshape(n, channels, height // patch, patch, width // patch, patch)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels * patch * patch)


def pixels_of_rows(model, rows):
    """What the tower is called with: pixel_rows the other way."""
    if not is_clip(model):
        return rows
    vision = model.config.vision_config
    patch, side = vision.patch_size, vision.image_size // vision.patch_size
    cut = rows.reshape(-1, side, side, 3, patch, patch)
    return cut.permute(0, 3, 1, 4, 2, 5).reshape(-1, 3, side * patch, side * patch)


def image_grid(model, inputs):
    """[images, 3]: frames, rows and columns of patches."""
    if not is_clip(model):
        return inputs["image_grid_thw"]
    side = model.config.vision_config.image_size // model.config.vision_config.patch_size
    return torch.tensor([[1, side, side]] * inputs["pixel_values"].shape[0])


def positions(model, inputs):
    """position_ids [3,B,T] and the distance of the next position from the length."""
    if is_plain_rope(model):
        ids = inputs["input_ids"]
        at = torch.arange(ids.shape[1]).expand(3, ids.shape[0], -1)
        return at, torch.zeros(ids.shape[0], 1, dtype=torch.long)
    return model.model.get_rope_index(
        inputs["input_ids"],
        inputs.get("image_grid_thw"),
        None,
        attention_mask=inputs["attention_mask"],
    )
