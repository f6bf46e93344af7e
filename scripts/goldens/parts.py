# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/parts.py - where the modules that are recorded stand in a model of each family.

What    of(model): language model, its blocks; vision blocks that are run, what goes into neuron
        outputs, patch embedding, connector. Names differ between families, roles do not.
Used by qwen25vl_run.py."""

from dataclasses import dataclass

import torch


@dataclass
class Parts:
    text: torch.nn.Module
    vision_blocks: list
    patch_embed: torch.nn.Module
    merger: torch.nn.Module  # tower rows -> features, in the order of the tower
    tower: torch.nn.Module  # its output is the features in the processor's order


def of(model):
    visual = model.model.visual
    return Parts(
        text=model.model.language_model,
        vision_blocks=list(visual.blocks),
        patch_embed=visual.patch_embed,
        merger=visual.merger,
        tower=visual,
    )


def neuron_output(block):
    """The linear layer whose input is the neurons: down_proj of a gated FFN, fc2 of a plain one."""
    return block.mlp.down_proj if hasattr(block.mlp, "down_proj") else block.mlp.fc2
