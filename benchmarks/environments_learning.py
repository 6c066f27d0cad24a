"""Does a tiny policy learn on the environments, from nothing but verdicts, on one core?

    python benchmarks/environments_learning.py [--tasks sorting,guess_number] [--seeds 3] [--json]

For each task and seed a tiny policy with random weights is shown worked problems until it gets a stated
share of some training problems right, sampled. From those very weights GRPO goes on, paid by the family's
verdicts; on the first seed it goes on from them a second time, with each step's rewards dealt out at random,
and must not rise. Held-out
problems are those whose prompt falls on the other side of a digest (games: those of another seed, for
their prompts do not tell what is hidden).

- ``sampled`` and ``greedy``: held-out pass@1 at temperature 1, which is what training raises, and at 0, with
  Wilson's 95 % interval, before, four times on the way, and after;
- ``chance``: computed on the held-out problems: the best constant answer among the golds of training
  problems; for a game, a player who draws legal moves at random;
- a run has learnt where its sampled pass@1 rose by 10 points or more with intervals apart; a task is learnt
  where each of three seeds or more has, they end above chance, and the control did not rise.

A task whose run has not learnt gets no control and no further seeds; it stays in the file and in the
summary. Every finished seed adds its lines to benchmarks/results/environments_learning.jsonl; started
again, the program goes on with what is missing. It then prints the summary and draws the curves
(environments_learning.svg beside it); ``--table docs/environments.md`` writes the summary between its marks
there. The bar is five single-turn tasks and one game; below it, the program
exits with 1.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from referee.envs.families import family
from referee.envs.game import Game
from referee.envs.mixture import FamilySource
from referee.envs.stream import Stream
from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.heldout import HeldOut, measure
from referee.trainers.loop.rollouts import MultiTurn, Rollouts, SingleTurn, demonstration
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import SFT, Demonstration, fine_tune
from referee.trainers.objective.presets import preset
from referee.trainers.policy.policy import Policy, Tiny, load_policy
from referee.trainers.policy.sampling import Sampling
from referee.verifiers.records import Problem
from referee.verifiers.rubric import Rubric

MARKS = ("<!-- table: benchmarks/environments_learning.py -->", "<!-- end of the learning table -->")
RESULTS = Path(__file__).parent / "results" / "environments_learning.jsonl"
CHUNK, MOST = 10, 400  # supervised steps between two looks, and in all
HELD = 250
CONTROLS = 1  # seeds that are run with shuffled rewards, too
LEAST_SEEDS, LEAST_SINGLE, LEAST_GAMES = 3, 5, 1
SHOWN, LOOKED_AT = 10**6, 2 * 10**6  # indices far from those that are trained on


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A family at a level, and how many steps of reinforcement it gets."""

    name: str
    level: int
    steps: int = 100
    start: float = 0.2  # of training problems that it samples right, where supervision ends
    learning_rate: float = 3e-4
    batch_size: int = 128


