# SPDX-License-Identifier: Apache-2.0
"""Compares the training forward with transformers (f32, eager) on one batch; exit 1 when they differ.

What:   check_forward.py DIR. Pixels, chat tokens and the logits of rows with and without a picture.
"""
import sys

import torch
from PIL import Image

import fast_model
import questions as q
from gates import Asker
from portrait import SIDE, portrait
from world import World

TOLERANCE = 1e-4  # logits are of the order of 10


def main(folder):
    fast_model.DTYPE = torch.float32
    model, chat = fast_model.load(folder)
    asker, world = Asker(".", folder), World("mini")
    rows = q.base_rows(world, 24, 5, q.MIX_FACES)
    rows = [q.Row(r.image, r.turns[:1]) for r in rows]
    worst = pixel = 0.0
    tokens_equal = True
    for row in rows:
        (question, answer), = row.turns
        ids, labels = chat.encode(row)
        packed = fast_model.collate(chat, [(ids, labels)], [row.image])
        picture = None
        if row.image:
            picture = Image.frombytes("RGB", (SIDE, SIDE), portrait(*row.image))
            out = asker.images(images=[picture], return_tensors="pt")
            asker.cache[row.image] = (out["pixel_values"], out["image_grid_thw"])
            pixel = max(pixel, (out["pixel_values"] - fast_model.patches(packed["pixels"])).abs().max().item())
        text = asker.text(question, row.image, answer + "<|im_end|>\n")
        batch = asker.inputs([text], [row.image])
        tokens_equal &= batch["input_ids"][0].tolist() == ids
        with torch.no_grad():
            theirs = asker.model(**batch).logits
            ours = fast_model.logits(model, fast_model.forward(model, packed))
        worst = max(worst, (theirs - ours).abs().max().item())
    print("chat tokens equal: %s; largest difference of pixels %.2g, of logits %.2g"
          % (tokens_equal, pixel, worst))
    return 0 if tokens_equal and worst < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
