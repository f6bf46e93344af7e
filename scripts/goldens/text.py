# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/text.py - hostile strings through the `tokenizers` library.

What    tokenizer_qwen.json: [{text, ids, decoded}]; tokenizer_qwen_decode.json:
        [{ids, decoded, decoded_plain}] of id lists that no text gives (broken UTF-8,
        special tokens between bytes). decoded keeps special tokens, decoded_plain skips them.
Needs   the tiny tokenizer.json. No U+0000 in the strings: C readers of JSON cut there."""

import torch
from tokenizers import Tokenizer

from .base import require, rng, write_json

PIECES = [
    "the",
    " person",
    "'s",
    "'LL",
    "\u2019s",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "1",
    "23",
    "\u0663",
    "\u00bd",
    "_",
    "!?",
    "-",
    "\u4f60\u597d",
    "\u00e9",
    "e\u0301",
    "\u0301",
    "\U0001f600",
    "\u200d",
    "\u3000",
    "\u00a0",
    "\u0085",
    "\u2028",
    "<|im_end|>",
    "<|im_",
    "|>",
    "<tool_call>",
    "\ud55c",
    "\u1112\u1161\u11ab",
    "\u0915\u093f",
    "\u0645\u0631",
    "\ufb01",
    "\u212b",
    "A",
    "\u0130",
    "\u017f",
    "\U00010400",
    "\ufeff",
]

STRINGS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n", "\t", "\t\t", " \n", "\n ", " \n ", "  \n  \n  ", "\n\t\n", "\u000b", "\u000c",
    "a", " a", "a ", "  a", "   a", "a  b", "a   b", "a\nb", "a \nb", "a\n b", "a \n b", "a\r\nb", "a\r\n\r\nb", "a\tb", "a\t\tb", "\ta",
    "\n  a", "  \na", " \r\n a", "a\n\n\nb", "a \t b", "trailing   ", "trailing\n", "trailing \n", "trailing \n ",
    "I'm", "I'M", "you're", "YOU'RE", "we've", "he'd", "she'll", "it's", "don't", "'s", "'S", "'sx", "''s", "'t's", " 's", "x'", "'",
    "'re've'll", "o'clock", "rock'n'roll", "'dog", "'ms", "'\u017f", "it'\u017f fine", "I\u2019m", "'LLama", "'Ve", "'rE", "can't've",
    "hello world", "Hello, World!", "HELLO", "hElLo", "helloWorld", "hello_world", "hello-world", "hello.world", "(hello)", " (hello)",
    "[x]", "{x}", "a+b=c", "x==y", "!!!", "...", " ...", "...\n", "!\n\n", "?!\r\n", " !\r\n\r\nx", "//comment\n", "/* c */", "#!/bin/sh\n",
    "0", "1234567890", "3.14", "1,000", "1e10", "0x1F", " 12", "12 34", "v1.2.3", "a1b2", "\u0661\u0662\u0663", "\u2460\u2461", "\u00bd\u00be", "x\u00b2", "\u2167", "\U0001d7d8",
    "caf\u00e9", "cafe\u0301", "na\u00efve", "nai\u0308ve", "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "\u212b", "\u2126", "\u1e9b\u0323", "e\u0301\u0323", "e\u0323\u0301", "q\u0307\u0323",
    "\u0301", "\u0301a", " \u0301", "a\u0301\u0301", "\u0344", "\u0958", "\u2adc", "\u0f73", "\u1100\u1161", "\u1100\u1161\u11a8", "\uac00\u11a8", "\ud55c\uad6d\uc5b4",
    "\ud55c\uad6d\uc5b4 \ubb38\uc7a5", "\u4f60\u597d", "\u4f60\u597d\u4e16\u754c", "\u4f60\u597d, \u4e16\u754c!", "\u4f60 \u597d", "\u3053\u3093\u306b\u3061\u306f", "\u304b\u3099", "\u30ab\u3099", "\uff21\uff22\uff23", "\uff11\uff12", "\u3002", "\u300c\u5f15\u7528\u300d",
    "\ufa10", "\uf900", "\U0002f800", "\U00020000", "\u043f\u0440\u0438\u0432\u0435\u0442", "\u041f\u0420\u0418\u0412\u0415\u0422", "\u0439", "\u0438\u0306", "\u0645\u0631\u062d\u0628\u0627", "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u0627\u064b", "\u05e9\u05c1\u05dc\u05d5\u05dd",
    "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd", "\u0e44\u0e17\u0e22", "\u0e01\u0e33", "\u1ea4n \u0110\u1ed9", "\ufb01x", "\u01c4", "\u00df", "\u1e9e", "\u0130i", "\u0131", "\u03a3\u03c3\u03c2",
    "\U0001f600", "\U0001f600\U0001f601", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f", "\U0001f44d\U0001f3fd", "a\U0001f600b", " \U0001f600", "1\ufe0f\u20e3",
    "\u0085", "a\u0085b", "a\u0085\u0085b", "\u00a0", "a\u00a0b", "a\u00a0\u00a0b", "\u2003x", "\u3000x", "\u2028", "a\u2028b", "\u2029", "\u1680", "\u180e", "\u200b", "a\u200bb", "\ufeffx",
    "\u0001", "\u001f", "\u007f", "\u0080", "\u009f", "\u00ad", "\ufffd", "\ufffe", "\uffff", "\ue000", "\U0010ffff", "\U000e0001", "\u0378",
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_start|><|im_end|>", "<|im_start|><|im_", "<|im_start|", "|im_start|>", "<|IM_START|>",
    "<|im_start|>user\nhi<|im_end|>\n", " <|im_end|> ", "a<|im_end|>b", "<<|im_end|>>", "<|<|im_end|>|>", "<|im_end|><|im_end|>", "<|vision_start|><|image_pad|><|vision_end|>",
    "<|image_pad|><|image_pad|>", "<|image_pad|", "<|im_end|>e\u0301", "e<|im_end|>\u0301", "\u1100<|im_end|>\u1161", "'<|im_end|>s", "it<|im_end|>'s", "  <|im_end|>  x", "<tool_call>x</tool_call>",
    "<tool_call", "<|fim_prefix|>", "<|object_ref_start|>x<|object_ref_end|>", "\r\n<|im_end|>\r\n", "<|im_end|>\n\n\n<|im_start|>",
    "def f(x):\n    return x\n", "if x:\n\tpass\n\n\n", "    indented", "\tindented", "a,b;c:d", "http://example.com/a?b=c&d=e#f", "user@example.com", "C:\\dir\\file", "$100", "50%", "~/x", "`code`", "**bold**",
    "What is the name of this person?", "The answer is B.", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "thethethethethe", "ththththth", "the the the", "                    x", "\n\n\n\n\n\n\n\n\nx",
]  # fmt: skip


def strings():
    """The written list and 40 strings glued at random from PIECES (one seed)."""
    generator = rng("strings")
    out = list(STRINGS)
    for _ in range(40):
        picks = torch.randint(0, len(PIECES), (12,), generator=generator).tolist()
        out.append("".join(PIECES[i] for i in picks))
    require(len(set(out)) == len(out), "a string stands twice")
    return out


def id_lists(size):
    """Ids no text gives: cut and broken UTF-8, bytes around special tokens, random ids."""
    generator = rng("id lists")
    out = [[], [384], [385, 386], [0], [394, 0, 395]]
    out += [[i] for i in range(94, 256, 9)]
    for _ in range(40):
        out.append(torch.randint(0, 256, (6,), generator=generator).tolist())
    for _ in range(20):
        out.append(torch.randint(0, size, (10,), generator=generator).tolist())
    return out


def make(out, tokenizer_file):
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    rows = []
    for text in strings():
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        rows.append(
            {"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}
        )
    require(sum(r["text"] != r["decoded"] for r in rows) > 10, "no string is changed by NFC")
    write_json(out / "tokenizer_qwen.json", rows)
    rows = []
    for ids in id_lists(tokenizer.get_vocab_size()):
        rows.append(
            {
                "ids": ids,
                "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                "decoded_plain": tokenizer.decode(ids, skip_special_tokens=True),
            }
        )
    write_json(out / "tokenizer_qwen_decode.json", rows)