TASKS = {
    t.name: t
    for t in (
        Task(name="guess_number", level=0, steps=160, start=0.4, learning_rate=5e-4),
        Task(name="sorting", level=0, steps=60),
        Task(name="shortest_path", level=0, steps=60),
        Task(name="unit_conversion", level=1),
        Task(name="string_rewriting", level=0, steps=120),
        Task(name="comparison", level=2, start=0.25),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a task is made of: problems on both sides, what is paid, and how problems are gone through."""

    task: Task
    rubric: Rubric
    rollouts: Rollouts
    heldout: tuple[Problem, ...]
    alphabet: str
    max_new_tokens: int

    def problem(self, index: int) -> Problem:
        """Return a training problem."""
        it = family(self.task.name, terse=True)
        if isinstance(it, Game):
            return it.problem(0, index, self.task.level)
        return FamilySource(family=it, level=self.task.level)(index)

    def shown(self, policy: Policy, index: int) -> Demonstration:
        """Return a worked problem; of a game, one that is played with legal moves drawn at random."""
        it, problem = family(self.task.name, terse=True), self.problem(SHOWN + index)
        if not isinstance(it, Game):
            return problem, it.gold(problem)
        stream = Stream(f"shown/{problem.id}")
        return demonstration(
            policy, it, problem, it.play(problem, lambda state: it.random_move(problem, state, stream))
        )

    def chance(self) -> float:
        """Return what someone gets on the held-out problems who does not read them."""
        it = family(self.task.name, terse=True)
        if isinstance(it, Game):
            texts = [[it.random(p, Stream(f"chance/{p.id}")) for p in self.heldout]]
        else:
            golds = Counter(it.gold(self.problem(LOOKED_AT + i)) for i in range(500))
            texts = [[text] * len(self.heldout) for text, _ in golds.most_common(10)]
        paid = [[it(t, p).score or 0.0 for t, p in zip(ts, self.heldout, strict=True)] for ts in texts]
        return max(fmean(float(s == 1.0) for s in scores) for scores in paid)

    def rate(self, policy: Policy, temperature: float, problems: Sequence[Problem] = ()) -> HeldOut:
        """Measure pass@1, on the held-out problems unless others are given."""
        sampling = Sampling(max_new_tokens=self.max_new_tokens, temperature=temperature)
        asked = problems or self.heldout
        return measure(policy, asked, self.rubric, sampling=sampling, rollouts=self.rollouts)[0]


@cache
def setting(task: Task) -> Setting:
    """Return a task's setting; the policy's alphabet is what its texts are written in."""
    it = family(task.name, terse=True)
    game = isinstance(it, Game)
    held: dict[str, Problem] = {}
    for index in range(20 * HELD):
        if game:
            problem = it.problem(99, index, task.level)
        else:
            problem = FamilySource(family=it, level=task.level, split="heldout")(index)
        held.setdefault(problem.id if game else problem.prompt_text, problem)
        if len(held) == HELD:
            break
    some = [it.problem(5, i, task.level) for i in range(500)]
    golds = [it.gold(p) for p in some]
    letters = set("".join(p.prompt_text for p in some)) | set("".join(golds))
    if game:
        letters |= set(" .\nabcdefghijklmnopqrstuvwxyzT")
    longest = max(len(line) for g in golds for line in (g.split("\n") if game else [g]))
    return Setting(
        task=task,
        rubric=Rubric({task.name: it}),
        rollouts=MultiTurn(families=(it,)) if game else SingleTurn(),
        heldout=tuple(held.values()),
        alphabet="".join(sorted(letters)),
        max_new_tokens=longest + 1,
    )


def start(it: Setting, seed: int) -> tuple[Policy, int]:
    """Return a tiny policy that gets a share of training problems right, and the steps that took."""
    tiny = Tiny(alphabet=it.alphabet, layers=2, width=64, heads=4, context=320)
    policy = load_policy("tiny", tiny=tiny, seed=seed)
    some = [it.problem(LOOKED_AT + i) for i in range(HELD)]
    options = SFT(steps=CHUNK, seed=seed)
    steps = 0
    while steps < MOST and it.rate(policy, 1.0, some).pass_at_1 < it.task.start:
        offset = (seed * MOST + steps) * options.batch_size
        fine_tune(policy, lambda i, o=offset: it.shown(policy, o + i), options=options)
        steps += CHUNK
    return policy, steps


def runs(task: Task, seed: int) -> list[dict[str, Any]]:
    """Run the task and, of the first seed, its control from the same start; return a line for each."""
    it = setting(task)
    began = time.process_time()
    first, supervised = start(it, seed)
    lines = []
    for shuffled in (False, True):
        policy = replace(first, model=copy.deepcopy(first.model))
        trainer = GroupTrainer(
            policy,
            it.problem,
            it.rubric,
            preset=replace(
                preset("grpo_trl"),
                group_size=8,
                batch_size=task.batch_size,
                learning_rate=task.learning_rate,
                max_new_tokens=it.max_new_tokens,
            ),
            training=Training(steps=task.steps, seed=seed, shuffle_rewards=shuffled),
            rollouts=it.rollouts,
        )
        points = [{"step": 0, **_rates(it, policy)}]
        while trainer.step < task.steps:
            trainer.take_step()
            if trainer.step % (task.steps // 5) == 0:
                points.append({"step": trainer.step, **_rates(it, policy)})
        lines.append(
            {
                "run": _key(task, seed, shuffled=shuffled),
                "task": task.name,
                "level": task.level,
                "seed": seed,
                "rewards": "shuffled" if shuffled else "paid",
                "supervised_steps": supervised,
                "steps": task.steps,
                "learning_rate": task.learning_rate,
                "batch_size": task.batch_size,
                "heldout": len(it.heldout),
                "chance": it.chance(),
                "curve": points,
                "cpu_s": round(time.process_time() - began, 1),
                "date": str(date.today()),
                "machine": f"{platform.machine()}, one core",
            }
        )
        if seed >= CONTROLS or not learnt(lines[0]):
            break
    return lines


def _rates(it: Setting, policy: Policy) -> dict[str, list[float]]:
    held = {"greedy": it.rate(policy, 0.0), "sampled": it.rate(policy, 1.0)}
    return {name: [round(x, 4) for x in (h.pass_at_1, h.low, h.high)] for name, h in held.items()}


def _key(task: Task, seed: int, *, shuffled: bool) -> str:
    rule = f"{task.steps}x{task.batch_size}/{task.learning_rate:g}/{task.start:g}"
    return f"{task.name}/{task.level}/{rule}/{seed}/{'shuffled' if shuffled else 'paid'}"


def rose(line: dict[str, Any], mode: str = "sampled") -> tuple[float, bool]:
    """Return how far a run's held-out pass@1 rose, and whether its intervals are apart."""
    before, after = line["curve"][0][mode], line["curve"][-1][mode]
    return after[0] - before[0], after[1] > before[2]


def learnt(line: dict[str, Any]) -> bool:
    """Tell whether a run rose by 10 points with intervals apart."""
    rise, apart = rose(line)
    return rise >= 0.1 and apart


def summary(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each task and setting that was tried."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        groups.setdefault(line["run"].rsplit("/", 2)[0], []).append(line)
    out = []
    for name, group in groups.items():
        paid = [r for r in group if r["rewards"] == "paid"]
        control = [r for r in group if r["rewards"] == "shuffled"]
        means = {
            f"{mode}_{when}": fmean(r["curve"][i][mode][0] for r in paid)
            for mode in ("sampled", "greedy")
            for when, i in (("before", 0), ("after", -1))
        }
        chance = paid[0]["chance"]
        out.append(
            {
                "setting": name,
                "task": paid[0]["task"],
                "level": paid[0]["level"],
                "seeds": len(paid),
                "chance": chance,
                **means,
                "rises": [round(rose(r)[0], 3) for r in paid],
                "control_rises": [round(rose(r)[0], 3) for r in control],
                "greedy_rises": [round(rose(r, "greedy")[0], 3) for r in paid],
                "learnt": len(paid) >= LEAST_SEEDS
                and len(control) >= CONTROLS
                and all(map(learnt, paid))
                and not any(rose(c)[1] for c in control)
                and means["sampled_after"] > chance,
            }
        )
    return out


def table(rows: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """Return the summary as a table in Markdown."""
    lines = [
        f"{about['date']}, {about['machine']}: `python benchmarks/environments_learning.py`.",
        "",
        "| family | level | seeds | chance | sampled | greedy | rise of each seed | rewards shuffled "
        "| learnt |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        rises, controls = (" ".join(f"{x:+.2f}" for x in r[k]) for k in ("rises", "control_rises"))
        lines.append(
            f"| {r['task']} | {r['level']} | {r['seeds']} | {r['chance']:.2f} "
            f"| {r['sampled_before']:.2f} → {r['sampled_after']:.2f} "
            f"| {r['greedy_before']:.2f} → {r['greedy_after']:.2f} "
            f"| {rises} | {controls} | {'yes' if r['learnt'] else 'no'} |"
        )
    return "\n".join(lines)


def draw(lines: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw each learnt task's curves, sampled held-out pass@1 of every seed, beside chance."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "referee"
    from matplotlib import pyplot as plt

    count = len(rows)
    figure, axes = plt.subplots(-(-count // 3), 3, figsize=(10, 2.8 * -(-count // 3)), squeeze=False)
    for place in axes.flat[count:]:
        place.set_visible(False)
    for row, place in zip(rows, axes.flat, strict=False):
        for line in lines:
            if line["run"].rsplit("/", 2)[0] != row["setting"]:
                continue
            paid = line["rewards"] == "paid"
            x = [p["step"] for p in line["curve"]]
            y, low, high = zip(*(p["sampled"] for p in line["curve"]), strict=True)
            place.plot(x, y, color="tab:blue" if paid else "tab:gray", linestyle="-" if paid else "--")
            if paid:
                place.fill_between(x, low, high, color="tab:blue", alpha=0.1, linewidth=0)
        place.axhline(row["chance"], color="tab:red", linewidth=0.8, linestyle=":")
        place.set_title(f"{row['setting'].split('/')[0]}, level {row['setting'].split('/')[1]}", fontsize=9)
        place.set_ylim(0, 1)
    figure.suptitle(
        "Held-out pass@1, sampled, by step: paid (blue, 95 %), rewards shuffled (grey), chance (red)",
        fontsize=9,
    )
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run what is missing, then print and draw all there is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default=",".join(TASKS), help="which tasks, by name")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="fewer steps than the tasks state, to try the program")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", type=Path, help="the file whose table is to be written")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        [json.loads(x) for x in options.results.read_text().splitlines()] if options.results.exists() else []
    )
    for seed in range(options.seeds):
        for name in filter(None, options.tasks.split(",")):
            task = replace(TASKS[name], steps=options.steps or TASKS[name].steps)
            done = {line["run"]: line for line in lines}
            earlier = [done.get(_key(task, s, shuffled=False)) for s in range(seed)]
            failed = not all(line and learnt(line) for line in earlier)
            if failed or _key(task, seed, shuffled=False) in done:
                continue
            fresh = runs(task, seed)
            lines += fresh
            with options.results.open("a") as file:
                file.writelines(json.dumps(line) + "\n" for line in fresh)
            for line in fresh:
                print(
                    f"{line['run']}: {rose(line)[0]:+.3f}, greedy {rose(line, 'greedy')[0]:+.3f}", flush=True
                )
    rows = summary(lines)
    print(f"{'setting':40} seeds chance  sampled       greedy        rises (control)")
    for r in rows:
        print(
            f"{r['setting']:40} {r['seeds']:5} {r['chance']:6.2f}  "
            f"{r['sampled_before']:.2f} -> {r['sampled_after']:.2f}  "
            f"{r['greedy_before']:.2f} -> {r['greedy_after']:.2f}  {r['rises']} ({r['control_rises']})"
            f"{'  learnt' if r['learnt'] else ''}"
        )
    if rows:
        draw(lines, [r for r in rows if r["learnt"]] or rows, options.results.with_suffix(".svg"))
    if options.table and lines:
        before, _, rest = options.table.read_text().partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        text = f"{before}{MARKS[0]}\n{table(rows, lines[-1])}\n{MARKS[1]}{after}"
        options.table.write_text(text)
    names = sorted({r["task"] for r in rows if r["learnt"]})
    games = [n for n in names if isinstance(family(n), Game)]
    bar = len(games) >= LEAST_GAMES and len(names) - len(games) >= LEAST_SINGLE
    print(f"learnt: {', '.join(names) or 'none'}; five single-turn tasks and a game: {bar}")
    if options.json:
        print(json.dumps({"tasks": rows, "learnt": names, "games": games, "bar": bar}))
    sys.exit(0 if bar else 1)


if __name__ == "__main__":
    main()
