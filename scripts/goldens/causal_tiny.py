# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/causal_tiny.py - two tiny random text-only models, their folders and cases.

What    llama_tiny: LlamaForCausalLM, head of its own, 2 query heads per key head, RMS eps 1e-5.
        qwen2_tiny: Qwen2ForCausalLM, tied head, biases on q, k, v, 3 query heads per key head.
        Per model: cases/text.safetensors (forward, every gradient, one tangent),
        cases/generate.json (greedy ids).
Shapes  as for qwen25vl_tiny (tests/golden/README.md), without vision and pixels.
Used by make_goldens.py."""

import json
import shutil

import torch
import torch.autograd.forward_ad as fwd
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from . import tokenizer_qwen, tokenizers_other
from .base import SEED, installed_versions, normal, require, rng, write_json, write_tensors
from .qwen25vl_run import LABEL_NONE, check_loss, same_bits, tangent
from .qwen25vl_tiny import draw, save_single

LENGTH, ANSWER = 24, 7
COMMON = {"attention_dropout": 0.0, "hidden_act": "silu", "max_position_embeddings": 4096}
MODELS = {
    "llama_tiny": (
        LlamaForCausalLM,
        LlamaConfig,
        {
            "vocab_size": 416,
            "hidden_size": 32,
            "intermediate_size": 44,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1e4,
            "tie_word_embeddings": False,
        },
    ),
    "qwen2_tiny": (
        Qwen2ForCausalLM,
        Qwen2Config,
        {
            "vocab_size": 400,
            "hidden_size": 48,
            "intermediate_size": 40,
            "num_hidden_layers": 2,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1e6,
            "tie_word_embeddings": True,
        },
    ),
}


def write_model(name, folder):
    kind, config_kind, settings = MODELS[name]
    config = config_kind(**COMMON, **settings)
    model = kind(config)
    weights = {}
    for key, parameter in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        weights[key] = draw(f"{name}.{key}", tuple(parameter.shape)).contiguous()
    about = {"architectures": [kind.__name__], "model_type": config.model_type, "dtype": "float32"}
    written = {**about, **COMMON, **settings}
    save_single(folder, written, weights)


def write_text_files(name, folder):
    """llama_tiny reads like SmolLM2, qwen2_tiny like Qwen2."""
    if name == "llama_tiny":
        tokens, template = tokenizers_other.build_digits(), tokenizers_other.CHATML_TINY
    else:
        tokens, template = tokenizer_qwen.build(), tokenizers_other.CHATML_QWEN
    write_json(folder / "tokenizer.json", json.loads(tokens.to_str()))
    write_json(
        folder / "tokenizer_config.json",
        {
            "chat_template": template,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )
    end = tokens.token_to_id("<|im_end|>")
    pad = tokens.token_to_id("<|endoftext|>")
    write_json(folder / "generation_config.json", {"eos_token_id": end, "pad_token_id": pad})


def load(name, folder, dtype=torch.float32):
    model, report = MODELS[name][0].from_pretrained(
        str(folder), dtype=dtype, attn_implementation="eager", output_loading_info=True
    )
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        require(not report.get(key), f"{folder}: {key} = {report.get(key)}")
    return model.eval()


class Recorder:
    """Residual stream in front of every block and behind the last, and what down_proj reads."""

    def __init__(self, model):
        self.hidden, self.a, self.handles = [], [], []
        for layer in model.model.layers:
            self._input(layer, self.hidden)
            self._input(layer.mlp.down_proj, self.a)
        self._input(model.model.norm, self.hidden)

    def _input(self, module, into):
        def hook(_module, args, kwargs):
            value = args[0] if args else kwargs["hidden_states"]
            if value.requires_grad:
                value.retain_grad()
            into.append(value)

        self.handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def close(self):
        for handle in self.handles:
            handle.remove()


def stack(values, get=lambda t: t):
    return torch.stack([get(v)[0] for v in values])


def text_case(name, folder):
    model = load(name, folder)
    vocab = model.config.vocab_size
    ids = torch.randint(0, vocab, (1, LENGTH), generator=rng(f"{name} ids"))
    labels = torch.full_like(ids, LABEL_NONE)
    labels[:, -ANSWER:] = ids[:, -ANSWER:]
    recorder = Recorder(model)
    result = model(input_ids=ids, labels=labels, use_cache=False)
    recorder.close()
    check_loss(result, labels)
    result.loss.backward()
    direction = normal(f"{name} direction", *recorder.hidden[0].shape)
    with torch.no_grad(), fwd.dual_level():
        moved = Recorder(model)
        dual = fwd.make_dual(recorder.hidden[0].detach(), direction)
        loss = model(inputs_embeds=dual, labels=labels, use_cache=False).loss
        moved.close()
        tangents = {
            "jvp.direction": direction[0],
            "jvp.hidden": stack(moved.hidden, tangent),
            "jvp.a": stack(moved.a, tangent),
            "jvp.loss": tangent(loss).reshape(1),
        }
    d_embeds = recorder.hidden[0].grad
    dot = (d_embeds.double() * direction.double()).sum().item()
    size = (d_embeds.double().norm() * direction.double().norm()).item()
    require(abs(dot - tangents["jvp.loss"].item()) < 1e-5 * size, f"{name}: tangent and gradient")
    out = {
        "input_ids": ids[0],
        "labels": labels[0],
        "position_ids": torch.arange(LENGTH).repeat(3, 1),
        "inv_freq.text": model.model.rotary_emb.inv_freq,
        "text.hidden": stack(recorder.hidden),
        "text.a": stack(recorder.a),
        "text.da": stack(recorder.a, lambda t: t.grad),
        "grad.embeds": d_embeds[0],
        "logits": result.logits[0],
        "loss": result.loss.reshape(1),
        **tangents,
    }
    for key, parameter in model.named_parameters():
        out["grad.param." + key] = parameter.grad
    return {key: value.detach() for key, value in out.items()}


def generated(model, ids, penalty, limit=16):
    """HF's greedy ids, equal to those without a cache; the smallest gap of the two best."""
    keep = {
        "attention_mask": torch.ones_like(ids),
        "do_sample": False,
        "max_new_tokens": limit,
        "repetition_penalty": penalty,
        "pad_token_id": 0,
        "eos_token_id": None,
        "return_dict_in_generate": True,
        "output_scores": True,
    }
    with torch.no_grad():
        cached = model.generate(ids, **keep, use_cache=True)
        again = model.generate(ids, **keep, use_cache=False)
    require(torch.equal(cached.sequences, again.sequences), "ids depend on the cache")
    gaps = [s[0].topk(2).values for s in cached.scores]
    return cached.sequences[0, ids.shape[1] :].tolist(), min((g[0] - g[1]).item() for g in gaps)


