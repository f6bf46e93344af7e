# SPDX-License-Identifier: Apache-2.0
"""A training forward of the demo model without loops over images, and the encoding of rows.

What:   Chat.encode(row) -> token ids and labels (answers and <|im_end|> only); collate -> a padded batch;
        forward -> last hidden states. All images are 112 x 112, so a batch of them is one regular tensor.
        Matrix products in DTYPE (bf16); residual stream, norms, softmax and loss in f32.
Cost:   about 40 rows per second and core, forward and backward.
Tested by: check_forward.py.
"""
import os

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import Qwen2_5_VLForConditionalGeneration

from build_model import MEAN, STD, SYSTEM_TEXT
from portrait import SIDE, portrait

DTYPE = torch.bfloat16
IMAGE_TOKENS, GRID = 16, 4
IGNORED = -100
CACHED_IMAGES = 40000


def load(folder):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval(), Chat(folder)


class Chat:
    """Rows to tokens, as the chat template of the checkpoint renders them."""

    def __init__(self, folder):
        self.tok = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.pad, self.end, self.image = (self.tok.token_to_id(s) for s in
                                          ("<|endoftext|>", "<|im_end|>", "<|image_pad|>"))
        self.cache = {}

    def ids(self, text):
        if text not in self.cache:
            self.cache[text] = self.tok.encode(text).ids
        return self.cache[text]

    def encode(self, row, prompt_only=False):
        ids = list(self.ids("<|im_start|>system\n" + SYSTEM_TEXT + "<|im_end|>\n"))
        labels = [IGNORED] * len(ids)
        for k, (question, answer) in enumerate(row.turns):
            picture = ""
            if row.image is not None and k == 0:
                picture = "<|vision_start|>" + "<|image_pad|>" * IMAGE_TOKENS + "<|vision_end|>"
            prompt = (self.ids("<|im_start|>user\n" + picture + question)
                      + self.ids("<|im_end|>\n<|im_start|>assistant\n"))
            ids += prompt
            labels += [IGNORED] * len(prompt)
            if prompt_only and k == len(row.turns) - 1:
                break
            said = self.ids(answer) + [self.end]
            newline = self.ids("\n")
            ids += said + newline
            labels += said + [IGNORED] * len(newline)
        return ids, labels


_images = {}


def image_tensor(spec):
    """uint8 [3, 112, 112] of (traits, view)."""
    tensor = _images.get(spec)
    if tensor is None:
        raw = torch.frombuffer(bytearray(portrait(*spec)), dtype=torch.uint8)
        tensor = raw.view(SIDE, SIDE, 3).permute(2, 0, 1).contiguous()
        if len(_images) < CACHED_IMAGES:
            _images[spec] = tensor
    return tensor


