"""Cells of a pairwise table of options: for each, the gradient of one batch. One process of as many as are told.

python cells.py FOLDER      writes each cell's gradient, from all processes, as FOLDER/NUMBER.pt,
                            for the policy whose weights are FOLDER/babbler.pt
"""

from __future__ import annotations

import itertools
import sys
import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from accelerate import Accelerator

from referee.envs.game import Game, Move, lost, won
from referee.envs.procedural import Draft
from referee.envs.stream import Stream
from referee.trainers import (
    SFT,
    GroupTrainer,
    LoRA,
    PPOTrainer,
    Tiny,
    Training,
    fine_tune,
    preset,
    tiny_policy,
)
from referee.trainers.loop.rollouts import MultiTurn, SingleTurn
from referee.trainers.objective.presets import PRESETS
from referee.trainers.policy.policy import add_adapters
from referee.verifiers import Problem, Reason, Rubric, Verdict

LETTERS = "0123456789 .:\nabcdefghijklmnopqrstuvwxyzT="
SMALL = Tiny(alphabet=LETTERS, layers=1, width=16, heads=2)
SWITCHES = (
    "lora", "kl_in_loss", "kl_in_reward", "track_kl", "overlong", "mask_truncated", "mini_batches",
    "abstention", "truncation", "turns",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Two(Game):
    """Two turns; a digit in the first is paid at once, and a 7 in the second wins."""

    name: ClassVar[str] = "two"
    levels: ClassVar[int] = 1
    turns: ClassVar[int] = 2

    def draw(self, stream, level):
        return Draft("say a digit:", f"{stream.below(10)}:", None)

    def start(self, problem):
        return 0

    def move(self, problem, state, text):
        verdict = None if state < 1 else won() if "7" in text else lost("no 7")
        return Move(
            state=state + 1, observation="ok", reward=0.5 * any(map(str.isdigit, text)), verdict=verdict
        )

    def gold_move(self, problem, state):
        return "7"


def cells():
    """Return a table in which every two options of every two factors meet at least once."""
    factors = [sorted(PRESETS), *([False, True] for _ in SWITCHES)]
    open_pairs = {
        (i, a, j, b)
        for i, j in itertools.combinations(range(len(factors)), 2)
        for a in factors[i]
        for b in factors[j]
        if {SWITCHES[i - 1] if i else "", SWITCHES[j - 1]} != {"kl_in_loss", "kl_in_reward"} or not (a and b)
    }
    table = []
    while open_pairs:
        i, a, j, b = min(open_pairs, key=repr)
        row = {i: a, j: b}
        for k in (k for k in range(len(factors)) if k not in row):

            def gain(value, k=k, row=row):
                met = {**row, k: value}
                pairs = [(x, met[x], y, met[y]) for x, y in itertools.combinations(sorted(met), 2)]
                both = met.get(2) and met.get(3)  # a penalty stands in one place
                return -1 if both else sum(p in open_pairs for p in pairs)

            row[k] = max(factors[k], key=gain)
        for x, y in itertools.combinations(range(len(factors)), 2):
            open_pairs.discard((x, row[x], y, row[y]))
        table.append({"preset": row[0], **{s: row[n + 1] for n, s in enumerate(SWITCHES)}})
    return table


@cache
def babbler():
    """The weights of a policy that says one to five characters, half of them digits, and then ends."""
    policy = tiny_policy(SMALL, seed=5)

    def shown(index):
        stream = Stream(f"babble/{index}")
        prompt = Two().problem(0, index, 0).prompt if index % 2 else f"{index % 8}="
        said = "".join(stream.choice("0123456789xyzwvuts") for _ in range(1 + stream.below(5)))
        return Problem(prompt=prompt), said

    fine_tune(policy, shown, options=SFT(steps=60, batch_size=16, learning_rate=1e-2))
    return policy.model.state_dict()


def judge(abstains):
    def part(completion, problem):
        text = completion.text
        if abstains and len(text) % 3 == 1:
            return Verdict(score=None, reason=Reason.UNAVAILABLE)
        return sum(c in "0123456789" for c in text) / 10

    return part


def trainer(cell, *, dtype="float64", micro=10_000, accelerator=None):
    """Return a trainer of the smallest policy with a cell's options; they make each other inert, in places."""
    own = preset(cell["preset"])
    kl = {"kl_coef": 0.1, "kl_in": "loss"} if cell["kl_in_loss"] else {"kl_coef": 0.0}
    kl = {"kl_coef": 0.1, "kl_in": "reward"} if cell["kl_in_reward"] else kl
    chosen = replace(
        own, batch_size=8, group_size=min(own.group_size, 4), max_new_tokens=6, updates=1,
        mini_batch_size=5 if cell["mini_batches"] else None, overlong_tokens=3 if cell["overlong"] else 0,
        mask_truncated=cell["mask_truncated"], refill_groups=False, **kl,
    )  # fmt: skip
    policy = tiny_policy(SMALL, seed=5, dtype=dtype)
    policy.model.load_state_dict(babbler())
    if cell["lora"]:
        policy = add_adapters(policy, LoRA(rank=2, alpha=8), seed=1)
        torch.manual_seed(0)
        for name, p in policy.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(p, std=0.2)
    game = Two()
    cls = PPOTrainer if chosen.advantage == "gae" else GroupTrainer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        t = cls(
            policy,
            (lambda i: game.problem(0, i, 0))
            if cell["turns"]
            else [Problem(prompt=f"{i}=") for i in range(8)],
            Rubric(
                {"two": game if cell["turns"] else judge(cell["abstention"])},
                truncation="zero" if cell["truncation"] else "score",
            ),
            preset=chosen,
            training=Training(steps=1, track_kl=cell["track_kl"], micro_batch_tokens=micro),
            accelerator=accelerator,
            rollouts=MultiTurn(families=(game,)) if cell["turns"] else SingleTurn(),
        )
    if (
        t.reference is not None and t.reference.model is not None
    ):  # somewhere else, so that a KL says something
        with torch.no_grad():
            t.reference.model.lm_head.weight.mul_(1.1)
    return t


def gradient(cell, *, groups=None, widen=0, **how):
    """Return the gradient of one batch of a cell, None where nothing was left to train on, and its groups."""
    t = trainer(cell, **how)
    groups = groups or t.collect()[0]
    batch, _ = t.pack(groups)
    if batch is None:
        return None, groups
    if widen:  # padding behind every row
        batch = replace(
            batch,
            **{
                name: torch.nn.functional.pad(value, (0, widen))
                for name in ("tokens_BT", "mask_BT", "sampler_logprobs_BT", "old_logprobs_BT", "ref_logprobs_BT",
                             "advantages_BT", "values_BT", "returns_BT")
                if (value := getattr(batch, name)) is not None
            },
        )  # fmt: skip
    t.learner.model.train()
    t.backward(batch)
    found = [torch.zeros_like(p) if p.grad is None else p.grad for p in t.learner.trained]
    return torch.cat([g.flatten().double() for g in found]), groups


def main(folder: Path) -> None:
    """Write the gradient of each cell."""
    torch.set_num_threads(1)
    weights = torch.load(folder / "babbler.pt", weights_only=True)
    globals()["babbler"] = lambda: weights  # fine-tuned in two processes they would differ by rounding
    accelerator = Accelerator(cpu=True)
    for number, cell in enumerate(cells()):
        found, _ = gradient(cell, accelerator=accelerator)
        accelerator.free_memory()
        if accelerator.is_main_process:
            torch.save(found, folder / f"{number}.pt")
        accelerator.wait_for_everyone()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
