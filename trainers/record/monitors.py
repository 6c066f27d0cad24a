"""Red flags: what is wrong with a training run, in words, and what to try. Pure functions of its record.

A monitor reads the metrics stream (the lines of ``metrics.jsonl``) and says nothing or raises an
:class:`Alarm`. Levels are compared with the run's own beginning (its first ``START`` steps) and are
means over the last ``WINDOW`` steps (of the KL the median), so that the noise of one batch sets nothing off.

| alarm | raised where |
|---|---|
| kl_high | the median KL of the last steps to the reference is above 0.5 nats a token |
| kl_spike | in two steps running it is 5 times the median of the 5 before, and above 0.1 |
| policy_jump | one update moved the policy by more than 0.1 nats a token |
| overoptimised | the reward rose while the held-out measure fell, its interval below the best one's |
| collapsed | the groups' reward std and the share of distinct texts fell to a fraction, problems unsolved |
| no_signal | in nine groups of ten all rewards are equal, none or all solved, or the texts are |
| entropy | the entropy fell below a tenth of its start and below 0.1 nats, problems unsolved |
| repetition | the share of repeated 3-grams rose by 0.2 |
| truncation | a third of the completions is cut off, and it was clearly less |
| abstention | a tenth of the scoring calls fails, and it was clearly less; or half of them fail |
| errors | a verifier failed on one completion in twenty, cut off or not |
| off_policy | the sampler and the trainer disagree: less than half of the tokens are effective |
| not_finite | an optimiser step was left out, for its gradient was no number |
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any, TypeAlias

START, WINDOW = 5, 5
Metrics: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What a monitor saw in step ``step``, and what to try."""

    monitor: str
    step: int
    message: str
    advice: str

    def __str__(self) -> str:
        return f"step {self.step}: {self.message} Try: {self.advice}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A run up to one of its steps. Monitors look at windows of it, so that late steps cost no more."""

    metrics: Sequence[Metrics]  # the whole run's; nothing behind the first ``steps`` is looked at
    steps: int
    held: tuple[int, Any] | None = None  # the newest greedy held-out measure, with its step
    best: tuple[int, Any] | None = None  # the best one before it

    def first(self, count: int) -> Sequence[Metrics]:
        return self.metrics[: min(count, self.steps)]

    def last(self, count: int) -> Sequence[Metrics]:
        return self.metrics[max(0, self.steps - count) : self.steps]

    def between(self, low: int, high: int) -> Sequence[Metrics]:
        """Return the lines of steps from ``low`` to ``high``, both included."""
        places = (bisect_left(self.metrics, step, hi=self.steps, key=_step) for step in (low, high + 1))
        return self.metrics[slice(*places)]

    def after(self, heldout: Iterable[Metrics]) -> _Seen:
        """Return what is seen once these held-out measures are there too."""
        held, best = self.held, self.best
        for line in heldout:
            if line.get("greedy"):
                if held is not None and (best is None or held[1]["pass_at_1"] > best[1]["pass_at_1"]):
                    best = held
                held = (_step(line), line["greedy"])
        return replace(self, held=held, best=best)


def alarms(metrics: Sequence[Metrics], heldout: Sequence[Metrics] = ()) -> list[Alarm]:
    """Return each alarm once, in the step that first raised it.

    ``metrics`` are the lines of ``metrics.jsonl``, ``heldout`` those of ``heldout.jsonl``, in order.
    """
    found: dict[str, Alarm] = {}
    seen, heard = _Seen(metrics=metrics, steps=0), 0
    for steps, line in enumerate(metrics, 1):
        known = bisect_right(heldout, _step(line), lo=heard, key=_step)
        seen, heard = replace(seen, steps=steps).after(heldout[heard:known]), known
        for alarm in _raised(seen):
            found.setdefault(alarm.monitor, alarm)
    return list(found.values())


def check(metrics: Sequence[Metrics], heldout: Sequence[Metrics] = ()) -> list[Alarm]:
    """Return the alarms that the last step raises, given all steps so far."""
    return _raised(_Seen(metrics=metrics, steps=len(metrics)).after(heldout)) if metrics else []


