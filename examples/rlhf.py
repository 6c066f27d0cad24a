"""RLHF from end to end on a CPU: warm start, reward model from preference pairs, PPO with a KL penalty.

The task is small enough to see what goes wrong: the policy writes letters. What "people" want, the gold
reward, is the letter a four times, and not next to itself. The reward model never sees the gold
reward, only which of two samples it prefers; samples of the first policy hardly ever hold more than four
a's, so it can't know that more is too much. PPO against it finds out: its reward goes on rising while the
gold reward, which is measured and not paid, falls back. That is over-optimisation (Gao et al. 2023),
and what the KL penalty is for.

    python examples/rlhf.py [--folder runs/rlhf] [--steps 120] [--kl-coef 0.05]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from referee import Completion, Problem, Reason, Rubric, Verdict, write_training_report
from referee.trainers import (
    SFT,
    Policy,
    PPOTrainer,
    Ranking,
    RewardTraining,
    Run,
    Sampling,
    Tiny,
    Training,
    evaluate_pairs,
    fine_tune,
    load_backbone,
    preset,
    sample,
    tiny_policy,
    train_reward_model,
)
from referee.verifiers import Composable, Item, RewardModel, standardise

LETTERS = "abcdefgh"
WANTED, LONGEST = 4, 16
PROBLEMS = [Problem(prompt=f"{letter}:", answer="a", id=letter) for letter in LETTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold(Composable):
    """What is really wanted: 1/4 for each a (the problem's answer) up to four; then 1/4 off for each more,
    and 1/8 off wherever it stands next to itself. The worst is 0.
    """

    name: str = "gold"

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the gold reward."""
        text, letter = completion if isinstance(completion, str) else completion.text, str(problem.answer)
        count = text.count(letter)
        doubled = sum(a == b == letter for a, b in pairwise(text))
        score = min(count, 2 * WANTED - count) / WANTED - doubled / 8
        return Verdict(score=max(score, 0.0), reason=Reason.SCORED)


def demonstration(index: int) -> tuple[Problem, str]:
    """Return a text of the right form for the warm start: 8 to 12 letters of any kind."""
    rng = random.Random(index)
    return PROBLEMS[index % len(PROBLEMS)], "".join(rng.choices(LETTERS, k=rng.randint(8, 12)))


def preference_pairs(policy: Policy, count: int, seed: int) -> list[Ranking]:
    """Sample two completions of each of some prompts; the gold reward says which is preferred."""
    gold, asked = Gold(), [PROBLEMS[i % len(PROBLEMS)] for i in range(2 * count)]
    groups = sample(
        policy,
        [policy.encode(p.prompt) for p in asked],
        group_size=2,
        sampling=Sampling(max_new_tokens=LONGEST),
        seeds=[seed * 1_000_003 + i for i in range(len(asked))],
    )
    pairs = []
    for problem, group in zip(asked, groups, strict=True):
        best, worst = sorted(group, key=lambda c: -(gold(c, problem).score or 0.0))
        if gold(best, problem).score != gold(worst, problem).score:
            pairs.append(Ranking(problem=problem, completions=(best.text, worst.text)))
    return pairs[:count]


def rlhf(
    folder: Path,
    *,
    steps: int = 120,
    pairs: int = 600,
    warm_steps: int = 200,
    epochs: int = 8,
    kl_coef: float = 0.05,
) -> dict[str, Any]:
    """Run all three stages; return what was measured, a line for each step under ``steps``."""
    policy = tiny_policy(Tiny(alphabet=LETTERS + ":", layers=2, width=64, heads=4, context=32))
    fine_tune(policy, demonstration, options=SFT(steps=warm_steps, batch_size=32, learning_rate=3e-3))

    policy.save(folder / "warm")
    trained, held_out = preference_pairs(policy, pairs, seed=1), preference_pairs(policy, pairs // 4, seed=2)
    backbone = load_backbone(str(folder / "warm"))
    train_reward_model(backbone, trained, RewardTraining(epochs=epochs, batch_size=64, learning_rate=1e-3))
    backbone.save(folder / "reward_model")
    reward_model = RewardModel(model=str(folder / "reward_model"), dtype="float32")
    report = evaluate_pairs(reward_model, held_out)

    shown: Sequence[Item] = [item for r in held_out for item in r.items]
    rubric = Rubric(  # the gold reward has weight 0: it is measured, never paid
        {"reward_model": (standardise(reward_model, shown, most=10.0), 1.0), "gold": (Gold(), 0.0)},
        truncation="score",
    )
    options = replace(
        preset("ppo"),
        kl_coef=kl_coef,
        adaptive_kl=False,
        learning_rate=1e-3,
        batch_size=64,
        mini_batch_size=32,
        update_epochs=2,
        max_new_tokens=LONGEST,
    )
    run = Run(folder / "run")
    PPOTrainer(
        policy,
        PROBLEMS,
        rubric,
        preset=options,
        training=Training(steps=steps, save_every=max(steps, 1), track_kl=True),
        run=run,
    ).train()
    lines = [
        {
            "step": m["step"],
            "reward": m["reward/reward_model"],
            "gold": m["reward/gold"],
            "kl": m["kl_sequence"],
        }
        for m in run.read("metrics")
    ]
    plot(lines, folder / "rlhf.svg")
    write_training_report(folder / "run", folder / "report.html")
    return {"reward_model": report, "steps": lines}


def plot(lines: Sequence[dict[str, float]], file: Path) -> None:
    """Draw what is paid and what is wanted over the distance from the first policy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4))
    left = figure.add_subplot()
    right = left.twinx()
    kl = [line["kl"] for line in lines]
    left.scatter(kl, [line["reward"] for line in lines], s=8, color="tab:blue")
    right.scatter(kl, [line["gold"] for line in lines], s=8, color="tab:orange")
    left.set(xlabel="KL to the warm start, nats a completion", ylabel="reward model (blue)")
    right.set(ylabel="gold reward (orange)")
    figure.savefig(str(file), format="svg")


def main() -> None:
    parser = argparse.ArgumentParser(description="RLHF on a small task, with a gold reward that is not paid.")
    parser.add_argument("--folder", type=Path, default=Path("runs/rlhf"))
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--kl-coef", type=float, default=0.05)
    options = parser.parse_args()
    measured = rlhf(options.folder, steps=options.steps, kl_coef=options.kl_coef)
    print(f"reward model on held-out pairs: {measured['reward_model']}")
    print(f"{'step':>5} {'reward':>8} {'KL':>8} {'gold':>8}")
    lines = measured["steps"]
    for line in lines[:: max(1, len(lines) // 12)]:
        print(f"{line['step']:>5} {line['reward']:>8.2f} {line['kl']:>8.2f} {line['gold']:>8.2f}")
    best = max(lines, key=lambda line: line["gold"])
    last = lines[-1]
    print(f"gold was best at step {best['step']} ({best['gold']:.2f}, KL {best['kl']:.1f})", end="; ")
    print(f"at the end it is {last['gold']:.2f} at a reward of {last['reward']:.2f}")
    print(f"plot: {options.folder / 'rlhf.svg'}; report: {options.folder / 'report.html'}")


if __name__ == "__main__":
    main()
