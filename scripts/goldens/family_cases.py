# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/family_cases.py - the cases of a further family: fewer and smaller than those of
qwen25vl_cases.py, by the same recorder.

What    text (tangent, neurons), image (gradients of all parameters but the embedding, tangent of the
        tower), three_images
        (forward), generate.json. A family is a module with FAMILY, PICTURE, GENERATION, config,
        write_models, load, load_processor.
Shapes  names and shapes of the tensors: tests/golden/README.md.
Used by make_goldens.py."""

import torch
from PIL import Image

from . import parts, preflight
from . import qwen25vl_run as run
from .base import SEED, installed_versions, require, write_json, write_tensors
from .pictures import picture

IMAGES = {  # file: height, width
    "one_84x112.png": (84, 112),
    "strip_28x112.png": (28, 112),
    "square_56x56.png": (56, 56),
    "large_84x140.png": (84, 140),
}
ONE = ["one_84x112.png"]
THREE = ["strip_28x112.png", "square_56x56.png", "large_84x140.png"]
PIXEL_ROWS = 8
LAST_ROWS = 16
NEW_TOKENS = 16


class Cases:
    def __init__(self, family, root):
        self.family = family
        self.root = root
        self.out = root / "cases"
        self.processor = family.load_processor(root / "model")
        self.lut = run.shape_lut(self.processor.image_processor)
        self.about = {}
        (self.out / "images").mkdir(parents=True, exist_ok=True)
        for name, (height, width) in IMAGES.items():
            image = Image.fromarray(picture(name, height, width))
            image.save(self.out / "images" / name, optimize=True)

    def model(self):
        return self.family.load(self.root / "model")

    def inputs(self, text, images=(), answer=""):
        """Processor output of prompt + answer; labels are the answer's tokens, the rest -100."""
        opened = [Image.open(self.out / "images" / name) for name in images]
        inputs = dict(
            self.processor(text=[text + answer], images=opened or None, return_tensors="pt")
        )
        inputs.pop("mm_token_type_ids", None)
        if answer:
            ids = inputs["input_ids"]
            n_before = self.processor(text=[text], images=opened or None, return_tensors="pt")[
                "input_ids"
            ].shape[1]
            require(0 < n_before < ids.shape[1], "the answer has no tokens")
            inputs["labels"] = ids.clone()
            inputs["labels"][:, :n_before] = run.LABEL_NONE
        return inputs

    def write(self, name, tensors, about, **facts):
        write_tensors(self.out / f"{name}.safetensors", tensors)
        self.about[name] = {"about": about, **facts}


def check_idle_layer(model):
    """What comes after the features of CLIP has no gradient at all."""
    if not parts.is_clip(model):
        return
    clip = model.model.vision_tower.vision_model
    for name, parameter in clip.named_parameters():
        idle = "post_layernorm" in name or f"layers.{len(clip.encoder.layers) - 1}." in name
        seen = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        require(seen != idle, f"{name} {'has a' if seen else 'has no'} gradient")


def full_case(cases, name, inputs, want_vit):
    """Forward, gradients of everything, tangents; a fresh model."""
    model = cases.model()
    if want_vit:
        inputs["pixel_values"].requires_grad_(True)
    recorder, result = run.forward(model, inputs)
    run.check_loss(result, inputs["labels"])
    result.loss.backward()
    out = run.input_tensors(model, {k: v.detach() for k, v in inputs.items()}, cases.lut)
    out.update(run.forward_tensors(recorder, result))
    out.update(run.neuron_tensors(recorder, result))
    if want_vit:
        out.update(run.parameter_grads(model))
        for name in [n for n in out if n.endswith("embed_tokens.weight")]:
            del out[name]  # size: its rows are sums of rows of grad.embeds
        pixels = parts.pixel_rows(model, inputs["pixel_values"].grad)
        kept = torch.arange(PIXEL_ROWS) * (pixels.shape[0] - 1) // (PIXEL_ROWS - 1)
        if "vit.patch_embed" in recorder.kept:
            out["grad.patch_embed"] = recorder.kept["vit.patch_embed"].grad
        out["grad.pixel_rows"] = kept
        out["grad.pixel_values"] = pixels[kept]
        check_idle_layer(model)
        inputs["pixel_values"] = inputs["pixel_values"].detach()
        out.update(run.vision_tangent(model, inputs, cases.family.FAMILY + " " + name))
    else:
        at, _ = run.positions(model, inputs)
        embeds = recorder.kept["text.hidden.0"].detach()
        out.update(run.text_tangent(model, embeds, at, inputs["labels"], name, out["grad.embeds"]))
    return {k: v.detach() for k, v in out.items()}


