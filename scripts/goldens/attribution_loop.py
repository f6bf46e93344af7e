# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/attribution_loop.py - path attribution in PyTorch, written from its definition:
the plain loop.

What    for every layer and node one full forward and backward of the whole model; nothing is
        kept from one to the next. Choices: the best neuron stands for its layer, only it follows
        the node along the path, the other neurons of a path layer are constants, F = p(answer)
        (text), log p(answer) (vision), row = last prompt token or the first of all (text), all
        patches (vision).
Shapes  L layers, F neurons, K kept; a tapped row set is [rows, F]: 1 row for text,
        all patches for vision.
Cost    L n forwards and backwards for n nodes. With frozen weights (freeze) a backward only goes
        down to the first overwritten layer; with trainable ones, as in the released code, it
        computes the gradients of all of them, which nobody reads.
Used by attribution.py (golden), ../bench_torch.py (oracle on any checkpoint,
and the other side of the benchmark).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.polynomial import legendre

from . import parts

LABEL_NONE = -100


def radau(n):
    """Right Gauss-Radau on [0,1]: zeros of P_(n-1) - P_n, weights from integrating
    the Legendre basis exactly."""
    x = np.sort(legendre.legroots([0] * (n - 1) + [1, -1]).real)
    x[-1] = 1.0
    weights = np.linalg.solve(legendre.legvander(x, n - 1).T, [2.0] + [0.0] * (n - 1))
    return (x + 1) / 2, weights / 2


def gauss(n):
    x, weights = legendre.leggauss(n)
    return (x + 1) / 2, weights / 2


def equal_steps(offset):
    return lambda n: ((np.arange(n) + offset) / n, np.full(n, 1 / n))


RULES = {
    "left": equal_steps(0),
    "right": equal_steps(1),
    "midpoint": equal_steps(0.5),
    "gauss": gauss,
    "radau": radau,
}


def quadrature(name):
    """(nodes, weights) as float64 tensors, from a name such as radau5."""
    kind = name.rstrip("0123456789")
    if kind not in RULES or kind == name:
        raise ValueError(f"quadrature {name!r} is none of {', '.join(k + '<n>' for k in RULES)}")
    nodes, weights = RULES[kind](int(name[len(kind) :]))
    return torch.tensor(nodes), torch.tensor(weights)


@dataclass
class Settings:
    quadrature: str = "radau5"
    top_k: int = 5
    score: str = "product"  # product, own, sum; text only
    nodes_at_once: int = 1  # copies of the sample in one batch
    positions: str = "last_prompt"  # or first; text only


@dataclass
class Result:
    scores: torch.Tensor  # [L,F] float64, true score = exp(log_scale) * score
    paths: torch.Tensor  # [L,K] best first
    log_scale: torch.Tensor  # [L]
    logp_clean: float


class Taps:
    """Pre-hooks on the down_proj of every layer of one stack: see what enters,
    put something else in its place."""

    def __init__(self, layers, put, see):
        self.values, self.seen = {}, {}
        self.handles = [
            layer.mlp.down_proj.register_forward_pre_hook(
                lambda _m, args, l=l: self._hook(l, args[0], put, see)
            )
            for l, layer in enumerate(layers)
        ]

    def _hook(self, l, a, put, see):
        if l in self.values:
            return (put(a, self.values[l]),)
        self.seen[l] = see(a.detach())
        return None

    def close(self):
        for handle in self.handles:
            handle.remove()


def text_taps(model, row):
    """Row `row` of every copy: values [n,1,F]."""
    return Taps(
        parts.of(model).text.layers,
        put=lambda a, value: torch.cat([a[:, :row], value.to(a.dtype), a[:, row + 1 :]], dim=1),
        see=lambda a: a[0, row : row + 1],
    )


def vision_taps(model, n_patches):
    """All patches of every copy (the tower sees the copies' patches one after the other):
    values [n,P,F]."""
    return Taps(
        model.model.visual.blocks,
        put=lambda a, value: value.reshape(a.shape).to(a.dtype),
        see=lambda a: a[:n_patches],
    )


def log_p(model, inputs, labels, n):
    """[n] log p(labels) of n copies of one sample; position i predicts labels[i+1]."""
    batch = {k: v.repeat(n, *[1] * (v.dim() - 1)) for k, v in inputs.items()}
    parts.forget_positions(model)  # of an earlier sample
    logits = model(**batch, use_cache=False).logits
    rows = (labels[1:] != LABEL_NONE).nonzero()[:, 0]
    # in float64: the gradient at a well-learned token is a tiny difference
    each = torch.log_softmax(logits[:, rows].double(), dim=-1)
    return each.gather(2, labels[1:][rows].expand(n, -1)[..., None]).sum(dim=(1, 2))


