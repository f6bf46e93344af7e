# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/official.py - what the released code locates in the tiny model, by the literal
reference ../official_reference.py.

What    official.safetensors and official.json: eight chats without image (paths in the language
        model), three cases with one image (paths in the vision tower). Checked first: z-scored
        squares come to 3 in float64 and to 3, 4, 6 or 0 in bfloat16; literal vision scores equal
        their closed form.
Bits    matrix products in float64, the rest as transformers does it.
Shapes  text.<i>.input_ids [T]; <text.i or case>.scores [L,F], .paths [L,K].
"""

import official_reference as official
import torch
from safetensors.torch import load_file

from .attribution import case_inputs
from .attribution_loop import freeze
from .base import peak_error, require, write_json, write_tensors
from .hf_processor import load_processor
from .qwen25vl_tiny import load

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
IMAGE_CASES = ("image", "one_label", "storage")
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


def check_choice(name, scores):
    """What later layers build on, the set of five and which is fifth, may not be a matter
    of float32 rounding."""
    for l, layer in enumerate(scores):
        best = layer.sort(descending=True).values
        step = min(best[3] - best[4], best[4] - best[5]).item() / layer.abs().max().item()
        require(step > WIDE, f"{name}: layer {l}: the fifth is only {step:.1e} from its neighbours")


def chat_ids(tokenizer, template, question, answer):
    chat = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    text = tokenizer.apply_chat_template(chat, chat_template=template, tokenize=False)
    return torch.tensor([tokenizer(text)["input_ids"]])


def make(out, root):
    check_z_scores()
    model = freeze(load(root / "model")).double()
    processor = load_processor(root / "model")
    tensors = {}
    for i, (question, answer) in enumerate(CHATS):
        ids = chat_ids(processor.tokenizer, processor.chat_template, question, answer)
        scores, paths = official.text_scores(model, ids)
        check_choice(f"text.{i}", scores)
        tensors |= {
            f"text.{i}.input_ids": ids[0],
            f"text.{i}.scores": scores,
            f"text.{i}.paths": paths,
        }
    for case in IMAGE_CASES:
        inputs, _labels = case_inputs(load_file(root / "cases" / f"{case}.safetensors"))
        scores, paths, closed = official.vision_scores(model, inputs)
        error = peak_error(scores, closed)
        require(error < 1e-6, f"{case}: literal and closed vision scores differ by {error:.1e}")
        check_choice(case, scores)
        tensors |= {f"{case}.scores": scores, f"{case}.paths": paths}
    write_tensors(out / "official.safetensors", tensors)
    about = {"copies": official.COPIES, "top_k": official.TOP_K, "image_cases": IMAGE_CASES}
    about["chats"] = [{"question": q, "answer": a} for q, a in CHATS]
    write_json(out / "official.json", about)
