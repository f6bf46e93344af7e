# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/tokenizers_other.py - small tokenizer.json files of the other pipelines, and
hostile strings and chats through them.

What    PIPELINES: digits (SmolLM2: digits one by one, GPT-2's words, bytes without a token),
        prepend (Llama: Prepend, Replace, byte fallback, <s> in front), first, always, never (the
        same with Metaspace). Per pipeline tokenizer/<name>/tokenizer.json, strings.json (ids and
        text back of the texts in tokenizer/texts.json), chat.json where it has a template.
Shapes  ids 0.. special tokens, 400 rows at most; LLaVA's <image> is 400 and <pad> 401.
Used by make_goldens.py, causal_tiny.py (model folder)."""

import json
from collections import Counter

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers
from transformers import PreTrainedTokenizerFast

from . import text, tokenizer_qwen
from .base import require, write_json

SIZE = 400
MARK = "\u2581"
DIGITS_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"]
NO_TOKEN = (0x04, 0x06, 0x13, 0xC0, 0xC1, 0xF1, 0xF5, 0xFF)  # bytes that digits cannot spell
LLAMA_SPECIAL = ["<unk>", "<s>", "</s>"]
IMAGE, PAD = "<image>", "<pad>"
NUMBERS = ["In 1984, 12345.67", "  1984", "x\u00b2\u00b3\u00bd \u2167 \u0663\u0664", "1 2  3", "a1's", "\u0004a\u0006", "\U000c0000", "12 34\n56"]
MARKS = [MARK, "a" + MARK + "b", " " + MARK, MARK + " x", "<s>x</s>", "</s> x", " <s>", "<unk>", "a <image>\nb", "<image><image>", "<0x41>", "x<0x0A>y", "<s></s>", "\u2581\u2581"]

CHATML = (
    "{%% for message in messages %%}{%% if loop.first and messages[0]['role'] != 'system' %%}"
    "{{ '<|im_start|>system\n%s<|im_end|>\n' }}{%% endif %%}{{'<|im_start|>' + message['role'] + '\n' + "
    "message['content'] + '<|im_end|>' + '\n'}}{%% endfor %%}{%% if add_generation_prompt %%}"
    "{{ '<|im_start|>assistant\n' }}{%% endif %%}"
)
CHATML_TINY = CHATML % "You are a tiny AI assistant, trained on eleven lines"
CHATML_QWEN = CHATML % "You are a helpful assistant."
# The template text of the LLaVA-1.5 repositories, unchanged.
LLAVA = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}"
    "{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def train(size, special, alphabet, pre_tokenizer):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=1,
        show_progress=False,
        special_tokens=special,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
    )
    tokenizer.train_from_iterator(tokenizer_qwen.TEXT, trainer)
    return tokenizer


def frequent(n):
    """The n most frequent characters, of equal ones the first; the trainer's own choice among
    equal ones differs from run to run."""
    counts = Counter("".join(tokenizer_qwen.TEXT).replace(" ", MARK))
    return sorted(sorted(counts, key=lambda c: (-counts[c], c))[:n])


def add(tokenizer, tokens):
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in tokens])


def build_digits():
    """As SmolLM2's: no normaliser, special tokens first, some bytes without a token."""
    missing = {c for b, c in enumerate(byte_characters()) if b in NO_TOKEN}
    alphabet = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - missing)
    steps = [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ]
    tokenizer = train(SIZE, DIGITS_SPECIAL, alphabet, pre_tokenizers.Sequence(steps))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def byte_characters():
    """GPT-2's printable stand-in of every byte."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in keep]
    return [chr(b) if b in keep else chr(256 + rest.index(b)) for b in range(256)]


def build_llama(kind="prepend"):
    """As Llama's: characters with byte fallback; `kind` says where the mark in front comes from."""
    learned = train(
        SIZE - 259, [], frequent(70), pre_tokenizers.Metaspace(prepend_scheme="always")
    )
    model = json.loads(learned.to_str())["model"]
    words = LLAMA_SPECIAL + [f"<0x{b:02X}>" for b in range(256)]
    words += sorted(model["vocab"], key=model["vocab"].get)
    require(len(words) == SIZE and len(set(words)) == SIZE, f"{len(words)} words")
    tokenizer = Tokenizer(
        models.BPE(
            vocab={w: i for i, w in enumerate(words)},
            merges=[tuple(m) for m in model["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    if kind == "prepend":
        steps = [normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)]
        tokenizer.normalizer = normalizers.Sequence(steps)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
            replacement=MARK, prepend_scheme=kind, split=kind == "always"
        )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(MARK, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    add(tokenizer, LLAMA_SPECIAL + [IMAGE, PAD])
    require(tokenizer.token_to_id(IMAGE) == SIZE, "<image> is not the first added id")
    return tokenizer


PIPELINES = {
    "digits": (build_digits, CHATML_TINY),
    "prepend": (build_llama, LLAVA),
    "first": (lambda: build_llama("first"), LLAVA),
    "always": (lambda: build_llama("always"), None),
    "never": (lambda: build_llama("never"), None),
}

Q, A = "What is shown in this image?", "The painter, born in 1984."
CHATS = [
    [("user", 0, ["Who is this?"])],
    [("user", 1, [Q])],
    [("user", 1, [Q]), ("assistant", 0, [A])],
    [("system", 0, ["Be brief."]), ("user", 2, [Q, " And that?"])],
    [("user", 0, ["caf\u00e9 \u4f60"]), ("assistant", 0, ["1984"]), ("user", 1, ["Sure?"])],
    [("user", 0, [""]), ("assistant", 0, [""])],
]
IMAGE_TOKENS = 3


def as_messages(chat, plain):
    out = []
    for role, images, texts in chat:
        parts = [{"type": "image"}] * images + [{"type": "text", "text": t} for t in texts]
        out.append({"role": role, "content": "".join(texts) if plain else parts})
    return out


def chat_rows(tokenizer, template):
    plain = IMAGE not in template
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template)
    rows = []
    for chat in CHATS:
        if plain and any(images for _, images, _ in chat):
            continue
        for generation in (False, True):
            messages = as_messages(chat, plain)
            rendered = fast.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=generation
            )
            expanded = rendered.replace(IMAGE, IMAGE * IMAGE_TOKENS)
            rows.append(
                {
                    "messages": messages,
                    "add_generation_prompt": generation,
                    "text": rendered,
                    "ids": fast(expanded)["input_ids"],
                }
            )
    return rows


def make(out):
    texts = text.strings() + NUMBERS + MARKS
    write_json(out / "tokenizer" / "texts.json", texts)
    for name, (build, template) in PIPELINES.items():
        tokenizer, folder = build(), out / "tokenizer" / name
        write_json(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
        rows = []
        for one in texts:
            ids = tokenizer.encode(one, add_special_tokens=False).ids
            rows.append({"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
        write_json(folder / "strings.json", rows)
        broken = []
        for ids in text.id_lists(tokenizer.get_vocab_size()):
            broken.append(
                {
                    "ids": ids,
                    "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                    "decoded_plain": tokenizer.decode(ids, skip_special_tokens=True),
                }
            )
        write_json(folder / "decode.json", broken)
        if template is not None:
            rows = {"chat_template": template, "chats": chat_rows(tokenizer, template)}
            write_json(folder / "chat.json", rows)