class Loop:
    """The greedy path of one sample: subclasses say what is tapped and how gradients become scores.
    """

    def __init__(self, model, inputs, labels, settings):
        self.model, self.inputs, self.labels, self.settings = model, inputs, labels, settings
        self.nodes, self.weights = quadrature(settings.quadrature)
        self.taps = self.make_taps()
        self.best = []  # the neuron that stands for each layer so far

    def clean(self):
        with torch.no_grad():
            self.logp_clean = log_p(self.model, self.inputs, self.labels, 1).item()
        self.a = [self.taps.seen[l] for l in sorted(self.taps.seen)]

    def run(self):
        self.clean()
        scores, paths, scales = [], [], []
        for l in range(len(self.a)):
            score, scale = self.score(l, *self.all_nodes(l))
            order = torch.argsort(
                score, descending=True, stable=True
            )  # the lowest index wins a tie
            self.best.append(order[0].item())
            scores.append(score)
            scales.append(scale)
            paths.append(order[: self.settings.top_k])
        self.taps.close()
        return Result(
            torch.stack(scores), torch.stack(paths), torch.tensor(scales), self.logp_clean
        )

    def overwrites(self, l, alphas):
        """Layer l: everything times alpha. Layers below: clean, only the chosen neuron times alpha.
        """
        factor = alphas[:, None, None].to(self.a[0].dtype)
        out = {l: factor * self.a[l]}
        for r in range(l):
            out[r] = self.a[r].repeat(len(alphas), 1, 1)
            out[r][:, :, self.best[r]] *= factor[:, :, 0]
        return {r: value.requires_grad_(True) for r, value in out.items()}

    def all_nodes(self, l):
        """(logp [n], {layer: dlogp/da [n,rows,F]}) of every node with candidate layer l."""
        logps, grads = [], []
        for alphas in self.nodes.split(self.settings.nodes_at_once):
            self.taps.values = self.overwrites(l, alphas)
            logp = log_p(self.model, self.inputs, self.labels, len(alphas))
            logp.sum().backward()
            logps.append(logp.detach())
            grads.append({r: value.grad.double() for r, value in self.taps.values.items()})
        self.taps.values = {}
        return torch.cat(logps), {r: torch.cat([g[r] for g in grads]) for r in range(l + 1)}


class TextLoop(Loop):
    def make_taps(self):
        first_label = (self.labels != LABEL_NONE).nonzero()[0].item()
        row = {"last_prompt": first_label - 1, "first": 0}[self.settings.positions]
        return text_taps(self.model, row)

    def score(self, l, logp, grads):
        """D_k = p_k dlogp_k/da; all p_k divided by the largest, whose log is returned."""
        scale = max(logp.max().item(), self.logp_clean)
        weight = self.weights * torch.exp(logp - scale)
        a = [x[0].double() for x in self.a]
        own = (weight[:, None] * grads[l][:, 0]).sum(dim=0)
        path = {r: (weight * grads[r][:, 0, b]).sum() for r, b in enumerate(self.best)}
        if self.settings.score == "product":
            q = sum(a[r][b] for r, b in enumerate(self.best))
            return (a[l] + q) * (own + sum(path.values())), scale
        along = sum(a[r][b] * path[r] for r, b in enumerate(self.best))
        return a[l] * own + (along if self.settings.score == "sum" else 0), scale


class VisionLoop(Loop):
    def make_taps(self):
        return vision_taps(self.model, self.inputs["pixel_values"].shape[0])

    def score(self, l, _logp, grads):
        fisher = {
            r: (g.square().mean(dim=1) * self.weights[:, None]).sum(dim=0) for r, g in grads.items()
        }
        a = [x.double().sum(dim=0) for x in self.a]
        q = sum(a[r][b] for r, b in enumerate(self.best))
        return (a[l] + q) * (fisher[l] + sum(fisher[r][b] for r, b in enumerate(self.best))), 0.0


LOOPS = {"text": TextLoop, "vision": VisionLoop}


def attribute(model, inputs, labels, modality, settings):
    """Result of one sample: inputs as the processor makes them (batch of 1), labels [T]
    with -100 where not counted."""
    return LOOPS[modality](model, inputs, labels, settings).run()


def freeze(model):
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model
