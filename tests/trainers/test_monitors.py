"""Every alarm fires on a run planted for it, names what to try, and is silent on healthy runs."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

import pytest
import torch

from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.heldout import measure
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import SFT, fine_tune
from referee.trainers.objective.presets import preset
from referee.trainers.policy.policy import tiny_policy
from referee.trainers.record.monitors import MONITORS, alarms, check
from referee.verifiers.jsonl import to_dict
from referee.verifiers.rubric import Rubric

HELD = {"pass_at_1": 0.5, "low": 0.45, "high": 0.55}


def healthy(seed: int, steps: int = 60) -> list[dict[str, float]]:
    """A run that learns, with the noise of small batches."""
    rng = random.Random(seed)
    out = []
    for i in range(steps):
        share = i / steps
        line = {
            "step": i + 1, "reward": 0.2 + 0.6 * share, "solved": 0.2 + 0.6 * share, "kl": 0.002 + 0.05 * share,
            "policy_kl": 0.004, "reward_group_std": 0.3 - 0.15 * share, "distinct_texts": 0.7 - 0.25 * share,
            "entropy": 1.0 - 0.7 * share, "repetition": 0.1, "truncated": 0.1 - 0.05 * share, "abstained": 0.01,
            "groups/all_failed": 0.3 * (1 - share), "groups/all_solved": 0.4 * share, "groups/all_partial": 0.0,
            "groups/identical_texts": 0.05, "groups/undecided": 0.0, "sampler/ess_token": 0.99, "errors": 0.0,
            "skipped": 0.0,
        }  # fmt: skip
        out.append({k: v if k == "step" else v * rng.uniform(0.7, 1.3) for k, v in line.items()})
    return out


def rising(name: str, end: float) -> dict[str, object]:
    return {name: lambda share, before: before + (end - before) * share}


PLANTED = {
    "kl_high": rising("kl", 0.9),
    "kl_spike": {"kl": lambda share, before: 0.6 if 0.75 <= share < 0.79 else before},
    "policy_jump": rising("policy_kl", 0.5),
    "collapsed": {
        **rising("reward_group_std", 0.0),
        **rising("distinct_texts", 0.1),
        **rising("solved", 0.1),
    },
    "no_signal": {**rising("groups/all_failed", 1.0), "groups/all_solved": lambda *_: 0.0},
    "entropy": {**rising("entropy", 0.0), **rising("solved", 0.1)},
    "repetition": rising("repetition", 0.6),
    "truncation": rising("truncated", 0.7),
    "abstention": rising("abstained", 0.3),
    "errors": rising("errors", 0.5),
    "off_policy": rising("sampler/ess_token", 0.2),
    "not_finite": {"skipped": lambda share, _: float(share > 0.5)},
}


@pytest.mark.parametrize("name", PLANTED)
def test_an_alarm_fires_on_the_stream_planted_for_it_and_alone(name) -> None:
    stream = healthy(7)
    for i, line in enumerate(stream):
        line |= {k: change(i / len(stream), line[k]) for k, change in PLANTED[name].items()}
    raised = alarms(stream)
    assert name in [a.monitor for a in raised]
    assert {a.monitor for a in raised} <= {name, "kl_spike", "kl_high"} if "kl" in name else [name]
    alarm = next(a for a in raised if a.monitor == name)
    assert alarm.step > 5
    assert "Try: " in str(alarm)
    assert len(alarm.message) > 40


def test_the_kl_of_one_batch_raises_nothing_however_high() -> None:
    stream = healthy(1)
    stream[40] |= {"kl": 40.0}
    assert alarms(stream) == []


def test_a_verifier_that_fails_is_a_red_flag_from_the_first_step_on() -> None:
    (alarm,) = check([{"step": 1, "errors": 0.25, "abstained": 0.0}])  # all of them cut off, and paid 0
    assert alarm.monitor == "errors"
    assert "failed on 25% of the completions" in alarm.message
    assert check([{"step": 1, "errors": 0.04}]) == []


def test_an_overoptimised_reward_needs_a_fall_beyond_the_intervals() -> None:
    stream = healthy(1)
    falls = [
        {"step": 20, "greedy": HELD},
        {"step": 40, "greedy": {"pass_at_1": 0.3, "low": 0.25, "high": 0.35}},
    ]
    (alarm,) = alarms(stream, falls)
    assert (alarm.monitor, alarm.step) == ("overoptimised", 40)
    assert "weights of step 20" in alarm.advice
    noise = [
        {"step": 20, "greedy": HELD},
        {"step": 40, "greedy": {"pass_at_1": 0.45, "low": 0.4, "high": 0.5}},
    ]
    assert alarms(stream, noise) == []
    worse = [{**m, "reward": 1 - m["reward"]} for m in stream]  # both fall: that is no hacking
    assert "overoptimised" not in [a.monitor for a in alarms(worse, falls)]


@pytest.mark.parametrize("seed", range(5))
def test_no_alarm_on_a_healthy_stream(seed) -> None:
    held = [
        {"step": s, "greedy": {"pass_at_1": s / 80, "low": s / 80 - 0.05, "high": s / 80 + 0.05}}
        for s in (1, 20, 40, 60)
    ]
    assert alarms(healthy(seed), held) == []


def test_a_policy_that_is_sure_because_it_is_right_has_not_collapsed() -> None:
    stream = healthy(3)
    for i, line in enumerate(stream):
        share = i / len(stream)
        line |= {
            "entropy": 1 - share,
            "distinct_texts": 0.7 * (1 - share) + 0.05,
            "reward_group_std": 0.3 * (1 - share),
        }
        line |= {"solved": 0.2 + 0.8 * share, "groups/all_solved": 0.9 * share, "groups/all_failed": 0.0}
        line |= {"groups/identical_texts": 0.0}
    assert "collapsed" not in [a.monitor for a in alarms(stream)]
    assert "entropy" not in [a.monitor for a in alarms(stream)]


def test_what_is_not_measured_raises_nothing() -> None:
    assert alarms([]) == []
    assert alarms([{"step": i} for i in range(20)], [{"step": 3}]) == []
    assert check([{"step": 1, "kl": 99.0}]) == []  # one step is no trend


def test_all_alarms_are_named_and_planted() -> None:
    assert set(MONITORS) == {*PLANTED, "overoptimised"}


# ---------------------------------------------------------------- real runs


@pytest.fixture(scope="module")
def warm(tiny):
    """A policy that does some sums right."""
    with torch.random.fork_rng():
        policy = tiny_policy(tiny.options, seed=0)
        fine_tune(
            policy,
            [(p, str(p.answer)) for p in tiny.problems],
            options=SFT(steps=120, batch_size=50, learning_rate=5e-3),
        )
    return policy


def run(tiny, warm, rubric, *, steps=30, seed=0, change=None, held=False, **options):
    """Train for real, with the figures of every step; ``change`` may tamper with the trainer."""
    numbers = {
        "batch_size": 32,
        "group_size": 8,
        "learning_rate": 1e-4,
        "max_new_tokens": 5,
        "temperature": 1.0,
    }
    t = GroupTrainer(
        replace(warm, model=copy.deepcopy(warm.model)),
        tiny.problems,
        rubric,
        preset=replace(preset("grpo_trl"), **{**numbers, **options}),
        training=Training(steps=steps, seed=seed, track_kl=True),
    )
    metrics, heldout = [], []
    for step in range(1, steps + 1):
        if change is not None:
            change(t, step)
        figures, _, _ = t.take_step()
        metrics.append({"step": step, **figures})
        if held and step % 10 == 1:
            exact = Rubric({"exact": tiny.exact})
            measured, _ = measure(
                t.policy, tiny.problems, exact, sampling=replace(t.sampling, temperature=0.0)
            )
            heldout.append({"step": step, "greedy": to_dict(measured)})
    return {a.monitor for a in alarms(metrics, heldout)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_no_alarm_on_a_healthy_run(tiny, warm, seed) -> None:
    assert run(tiny, warm, Rubric({"exact": tiny.exact}), seed=seed, held=True) == set()


def hot(t, step):
    t.preset = replace(t.preset, learning_rate=3e-2 if step >= 15 else 1e-4)


def other_temperature(t, step):
    t.sampling = replace(t.sampling, temperature=4.0)


def never(completion, problem):
    return 0.0


def same(completion, problem):
    """Pays at most half, and only for one text."""
    return 0.5 * sum(c == "1" for c in completion.text[:2]) / 2 if len(completion.text) <= 2 else 0.0


def run_on(completion, problem):
    """Pays for the same character again and again."""
    return max((completion.text.count(c) for c in set(completion.text)), default=0) / 12


class Failing:
    """A scoring service that goes down over time."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, completion, problem):
        self.calls += 1
        return None if self.calls % 4 == 0 and self.calls > 400 else completion.text == problem.answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rubric", "options"),
    [
        ("kl_high", "exact", {"learning_rate": 3e-2}),
        ("kl_spike", "exact", {"change": hot}),
        ("policy_jump", "exact", {"learning_rate": 1e-2, "update_epochs": 8}),
        ("overoptimised", "digits", {"learning_rate": 2e-3, "held": True}),
        ("collapsed", same, {"learning_rate": 3e-3}),
        ("entropy", same, {"learning_rate": 3e-3, "steps": 50}),
        ("no_signal", never, {}),
        ("repetition", run_on, {"learning_rate": 3e-3, "max_new_tokens": 12}),
        ("truncation", run_on, {"learning_rate": 3e-3, "max_new_tokens": 12}),
        ("abstention", Failing(), {}),
        ("off_policy", "exact", {"change": other_temperature}),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_each_alarm_fires_on_a_run_planted_for_it(tiny, warm, name, rubric, options) -> None:
    verifier = getattr(tiny, rubric) if isinstance(rubric, str) else rubric
    rubric = Rubric({"paid": verifier}, truncation="score")
    # What is sampled differs between processors, and now and then a run fails in another way.
    assert any(name in run(tiny, warm, rubric, seed=seed, **options) for seed in range(4))


def planted(seed: int) -> tuple[list[dict[str, float]], list[dict[str, object]]]:
    """A run whose figures jump about, with held-out measures, so that every alarm is raised somewhere."""
    rng, heldout = random.Random(seed), []
    lines = healthy(seed, steps=rng.randint(1, 40))
    levels = dict(lines[0])
    for line in lines:
        for name in sorted(levels.keys() - {"step"}):
            if rng.random() < 0.15:
                levels[name] = rng.random()
        line |= {name: level for name, level in levels.items() if name != "step"}
        if rng.random() < 0.3:
            p = rng.random()
            heldout.append(
                {"step": line["step"], "greedy": {"pass_at_1": p, "low": p - 0.05, "high": p + 0.05}}
            )
    return lines, heldout


def test_an_alarm_is_raised_in_the_first_step_whose_prefix_raises_it() -> None:
    raised = set()
    for seed in range(300):
        metrics, heldout = planted(seed)
        first = {}
        for end in range(1, len(metrics) + 1):
            known = [line for line in heldout if line["step"] <= metrics[end - 1]["step"]]
            for alarm in check(metrics[:end], known):
                first.setdefault(alarm.monitor, alarm)
        assert alarms(metrics, heldout) == list(first.values())
        raised |= set(first)
    assert raised == set(MONITORS)


class Read(list):  # type: ignore[type-arg]
    """A list that counts what is read of it."""

    count = 0

    def __getitem__(self, index):
        got = super().__getitem__(index)
        self.count += len(got) if isinstance(index, slice) else 1
        return got


def test_a_step_late_in_a_run_costs_no_more_reading_than_an_early_one() -> None:
    def reads(steps: int) -> float:
        metrics, heldout = (
            Read(healthy(3, steps=steps)),
            Read({"step": i, "greedy": HELD} for i in range(0, steps, 5)),
        )
        alarms(metrics, heldout)
        return (metrics.count + heldout.count) / steps

    assert reads(2000) <= 1.1 * reads(200)
