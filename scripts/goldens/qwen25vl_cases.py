# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/qwen25vl_cases.py - the cases the engine is compared on,
one safetensors file each.

What    text, image, three_images, batch, odd_sizes, one_label, storage (BF16 and F16 weights),
        generate.json, chat.json. Each case loads a fresh model; the description of every
        case goes to manifest.json.
Shapes  names and shapes of the tensors: tests/golden/README.md.
Used by make_goldens.py."""

import copy

import torch
from PIL import Image

from . import preflight, qwen25vl_tiny
from . import qwen25vl_run as run
from .base import SEED, installed_versions, require, write_json, write_tensors
from .hf_processor import load_processor
from .pictures import picture

VISION = "<|vision_start|><|image_pad|><|vision_end|>"
PIXEL_ROWS = 16  # rows of the pixel gradient that are stored; all of them would be 1.3 MB

# file, height, width, mode written to disk
IMAGES = {
    "one_140x196.png": (140, 196, "RGB"),
    "strip_28x224.png": (28, 224, "RGB"),
    "square_56x56.png": (56, 56, "RGB"),
    "large_252x308.png": (252, 308, "RGB"),
    "small_56x84.png": (56, 84, "RGB"),
    "tall_140x56.png": (140, 56, "RGB"),
    "odd_333x500.png": (333, 500, "RGB"),
    "odd_70x70.png": (70, 70, "RGB"),
    "odd_98x126.png": (98, 126, "RGB"),
    "odd_61x90_rgba.png": (61, 90, "RGBA"),
    "odd_100x64_grey.png": (100, 64, "L"),
    "odd_85x77_palette.png": (85, 77, "P"),
}


def write_images(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (height, width, mode) in IMAGES.items():
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


class Cases:
    def __init__(self, root):
        self.root = root
        self.out = root / "cases"
        self.processor = load_processor(root / "model")
        self.lut = run.shape_lut(self.processor.image_processor)
        self.about = {}
        write_images(self.out / "images")

    def model(self, folder="model"):
        return qwen25vl_tiny.load(self.root / folder)

    def inputs(self, text, images=(), answer=""):
        """Processor output of prompt + answer; labels are the answer's tokens, the rest -100."""
        opened = [Image.open(self.out / "images" / name) for name in images]
        full = self.processor(text=[text + answer], images=opened or None, return_tensors="pt")
        ids = full["input_ids"]
        full.pop("mm_token_type_ids", None)
        inputs = dict(full)
        if answer:
            n_answer = len(self.processor.tokenizer(answer)["input_ids"])
            labels = torch.full_like(ids, run.LABEL_NONE)
            labels[:, -n_answer:] = ids[:, -n_answer:]
            inputs["labels"] = labels
        return inputs

    def chat(self, question, n_images=0):
        content = [{"type": "image"}] * n_images + [{"type": "text", "text": question}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )

    def write(self, name, tensors, about, **facts):
        write_tensors(self.out / f"{name}.safetensors", tensors)
        self.about[name] = {"about": about, **facts}


def full_case(cases, name, inputs, want_vit):
    """Forward, all gradients, one tangent; a fresh model each call."""
    model = cases.model()
    if want_vit:
        inputs["pixel_values"].requires_grad_(True)
    recorder, result = run.forward(model, inputs)
    run.check_loss(result, inputs["labels"])
    result.loss.backward()
    out = run.input_tensors(model, {k: v.detach() for k, v in inputs.items()}, cases.lut)
    out.update(run.forward_tensors(recorder, result))
    out.update(run.neuron_tensors(recorder, result))
    out.update(run.parameter_grads(model))
    if want_vit:
        n = inputs["pixel_values"].shape[0]
        rows = torch.arange(PIXEL_ROWS) * (n - 1) // (PIXEL_ROWS - 1)
        out["grad.patch_embed"] = recorder.kept["vit.patch_embed"].grad
        out["grad.pixel_rows"] = rows
        out["grad.pixel_values"] = inputs["pixel_values"].grad[rows]
        inputs["pixel_values"] = inputs["pixel_values"].detach()
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
        return cases.inputs(cases.chat("Who is this?"), (), "The painter.<|im_end|>")

    cases.write("text", twice(cases, "text", make, False), "text only; all gradients, one tangent")


def case_image(cases):
    images = ["one_140x196.png"]

    def make():
        return cases.inputs(f"{VISION}Who is this?", images, "The painter.<|im_end|>")

    about = "one image, partial windows in both axes (grid 10 x 14 = 5 x 7 cells); all gradients, one tangent"
    out = twice(cases, "image", make, True)
    for name in ("jvp.a", "jvp.logits"):  # size: the case text has these
        del out[name]
    cases.write("image", out, about, images=images)


