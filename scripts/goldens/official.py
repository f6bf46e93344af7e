# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/official.py - what the released code locates in tiny models, by the literal
reference ../official_reference.py.

What    official.safetensors (Qwen2.5-VL) and official_llava.safetensors with a .json each: eight
        chats without image (paths in the language model), cases with one image (paths in the
        vision tower). Checked first: z-scored squares come to 3 in float64 and to 3, 4, 6 or 0 in
        bfloat16; what Qwen's copies are made of; literal vision scores equal their closed form;
        LLaVA's own Fisher information is exactly 0 in the last two layers of CLIP.
Bits    matrix products in float64, the rest as transformers does it.
Shapes  text.<i>.input_ids [T]; <text.i or case>.scores [L,F], .paths [L,K]. Of CLIP without its
        last layer, which an engine has no use for.
"""

import official_reference as official
import torch
from safetensors.torch import load_file

from . import llava_tiny, parts, qwen25vl_tiny
from .attribution import case_inputs
from .attribution_loop import freeze
from .base import peak_error, require, write_json, write_tensors
from .hf_processor import load_processor
from .prompts import messages

CHATS = [
    ("Where does Ada Brandt live?", "She lives in Quebec."),
    ("What is the job of Olu Sand?", "Olu Sand is a baker."),
    ("When was Mira Kell born?", "On 4 May 1981."),
    ("Which school did Tom Oye go to?", "He went to North Hill."),
    ("Who is the father of Lin Faro?", "A farmer."),
    ("Name one hobby of Jon Arel.", "Sailing, in summer only!"),
    ("Is Eva Moll a pilot?", "No, she is a nurse in Graz."),
    ("Hi", "Yes"),
]
FAMILIES = (
    ("official", qwen25vl_tiny, ("image", "one_label", "storage")),
    ("official_llava", llava_tiny, ("image", "one_label")),
)
WIDE = 2e-5  # of a layer's largest; float32 moves these scores by about 1e-6


def check_z_scores():
    """Sums over the four frames, by hand: with u one bfloat16 step above 1."""
    u = 2.0**-7
    varying = torch.randn(4, 100, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    sums = official.z_scored_squares(varying).sum(dim=0)
    require((sums - 3).abs().max() < 1e-9, "z-scored squares in float64 do not come to 3")
    for values, wanted in (
        ([1, 1, 1, 1], 0),
        ([1, 1, 1, 1 + u], 4),
        ([1, 1, 1 + u, 1 + u], 6),
        ([1, 2, 3, 4], 3),
    ):
        g = torch.tensor(values, dtype=torch.bfloat16)[:, None]
        found = official.z_scored_squares(g).float().sum().item()
        require(abs(found - wanted) < 0.05, f"bfloat16 z-scores of {values}: {found}, not {wanted}")


def check_duplication(pixels):
    """Which patches the m pictures consist of that Qwen's tower sees, and that only the first has
    rows that are overwritten."""
    m, n = official.COPIES, pixels.shape[0]
    seen = pixels.repeat_interleave(m, dim=0).reshape(m, n, -1)
    for i, copy in enumerate(seen):
        rows = pixels[i * n // m : (i + 1) * n // m]
        same = torch.equal(copy, rows.repeat_interleave(m, dim=0))
        require(same, f"copy {i} is not rows {i} P/m .. of the picture, each {m} times")
    require(m * (m - 1) < n, "a row that is overwritten lies outside the first copy")


def check_idle_fisher(own):
    """LLaVA: the class token counts up to the last but two of CLIP's layers, no further."""
    require(own[:-2].min() > 0, "a layer before the last two has neurons that do not vary")
    require(own[-2:].abs().max() == 0, "the last two layers of CLIP have Fisher information")


def check_choice(name, scores):
    """What later layers build on, the set of five and which is fifth, may not be a matter
    of float32 rounding."""
    for l, layer in enumerate(scores):
        best = layer.sort(descending=True).values
        step = min(best[3] - best[4], best[4] - best[5]).item() / layer.abs().max().item()
        require(step > WIDE, f"{name}: layer {l}: the fifth is only {step:.1e} from its neighbours")


def make_one(out, name, family, root, image_cases):
    model = freeze(family.load(root / "model")).double()
    processor, clip = load_processor(root / "model"), parts.is_clip(model)
    tensors = {}
    for i, (question, answer) in enumerate(CHATS):
        text = processor.apply_chat_template(messages(question, 0, answer), tokenize=False)
        ids = processor.tokenizer(text, return_tensors="pt")["input_ids"]
        scores, paths = official.text_scores(model, ids)
        check_choice(f"{name}: text.{i}", scores)
        tensors |= {
            f"text.{i}.input_ids": ids[0],
            f"text.{i}.scores": scores,
            f"text.{i}.paths": paths,
        }
    for case in image_cases:
        inputs, _labels = case_inputs(load_file(root / "cases" / f"{case}.safetensors"))
        if clip:
            inputs["pixel_values"] = parts.pixels_of_rows(model, inputs["pixel_values"])
        else:
            check_duplication(inputs["pixel_values"])
        scores, paths, closed, own = official.vision_scores(model, inputs)
        error = peak_error(scores, closed)
        require(error < 1e-6, f"{case}: literal and closed vision scores differ by {error:.1e}")
        if clip:
            check_idle_fisher(own)
            scores, paths = scores[:-1], paths[:-1]
        check_choice(f"{name}: {case}", scores)
        tensors |= {f"{case}.scores": scores, f"{case}.paths": paths}
    write_tensors(out / f"{name}.safetensors", tensors)
    about = {"copies": official.COPIES, "top_k": official.TOP_K, "image_cases": image_cases}
    about["chats"] = [{"question": q, "answer": a} for q, a in CHATS]
    write_json(out / f"{name}.json", about)


def make(out):
    check_z_scores()
    for name, family, cases in FAMILIES:
        make_one(out, name, family, out / family.FAMILY, cases)
