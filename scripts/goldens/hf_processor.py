# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/hf_processor.py - the Qwen-VL processors from a model folder,
without torchvision.

What    load_processor(folder): slow (PIL) image processor, fast tokenizer, the folder's
        own chat template.
Used by qwen25vl_cases.py, qwen2vl_tiny.py, ../check_in_transformers.py."""

import json
from pathlib import Path

from transformers import Qwen2TokenizerFast
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor


def without_video(processor_class):
    """The published processor without its video part, which needs torchvision and is not used here.
    """
    return type(
        processor_class.__name__, (processor_class,), {"attributes": ["image_processor", "tokenizer"]}
    )


def chat_template(folder, tokenizer):
    """chat_template.jinja, else chat_template.json, else what tokenizer_config.json brought."""
    if (folder / "chat_template.jinja").exists():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if (folder / "chat_template.json").exists():
        return json.loads((folder / "chat_template.json").read_text(encoding="utf-8"))[
            "chat_template"
        ]
    return tokenizer.chat_template


def load_processor(folder, processor_class=Qwen2_5_VLProcessor):
    folder = Path(folder)
    tokenizer = Qwen2TokenizerFast.from_pretrained(str(folder))
    image_processor = Qwen2VLImageProcessor.from_pretrained(str(folder))
    made = without_video(processor_class)
    return made(image_processor, tokenizer, chat_template=chat_template(folder, tokenizer))