LAST_ROWS = 32
THREE = ["strip_28x224.png", "square_56x56.png", "large_252x308.png"]
THREE_TEXT = f"{VISION}{VISION}What is {VISION}?"


def case_three_images(cases):
    model = cases.model()
    inputs = cases.inputs(THREE_TEXT, THREE, " The city.")
    with torch.no_grad():
        recorder, result = run.forward(model, inputs)
    out = run.input_tensors(model, inputs, cases.lut)
    out.update(run.forward_tensors(recorder, result))
    for name in (
        "vit.hidden",
        "vit.merger",
        "vit.patch_embed",
        "text.hidden",
    ):  # size: the case image has these
        del out[name]
    out["logits"] = out["logits"][-LAST_ROWS:]
    about = (
        "three images of different sizes, the first at the very start, two adjacent; forward only, logits of the last "
        f"{LAST_ROWS} positions"
    )
    cases.write("three_images", out, about, images=THREE, prompt=THREE_TEXT)


BATCH = [
    (f"{VISION}Is it a dog?", ["small_56x84.png"], " No."),
    (
        f"A: {VISION} B: {VISION} which is right?",
        ["square_56x56.png", "tall_140x56.png"],
        " The answer is B.",
    ),
]


def left_padded(parts, pad_id):
    """One padded batch of single inputs, as the processor builds it with padding_side left."""
    width = max(p["input_ids"].shape[1] for p in parts)

    def pad(key, value):
        return torch.cat(
            [
                torch.nn.functional.pad(p[key], (width - p[key].shape[1], 0), value=value)
                for p in parts
            ]
        )

    return {
        "input_ids": pad("input_ids", pad_id),
        "attention_mask": pad("attention_mask", 0),
        "labels": pad("labels", run.LABEL_NONE),
        "pixel_values": torch.cat([p["pixel_values"] for p in parts]),
        "image_grid_thw": torch.cat([p["image_grid_thw"] for p in parts]),
    }


def case_batch(cases):
    parts = [cases.inputs(text, images, answer) for text, images, answer in BATCH]
    padded = left_padded(parts, qwen25vl_tiny.GENERATION["pad_token_id"])
    model = cases.model()
    recorder, batch = run.forward(model, padded)
    run.check_loss(batch, padded["labels"])
    batch.loss.backward()
    embeds = recorder.kept["text.hidden.0"]
    out = {"batch.loss": batch.loss.reshape(1)}
    for name, grad in run.parameter_grads(model).items():
        if "norm" in name or "bias" in name or "blocks.2.mlp" in name:
            out["batch." + name] = grad
    worst = 0.0
    for i, inputs in enumerate(parts):
        single_model = cases.model()
        with torch.no_grad():
            seen, result = run.forward(single_model, inputs)
            single = run.input_tensors(single_model, inputs, cases.lut)
            single.update(run.forward_tensors(seen, result))
            if i == 1:
                single.update(run.vision_tangent(single_model, inputs, "batch"))
        n = inputs["input_ids"].shape[1]
        worst = max(
            worst,
            run.require_close(
                batch.logits[i, -n:], result.logits[0], 1e-5, f"padded row {i}: logits"
            ),
        )
        for l, hidden in enumerate(single["text.hidden"]):
            run.require_close(
                recorder.kept[f"text.hidden.{l}"][i, -n:],
                hidden,
                1e-5,
                f"padded row {i}: hidden {l}",
            )
        padded_at = run.positions(model, padded)[0][:, i, -n:]
        require(torch.equal(padded_at, single["position_ids"]), f"padded row {i}: positions")
        single["batch_grad.embeds"] = embeds.grad[i, -n:]
        out.update({f"seq{i}.{k}": v for k, v in single.items()})
    about = (
        "two sequences of 1 and 2 images; seq{i}.* each run alone, batch.* and batch_grad.* from the left-padded batch "
        "(loss = mean over the labels of both); tangent of the vision stack for seq1"
    )
    cases.write(
        "batch",
        out,
        about,
        images=[b[1] for b in BATCH],
        padded_vs_single_logits=float(f"{worst:.1e}"),
    )


def case_odd_sizes(cases):
    images = [name for name in IMAGES if name.startswith("odd_")]
    model = cases.model()
    inputs = cases.inputs("".join(VISION for _ in images) + "?", images)
    with torch.no_grad():
        recorder, result = run.forward(model, inputs)
    out = run.input_tensors(model, inputs, cases.lut)
    first = int(inputs["image_grid_thw"][0].prod())
    rows = torch.cat(
        [torch.arange(0, first, 7), torch.arange(first, inputs["pixel_values"].shape[0])]
    )
    out["pixel_rows"] = rows
    out["pixel_u8"] = out["pixel_u8"][rows]
    out["vit.features"] = recorder.kept["vit.features"]
    out["logits"] = result.logits[0, -1:]
    about = (
        "six files of odd sizes and kinds through the slow image processor; pixel_u8 holds the rows pixel_rows (every "
        "7th of the first image, all of the others); logits of the last position"
    )
    cases.write("odd_sizes", out, about, images=images)