def _raised(seen: _Seen) -> list[Alarm]:
    out = []
    for monitor in _MONITORS:
        said = monitor(seen)
        if said is not None:
            message, advice = said
            name, step = monitor.__name__.lstrip("_"), _step(seen.last(1)[0])
            out.append(Alarm(monitor=name, step=step, message=message, advice=advice))
    return out


Said: TypeAlias = tuple[str, str] | None  # the message and the advice


def _kl_high(seen: _Seen) -> Said:
    values = _series(seen.last(WINDOW), "kl")
    now = median(values) if len(values) == WINDOW else 0.0  # k3 has a heavy tail: a mean may be one token's
    if now <= 0.5:
        return None
    return (
        f"The policy is {now:.2f} nats a token from its reference (0.5 is much): it is leaving its language.",
        "a lower learning rate, a higher kl_coef, or rewards of a smaller scale.",
    )


def _kl_spike(seen: _Seen) -> Said:
    values = _series(seen.last(WINDOW + 2), "kl")
    if len(values) < WINDOW + 2:
        return None
    usual = median(values[:-2])
    if min(values[-2:]) <= max(5 * usual, 0.1):  # for the same reason one step is not enough
        return None
    return (
        f"The KL to the reference jumped to {values[-1]:.2f} nats a token, from {usual:.3f} before.",
        "a lower learning rate, a lower max_grad_norm, and a look at the rewards of this step: "
        "one that is far out of scale does this.",
    )


def _policy_jump(seen: _Seen) -> Said:
    now = _now(seen, "policy_kl")
    if now is None or now <= 0.1:
        return None
    return (
        f"One sampled batch moves the policy by {now:.2f} nats a token (0.1 is much): no clip holds it.",
        "a lower learning rate, fewer update_epochs, or stop_kl.",
    )


def _overoptimised(seen: _Seen) -> Said:
    if seen.held is None or seen.best is None:
        return None
    (best_step, best), (_, last) = seen.best, seen.held
    if last["high"] >= best["low"]:
        return None
    then = _series(seen.between(best_step - WINDOW + 1, best_step + 1), "reward")
    now = _now(seen, "reward")
    if not then or now is None or now <= fmean(then):
        return None
    return (
        f"The reward rose from {fmean(then):.2f} to {now:.2f} while the held-out measure fell from "
        f"{best['pass_at_1']:.0%} in step {best_step} to {last['pass_at_1']:.0%}: "
        "the reward is being satisfied without the task.",
        "more and different reward parts, a look at well-paid samples, a higher kl_coef, "
        f"and the weights of step {best_step}.",
    )


def _collapsed(seen: _Seen) -> Said:
    std, std_before = _now(seen, "reward_group_std"), _start(seen, "reward_group_std")
    texts, texts_before = _now(seen, "distinct_texts"), _start(seen, "distinct_texts")
    if std is None or texts is None or std_before is None or texts_before is None or _solved(seen):
        return None
    if std > 0.2 * std_before or texts > 0.5 * texts_before or std_before == 0.0:
        return None
    return (
        f"A group's completions grow alike: their rewards' std fell from {std_before:.2f} to {std:.2f}, "
        f"the share of distinct texts from {texts_before:.0%} to {texts:.0%}.",
        "a higher temperature, a lower kl_coef, an entropy bonus, or a larger group.",
    )


def _no_signal(seen: _Seen) -> Said:
    # Groups with fewer than two rewards are not meant to compare (PPO), or abstained: another alarm.
    kinds = ("all_failed", "all_partial", "all_solved", "identical_texts")
    shares = {k: _now(seen, f"groups/{k}") or 0.0 for k in kinds}
    if seen.steps < WINDOW or sum(shares.values()) < 0.9:
        return None
    most = max(shares, key=shares.__getitem__)
    said = {
        "all_failed": ("every completion fails", "easier problems, a smoother reward, or a warm start."),
        "all_partial": ("every completion is paid the same part", "a finer reward, or another part."),
        "all_solved": ("every completion is right", "harder problems: there is nothing left to learn here."),
        "identical_texts": (
            "all completions are one text",
            "a higher temperature, or an earlier checkpoint.",
        ),
    }
    why, advice = said[most]
    return f"{sum(shares.values()):.0%} of the groups teach nothing, for the most part because {why}.", advice


