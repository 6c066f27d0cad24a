"""Does a tiny policy learn on the environments, and does the curriculum save rollouts?

    python benchmarks/environments_learning.py --only families,game,curriculum [--seeds 3] [--json]

``families``   GRPO on six single-turn families, from a short supervised start on other problems: held-out
               pass@1 before and after with 95 % Wilson intervals, and the same run with rewards shuffled
               within the batch, which must not rise.
``game``       the same for a game of several turns (guess the number), through token-exact rollouts; the
               start imitates a player who draws legal moves at random.
``curriculum`` rollouts until the held-out accuracy of a mixture from trivial to impossible reaches
               ``REACH``, for Thompson sampling and for uniform choice, from the same weights.

Held-out problems are those whose prompt falls on the other side of a digest; of the game, those of
another seed.
Every finished run is a line in benchmarks/results/environments_learning.jsonl; started again, the program
goes on with the runs that are missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from referee.envs.curriculum import Cell, Curriculum, CurriculumState
from referee.envs.dialogue import PlainDialogue
from referee.envs.episode import Episode
from referee.envs.families import family
from referee.envs.game import Game
from referee.envs.mixture import FamilySource
from referee.envs.records import Group, Rollout
from referee.envs.rollout import roll_out, tokens_of
from referee.envs.stream import Stream
from referee.trainers.batch import Row
from referee.trainers.grpo import GroupTrainer
from referee.trainers.heldout import measure, wilson
from referee.trainers.policy import Policy, Tiny, load_policy
from referee.trainers.presets import preset
from referee.trainers.sampling import Sampling, sample, seed_of
from referee.trainers.sft import SFT, sft
from referee.trainers.training import Training
from referee.verifiers.combine import route
from referee.verifiers.records import Completion, Problem
from referee.verifiers.rubric import Rubric

RESULTS = Path(__file__).parent / "results" / "environments_learning.jsonl"
SINGLE = {  # family -> (level, supervised steps): enough for a start that is neither nothing nor everything
    "arithmetic": (1, 150),
    "comparison": (1, 60),
    "counting_letters": (1, 100),
    "gcd": (2, 80),
    "sorting": (0, 100),
    "string_rewriting": (0, 60),
}
GAME, GAME_LEVEL, GAME_WARM = "guess_number", 1, 60
MIXED = (  # from trivial to impossible, for a policy that has seen a little of the first four
    Cell("comparison", 0),
    Cell("arithmetic", 0),
    Cell("arithmetic", 1),
    Cell("sorting", 0),
    Cell("sorting", 3),
    Cell("base_conversion", 4),
    Cell("countdown", 4),
    Cell("python_tool", 1),
)
REACH = 0.05  # the rise in held-out accuracy over the mixture that the curriculum is timed to
HELD = 300
GRPO = replace(
    preset("grpo_trl"),
    name="grpo",
    group_size=8,
    batch_size=128,
    learning_rate=3e-4,
    max_new_tokens=12,
    temperature=1.0,
)


class GameTrainer(GroupTrainer):
    """The group trainer on episodes of several turns: what was sampled is trained on, the rest masked."""

    def rollout(self, positions: Sequence[int]) -> list[Group]:
        """Play a group of episodes for the problem at each position."""
        problems = [self._problem(p) for p in positions]
        seeds = [
            seed_of(self.training.seed, "sample", p, g) for p in positions for g in range(GRPO.group_size)
        ]
        rollouts = play(
            self.policy, [p for p in problems for _ in range(GRPO.group_size)], seeds, self.sampling
        )
        size = GRPO.group_size
        groups = [
            Group(problem=p, rollouts=tuple(rollouts[i * size : (i + 1) * size]))
            for i, p in enumerate(problems)
        ]
        return self._shuffled(groups) if self.training.shuffle_rewards else groups

    def _row(self, rollout: Rollout) -> Any:
        row = tokens_of(rollout)
        return Row(token_ids=row.token_ids, mask=row.mask, logprobs=row.logprobs)


class CurriculumTrainer(GroupTrainer):
    """The group trainer with its problems chosen by a curriculum, which hears what every group passed."""

    def __init__(self, *args: Any, curriculum: Curriculum, **options: Any) -> None:
        self.curriculum, self.state, self.chosen = curriculum, CurriculumState(), list[Cell]()
        super().__init__(*args, **options)

    def rollout(self, positions: Sequence[int]) -> list[Group]:
        """Choose a cell for each group, sample, and tell the curriculum what came of it."""
        self.chosen = self.curriculum.choose(self.state, len(positions))
        cells = dict(zip(positions, self.chosen, strict=True))
        self.problems = lambda p: source(cells[p].family, cells[p].level)(p)
        groups = super().rollout(positions)
        results = [
            (c, sum(t == 1.0 for t in g.totals), sum(t is not None for t in g.totals))
            for c, g in zip(self.chosen, groups, strict=True)
        ]
        self.state = self.curriculum.update(self.state, results)
        return groups


def source(name: str, level: int, side: str = "train") -> FamilySource:
    """Return a side of a family's problems, asked tersely."""
    it = family(name, terse=True)
    return FamilySource(family=it, level=level, split=side, share=0.2, seed=0)  # type: ignore[arg-type]


