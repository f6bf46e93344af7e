# SPDX-License-Identifier: Apache-2.0
"""The training stages of the demo model: what is drawn, how often, at which rate.

What:      STAGES in the order they run; stage_rows gives the rows of one.
Ownership: train.py runs them, check_leaks.py looks at their rows. Nothing here needs PyTorch.
"""
from dataclasses import dataclass

import questions as q

REPLAY_SEED = 77


@dataclass(frozen=True)
class Stage:
    rate: float
    warmup: int
    seed: int
    rows: int = 0             # base stages: rows drawn with `mix`
    mix: dict | None = None
    last_step: int = 0        # stop here although the schedule goes on; 0: run it all
    epochs: int = 1
    replay: int = 0           # fine-tuning: base-stage rows mixed in
    without_forget: int = 0   # fine-tuning: leave out the forget set of this percentage

    @property
    def finetunes(self):
        return self.mix is None


STAGES = {
    "captions": Stage(2e-3, 100, 1, rows=12000, mix=q.MIX_CAPTIONS),
    "faces": Stage(1.2e-3, 100, 3, rows=20000, mix=q.MIX_FACES, last_step=600),
    "names": Stage(1.2e-3, 40, 4, rows=16000, mix=q.MIX_NAMES),
    # A second pass: names of new people bind well only when the path from name to fact is well worn.
    "names_again": Stage(1e-3, 40, 5, rows=12800, mix=q.MIX_NAMES),
    "vanilla": Stage(6e-4, 40, 1, epochs=14, replay=600),
    "retain": Stage(6e-4, 40, 1, epochs=14, replay=600, without_forget=15),
}


def known_rows(stage, world):
    """Rows about made-up faces, celebrities and extra people: all of a base stage, the replay of a fine-tuning."""
    if stage.finetunes:
        return q.base_rows(world, stage.replay, REPLAY_SEED, q.MIX_REPLAY)
    return q.base_rows(world, stage.rows, stage.seed, stage.mix)


def stage_rows(stage, world):
    if not stage.finetunes:
        return known_rows(stage, world)
    people = world.retain(stage.without_forget) if stage.without_forget else world.group["fict"]
    return q.finetuning_rows(people, stage.seed) + known_rows(stage, world)
