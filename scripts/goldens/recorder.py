# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/recorder.py - one forward (backward, tangent) of the oracle with
everything recorded.

What    Recorder: forward hooks that keep each quantity the engine is compared on;
        forward/backward/tangents.
Shapes  text.hidden [L+1,T,C] is the residual stream (row 0 = merged embeddings, row
        l = after l blocks, before the final norm; HF's own last hidden state is text.normed);
        vit.hidden [Lv+1,P,C] in window order as HF has it.
Used by cases.py, said.py, ../compare_trace.py."""

import torch
import torch.autograd.forward_ad as fwd

from . import parts
from .base import as_array, normal, peak_error, require

LABEL_NONE = -100


class Recorder:
    """Keeps inputs and outputs of the modules of one model during one forward."""

    def __init__(self, model):
        self.kept = {}
        self.handles = []
        where = parts.of(model)
        for part, blocks in (("text", where.text.layers), ("vit", where.vision_blocks)):
            for i, block in enumerate(blocks):
                if i == 0:
                    self._input(block, f"{part}.hidden.0")
                self._output(block, f"{part}.hidden.{i + 1}")
                self._input(parts.neuron_output(block), f"{part}.a.{i}")
        self._output(where.text.norm, "text.normed")
        if where.merger is not None:
            self._output(where.merger, "vit.merger")
        if where.patch_embed is not None:
            self._output(where.patch_embed, "vit.patch_embed")
        if where.tower is not None:
            self._output(where.tower, "vit.features")

    def _keep(self, name, value):
        require(name not in self.kept, f"{name} seen twice in one forward")
        if value.requires_grad:
            value.retain_grad()
        self.kept[name] = value

    def _input(self, module, name):
        def hook(_module, args, kwargs):
            self._keep(name, args[0] if args else kwargs["hidden_states"])

        self.handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def _output(self, module, name):
        def hook(_module, _args, output):
            self._keep(name, output[0] if isinstance(output, tuple) else output)

        self.handles.append(module.register_forward_hook(hook))

    def close(self):
        for handle in self.handles:
            handle.remove()

    def stacked(self, part, kind, get=lambda t: t):
        """[n, rows, width] of all layers; the rows of several images follow each other."""
        rows, i = [], 0
        while f"{part}.{kind}.{i}" in self.kept:
            value = get(self.kept[f"{part}.{kind}.{i}"])
            rows.append(value.reshape(-1, value.shape[-1]))
            i += 1
        require(rows, f"nothing recorded for {part}.{kind}")
        return torch.stack(rows)


def tangent(value):
    found = fwd.unpack_dual(value).tangent
    require(found is not None, "a recorded value has no tangent")
    return found


def shape_lut(image_processor):
    """z = lut[c][u8]: what the slow processor's rescale and normalise make of each of the 256
    values, by running it."""
    import numpy as np

    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = np.stack([ramp] * 3, axis=-1)
    z = image_processor.rescale(
        image, image_processor.rescale_factor, input_data_format="channels_last"
    )
    z = image_processor.normalize(
        z, image_processor.image_mean, image_processor.image_std, input_data_format="channels_last"
    )
    return torch.tensor(z.reshape(256, 3).T.astype(np.float32)).contiguous()


def pack_pixels(pixel_values, lut):
    """pixel rows [P,1176] (one frame: [P,588]) F32 as u8 [P,3,14,14] + lut [3,256]: bit-exact,
    an eighth of the bytes."""
    p = pixel_values.reshape(pixel_values.shape[0], 3, -1, 14, 14)
    require(torch.equal(p[:, :, 0], p[:, :, -1]), "the two temporal slots of a still image differ")
    u8 = torch.empty(p[:, :, 0].shape, dtype=torch.uint8)
    for c in range(3):
        at = torch.searchsorted(lut[c], p[:, c, 0].contiguous())
        u8[:, c] = at.to(torch.uint8)
        require(torch.equal(lut[c][at], p[:, c, 0]), "pixel_values are not lut[u8]")
    return u8


def positions(model, inputs):
    """position_ids [3,B,T] and rope_deltas [B] from HF's own function."""
    return parts.positions(model, inputs)


def input_tensors(model, inputs, lut):
    """Everything that goes in, of one sequence without padding."""
    at, delta = positions(model, inputs)
    out = {
        "input_ids": inputs["input_ids"][0],
        "position_ids": at[:, 0],
        "rope_delta": delta.reshape(-1),
        "inv_freq.text": parts.of(model).text.rotary_emb.inv_freq,
    }
    if not parts.is_plain_rope(model):
        out["inv_freq.vit"] = model.model.visual.rotary_pos_emb.inv_freq
    if "labels" in inputs:
        out["labels"] = inputs["labels"][0]
    if "pixel_values" in inputs:
        grid = parts.image_grid(model, inputs)
        n_class = 1 if parts.is_clip(model) else 0  # the class token's row
        full = torch.repeat_interleave(grid[:, 1] * grid[:, 2] + n_class, grid[:, 0]).cumsum(0)
        out["grid_thw"] = grid
        if parts.is_clip(model):
            out["pixel_frames"] = torch.ones(1, dtype=torch.int32)  # else 2, equal ones
        out["pixel_u8"] = pack_pixels(parts.pixel_rows(model, inputs["pixel_values"]), lut)
        out["pixel_lut"] = lut
        if hasattr(getattr(model.model, "visual", None), "get_window_index"):
            index, cu = model.model.visual.get_window_index(grid)
            out["vit.window_index"] = index
            out["vit.cu_window"] = torch.unique_consecutive(torch.tensor(cu))
        out["vit.cu_full"] = torch.cat([torch.zeros(1, dtype=full.dtype), full])
    return out


def forward(model, inputs):
    """Recorder and HF's output; checks that the hooks saw what HF reports."""
    recorder = Recorder(model)
    parts.forget_positions(model)
    result = model(**inputs, output_hidden_states=True, use_cache=False)
    recorder.close()
    kept = recorder.kept
    last = len(parts.of(model).text.layers)
    for i, hidden in enumerate(result.hidden_states):
        seen = kept["text.normed"] if i == last else kept[f"text.hidden.{i}"]
        require(torch.equal(hidden, seen), f"hook and hidden_states[{i}] differ")
    return recorder, result


def exact_loss(result, labels):
    """Loss in fp64 from the logits: position i is scored against labels[i+1]."""
    logits, target = result.logits[:, :-1].double(), labels[:, 1:]
    rows = target != LABEL_NONE
    return -torch.log_softmax(logits[rows], -1).gather(1, target[rows, None]).mean()


def check_loss(result, labels):
    error = abs(exact_loss(result, labels).item() - result.loss.item())
    require(error < 1e-5 * result.loss.item(), "loss is not the mean over labels")


def forward_tensors(recorder, result):
    kept = recorder.kept
    out = {
        "text.hidden": recorder.stacked("text", "hidden"),
        "text.normed": kept["text.normed"][0],
        "logits": result.logits[0],
    }
    if result.loss is not None:
        out["loss"] = result.loss.reshape(1)
    if "vit.merger" in kept:
        merged = kept["vit.merger"].reshape(-1, kept["vit.merger"].shape[-1])
        out["vit.hidden"] = recorder.stacked("vit", "hidden")
        out["vit.merger"] = merged
        out["vit.features"] = kept.get("vit.features", merged)
        if "vit.patch_embed" in kept:
            out["vit.patch_embed"] = kept["vit.patch_embed"]
    return out


def neuron_tensors(recorder):
    """Neuron activations a and dLoss/da; loss.backward() must have run."""
    out = {
        "text.a": recorder.stacked("text", "a"),
        "text.da": recorder.stacked("text", "a", lambda t: t.grad),
        "grad.embeds": recorder.kept["text.hidden.0"].grad[0],
    }
    if "vit.merger" in recorder.kept:
        out["vit.a"] = recorder.stacked("vit", "a")
        out["vit.da"] = recorder.stacked("vit", "a", lambda t: t.grad)
    return out


def parameter_grads(model, embedding=True):
    out = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and (embedding or "embed_tokens" not in name):
            out["grad.param." + name] = parameter.grad
    return out


def text_tangent(model, embeds, position_ids, labels, seed, grad):
    """JVP of the text stack and head along a stored direction of the merged embeddings."""
    direction = normal(seed, *embeds.shape[1:])
    mask = torch.ones(embeds.shape[:2], dtype=torch.long)
    with torch.no_grad(), fwd.dual_level():
        recorder = Recorder(model)
        dual = fwd.make_dual(embeds.detach(), direction[None])
        output = parts.of(model).text(
            inputs_embeds=dual,
            position_ids=position_ids[0] if parts.is_plain_rope(model) else position_ids,
            attention_mask=mask,
            use_cache=False,
        )
        logits = model.lm_head(output.last_hidden_state)
        loss = model.loss_function(
            logits=logits, labels=labels, vocab_size=model.config.get_text_config().vocab_size
        )
        recorder.close()
        out = {
            "jvp.direction": direction,
            "jvp.hidden": recorder.stacked("text", "hidden", tangent),
            "jvp.a": recorder.stacked("text", "a", tangent),
            "jvp.normed": tangent(recorder.kept["text.normed"])[0],
            "jvp.logits": tangent(logits)[0],
            "jvp.loss": tangent(loss).reshape(1),
        }
    dot = (grad.double() * direction.double()).sum().item()
    size = (grad.double().norm() * direction.double().norm()).item()
    require(
        abs(dot - out["jvp.loss"].item()) < 1e-5 * size, "tangent and gradient of the loss disagree"
    )
    return out


def vision_tangent(model, inputs, seed):
    """JVP of the vision stack along a stored direction of the input of block 0 (window order)."""
    first = parts.of(model).vision_blocks[0]
    with torch.no_grad(), fwd.dual_level():
        made = {}

        def add_direction(_module, args, kwargs):
            made["direction"] = normal(seed, *args[0].shape)
            return (fwd.make_dual(args[0], made["direction"]),) + args[1:], kwargs

        handle = first.register_forward_pre_hook(add_direction, with_kwargs=True)
        recorder = Recorder(model)
        parts.run_tower(model, inputs)
        recorder.close()
        handle.remove()
        kept = recorder.kept
        features = tangent(kept["vit.features"] if "vit.features" in kept else kept["vit.merger"])
        return {
            "jvp.vit.direction": made["direction"].reshape(-1, made["direction"].shape[-1]),
            "jvp.vit.hidden": recorder.stacked("vit", "hidden", tangent),
            "jvp.vit.a": recorder.stacked("vit", "a", tangent),
            "jvp.vit.features": features.reshape(-1, features.shape[-1]),
        }


def same_bits(a, b):
    require(a.keys() == b.keys(), "two runs recorded different things")
    for name in a:
        require((as_array(a[name]) == as_array(b[name])).all(), f"two runs differ in {name}")


def require_close(a, b, limit, message):
    error = peak_error(a, b)
    require(error <= limit, f"{message}: {error:.2e} > {limit:.0e}")
    return error
