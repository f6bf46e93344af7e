#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/official_reference.py - what the released MIP-Editor code computes when it locates
neurons, done literally: the oracle of `attribute.mode: official`.

What    transformers' model with hooks on every down_proj (CLIP: fc2). m = 4 copies of one sample run as one
        batch, copy k with k/4 of the clean activations; the loss is the model's own
        cross-entropy over every token of the chat and all copies. No bfloat16: the
        released code also rounds every step to it, which is left out here and in mip.
Text    embeddings repeated m times; position 0 overwritten in layers 0..l.
Vision  Qwen: every pixel row repeated in place, so that copy i is made of rows i P/m ..
        (i+1) P/m - 1, each m times; rows 0, m, 2m, 3m of the tower are overwritten (all in copy
        0), rows 0, P, 2P, 3P are read (the first of every copy). LLaVA: m pictures, the class
        token of each is overwritten and read; CLIP's last layer has no gradient and takes that
        of the layer before, which is 0. Fisher information = squared z-scores.
Usage   python scripts/official_reference.py MODEL QUESTION ANSWER [--image FILE]
        prints the best 5 neurons of every layer: of the language model, or with an image
        of the vision tower
Needs   pip install -r scripts/goldens/requirements.txt
Used by goldens/official.py
"""

import argparse

import torch
from goldens import parts

COPIES, TOP_K = 4, 5


class Hooks:
    """Pre-hooks on what reads the neurons of every layer: with values[l] set, the `written` rows of layer l
    are overwritten; what enters stays in seen[l], with its gradient after a backward pass."""

    def __init__(self, layers, written):
        self.written, self.values, self.seen = written, {}, {}
        self.handles = [
            parts.neuron_output(layer).register_forward_pre_hook(
                lambda _module, args, l=l: self.enter(l, args[0])
            )
            for l, layer in enumerate(layers)
        ]

    def enter(self, l, a):
        if l in self.values:
            a = a.clone()
            a[self.written] = self.values[l]
            a.retain_grad()
        self.seen[l] = a
        return (a,)

    def remove(self):
        for handle in self.handles:
            handle.remove()


def chat_labels(ids, pad_id):
    """Everything but padding counts: system text, question, image placeholders, answer."""
    return ids.masked_fill(ids == pad_id, -100)


def frames(clean, entries):
    """[m, F]: the clean vector in every copy, the entries of copy k at k/m of it."""
    out = clean.repeat(COPIES, 1)
    step = clean[entries] / COPIES
    for k in range(COPIES):
        out[k, entries] = k * step
    return out.requires_grad_(True)


def search(clean, gradients, score):
    """The greedy path: gradients(values) -> {layer: [m, F]} of one forward and backward,
    score(l, g, b) -> J of layer l, b = the representatives of the layers below."""
    scores, chosen, last = [], [], []
    for l, c in enumerate(clean):
        values = {r: frames(clean[r], chosen[r]) for r in range(l)}
        values[l] = frames(c, torch.arange(len(c)))
        j = score(l, gradients(values), last)
        order = torch.argsort(j, descending=True, stable=True)[:TOP_K]
        scores.append(j)
        chosen.append(order)
        last.append(order[-1].item())  # the released loop overwrites one slot: the last one stays
    return torch.stack(scores), torch.stack(chosen)


def text_scores(model, ids):
    """(scores [L, F], paths [L, K]) of a chat without image, ids [1, T]."""
    labels = chat_labels(ids, model.generation_config.pad_token_id)
    mask = torch.ones_like(ids)
    hooks = Hooks(parts.of(model).text.layers, written=(slice(None), 0))
    # Qwen takes its rope positions from the ids, LLaVA refuses ids beside embeddings.
    named = {} if parts.is_clip(model) else {"input_ids": ids}
    embeds = model.get_input_embeddings()(ids).detach()

    def run(n):
        parts.forget_positions(model)
        return model(
            **named,
            inputs_embeds=embeds.repeat(n, 1, 1),
            attention_mask=mask.repeat(n, 1),
            labels=labels.repeat(n, 1),
            use_cache=False,
        )

    def gradients(values):
        hooks.values = values
        run(COPIES).loss.backward()
        return {r: hooks.seen[r].grad[:, 0] for r in values}

    def score(l, g, b):
        own = g[l]
        step = clean[l] / COPIES
        for r in range(l):
            own = own + g[r][:, b[r], None]
            step = step + clean[r][b[r]] / COPIES
        return own.sum(dim=0) * step

    with torch.no_grad():
        run(1)
    clean = [hooks.seen[l][0, 0].clone() for l in sorted(hooks.seen)]
    result = search(clean, gradients, score)
    hooks.remove()
    return result


def z_scored_squares(g):
    """[m, F] -> [m, F], every step in the dtype of g. In exact arithmetic the sum over m is m - 1
    wherever g varies."""
    mean, std = g.mean(dim=0), g.std(dim=0)
    return ((g - mean) / (std + 1e-12)) ** 2


def tower_rows(model, inputs):
    """(layers of the tower, rows of a layer that are overwritten in m copies, rows that are read)."""
    if parts.is_clip(model):
        every_class_token = (slice(None), 0)
        layers = model.model.vision_tower.vision_model.encoder.layers
        return layers, every_class_token, every_class_token
    n_patches = inputs["pixel_values"].shape[0]
    written = [k * COPIES for k in range(COPIES)]
    return model.model.visual.blocks, written, [k * n_patches for k in range(COPIES)]


def varying(model, n_layers, l):
    """Whether the gradient of layer l's neurons depends on the frame at all: that of a class token
    ends with the last layer whose attention is still read."""
    return not parts.is_clip(model) or l < n_layers - 2


def vision_scores(model, inputs):
    """(scores [L, F], paths [L, K], closed [L, F], own [L, F]) of a chat with one image; closed =
    what the scores come to when every gradient that can vary does, own = each layer's own Fisher
    information."""
    layers, written, read = tower_rows(model, inputs)
    labels = chat_labels(inputs["input_ids"], model.generation_config.pad_token_id)
    hooks = Hooks(layers, written)
    copied = ("input_ids", "attention_mask", "pixel_values", "image_grid_thw")

    def run(n):
        parts.forget_positions(model)
        repeated = {k: inputs[k].repeat_interleave(n, dim=0) for k in copied if k in inputs}
        return model(**repeated, labels=labels.repeat_interleave(n, dim=0), use_cache=False)

    def gradients(values):
        hooks.values = values
        run(COPIES).loss.backward()
        found = {}
        for r in values:  # in order; a layer without a gradient takes that of the layer before
            grad = hooks.seen[r].grad
            found[r] = found[r - 1] if grad is None else grad[read]
        return found

    def score(l, g, b):
        fisher = z_scored_squares(g[l]).sum(dim=0)
        step = clean[l]
        for r in range(l):
            fisher = fisher + z_scored_squares(g[r])[:, b[r]].sum()
            step = step + clean[r][b[r]]
        own.append(z_scored_squares(g[l]).sum(dim=0))
        n_varying = sum(varying(model, len(layers), r) for r in range(l + 1))
        closed.append((COPIES - 1) * n_varying * step / COPIES)
        return fisher * step / COPIES

    own, closed = [], []
    with torch.no_grad():
        run(1)
    first = (0, 0) if parts.is_clip(model) else 0
    clean = [hooks.seen[l][first].clone() for l in sorted(hooks.seen)]
    scores, paths = search(clean, gradients, score)
    hooks.remove()
    return scores, paths, torch.stack(closed), torch.stack(own)


def main():
    from check_in_transformers import chat_inputs, load_model
    from goldens.hf_processor import load_processor

    parser = argparse.ArgumentParser(description="neurons as the released code locates them")
    parser.add_argument("model")
    parser.add_argument("question")
    parser.add_argument("answer")
    parser.add_argument("--image")
    args = parser.parse_args()
    model = load_model(args.model)
    images = [args.image] if args.image else []
    inputs = chat_inputs(load_processor(args.model), args.question, images, args.answer)
    if args.image:
        scores, paths, *_ = vision_scores(model, inputs)
    else:
        scores, paths = text_scores(model, inputs["input_ids"])
    for l, path in enumerate(paths):
        print(f"layer {l}: " + "  ".join(f"{j}:{scores[l, j]:.4g}" for j in path.tolist()))


if __name__ == "__main__":
    main()