def twice(cases, name, make_inputs, want_vit):
    first = full_case(cases, name, make_inputs(), want_vit)
    run.same_bits(first, full_case(cases, name, make_inputs(), want_vit))
    return first


def case_text(cases):
    def make():
        return cases.inputs("Who is it?", (), " A man.")

    about = "text only; neurons, one tangent; gradients of parameters are those of the case image"
    cases.write("text", twice(cases, "text", make, False), about)


def case_image(cases):
    def make():
        return cases.inputs(f"{cases.family.PICTURE}Who is it?", ONE, " A man.")

    about = "one image; gradients of every parameter, one tangent of the vision stack"
    cases.write("image", twice(cases, "image", make, True), about, images=ONE)


def three_prompt(family):
    return f"{family.PICTURE}{family.PICTURE}What is {family.PICTURE}?"


def case_three_images(cases):
    prompt = three_prompt(cases.family)
    model = cases.model()
    inputs = cases.inputs(prompt, THREE, " The city.")
    with torch.no_grad():
        recorder, result = run.forward(model, inputs)
    out = run.input_tensors(model, inputs, cases.lut)
    out.update(run.forward_tensors(recorder, result))
    for name in ("vit.hidden", "vit.merger", "vit.patch_embed", "text.hidden"):
        out.pop(name, None)  # size: the case image has these
    out["logits"] = out["logits"][-LAST_ROWS:]
    about = (
        "three images, the first at the very start, two adjacent; forward only, logits of the last "
        f"{LAST_ROWS} positions"
    )
    cases.write("three_images", out, about, images=THREE, prompt=prompt)


def smallest_gap(scores):
    return min((s[0].topk(2).values[0] - s[0].topk(2).values[1]).item() for s in scores)


def generate(cases, inputs, penalty):
    """HF's own greedy ids with a cache, the same without one (checked), and the smallest gap."""
    stops = cases.family.GENERATION["eos_token_id"]
    stops = stops if isinstance(stops, list) else [stops]
    inputs = {k: v for k, v in inputs.items() if k != "labels"}
    n = inputs["input_ids"].shape[1]
    runs = []
    for use_cache in (True, False):
        with torch.no_grad():
            made = cases.model().generate(
                **inputs,
                do_sample=False,
                max_new_tokens=NEW_TOKENS,
                repetition_penalty=penalty,
                eos_token_id=stops,
                pad_token_id=cases.family.GENERATION["pad_token_id"],
                return_dict_in_generate=True,
                output_scores=True,
                use_cache=use_cache,
            )
        gap = smallest_gap(made.scores)
        require(gap > 1e-3, f"two best tokens are only {gap:.1e} apart: choose another prompt")
        runs.append((made.sequences[0, n:].tolist(), gap))
    require(runs[0][0] == runs[1][0], f"with cache {runs[0][0]}, without {runs[1][0]}")
    return stops, *runs[0]


def case_generate(cases):
    wanted = [
        ("three_images", three_prompt(cases.family), THREE, 1.0),
        ("text_penalty", "What is the name of this person?", [], 1.3),
        ("image", f"{cases.family.PICTURE}What is shown in this image?", ONE, 1.05),
    ]
    rows = []
    for name, text, images, penalty in wanted:
        inputs = cases.inputs(text, images)
        stops, ids, gap = generate(cases, inputs, penalty)
        rows.append(
            {
                "name": name,
                "prompt": text,
                "images": images,
                "repetition_penalty": penalty,
                "eos_token_id": stops,
                "max_new_tokens": NEW_TOKENS,
                "input_ids": inputs["input_ids"][0].tolist(),
                "ids": ids,
                "smallest_gap": float(f"{gap:.4g}"),
            }
        )
    write_json(cases.out / "generate.json", rows)
    cases.about["generate"] = {"about": "greedy ids with HF generate; same ids without a cache"}


def make(family, root):
    family.write_models(root)
    cases = Cases(family, root)
    model = cases.model()
    preflight.check_numbers(model)
    if hasattr(model.model, "get_rope_index"):
        preflight.check_positions(model)
    for case in (case_text, case_image, case_three_images, case_generate):
        case(cases)
    manifest = {
        "family": family.FAMILY,
        "oracle": "Hugging Face transformers, eager attention, float32, CPU, one thread, slow (PIL) image processor",
        "versions": installed_versions(),
        "seed": SEED,
        "config": family.config(),
        "cases": cases.about,
    }
    write_json(cases.out / "manifest.json", manifest)