def _entropy(seen: _Seen) -> Said:
    now, before = _now(seen, "entropy"), _start(seen, "entropy")
    if now is None or before is None or now > min(0.1 * before, 0.1) or _solved(seen):
        return None
    return (
        f"The entropy fell from {before:.2f} to {now:.3f} nats a token: the policy has stopped exploring.",
        "an entropy bonus (entropy_coef), a higher temperature, a lower learning rate, and, where a batch "
        "gives several updates, a higher clip_high.",
    )


def _repetition(seen: _Seen) -> Said:
    now, before = _now(seen, "repetition"), _start(seen, "repetition")
    if now is None or before is None or now <= before + 0.2:
        return None
    return (
        f"Completions repeat themselves: the share of repeated 3-grams rose from {before:.0%} to {now:.0%}.",
        "a look at samples that are paid well, a part that pays less for repetition, or a higher kl_coef.",
    )


def _truncation(seen: _Seen) -> Said:
    now, before = _now(seen, "truncated"), _start(seen, "truncated")
    if now is None or before is None or now < 1 / 3 or now <= before + 0.2:
        return None
    return (
        f"{now:.0%} of the completions are cut off, up from {before:.0%}.",
        "a higher max_new_tokens, a reward part for length, overlong_tokens, or dr_grpo's aggregation.",
    )


def _abstention(seen: _Seen) -> Said:
    now, before = _now(seen, "abstained"), _start(seen, "abstained")
    if now is None or before is None or not (now >= 0.5 or (now >= 0.1 and now > before + 0.05)):
        return None
    return (
        f"{now:.0%} of the scoring calls fail, and {before:.0%} did in the beginning: "
        "those completions are left out.",
        "a look at the verdicts' reasons (reasons/PART/error and unavailable): a sandbox or a judge is down, "
        "or the references are bad. Do not turn failures into 0.",
    )


def _errors(seen: _Seen) -> Said:
    values = _series(seen.last(WINDOW), "errors")  # a failure is no noise: the first step may say so
    now = fmean(values) if values else 0.0
    if now < 0.05:
        return None
    return (
        f"A verifier failed on {now:.0%} of the completions: it raised, or gave no verdict.",
        "a look at the samples whose reason is error: their verdicts hold what was raised. "
        "The metrics count them by part (reasons/PART/error).",
    )


def _off_policy(seen: _Seen) -> Said:
    now = _now(seen, "sampler/ess_token")
    if now is None or now >= 0.5:
        return None
    return (
        f"Only {now:.0%} of the sampled tokens are effective: the sampler's policy is not the trained one.",
        "the same weights, temperature and precision in both, or off_policy weights.",
    )


def _not_finite(seen: _Seen) -> Said:
    skipped = sum(_series(seen.last(1), "skipped"))
    if not skipped:
        return None
    return (
        f"{skipped:.0f} optimiser steps of this batch were left out: their gradients were no numbers.",
        "a look at the rewards and lengths of this step, a lower learning rate, float32 passes, and warm-up.",
    )


_MONITORS: tuple[Callable[[_Seen], Said], ...] = (
    _kl_high,
    _kl_spike,
    _policy_jump,
    _overoptimised,
    _collapsed,
    _no_signal,
    _entropy,
    _repetition,
    _truncation,
    _abstention,
    _errors,
    _off_policy,
    _not_finite,
)
MONITORS = tuple(monitor.__name__.lstrip("_") for monitor in _MONITORS)
"""The names of all alarms."""


def _step(line: Metrics) -> int:
    return int(line["step"])


def _series(metrics: Sequence[Metrics], name: str) -> list[float]:
    return [float(m[name]) for m in metrics if name in m]


def _now(seen: _Seen, name: str) -> float | None:
    """Return the mean over the last steps; None before there are enough of them, or without the figure."""
    values = _series(seen.last(WINDOW), name)
    return fmean(values) if len(values) == WINDOW else None


def _start(seen: _Seen, name: str) -> float | None:
    values = _series(seen.first(START), name)
    return fmean(values) if len(values) == START else None


def _solved(seen: _Seen) -> bool:
    """Tell whether the policy is sure because it is right."""
    return (_now(seen, "solved") or 0.0) >= 0.75