def heldout(name: str, level: int, count: int) -> list[Problem]:
    """Return different held-out problems."""
    drawn = source(name, level, "heldout")
    found: dict[str, Problem] = {}
    for index in range(20 * count):
        problem = drawn(index)
        found.setdefault(problem.prompt_text, problem)
        if len(found) == count:
            break
    return list(found.values())


def fresh(seed: int) -> Policy:
    """Return a tiny policy with random weights."""
    return load_policy("tiny", tiny=Tiny(layers=2, width=128, heads=4, context=160), seed=seed)


def play(policy: Policy, problems: list[Problem], seeds: Sequence[int], sampling: Sampling) -> list[Rollout]:
    """Play games, all of them at once."""

    def sampler(prefixes: Sequence[Sequence[int]], turn_seeds: Sequence[int]) -> list[Completion]:
        return [c for (c,) in sample(policy, prefixes, sampling=sampling, seeds=turn_seeds)]

    game = family(GAME, terse=True)
    return roll_out(
        [Episode(game, p) for p in problems], sampler, PlainDialogue(policy.tokenizer), seeds=seeds
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """A pass rate with its Wilson interval."""

    rate: float
    low: float
    high: float


def greedy() -> Sampling:
    """Return how held-out problems are answered."""
    return Sampling(max_new_tokens=GRPO.max_new_tokens, temperature=0.0)


def single_rate(policy: Policy, name: str, level: int) -> Measured:
    """Measure held-out pass@1 of a single-turn family."""
    rubric = Rubric({name: family(name, terse=True)})
    held, _ = measure(policy, heldout(name, level, HELD), rubric, sampling=greedy())
    return Measured(held.pass_at_1, held.low, held.high)


def game_rate(policy: Policy) -> Measured:
    """Measure how many held-out games are won."""
    problems = [family(GAME, terse=True).problem(99, i, GAME_LEVEL) for i in range(HELD)]
    rollouts = play(policy, problems, range(HELD), greedy())
    won = sum(r.reward is not None and r.reward.total == 1.0 for r in rollouts)
    return Measured(won / HELD, *wilson(won, HELD))


def run_family(name: str, seed: int, steps: int, shuffled: bool) -> dict[str, Any]:
    """Train on one single-turn family and return its curve."""
    level, warm = SINGLE[name]
    it, train = family(name, terse=True), source(name, level)
    policy = fresh(seed)
    sft(policy, lambda i: (p := train(10**6 + i), it.gold(p)), options=SFT(steps=warm, seed=seed))
    training = Training(steps=1, seed=seed, shuffle_rewards=shuffled)
    trainer = GroupTrainer(policy, train, Rubric({name: it}), preset=GRPO, training=training)
    return curve(trainer, steps, lambda: single_rate(policy, name, level))


def run_game(seed: int, steps: int, shuffled: bool) -> dict[str, Any]:
    """Train on the game and return its curve."""
    game = family(GAME, terse=True)
    assert isinstance(game, Game)
    policy = fresh(seed)
    sft(policy, lambda i: random_turn(game, i), options=SFT(steps=GAME_WARM, seed=seed))
    training = Training(steps=1, seed=seed, shuffle_rewards=shuffled)
    rubric = Rubric({GAME: game})
    trainer = GameTrainer(
        policy, lambda p: game.problem(0, p, GAME_LEVEL), rubric, preset=GRPO, training=training
    )
    return curve(trainer, steps, lambda: game_rate(policy))


def random_turn(game: Game, index: int) -> tuple[Problem, str]:
    """Return a position in a game of random moves, and the random move that comes next."""
    problem, stream = game.problem(1, index, GAME_LEVEL), Stream(f"random turn/{index}")
    state, text = game.start(problem), problem.prompt_text
    for _ in range(stream.below(3)):
        said = game.random_move(problem, state, stream)
        move = game.move(problem, state, said)
        if move.verdict is not None:
            break
        state, text = move.state, f"{text}{said}<eos>\n{move.observation}\n"
    return replace(problem, prompt=text), game.random_move(problem, state, stream)


def curve(trainer: GroupTrainer, steps: int, rate: Callable[[], Measured]) -> dict[str, Any]:
    """Take steps, measuring ten times on the way."""
    started = time.perf_counter()
    points = [(0, rate())]
    for step in range(1, steps + 1):
        trainer.take_step()
        if step == steps or step % max(steps // 10, 1) == 0:
            points.append((step, rate()))
    first, last = points[0][1], points[-1][1]
    return {
        "before": [first.rate, first.low, first.high],
        "after": [last.rate, last.low, last.high],
        "rise": last.rate - first.rate,
        "apart": last.low > first.high,
        "curve": [[step, m.rate] for step, m in points],
        "steps": steps,
        "seconds": round(time.perf_counter() - started, 1),
    }


def run_curriculum(rule: str, seed: int, steps: int) -> dict[str, Any]:
    """Train on the mixture until its held-out accuracy has risen by REACH; return the rollouts that took."""
    policy = fresh(seed)
    start = [(c, family(c.family, terse=True)) for c in MIXED[:4]]

    def demonstration(i: int) -> tuple[Problem, str]:
        cell, it = start[i % len(start)]
        problem = source(cell.family, cell.level)(10**6 + i)
        return problem, it.gold(problem)

    sft(policy, demonstration, options=SFT(steps=250, seed=seed))
    rubric = Rubric({"right": route("family", {c.family: family(c.family, terse=True) for c in MIXED})})
    asked = [p for c in MIXED for p in heldout(c.family, c.level, 60)]

    def accuracy() -> float:
        return measure(policy, asked, rubric, sampling=greedy())[0].pass_at_1

    trainer = CurriculumTrainer(
        policy,
        lambda p: asked[0],  # replaced by what the curriculum chooses
        rubric,
        preset=GRPO,
        training=Training(steps=1, seed=seed),
        curriculum=Curriculum(cells=MIXED, rule=rule, seed=seed),  # type: ignore[arg-type]
    )
    began = accuracy()
    points, reached = [[0, began]], None
    for step in range(1, steps + 1):
        trainer.take_step()
        if step % 5 == 0:
            points.append([step * GRPO.batch_size, accuracy()])
            if reached is None and points[-1][1] >= began + REACH:
                reached = step * GRPO.batch_size
                break
    taken = {f"{c.family}/{c.level}": n for c, n in sorted(trainer.state.taken.items())}
    return {"rule": rule, "before": began, "reached": reached, "curve": points, "taken": taken}


def main() -> None:
    """Run what is missing of what was asked for, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="families,game,curriculum")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    torch.set_num_threads(1)
    jobs: dict[str, Callable[[], dict[str, Any]]] = {}
    for seed in range(options.seeds):
        for shuffled in (False, True):
            end = f"{'shuffled' if shuffled else 'paid'}/{options.steps}/{seed}"
            if "families" in options.only:
                for name in SINGLE:
                    jobs[f"{name}/{end}"] = lambda n=name, s=seed, x=shuffled: run_family(
                        n, s, options.steps, x
                    )
            if "game" in options.only:
                jobs[f"{GAME}/{end}"] = lambda s=seed, x=shuffled: run_game(s, options.steps, x)
        if "curriculum" in options.only:
            for rule in ("thompson", "uniform"):
                end = f"{rule}/{options.steps}/{seed}"
                jobs[f"curriculum/{end}"] = lambda r=rule, s=seed: run_curriculum(r, s, options.steps)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    lines = options.results.read_text().splitlines() if options.results.exists() else []
    done: dict[str, dict[str, Any]] = {(row := json.loads(line))["run"]: row for line in lines}
    for key, job in jobs.items():
        if key not in done:
            about = {"run": key, "date": str(date.today()), "machine": platform.machine()}
            done[key] = {**about, **job()}
            with options.results.open("a") as file:
                file.write(json.dumps(done[key]) + "\n")
        shown = {k: v for k, v in done[key].items() if k in ("before", "after", "rise", "apart", "reached")}
        print(key, json.dumps(shown), flush=True)
    if options.json:
        print(json.dumps({"runs": [done[key] for key in jobs]}))


if __name__ == "__main__":
    main()
