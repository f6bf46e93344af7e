# SPDX-License-Identifier: Apache-2.0
"""Writes answers.json: what the tiny model answers to some nano records in transformers,
for test_answerer_session.c.

What:  python tests/unit/eval/make_answers.py (from the repository root;
needs scripts/goldens/requirements.txt).
       Per record: greedily generated ids without the stop token, and for mcq the summed log
       probability of each option as an answer with its end token. f32, eager attention.
"""

import json
import os

import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration, Qwen2VLImageProcessor

MODEL, DATA = "tests/golden/qwen25vl_tiny/model", "tests/data/nano"
RECORDS = [
    "nano/full/f007/mcq/img/0",
    "nano/full/f004/mcq/txt/1",
    "nano/full/f007/cloze/txt/0",
    "nano/celebrity/c002/gen/img/1",
    "nano/celebrity/c003/mcq/img/4",
]
NEW_TOKENS, PENALTY, END, PAD = 6, 1.05, "<|im_end|>", "<|image_pad|>"


def main():
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        MODEL, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tok = AutoTokenizer.from_pretrained(MODEL)
    processor = Qwen2VLImageProcessor.from_pretrained(MODEL)
    with open(os.path.join(MODEL, "chat_template.json"), encoding="utf-8") as f:
        template = json.load(f)["chat_template"]
    with open(os.path.join(DATA, "items.jsonl"), encoding="utf-8") as f:
        lines = {line["id"]: line for line in map(json.loads, f)}
    out = []
    for i in RECORDS:
        line, seen = lines[i], {}
        question = line["question"] + "".join(
            "\n%s: %s" % pair for pair in zip("ABCD", line["options"] or [])
        )
        content = [{"type": "image"}] * len(line["images"]) + [{"type": "text", "text": question}]
        text = tok.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=template,
            tokenize=False,
            add_generation_prompt=True,
        )
        if line["images"]:
            image = Image.open(os.path.join(DATA, line["images"][0])).convert("RGB")
            seen = dict(processor(images=[image], return_tensors="pt"))
            text = text.replace(
                PAD, PAD * (seen["image_grid_thw"].prod().item() // processor.merge_size**2)
            )
        prompt = tok(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            ids = model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=False,
                max_new_tokens=NEW_TOKENS,
                repetition_penalty=PENALTY,
                **seen,
            )
            said = ids[0, prompt.shape[1] :].tolist()
            stops = model.generation_config.eos_token_id
            said = said[:-1] if said and said[-1] in stops else said
            logp = []
            for option in line["options"] or []:
                target = torch.tensor(tok(" " + option + "." + END)["input_ids"])
                whole = torch.cat([prompt, target[None]], 1)
                logits = model(
                    input_ids=whole, attention_mask=torch.ones_like(whole), **seen
                ).logits.double()
                part = logits.log_softmax(-1)[0, -len(target) - 1 : -1]
                logp.append(part.gather(1, target[:, None]).sum().item())
        out.append({"id": i, "ids": said, "options_logp": logp})
    with open("tests/unit/eval/answers.json", "w", encoding="utf-8") as f:
        f.write("[" + ",\n ".join(json.dumps(e) for e in out) + "]\n")


if __name__ == "__main__":
    main()
