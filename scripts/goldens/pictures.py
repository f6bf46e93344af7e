# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/pictures.py - small synthetic pictures: flat shapes on a gradient,
so PNGs stay small.

What    picture(name, height, width): RGB u8 array from one seed per name, integers only.
Used by images.py, cases.py."""

import numpy as np
import torch

from .base import rng


def picture(name, height, width):
    """Hard edges (bicubic overshoot, clipping at 0 and 255), slopes and single-pixel detail;
    no two sides alike."""
    draws = torch.randint(0, 1 << 16, (200,), generator=rng("picture " + name)).tolist()
    take = iter(draws).__next__
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    out = np.empty((height, width, 3), dtype=np.uint8)
    for channel in range(3):
        a, b, c = take() % 5 - 2, take() % 5 - 2, take() % 256
        out[:, :, channel] = (a * x + b * y + c) % 256
    for _ in range(12):
        colour = [(0, 255, take() % 256)[take() % 3] for _ in range(3)]
        cy, cx = take() % height, take() % width
        ry, rx = 2 + take() % (height // 4 + 2), 2 + take() % (width // 4 + 2)
        if take() % 2:
            inside = (abs(y - cy) < ry) & (abs(x - cx) < rx)
        else:
            inside = (y - cy) ** 2 * rx * rx + (x - cx) ** 2 * ry * ry < rx * rx * ry * ry
        out[inside] = colour
    stripes = (y > height * 3 // 4) & ((x + y) % 3 == 0)
    out[stripes] = 255 - out[stripes]
    return out