def patches(images):
    """uint8 [B, 3, 112, 112] -> [B * 64, 1176] in Qwen's order: merge cells first, the frame doubled."""
    x = (images.float() * (1 / 255.0) - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    b = x.shape[0]
    x = x.view(b, 3, GRID, 2, 14, GRID, 2, 14).permute(0, 2, 5, 3, 6, 1, 4, 7)
    return x.unsqueeze(6).expand(-1, -1, -1, -1, -1, -1, 2, -1, -1).reshape(b * 64, 1176)


def positions(length, image_at):
    """M-RoPE positions [3, length]; image_at is the first image token or None."""
    p = torch.arange(length).repeat(3, 1)
    if image_at is not None:
        cell, end = torch.arange(IMAGE_TOKENS), image_at + IMAGE_TOKENS
        p[0, image_at:end] = image_at
        p[1, image_at:end] = image_at + cell // GRID
        p[2, image_at:end] = image_at + cell % GRID
        p[:, end:] -= IMAGE_TOKENS - GRID
    return p


def collate(chat, encoded, images):
    longest = max(len(ids) for ids, _ in encoded)
    ids = torch.full((len(encoded), longest), chat.pad)
    labels = torch.full((len(encoded), longest), IGNORED)
    pos = torch.zeros(3, len(encoded), longest, dtype=torch.long)
    for b, (i, l) in enumerate(encoded):
        ids[b, :len(i)], labels[b, :len(l)] = torch.tensor(i), torch.tensor(l)
        pos[:, b] = positions(longest, i.index(chat.image) if images[b] is not None else None)
    pixels = [image_tensor(s) for s in images if s is not None]
    return {"ids": ids, "labels": labels, "pos": pos, "pixels": torch.stack(pixels) if pixels else None,
            "is_image": ids == chat.image}


def _linear(x, layer):
    return F.linear(x, layer.weight.to(DTYPE), None if layer.bias is None else layer.bias.to(DTYPE))


def _norm(x, layer):
    return (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * layer.weight).to(DTYPE)


def _rotated_qkv(z, cos, sin, heads, kv_heads, width):
    """z [B, T, heads + 2 kv_heads, width] joined -> q, k, v with the heads of k and v repeated."""
    b, t, _ = z.shape
    z = z.view(b, t, heads + 2 * kv_heads, width).transpose(1, 2)
    low, high = z[:, :heads + kv_heads].float().chunk(2, -1)
    turned = torch.cat((low * cos - high * sin, high * cos + low * sin), -1).to(DTYPE)
    k, v = turned[:, heads:], z[:, heads + kv_heads:]
    if heads != kv_heads:
        k, v = (t.repeat_interleave(heads // kv_heads, 1) for t in (k, v))
    return turned[:, :heads], k, v


def _attend(q, k, v, mask=None):
    """Plain products: their backward is much faster here than that of the fused CPU kernel."""
    s = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
    return (s if mask is None else s + mask).softmax(-1).to(DTYPE) @ v


def _after_attention(h, mixed, out, norm, mlp):
    b, heads, t, width = mixed.shape
    h = h + _linear(mixed.transpose(1, 2).reshape(b, t, heads * width), out).float()
    x = _norm(h, norm)
    active = F.silu(_linear(x, mlp.gate_proj).float()) * _linear(x, mlp.up_proj).float()
    return h + _linear(active.to(DTYPE), mlp.down_proj).float()


def vision(tower, images):
    """Image embeddings [B, 16, hidden]: 64 patches per image, 16 per attention window."""
    b = images.shape[0]
    if not hasattr(tower, "window_plan"):
        grid = torch.tensor([[1, 8, 8]])
        order, _ = tower.get_window_index(grid)
        angle = tower.rot_pos_emb(grid).reshape(IMAGE_TOKENS, 4, -1)[order].reshape(64, -1)
        tower.window_plan = (order, torch.argsort(order), angle.cos(), angle.sin())
    order, back, cos, sin = tower.window_plan
    size, heads = tower.config.hidden_size, tower.config.num_heads
    width = size // heads
    x = F.linear(patches(images).to(DTYPE), tower.patch_embed.proj.weight.to(DTYPE).reshape(size, -1)).float()
    x = x.view(b, IMAGE_TOKENS, 4, -1)[:, order].reshape(b, 64, -1)
    for n, block in enumerate(tower.blocks):
        q, k, v = _rotated_qkv(_linear(_norm(x, block.norm1), block.attn.qkv), cos, sin, heads, heads, width)
        if n in tower.fullatt_block_indexes:
            mixed = _attend(q, k, v)
        else:
            windows = [t.reshape(b, heads, 4, 16, width) for t in (q, k, v)]
            mixed = _attend(*windows).reshape(b, heads, 64, width)
        x = _after_attention(x, mixed, block.attn.proj, block.norm2, block.mlp)
    y = _norm(x, tower.merger.ln_q).view(b, IMAGE_TOKENS, -1)
    return _linear(F.gelu(_linear(y, tower.merger.mlp[0])), tower.merger.mlp[2])[:, back]


def _text_angles(config, pos):
    width = config.hidden_size // config.num_attention_heads
    angle = pos[..., None].float() / config.rope_theta ** (torch.arange(0, width, 2).float() / width)
    parts = angle.split(config.rope_scaling["mrope_section"], -1)
    angle = torch.cat([part[i % 3] for i, part in enumerate(parts)], -1).unsqueeze(1)
    return angle.cos(), angle.sin()


def forward(model, batch):
    """Normed last hidden states [B, T, hidden]."""
    text = model.model.language_model
    config = text.config
    h = F.embedding(batch["ids"], text.embed_tokens.weight)
    if batch["pixels"] is not None:
        seen = vision(model.model.visual, batch["pixels"])
        h = h.masked_scatter(batch["is_image"].unsqueeze(-1), seen.reshape(-1, seen.shape[-1]).float())
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    width, length = config.hidden_size // heads, h.shape[1]
    cos, sin = _text_angles(config, batch["pos"])
    mask = torch.full((length, length), float("-inf")).triu(1)
    for layer in text.layers:
        a = layer.self_attn
        weight = torch.cat((a.q_proj.weight, a.k_proj.weight, a.v_proj.weight)).to(DTYPE)
        bias = torch.cat((a.q_proj.bias, a.k_proj.bias, a.v_proj.bias)).to(DTYPE)
        z = F.linear(_norm(h, layer.input_layernorm), weight, bias)
        mixed = _attend(*_rotated_qkv(z, cos, sin, heads, kv_heads, width), mask)
        h = _after_attention(h, mixed, a.o_proj, layer.post_attention_layernorm, layer.mlp)
    return _norm(h, text.norm)


def logits(model, hidden):
    return F.linear(hidden, model.lm_head.weight.to(DTYPE)).float()


def mean_loss(model, batch):
    """Mean cross-entropy over the answer tokens."""
    target = batch["labels"][:, 1:]
    wanted = target != IGNORED
    hidden = forward(model, batch)[:, :-1]
    return F.cross_entropy(logits(model, hidden[wanted]), target[wanted])


@torch.no_grad()
def answers(model, chat, rows, longest=4, batch_size=128):
    """Greedy answers to the last turn of each row, without a cache: the answers are short."""
    prompts = [chat.encode(row, True)[0] for row in rows]
    order = sorted(range(len(rows)), key=lambda i: len(prompts[i]))
    said = [[] for _ in rows]
    for start in range(0, len(order), batch_size):
        live = order[start:start + batch_size]
        for _ in range(longest):
            batch = collate(chat, [(prompts[i] + said[i], []) for i in live], [rows[i].image for i in live])
            last = torch.tensor([len(prompts[i]) + len(said[i]) - 1 for i in live])
            best = logits(model, forward(model, batch)[torch.arange(len(live)), last]).argmax(-1).tolist()
            going_on = [(i, t) for i, t in zip(live, best) if t not in (chat.end, chat.pad)]
            for i, token in going_on:
                said[i].append(token)
            live = [i for i, _ in going_on]
            if not live:
                break
    return [chat.tok.decode(tokens).strip() for tokens in said]
