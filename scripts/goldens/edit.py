# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/edit.py - four steps of the edit (prune, RMisU loss, AdamW on the listed rows)
in transformers and torch.

What    edit.safetensors and edit.json: one forget sample with an image, one retain sample,
        the neurons, the losses of every step and the listed rows of gate_proj and up_proj
        afterwards. Strength is 0: the target is the origin, so no random direction is part
        of the golden (tests/unit/unlearn checks directions and norms by themselves).
Bits    computed in float64. eps is as large as the gradients: with 1e-8 a first step is the sign
        of a gradient, and rounding decides it where that is almost 0 (torch in float32 is then
        1e-4 off, with this eps 4e-5).
Shapes  neurons text [3,6] and vision [4,4]; losses [4,2] (forget, gamma * retain);
        rows.<parameter> [neurons, width].
"""

import torch

from .base import normal, require, write_json, write_tensors
from .qwen25vl_tiny import load

LAYER, GAMMA, LR, STEPS, BETAS, EPS, DECAY = 1, 3.0, 1e-2, 4, (0.9, 0.999), 1e-2, 0.05
GRID, PATCH_DIM = (1, 2, 4), 1176
FORGET_IDS = [385, 42, 392, 390, 390, 393, 301, 17, 88, 250]
RETAIN_IDS = [385, 7, 199, 63, 340, 111, 9, 276]


def neurons(n_layers, n, width):
    return torch.tensor(
        [sorted((5 + 11 * i + 3 * layer) % width for i in range(n)) for layer in range(n_layers)]
    )


def hidden(model, ids, pixels=None):
    """Output of text layer LAYER without position 0."""
    ids = torch.tensor([ids])
    images = (
        {} if pixels is None else {"pixel_values": pixels, "image_grid_thw": torch.tensor([GRID])}
    )
    result = model(
        input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True, **images
    )
    return result.hidden_states[LAYER + 1][0, 1:]


def prune(model, chosen):
    """Zero the up rows; the parameters to train and the rows of each that are listed."""
    params = {}
    stacks = {
        "model.language_model.layers": model.model.language_model.layers,
        "model.visual.blocks": model.model.visual.blocks,
    }
    for (prefix, layers), lists in zip(stacks.items(), chosen):
        for i, (layer, rows) in enumerate(zip(layers, lists)):
            for kind in ("gate_proj", "up_proj"):
                for name, value in getattr(layer.mlp, kind).named_parameters():
                    if kind == "up_proj":
                        value.data[rows] = 0
                    params[f"{prefix}.{i}.mlp.{kind}.{name}"] = (
                        value,
                        rows,
                        "visual" in prefix or i <= LAYER,
                    )
    return params


def make(out, folder):
    frozen, model = load(folder).double(), load(folder).double()
    for value in [*frozen.parameters(), *model.parameters()]:
        value.requires_grad_(False)
    pixels = normal("edit pixels", GRID[0] * GRID[1] * GRID[2], PATCH_DIM)
    chosen = neurons(3, 6, 88), neurons(4, 4, 44)
    params = prune(model, chosen)
    trained = {
        name: torch.nn.Parameter(value.data[rows].clone())
        for name, (value, rows, yes) in params.items()
        if yes
    }
    optimizer = torch.optim.AdamW(
        trained.values(), lr=LR, betas=BETAS, eps=EPS, weight_decay=DECAY, foreach=False
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / STEPS)
    kept = hidden(frozen, RETAIN_IDS)
    losses = []
    for _ in range(STEPS):
        for name in trained:
            params[name][0].requires_grad_(True).grad = None
        forget = hidden(model, FORGET_IDS, pixels.double()).pow(2).mean()
        retain = GAMMA * (hidden(model, RETAIN_IDS) - kept).pow(2).mean()
        (forget + retain).backward()
        losses.append([forget.item(), retain.item()])
        for name, rows_of in trained.items():
            rows_of.grad = params[name][0].grad[params[name][1]].clone()
        optimizer.step()
        schedule.step()
        for name, rows_of in trained.items():
            params[name][0].data[params[name][1]] = rows_of.data
    require(losses[-1][0] < losses[0][0], "the edit did not lower its forget loss")
    tensors = {f"rows.{name}": value.data[rows] for name, (value, rows, _) in params.items()}
    tensors |= {
        "text.neurons": chosen[0],
        "vision.neurons": chosen[1],
        "losses": torch.tensor(losses),
    }
    tensors |= {
        "forget.ids": torch.tensor(FORGET_IDS),
        "forget.pixels": pixels,
        "retain.ids": torch.tensor(RETAIN_IDS),
    }
    write_tensors(out / "edit.safetensors", tensors)
    about = {
        "layer": LAYER,
        "gamma": GAMMA,
        "strength": 0,
        "lr": LR,
        "steps": STEPS,
        "grid": list(GRID),
    }
    about |= {"beta1": BETAS[0], "beta2": BETAS[1], "eps": EPS, "weight_decay": DECAY}
    write_json(out / "edit.json", about)
