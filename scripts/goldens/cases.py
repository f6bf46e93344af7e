# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/cases.py - the cases an engine is compared on: one concept for all families.

What    A family is a module with FAMILY, PICTURE, END_OF_TURN, GENERATION, IMAGES, CASES, config,
        write_models, load, load_processor. CASES is a list of the classes below; each runs fresh
        models and gives the tensors of cases/<name>.safetensors, or the value of
        cases/<name>.json. What a case is goes to manifest.json.
Shapes  names and shapes of the tensors: tests/golden/README.md.
Used by make_goldens.py; texts that become token ids: prompts.py; JSON cases: said.py."""

from dataclasses import dataclass

import torch
from PIL import Image

from . import parts, preflight
from . import recorder as run
from .base import SEED, installed_versions, require, write_json, write_tensors
from .pictures import picture
from .prompts import Chat, Prompt

LAST_ROWS = 16
SMALL_IMAGES = {
    "one_84x112.png": (84, 112, "RGB"),
    "strip_28x112.png": (28, 112, "RGB"),
    "square_56x56.png": (56, 56, "RGB"),
    "large_84x140.png": (84, 140, "RGB"),
}
SMALL_THREE = ("strip_28x112.png", "square_56x56.png", "large_84x140.png")
NO_STATES = ("text.hidden", "vit.hidden", "vit.merger", "vit.patch_embed")


def write_images(folder, images):
    """images: {file: (height, width, mode)}, the mode being that of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (height, width, mode) in images.items():
        image = Image.fromarray(picture(name, height, width))
        if mode == "RGBA":
            alpha = Image.fromarray(picture(name + " alpha", height, width)).convert("L")
            image.putalpha(alpha)
        elif mode == "P":
            image = image.quantize(
                colors=40, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
            )
        elif mode == "L":
            image = image.convert("L")
        image.save(folder / name, optimize=True)


class Bench:
    """What every case of a family starts from."""

    def __init__(self, family, root):
        self.family = family
        self.root = root
        self.images = root / "cases" / "images"
        self.processor = family.load_processor(root / "model")
        image_processor = getattr(self.processor, "image_processor", None)
        self.lut = None if image_processor is None else run.shape_lut(image_processor)

    def model(self, folder="model"):
        return self.family.load(self.root / folder)

    def open_images(self, names):
        """Those of this family, else those of Qwen2.5-VL, which has every odd kind."""
        shared = self.root.parent / "qwen25vl_tiny" / "cases" / "images"
        found = [self.images / n if (self.images / n).exists() else shared / n for n in names]
        return [Image.open(path) for path in found]

    def inputs(self, prompt):
        return prompt.inputs(self)


def without(tensors, names):
    return {name: value for name, value in tensors.items() if name not in names}


def detached(inputs):
    return {name: value.detach() for name, value in inputs.items()}


def check_idle_layer(model):
    """What comes after the features of CLIP has no gradient at all."""
    if not parts.is_clip(model):
        return
    clip = model.model.vision_tower.vision_model
    for name, parameter in clip.named_parameters():
        idle = "post_layernorm" in name or f"layers.{len(clip.encoder.layers) - 1}." in name
        seen = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        require(seen != idle, f"{name} {'has a' if seen else 'has no'} gradient")


@dataclass(frozen=True)
class Full:
    """Forward, backward and tangents; run twice, the bits must be the same.

    params: "all", "no embedding" (its rows are sums of rows of grad.embeds) or "none".
    text_tangent, vision_tangent: the seed of the direction, None = no tangent."""

    name: str
    about: str
    prompt: object
    params: str = "none"
    text_tangent: str | None = None
    vision_tangent: str | None = None
    pixel_rows: int = 8
    drop: tuple = ()

    def pixel_grads(self, model, recorder, pixels):
        rows = parts.pixel_rows(model, pixels.grad)
        kept = torch.arange(self.pixel_rows) * (rows.shape[0] - 1) // (self.pixel_rows - 1)
        out = {"grad.pixel_rows": kept, "grad.pixel_values": rows[kept]}
        if "vit.patch_embed" in recorder.kept:
            out["grad.patch_embed"] = recorder.kept["vit.patch_embed"].grad
        check_idle_layer(model)
        return out

    def once(self, bench):
        model, inputs = bench.model(), bench.inputs(self.prompt)
        if "pixel_values" in inputs:
            inputs["pixel_values"].requires_grad_(True)
        recorder, result = run.forward(model, inputs)
        run.check_loss(result, inputs["labels"])
        result.loss.backward()
        out = run.input_tensors(model, detached(inputs), bench.lut)
        out |= run.forward_tensors(recorder, result)
        out |= run.neuron_tensors(recorder)
        if self.params != "none":
            out |= run.parameter_grads(model, embedding=self.params == "all")
        if "pixel_values" in inputs:
            out |= self.pixel_grads(model, recorder, inputs["pixel_values"])
            inputs["pixel_values"] = inputs["pixel_values"].detach()
        if self.vision_tangent is not None:
            out |= run.vision_tangent(model, inputs, self.vision_tangent)
        if self.text_tangent is not None:
            at, _ = run.positions(model, inputs)
            embeds, grad = recorder.kept["text.hidden.0"], out["grad.embeds"]
            out |= run.text_tangent(model, embeds, at, inputs["labels"], self.text_tangent, grad)
        return without(detached(out), self.drop)

    def run(self, bench):
        first = self.once(bench)
        run.same_bits(first, self.once(bench))
        return first, {"images": list(self.prompt.images)} if self.prompt.images else {}


