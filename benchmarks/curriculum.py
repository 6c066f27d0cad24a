"""Does a curriculum save rollouts on a mixture from trivial to impossible?

    python benchmarks/curriculum.py [--seeds 3] [--json]

Nine cells (a family at a level): one that the policy gets right most of the time, one now and then, one
hardly ever, six never. The policy is tiny, with random weights, and is first shown worked problems of the
first three. From the very same weights GRPO then goes on twice: once every cell is asked equally often
(``uniform``), once a curriculum chooses (``thompson``: what is known of each cell's pass rate, and a target
of one half). Every ``EVERY`` steps pass@1 is measured on held-out problems of all cells, up to ``HELD`` of
each, at temperature 1 with the same random numbers each time.

A run's figure is how many rollouts it took until the mean of two measures, one after the other, was ``RISE``
above its start. The bar: summed over the seeds, the curriculum takes at most two thirds of the rollouts of
uniform choice. A run that does not get there within ``STEPS`` steps counts with all that it took, which
favours uniform choice; the curriculum must get there on every seed.

Every finished run adds a line to benchmarks/results/curriculum.jsonl; started again, the program goes on with
what is missing, and draws curriculum.svg beside it. ``--table docs/environments.md`` writes the figures
between their marks there. Below the bar it exits with 1.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from referee.envs.curriculum import Cell, Curriculum
from referee.envs.families import family
from referee.envs.mixture import FamilySource
from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.heldout import measure
from referee.trainers.loop.problem_source import CurriculumSource
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import SFT, fine_tune
from referee.trainers.objective.presets import preset
from referee.trainers.policy.policy import Policy, Tiny, load_policy
from referee.trainers.policy.sampling import Sampling
from referee.verifiers.combine import route
from referee.verifiers.records import Problem
from referee.verifiers.rubric import Rubric

MARKS = ("<!-- table: benchmarks/curriculum.py -->", "<!-- end of the curriculum table -->")
RESULTS = Path(__file__).parent / "results" / "curriculum.jsonl"
EASY, NOW_AND_THEN, RARE = Cell("unit_conversion", 0), Cell("sorting", 0), Cell("shortest_path", 0)
SHOWN = (EASY, RARE, RARE, EASY, RARE, NOW_AND_THEN)  # gone through in turn
IMPOSSIBLE = tuple(
    Cell(name, level)
    for name, level in (
        ("arithmetic", 5),
        ("base_conversion", 4),
        ("countdown", 4),
        ("gcd", 4),
        ("linear_equations", 4),
        ("polynomial_roots", 4),
    )
)
CELLS = (EASY, NOW_AND_THEN, RARE, *IMPOSSIBLE)
SHOWN_STEPS = 140
RISE, STEPS, EVERY = 0.04, 300, 10
LEAST_SEEDS = 3
HELD, SAMPLES = 30, 2  # problems of each cell, and completions of each
GRPO = replace(
    preset("grpo_trl"),
    group_size=8,
    batch_size=128,
    learning_rate=3e-4,
    max_new_tokens=8,
)

Rule = Literal["thompson", "uniform"]


@cache
def heldout() -> tuple[Problem, ...]:
    """Return the held-out problems: as many different ones of each cell."""
    out: list[Problem] = []
    for cell in CELLS:
        source = FamilySource(family=family(cell.family, terse=True), level=cell.level, split="heldout")
        found: dict[str, Problem] = {}
        for index in range(50 * HELD):
            problem = source(index)
            found.setdefault(problem.prompt_text, problem)
            if len(found) == HELD:
                break
        out += found.values()
    return tuple(out)


def sources() -> dict[Cell, Callable[[int], Problem]]:
    """Return each cell's training problems."""
    return {c: FamilySource(family=family(c.family, terse=True), level=c.level) for c in CELLS}


@cache
def alphabet() -> str:
    """Return the characters that the cells' prompts and golds are written in."""
    letters: set[str] = set()
    for cell in CELLS:
        it = family(cell.family, terse=True)
        for i in range(100):
            problem = it.problem(5, i, cell.level)
            letters |= set(problem.prompt_text + it.gold(problem))
    return "".join(sorted(letters))


def shown(index: int) -> tuple[Problem, str]:
    """Return a worked problem of a cell that is not impossible."""
    cell = SHOWN[index % len(SHOWN)]
    problem = sources()[cell](10**6 + index)
    return problem, family(cell.family, terse=True).gold(problem)


@cache
def start(seed: int) -> Policy:
    """Return the policy that both rules start from a copy of."""
    tiny = Tiny(alphabet=alphabet(), layers=2, width=64, heads=4, context=256)
    policy = load_policy("tiny", tiny=tiny, seed=seed)
    fine_tune(policy, lambda i: shown(seed * 10**5 + i), options=SFT(steps=SHOWN_STEPS, seed=seed))
    return policy


def run(rule: Rule, seed: int, steps: int) -> dict[str, Any]:
    """Train until the held-out pass@1 has risen by RISE; return what that took."""
    began = time.process_time()
    first = start(seed)
    policy = replace(first, model=copy.deepcopy(first.model))
    rubric = Rubric({"right": route("family", {c.family: family(c.family, terse=True) for c in CELLS})})
    source = CurriculumSource(Curriculum(cells=CELLS, rule=rule, seed=seed), sources())
    trainer = GroupTrainer(policy, source, rubric, preset=GRPO, training=Training(steps=steps, seed=seed))
    look = partial(rates, policy, rubric)
    points = [{"rollouts": 0, **look()}]
    reached = None
    while trainer.step < steps and reached is None:
        trainer.take_step()
        if trainer.step % EVERY == 0:
            points.append({"rollouts": trainer.step * GRPO.batch_size, **look()})
            if fmean(p["pass_at_1"] for p in points[-2:]) >= points[0]["pass_at_1"] + RISE:
                reached = points[-1]["rollouts"]
    return {
        "run": _key(rule, seed, steps),
        "rule": rule,
        "seed": seed,
        "reached": reached,
        "rollouts": points[-1]["rollouts"],
        "curve": points,
        "groups": {f"{c.family}/{c.level}": source.known.taken.get(c, 0) for c in CELLS},
        "cpu_s": round(time.process_time() - began, 1),
        "date": str(date.today()),
        "machine": f"{platform.machine()}, one core",
    }