def case_one_label(cases):
    """One scored position in the middle of the text: everything after it must get
    exactly zero gradient."""
    model = cases.model()
    inputs = cases.inputs(f"{VISION}The name of the person is A.", ["square_56x56.png"], " It's B.")
    at = inputs["input_ids"].shape[1] // 2
    labels = torch.full_like(inputs["input_ids"], run.LABEL_NONE)
    labels[0, at] = 42
    inputs["labels"] = labels
    recorder, result = run.forward(model, inputs)
    run.check_loss(result, labels)
    result.loss.backward()
    out = run.input_tensors(model, inputs, cases.lut)
    out.update(run.forward_tensors(recorder, result))
    out.update(run.neuron_tensors(recorder, result))
    require(
        out["grad.embeds"][at:].abs().max() == 0, "a position after the scored one has a gradient"
    )
    require(out["grad.embeds"][at - 1].abs().max() > 0, "the scored position has no gradient")
    cases.write(
        "one_label", out, "all labels -100 except one", images=["square_56x56.png"], label_at=at
    )


def case_storage(cases):
    """seq0 of batch through the other stored forms of the weights; HF runs all of them in F32."""
    inputs = cases.inputs(*BATCH[0])
    out = run.input_tensors(cases.model(), inputs, cases.lut)
    for folder in ("model_sharded_bf16", "model_untied_f16"):
        model = cases.model(folder)
        preflight.check_tie(model, tied=folder != "model_untied_f16")
        recorder, result = run.forward(model, inputs)
        out.update({f"{folder}.logits": result.logits[0], f"{folder}.loss": result.loss.reshape(1)})
        out[f"{folder}.vit.features"] = recorder.kept["vit.features"]
    result.loss.backward()
    out["model_untied_f16.grad.param.lm_head.weight"] = model.lm_head.weight.grad
    seen = inputs["input_ids"].unique()
    embed = model.get_input_embeddings().weight.grad
    unseen = torch.ones(len(embed), dtype=torch.bool)
    unseen[seen] = False
    require(embed[unseen].abs().max() == 0, "an embedding row that was not read has a gradient")
    out["model_untied_f16.embed_rows"] = seen
    out["model_untied_f16.grad.embed_rows"] = embed[seen]
    about = "seq0 of batch with BF16 weights (sharded, old names) and with F16 weights (head of its own)"
    cases.write("storage", out, about, images=BATCH[0][1])


def generate(model, inputs, limit, penalty, stops):
    """HF's own generate, the logits' smallest gap between the two best, and the same
    ids without a cache."""
    inputs = {k: v for k, v in inputs.items() if k != "labels"}
    n = inputs["input_ids"].shape[1]
    keep = {
        "do_sample": False,
        "max_new_tokens": limit,
        "repetition_penalty": penalty,
        "eos_token_id": stops,
    }
    keep |= {
        "return_dict_in_generate": True,
        "output_scores": True,
        "pad_token_id": qwen25vl_tiny.GENERATION["pad_token_id"],
    }
    model.model.rope_deltas = None
    with torch.no_grad():
        cached = model.generate(**inputs, **keep, use_cache=True)
    ids = cached.sequences[0, n:].tolist()
    gap = min((s[0].topk(2).values[0] - s[0].topk(2).values[1]).item() for s in cached.scores)
    require(gap > 1e-3, f"two best tokens are only {gap:.1e} apart: choose another prompt")
    grown, uncached = dict(inputs), []
    while len(uncached) < limit and not (uncached and uncached[-1] in stops):
        model.model.rope_deltas = None
        with torch.no_grad():
            logits = model(**grown, use_cache=False).logits[:, -1].float()
        seen = grown["input_ids"].unique()
        values = logits[:, seen]
        logits[:, seen] = torch.where(values > 0, values / penalty, values * penalty)
        uncached.append(logits[0].argmax().item())
        grown["input_ids"] = torch.cat([grown["input_ids"], torch.tensor([[uncached[-1]]])], 1)
        grown["attention_mask"] = torch.ones_like(grown["input_ids"])
    require(ids == uncached, f"with cache {ids}, without {uncached}")
    return ids, gap


