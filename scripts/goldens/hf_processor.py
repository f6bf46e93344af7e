# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/hf_processor.py - transformers' processor of a model folder, without torchvision.

What    load_processor(folder): by config.json's model_type the slow (PIL) image processor, the fast
        tokenizer and the folder's own chat template; a text-only model's tokenizer behind the
        same calls.
Used by the family modules, ../check_in_transformers.py, ../compare_trace.py,
        ../official_reference.py, ../bench_torch.py."""

import json
from pathlib import Path

from transformers import AutoTokenizer, CLIPImageProcessor, LlamaTokenizerFast
from transformers import Qwen2TokenizerFast
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor

QWEN = {"qwen2_5_vl": Qwen2_5_VLProcessor, "qwen2_vl": Qwen2VLProcessor}


def without_video(processor_class):
    """The published processor without its video part, which needs torchvision and is not used here.
    """
    return type(
        processor_class.__name__, (processor_class,), {"attributes": ["image_processor", "tokenizer"]}
    )


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def chat_template(folder, tokenizer):
    """chat_template.jinja, else chat_template.json, else what tokenizer_config.json brought."""
    if (folder / "chat_template.jinja").exists():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if (folder / "chat_template.json").exists():
        return read_json(folder / "chat_template.json")["chat_template"]
    return tokenizer.chat_template


class TextProcessor:
    """A tokenizer called as a processor is; its templates take contents that are strings."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __call__(self, text, images=None, return_tensors="pt"):
        if images:
            raise ValueError("this model reads text only")
        return self.tokenizer(text, return_tensors=return_tensors)

    def apply_chat_template(self, messages, **options):
        plain = []
        for message in messages:
            content = message["content"]
            if not isinstance(content, str):
                content = "".join(part["text"] for part in content)
            plain.append({"role": message["role"], "content": content})
        return self.tokenizer.apply_chat_template(plain, **options)


def load_processor(folder):
    folder = Path(folder)
    kind = read_json(folder / "config.json")["model_type"]
    if kind in QWEN:
        tokenizer = Qwen2TokenizerFast.from_pretrained(str(folder))
        image_processor = Qwen2VLImageProcessor.from_pretrained(str(folder))
        made = without_video(QWEN[kind])
        return made(image_processor, tokenizer, chat_template=chat_template(folder, tokenizer))
    if kind == "llava":
        tokenizer = LlamaTokenizerFast.from_pretrained(str(folder))
        settings = read_json(folder / "processor_config.json")
        settings.pop("processor_class", None)
        return LlavaProcessor(
            CLIPImageProcessor.from_pretrained(str(folder)),
            tokenizer,
            chat_template=chat_template(folder, tokenizer),
            **settings,
        )
    return TextProcessor(AutoTokenizer.from_pretrained(str(folder)))
