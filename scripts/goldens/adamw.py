# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/adamw.py - five steps of torch.optim.AdamW on a small matrix.

What    adamw.safetensors and adamw.json: start, gradients, learning rates, weights after
        every step and the final moments, for weight decay 0.05 and 0.
Shapes  weight [7,11], grads [5,7,11], decay{0,1}.weight [5,7,11], decay{0,1}.m and .v
        [7,11] after step 5.
"""

import torch

from .base import normal, require, write_json, write_tensors

STEPS, SHAPE = 5, (7, 11)
LR, BETAS, EPS = 1e-2, (0.9, 0.999), 1e-8
DECAYS = (0.05, 0.0)


def learning_rates():
    """Linear decay to zero after the last step."""
    return [LR * (1 - step / STEPS) for step in range(STEPS)]


def steps(start, grads, decay):
    weight = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW(
        [weight], lr=LR, betas=BETAS, eps=EPS, weight_decay=decay, foreach=False
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / STEPS)
    seen = []
    for step, wanted in enumerate(learning_rates()):
        require(abs(optimizer.param_groups[0]["lr"] - wanted) < 1e-15, "learning rate schedule")
        weight.grad = grads[step].clone()
        optimizer.step()
        schedule.step()
        seen.append(weight.detach().clone())
    state = optimizer.state[weight]
    return torch.stack(seen), state["exp_avg"], state["exp_avg_sq"]


def make(out):
    start = normal("adamw start", *SHAPE)
    grads = normal("adamw grads", STEPS, *SHAPE)
    grads[:, 0] = 0  # a row that never has a gradient: only decay moves it
    grads[:, 1] *= 1e-9  # comparable with eps
    grads[2:, 2] = 0  # a row whose gradient stops
    grads[:, 3] *= 1e3
    tensors = {"weight": start, "grads": grads}
    for i, decay in enumerate(DECAYS):
        weight, m, v = steps(start, grads, decay)
        tensors |= {f"decay{i}.weight": weight, f"decay{i}.m": m, f"decay{i}.v": v}
    require(
        torch.equal(tensors["decay1.weight"][-1, 0], start[0]),
        "a row without gradient or decay moved",
    )
    write_tensors(out / "adamw.safetensors", tensors)
    about = {
        "beta1": BETAS[0],
        "beta2": BETAS[1],
        "eps": EPS,
        "weight_decay": list(DECAYS),
        "lr": learning_rates(),
    }
    write_json(out / "adamw.json", about)