@dataclass(frozen=True)
class Forward:
    """Forward only, without hidden states; logits of the last rows."""

    name: str
    about: str
    prompt: object
    rows: int = LAST_ROWS

    def run(self, bench):
        model, inputs = bench.model(), bench.inputs(self.prompt)
        with torch.no_grad():
            recorder, result = run.forward(model, inputs)
        out = run.input_tensors(model, inputs, bench.lut)
        out |= without(run.forward_tensors(recorder, result), NO_STATES)
        out["logits"] = out["logits"][-self.rows :]
        return out, {"images": list(self.prompt.images), "prompt": self.prompt.text}


def left_padded(singles, pad_id):
    """One padded batch of single inputs, as the processor builds it with padding_side left."""
    width = max(p["input_ids"].shape[1] for p in singles)

    def pad(key, value):
        rows = [
            torch.nn.functional.pad(p[key], (width - p[key].shape[1], 0), value=value)
            for p in singles
        ]
        return torch.cat(rows)

    out = {
        "input_ids": pad("input_ids", pad_id),
        "attention_mask": pad("attention_mask", 0),
        "labels": pad("labels", run.LABEL_NONE),
    }
    for name in ("pixel_values", "image_grid_thw"):
        if name in singles[0]:
            out[name] = torch.cat([p[name] for p in singles])
    return out


@dataclass(frozen=True)
class Batch:
    """Sequences alone (seq<i>.*) and left-padded in one batch (batch.*, seq<i>.batch_grad.embeds):
    the batch must give what each gives alone. params: parts of parameter names to keep."""

    name: str
    about: str
    prompts: tuple
    params: tuple
    vision_tangent: str | None = None  # seed; of the last sequence
    states: bool = False
    rows: int | None = LAST_ROWS  # of the logits; None = all

    def single(self, bench, i, inputs, batch, recorder):
        """(tensors of sequence i, the largest difference of its logits from the batch's)."""
        model = bench.model()
        with torch.no_grad():
            seen, result = run.forward(model, inputs)
            out = run.input_tensors(model, inputs, bench.lut)
            out |= run.forward_tensors(seen, result)
            if self.vision_tangent is not None and i + 1 == len(self.prompts):
                out |= run.vision_tangent(model, inputs, self.vision_tangent)
        n = inputs["input_ids"].shape[1]
        worst = run.require_close(
            batch.logits[i, -n:], result.logits[0], 1e-5, f"padded row {i}: logits"
        )
        for l, hidden in enumerate(out["text.hidden"]):
            padded = recorder.kept[f"text.hidden.{l}"][i, -n:]
            run.require_close(padded, hidden, 1e-5, f"padded row {i}: hidden {l}")
        out["batch_grad.embeds"] = recorder.kept["text.hidden.0"].grad[i, -n:]
        if self.rows is not None:
            out["logits"] = out["logits"][-self.rows :]
        if not self.states:
            out = without(out, (*NO_STATES, "text.normed"))
        return out, worst

    def run(self, bench):
        singles = [bench.inputs(prompt) for prompt in self.prompts]
        padded = left_padded(singles, bench.family.GENERATION["pad_token_id"])
        model = bench.model()
        recorder, batch = run.forward(model, padded)
        run.check_loss(batch, padded["labels"])
        batch.loss.backward()
        out = {"batch.loss": batch.loss.reshape(1)}
        for name, grad in run.parameter_grads(model).items():
            if any(part in name for part in self.params):
                out["batch." + name] = grad
        worst = 0.0
        for i, inputs in enumerate(singles):
            one, error = self.single(bench, i, inputs, batch, recorder)
            worst = max(worst, error)
            n = inputs["input_ids"].shape[1]
            at = run.positions(model, padded)[0][:, i, -n:]
            if not parts.is_plain_rope(model):  # HF's own positions of padded rows
                require(torch.equal(at, one["position_ids"]), f"padded row {i}: positions")
            out |= {f"seq{i}.{name}": value for name, value in one.items()}
        facts = {"images": [list(p.images) for p in self.prompts]}
        if all(isinstance(p, Chat) for p in self.prompts):
            facts["chats"] = [{"question": p.question, "answer": p.answer} for p in self.prompts]
        return out, {**facts, "padded_vs_single_logits": float(f"{worst:.1e}")}