def case_generate(cases):
    """generate.json: prompts as text (already rendered), image files, ids in and out."""
    stops = qwen25vl_tiny.GENERATION["eos_token_id"]
    chat = cases.chat("What is the name of this person?")
    chat_image = cases.chat("What is shown in this image?", 1)
    wanted = [
        ("three_images", THREE_TEXT, THREE, 1.0, stops),
        ("three_images_penalty", THREE_TEXT, THREE, 1.05, stops),
        ("text", chat, [], 1.0, stops),
        ("text_strong_penalty", chat, [], 1.3, stops),
        ("image_penalty", chat_image, ["small_56x84.png"], 1.05, stops),
    ]
    rows = []
    for name, text, images, penalty, eos in wanted:
        inputs = cases.inputs(text, images)
        ids, gap = generate(cases.model(), inputs, 16, penalty, eos)
        rows.append((name, text, images, penalty, eos, inputs, ids, gap))
    name, text, images, penalty, _, inputs, ids, _ = rows[0]
    stop = next(t for i, t in enumerate(ids) if i >= 3 and t not in ids[:i])
    ids, gap = generate(cases.model(), inputs, 16, penalty, [stop])
    require(ids[-1] == stop and len(ids) < 16, "the stop token did not stop")
    rows.append(("stop", text, images, penalty, [stop], inputs, ids, gap))
    require(rows[0][6] != rows[1][6], "the repetition penalty changes nothing in three_images")
    out = []
    for name, text, images, penalty, eos, inputs, ids, gap in rows:
        out.append(
            {
                "name": name,
                "prompt": text,
                "images": images,
                "repetition_penalty": penalty,
                "eos_token_id": eos,
                "max_new_tokens": 16,
                "input_ids": inputs["input_ids"][0].tolist(),
                "ids": ids,
                "text": cases.processor.tokenizer.decode(ids, skip_special_tokens=True),
                "text_with_special": cases.processor.tokenizer.decode(
                    ids, skip_special_tokens=False
                ),
                "smallest_gap": float(f"{gap:.4g}"),
            }
        )
    write_json(cases.out / "generate.json", out)
    cases.about["generate"] = {
        "about": "greedy ids with HF generate; same ids without a cache (checked)"
    }


def image_part():
    return {"type": "image"}


def text_part(text):
    return {"type": "text", "text": text}


def case_chat(cases):
    """chat.json: message lists, rendered text, and ids after each image_pad is repeated
    for its image."""
    wanted = [
        ("text", [{"role": "user", "content": "What's the answer?\n\n"}], [], True),
        (
            "image",
            [{"role": "user", "content": [image_part(), text_part("Who is this?")]}],
            ["square_56x56.png"],
            True,
        ),
        (
            "two_images",
            [
                {
                    "role": "user",
                    "content": [image_part(), text_part(" and "), image_part(), text_part("?")],
                }
            ],
            ["small_56x84.png", "odd_70x70.png"],
            True,
        ),
        (
            "system",
            [
                {"role": "system", "content": "Answer with one letter."},
                {"role": "user", "content": "A or B?"},
            ],
            [],
            True,
        ),
        (
            "turns",
            [
                {"role": "user", "content": [image_part(), text_part("Who is this? \u4f60\u597d")]},
                {"role": "assistant", "content": [text_part("The painter.")]},
                {"role": "user", "content": "  caf\u00e9?  "},
                {"role": "assistant", "content": "Yes <|im_end|> no"},
            ],
            ["strip_28x224.png"],
            False,
        ),
    ]
    out = []
    for name, messages, images, generation in wanted:
        text = cases.processor.apply_chat_template(
            copy.deepcopy(messages), tokenize=False, add_generation_prompt=generation
        )
        inputs = cases.inputs(text, images)
        out.append(
            {
                "name": name,
                "messages": messages,
                "images": images,
                "add_generation_prompt": generation,
                "text": text,
                "grid_thw": inputs["image_grid_thw"].tolist() if images else [],
                "ids": inputs["input_ids"][0].tolist(),
            }
        )
    write_json(cases.out / "chat.json", out)
    cases.about["chat"] = {"about": "message lists -> rendered prompt -> ids"}


def make(root):
    cases = Cases(root)
    model = cases.model()
    preflight.run(model, cases.processor)
    preflight.check_tie(model, tied=True)
    for case in (
        case_text,
        case_image,
        case_three_images,
        case_batch,
        case_odd_sizes,
        case_one_label,
        case_storage,
        case_generate,
        case_chat,
    ):
        case(cases)
    manifest = {
        "family": qwen25vl_tiny.FAMILY,
        "oracle": "Hugging Face transformers, eager attention, float32, CPU, one thread, slow (PIL) image processor",
        "versions": installed_versions(),
        "seed": SEED,
        "config": qwen25vl_tiny.config_nested(),
        "cases": cases.about,
    }
    write_json(cases.out / "manifest.json", manifest)