def rates(policy: Policy, rubric: Rubric) -> dict[str, Any]:
    """Return the held-out pass@1 over all cells, and of each."""
    sampling = Sampling(max_new_tokens=GRPO.max_new_tokens, temperature=1.0)
    held, seen = measure(policy, heldout(), rubric, sampling=sampling, samples=SAMPLES)
    cells: dict[str, list[float]] = {}
    for problem, _, reward in seen:
        name = f"{problem.info['family']}/{problem.info['level']}"
        cells.setdefault(name, []).append(float(reward.total == 1.0))
    return {"pass_at_1": round(held.pass_at_1, 4), "cells": {n: round(fmean(v), 3) for n, v in cells.items()}}


def _key(rule: str, seed: int, steps: int) -> str:
    return f"{rule}/{RISE}/{SHOWN_STEPS}/{GRPO.batch_size}/{GRPO.learning_rate:g}/{steps}/{seed}"


def summary(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what each rule took on the seeds that both have run, and their ratio."""
    by_rule = {r: {x["seed"]: x for x in lines if x["rule"] == r} for r in ("thompson", "uniform")}
    seeds = sorted(set(by_rule["thompson"]) & set(by_rule["uniform"]))
    took = {rule: [runs[s]["rollouts"] for s in seeds] for rule, runs in by_rule.items()}
    ratio = sum(took["thompson"]) / sum(took["uniform"]) if seeds else None
    return {
        "seeds": seeds,
        "rollouts": took,
        "reached": {rule: [runs[s]["reached"] is not None for s in seeds] for rule, runs in by_rule.items()},
        "ratio": ratio,
        "bar": ratio is not None
        and len(seeds) >= LEAST_SEEDS
        and ratio <= 2 / 3
        and all(by_rule["thompson"][s]["reached"] is not None for s in seeds),
    }


def table(found: dict[str, Any], about: dict[str, Any]) -> str:
    """Return what each run took as a table in Markdown."""
    lines = [
        f"{about['date']}, {about['machine']}: `python benchmarks/curriculum.py`.",
        "",
        "| seed | thompson | uniform | ratio |",
        "|---|---|---|---|",
    ]
    both = zip(*(found["rollouts"][r] for r in ("thompson", "uniform")), strict=True)
    reached = zip(*(found["reached"][r] for r in ("thompson", "uniform")), strict=True)
    for seed, took, ended in zip(found["seeds"], both, reached, strict=True):
        cells = [f"{n:,}" if got else f"not in {n:,}" for n, got in zip(took, ended, strict=True)]
        lines.append(f"| {seed} | {cells[0]} | {cells[1]} | {took[0] / took[1]:.2f} |")
    all_took = [sum(found["rollouts"][r]) for r in ("thompson", "uniform")]
    lines.append(f"| all | {all_took[0]:,} | {all_took[1]:,} | {found['ratio']:.2f} |")
    return "\n".join(lines)


def draw(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the rise of every run over its rollouts."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "referee"
    from matplotlib import pyplot as plt

    figure, place = plt.subplots(figsize=(6, 3.4))
    for line in lines:
        first = line["curve"][0]["pass_at_1"]
        x = [p["rollouts"] for p in line["curve"]]
        y = [p["pass_at_1"] - first for p in line["curve"]]
        thompson = line["rule"] == "thompson"
        label = line["rule"] if line["seed"] == 0 else None
        place.plot(x, y, color="tab:blue" if thompson else "tab:gray", label=label, linewidth=1.4)
    place.axhline(RISE, color="tab:red", linewidth=0.8, linestyle=":")
    place.set_xlabel("rollouts")
    place.set_ylabel("rise of held-out pass@1")
    place.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run what is missing, then print and draw all there is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS, help="the most that a run may take")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", type=Path, help="the file whose table is to be written")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = options.results
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(x) for x in path.read_text().splitlines()] if path.exists() else []
    rules: tuple[Rule, ...] = ("thompson", "uniform")
    wanted = [(rule, seed) for seed in range(options.seeds) for rule in rules]
    for rule, seed in wanted:
        if _key(rule, seed, options.steps) not in {line["run"] for line in lines}:
            lines.append(run(rule, seed, options.steps))
            with path.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
        line = next(x for x in lines if x["run"] == _key(rule, seed, options.steps))
        first, last = line["curve"][0]["pass_at_1"], line["curve"][-1]["pass_at_1"]
        ended = "reached" if line["reached"] else "not reached"
        print(f"{line['run']}: {first:.3f} -> {last:.3f}, {line['rollouts']} rollouts, {ended}", flush=True)
    mine = [x for x in lines if x["run"] in {_key(r, s, options.steps) for r, s in wanted}]
    found = summary(mine)
    print(f"rollouts to a rise of {RISE}: {found['rollouts']}; ratio {found['ratio']}; bar: {found['bar']}")
    draw(mine, path.with_suffix(".svg"))
    if options.table:
        before, _, rest = options.table.read_text().partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        options.table.write_text(f"{before}{MARKS[0]}\n{table(found, mine[-1])}\n{MARKS[1]}{after}")
    if options.json:
        print(json.dumps(found))
    sys.exit(0 if found["bar"] else 1)


if __name__ == "__main__":
    main()
