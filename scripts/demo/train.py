# SPDX-License-Identifier: Apache-2.0
"""Training stages of the demo model. Data parallel over processes of one thread each.

What:   train.py STAGE IN OUT, STAGE one of captions, faces, names (base model), vanilla, retain (fine-tuning);
        train.py round IN OUT stores the weights as bf16, the form that is shipped.
        Parameters live in shared memory; every process writes its gradient, process 0 applies AdamW.
Cost:   minutes per stage on two cores; demo/README.md has the measured times.
Tested by: gates.py on the result.
"""
import argparse
import math
import time

import torch
import torch.multiprocessing as mp

import fast_model
import questions as q
from build_model import export
from portrait import PLAIN_VIEW
from stages import STAGES, stage_rows
from world import PCG32, World

BATCH, WINDOW = 16, 32  # rows of similar length share a batch inside a window of batches
WEIGHT_DECAY, BETAS, FLOOR, CLIP = 0.05, (0.9, 0.98), 0.02, 1.0
LOG_EVERY = 40


def batch_order(lengths, stage):
    rng, order = PCG32(stage.seed, 61), []
    for _ in range(stage.epochs):
        rows = list(range(len(lengths)))
        if stage.finetunes:
            rng.shuffle(rows)
        for start in range(0, len(rows), BATCH * WINDOW):
            window = sorted(rows[start:start + BATCH * WINDOW], key=lambda i: lengths[i])
            order += rng.shuffle([window[i:i + BATCH] for i in range(0, len(window), BATCH)])
    return order


def probe(model, chat, world, stage):
    """Training progress in one line: accuracy of four evaluation cells, never of forget people in base stages."""
    out = []
    for group in (("fict", "celeb") if stage.finetunes else ("celeb", "extra")):
        for modality in ("image", "text"):
            asked = [(p, item) for p in world.group[group][:20] for item in q.evaluation_items(p)
                     if item.task == "mcq" and item.modality == modality]
            rows = [q.Row((p.traits, PLAIN_VIEW) if modality == "image" else None,
                          [(q.with_options(item.question, item.options), "")]) for p, item in asked]
            said = fast_model.answers(model, chat, rows)
            right = sum(s == item.answer + "." for s, (_, item) in zip(said, asked))
            out.append("%s %s %.2f" % (group, modality, right / len(asked)))
    return "    multiple choice: " + ", ".join(out)


def share_parameters(model):
    flat = torch.cat([p.data.reshape(-1) for p in model.parameters()]).share_memory_()
    bind(model, flat, None)
    return flat


def bind(model, flat, gradient):
    at = 0
    for p in model.parameters():
        p.data = flat[at:at + p.numel()].view_as(p)
        if gradient is not None:
            p.grad = gradient[at:at + p.numel()].view_as(p)
        at += p.numel()


class Schedule:
    """AdamW with warm-up and a cosine to FLOOR of the rate; weight decay on matrices only."""

    def __init__(self, model, stage, steps):
        self.stage, self.steps = stage, steps
        self.trainable = [p for p in model.parameters() if p.requires_grad]
        self.adam = torch.optim.AdamW(
            [{"params": [p for p in self.trainable if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
             {"params": [p for p in self.trainable if p.dim() <= 1], "weight_decay": 0.0}],
            lr=stage.rate, betas=BETAS, fused=True)

    def step(self, number):
        warm = min(1.0, (number + 1) / self.stage.warmup)
        cosine = FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * number / self.steps))
        for group in self.adam.param_groups:
            group["lr"] = self.stage.rate * warm * cosine
        torch.nn.utils.clip_grad_norm_(self.trainable, CLIP)
        self.adam.step()


def work(rank, shared, model, chat, world, rows, order, stage, probe_every):
    torch.set_num_threads(1)
    flat, gradients, losses, barrier = shared
    bind(model, flat, gradients[rank])
    for name, p in model.named_parameters():
        p.requires_grad_(not (stage.finetunes and ".visual." in name))
    schedule = Schedule(model, stage, len(order)) if rank == 0 else None
    began, recent = time.time(), []
    last = stage.last_step or len(order)
    for step, batch in enumerate(order[:last]):
        mine = [rows[i] for i in batch[rank::len(gradients)]]
        gradients[rank].zero_()
        if mine:
            packed = fast_model.collate(chat, [chat.encode(r) for r in mine], [r.image for r in mine])
            loss = fast_model.mean_loss(model, packed)
            (loss * len(mine) / len(batch)).backward()
            losses[rank] = loss.item()
        barrier.wait()
        if rank == 0:
            for other in gradients[1:]:
                gradients[0].add_(other)
            schedule.step(step)
            recent.append(losses.mean().item())
            if (step + 1) % LOG_EVERY == 0 or step + 1 == last:
                passed = time.time() - began
                print("step %d/%d loss %.4f %.0fs %.1f rows/s" % (step + 1, last, sum(recent) / len(recent), passed,
                                                                 (step + 1) * BATCH / passed), flush=True)
                recent = []
            if probe_every and (step + 1) % probe_every == 0:
                print(probe(model, chat, world, stage), flush=True)
        barrier.wait()


def train(model, chat, world, stage, processes, probe_every):
    rows = stage_rows(stage, world)
    lengths = [len(chat.encode(r)[0]) for r in rows]
    order = batch_order(lengths, stage)
    print("%d rows, %.1f tokens each, %d steps" % (len(rows), sum(lengths) / len(rows), stage.last_step or len(order)),
          flush=True)
    flat = share_parameters(model)
    context = mp.get_context("fork")
    shared = (flat, [torch.zeros_like(flat).share_memory_() for _ in range(processes)],
              torch.zeros(processes).share_memory_(), context.Barrier(processes))
    rest = (shared, model, chat, world, rows, order, stage, probe_every)
    helpers = [context.Process(target=work, args=(rank, *rest)) for rank in range(1, processes)]
    for h in helpers:
        h.start()
    work(0, *rest)
    for h in helpers:
        h.join()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=[*STAGES, "round"])
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--probe-every", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, chat = fast_model.load(args.source)
    if args.stage == "round":
        export(model, args.source, args.out, torch.bfloat16)
        return
    stage, began, world = STAGES[args.stage], time.time(), World("mini")
    train(model, chat, world, stage, args.processes, args.probe_every)
    export(model, args.source, args.out, torch.float32)
    print(probe(model, chat, world, stage))
    print("stage %s: %.0fs" % (args.stage, time.time() - began), flush=True)


if __name__ == "__main__":
    main()