def generate_cases(name, folder, wanted=3):
    """Prompts whose two best tokens are never closer than 1e-3, the first three that are found."""
    model, rows = load(name, folder), []
    for i in range(20):
        ids = torch.randint(
            0, model.config.vocab_size, (1, 9 + 4 * i), generator=rng(f"{name} prompt {i}")
        )
        penalty = 1.0 if len(rows) % 2 == 0 else 1.2
        out, gap = generated(model, ids, penalty)
        if gap > 1e-3 and len(set(out)) > 3 and len(rows) < wanted:
            rows.append(
                {
                    "input_ids": ids[0].tolist(),
                    "images": [],
                    "repetition_penalty": penalty,
                    "eos_token_id": [],
                    "max_new_tokens": 16,
                    "ids": out,
                    "smallest_gap": float(f"{gap:.4g}"),
                }
            )
    require(len(rows) == wanted, f"{name}: only {len(rows)} prompts without a tie")
    return rows


def make(out):
    for name in MODELS:
        root = out / name
        shutil.rmtree(root, ignore_errors=True)
        write_model(name, root / "model")
        write_text_files(name, root / "model")
        case = text_case(name, root / "model")
        same_bits(case, text_case(name, root / "model"))
        write_tensors(root / "cases" / "text.safetensors", case)
        write_json(root / "cases" / "generate.json", generate_cases(name, root / "model"))
        write_json(root / "manifest.json", {"seed": SEED, "versions": installed_versions()})