@dataclass(frozen=True)
class OddSizes:
    """Files of odd sizes and kinds through the image processor; forward; every few rows of
    pixels."""

    name: str
    about: str
    images: tuple
    every_of_first: int = 7  # every how many-th row of pixels of the first image is kept
    every_of_rest: int = 7

    def run(self, bench):
        text = "".join(bench.family.PICTURE for _ in self.images) + "?"
        model, inputs = bench.model(), bench.inputs(Prompt(text, self.images))
        with torch.no_grad():
            recorder, result = run.forward(model, inputs)
        out = run.input_tensors(model, inputs, bench.lut)
        first, n = int(out["grid_thw"][0].prod()), out["pixel_u8"].shape[0]
        kept = [
            torch.arange(0, first, self.every_of_first),
            torch.arange(first, n, self.every_of_rest),
        ]
        out["pixel_rows"] = torch.cat(kept)
        out["pixel_u8"] = out["pixel_u8"][out["pixel_rows"]]
        out["vit.features"] = run.forward_tensors(recorder, result)["vit.features"]
        out["logits"] = result.logits[0, -1:]
        return out, {"images": list(self.images)}


@dataclass(frozen=True)
class OneLabel:
    """One scored position in the middle of the text: everything after it must get exactly zero
    gradient."""

    name: str
    about: str
    prompt: object
    label: int = 42
    rows: int | None = LAST_ROWS
    drop: tuple = (*NO_STATES, "text.normed")

    def run(self, bench):
        model, inputs = bench.model(), bench.inputs(self.prompt)
        at = inputs["input_ids"].shape[1] // 2
        labels = torch.full_like(inputs["input_ids"], run.LABEL_NONE)
        labels[0, at] = self.label
        inputs["labels"] = labels
        recorder, result = run.forward(model, inputs)
        run.check_loss(result, labels)
        result.loss.backward()
        out = run.input_tensors(model, inputs, bench.lut)
        out |= run.forward_tensors(recorder, result)
        out |= run.neuron_tensors(recorder)
        grad = out["grad.embeds"]
        require(grad[at:].abs().max() == 0, "a position after the scored one has a gradient")
        require(grad[at - 1].abs().max() > 0, "the scored position has no gradient")
        if self.rows is not None:
            out["logits"] = out["logits"][-self.rows :]
        facts = {"images": list(self.prompt.images)} if self.prompt.images else {}
        return without(out, self.drop), {**facts, "label_at": at}


@dataclass(frozen=True)
class StoredForms:
    """One prompt through other folders of the same weights; HF runs all of them in F32. The last
    folder has a head of its own, whose gradient is kept."""

    name: str
    about: str
    prompt: object
    folders: tuple

    def run(self, bench):
        inputs = bench.inputs(self.prompt)
        out = run.input_tensors(bench.model(), inputs, bench.lut)
        for folder in self.folders:
            model = bench.model(folder)
            preflight.check_tie(model, tied=folder != self.folders[-1])
            recorder, result = run.forward(model, inputs)
            out[f"{folder}.logits"] = result.logits[0]
            out[f"{folder}.loss"] = result.loss.reshape(1)
            out[f"{folder}.vit.features"] = recorder.kept["vit.features"]
        result.loss.backward()
        out[f"{folder}.grad.param.lm_head.weight"] = model.lm_head.weight.grad
        seen = inputs["input_ids"].unique()
        embed = model.get_input_embeddings().weight.grad
        unseen = torch.ones(len(embed), dtype=torch.bool)
        unseen[seen] = False
        require(embed[unseen].abs().max() == 0, "an embedding row not read has a gradient")
        out[f"{folder}.embed_rows"] = seen
        out[f"{folder}.grad.embed_rows"] = embed[seen]
        return out, {"images": list(self.prompt.images)}


def make(family, root):
    family.write_models(root)
    if family.IMAGES:
        write_images(root / "cases" / "images", family.IMAGES)
    bench = Bench(family, root)
    preflight.run(bench)
    about = {}
    for case in family.CASES:
        made, facts = case.run(bench)
        about[case.name] = {"about": case.about, **facts}
        if isinstance(made, dict):
            write_tensors(root / "cases" / f"{case.name}.safetensors", made)
        elif made is not None:
            write_json(root / "cases" / f"{case.name}.json", made)
    manifest = {
        "family": family.FAMILY,
        "oracle": "Hugging Face transformers, eager attention, float32, CPU, one thread, slow (PIL) image processor",
        "versions": installed_versions(),
        "seed": SEED,
        "config": family.config(),
        "cases": about,
    }
    write_json(root / "cases" / "manifest.json", manifest)
