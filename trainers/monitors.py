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
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


def alarms(metrics: Sequence[Metrics], heldout: Sequence[Metrics] = ()) -> list[Alarm]:
    """Return each alarm once, in the step that first raised it.

    ``metrics`` are the lines of ``metrics.jsonl``, ``heldout`` those of ``heldout.jsonl``.
    """
    found: dict[str, Alarm] = {}
    for end in range(1, len(metrics) + 1):
        step = metrics[end - 1]["step"]
        for alarm in check(metrics[:end], [line for line in heldout if line["step"] <= step]):
            found.setdefault(alarm.monitor, alarm)
    return list(found.values())


def check(metrics: Sequence[Metrics], heldout: Sequence[Metrics] = ()) -> list[Alarm]:
    """Return the alarms that the last step raises, given all steps so far."""
    if not metrics:
        return []
    step = int(metrics[-1]["step"])
    out = []
    for monitor in _MONITORS:
        said = monitor(metrics, heldout)
        if said is not None:
            message, advice = said
            out.append(Alarm(monitor=monitor.__name__.lstrip("_"), step=step, message=message, advice=advice))
    return out


Said: TypeAlias = tuple[str, str] | None  # the message and the advice


def _kl_high(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    values = _series(metrics[-WINDOW:], "kl")
    now = median(values) if len(values) == WINDOW else 0.0  # k3 has a heavy tail: a mean may be one token's
    if now <= 0.5:
        return None
    return (
        f"The policy is {now:.2f} nats a token from its reference (0.5 is much): it is leaving its language.",
        "a lower learning rate, a higher kl_coef, or rewards of a smaller scale.",
    )


def _kl_spike(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    values = _series(metrics[-2 - WINDOW :], "kl")
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


def _policy_jump(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    now = _now(metrics, "policy_kl")
    if now is None or now <= 0.1:
        return None
    return (
        f"One sampled batch moves the policy by {now:.2f} nats a token (0.1 is much): no clip holds it.",
        "a lower learning rate, fewer update_epochs, or stop_kl.",
    )


def _overoptimised(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    held = [(int(line["step"]), line["greedy"]) for line in heldout if line.get("greedy")]
    if len(held) < 2:
        return None
    best_step, best = max(held[:-1], key=lambda pair: pair[1]["pass_at_1"])
    last = held[-1][1]
    if last["high"] >= best["low"]:
        return None
    then = _series([m for m in metrics if best_step - WINDOW < m["step"] <= best_step + 1], "reward")
    now = _now(metrics, "reward")
    if not then or now is None or now <= fmean(then):
        return None
    return (
        f"The reward rose from {fmean(then):.2f} to {now:.2f} while the held-out measure fell from "
        f"{best['pass_at_1']:.0%} in step {best_step} to {last['pass_at_1']:.0%}: "
        "the reward is being satisfied without the task.",
        "more and different reward parts, a look at well-paid samples, a higher kl_coef, "
        f"and the weights of step {best_step}.",
    )


def _collapsed(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    std, std_before = _now(metrics, "reward_group_std"), _start(metrics, "reward_group_std")
    texts, texts_before = _now(metrics, "distinct_texts"), _start(metrics, "distinct_texts")
    if std is None or texts is None or std_before is None or texts_before is None or _solved(metrics):
        return None
    if std > 0.2 * std_before or texts > 0.5 * texts_before or std_before == 0.0:
        return None
    return (
        f"A group's completions grow alike: their rewards' std fell from {std_before:.2f} to {std:.2f}, "
        f"the share of distinct texts from {texts_before:.0%} to {texts:.0%}.",
        "a higher temperature, a lower kl_coef, an entropy bonus, or a larger group.",
    )


def _no_signal(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    # Groups with fewer than two rewards are not meant to compare (PPO), or abstained: another alarm.
    kinds = ("all_failed", "all_partial", "all_solved", "identical_texts")
    shares = {k: _now(metrics, f"groups/{k}") or 0.0 for k in kinds}
    if len(metrics) < WINDOW or sum(shares.values()) < 0.9:
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


def _entropy(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    now, before = _now(metrics, "entropy"), _start(metrics, "entropy")
    if now is None or before is None or now > min(0.1 * before, 0.1) or _solved(metrics):
        return None
    return (
        f"The entropy fell from {before:.2f} to {now:.3f} nats a token: the policy has stopped exploring.",
        "a higher clip_high, an entropy bonus (entropy_coef), a higher temperature, a lower learning rate.",
    )


def _repetition(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    now, before = _now(metrics, "repetition"), _start(metrics, "repetition")
    if now is None or before is None or now <= before + 0.2:
        return None
    return (
        f"Completions repeat themselves: the share of repeated 3-grams rose from {before:.0%} to {now:.0%}.",
        "a look at samples that are paid well, a part that pays less for repetition, or a higher kl_coef.",
    )


def _truncation(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    now, before = _now(metrics, "truncated"), _start(metrics, "truncated")
    if now is None or before is None or now < 1 / 3 or now <= before + 0.2:
        return None
    return (
        f"{now:.0%} of the completions are cut off, up from {before:.0%}.",
        "a higher max_new_tokens, a reward part for length, overlong_tokens, or dr_grpo's aggregation.",
    )


def _abstention(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    now, before = _now(metrics, "abstained"), _start(metrics, "abstained")
    if now is None or before is None or not (now >= 0.5 or (now >= 0.1 and now > before + 0.05)):
        return None
    return (
        f"{now:.0%} of the scoring calls fail, and {before:.0%} did in the beginning: "
        "those completions are left out.",
        "a look at the verdicts' reasons (reasons/PART/error and unavailable): a sandbox or a judge is down, "
        "or the references are bad. Do not turn failures into 0.",
    )


def _errors(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    values = _series(metrics[-WINDOW:], "errors")  # a failure is no noise: the first step may say so
    now = fmean(values) if values else 0.0
    if now < 0.05:
        return None
    return (
        f"A verifier failed on {now:.0%} of the completions: it raised, or gave no verdict.",
        "a look at the samples whose reason is error: their verdicts hold what was raised. "
        "The metrics count them by part (reasons/PART/error).",
    )


def _off_policy(metrics: Sequence[Metrics], heldout: Sequence[Metrics]) -> Said:
    now = _now(metrics, "sampler/ess_token")
    if now is None or now >= 0.5:
        return None
    return (
        f"Only {now:.0%} of the sampled tokens are effective: the sampler's policy is not the trained one.",
        "the same weights, temperature and precision in both, or off_policy weights.",
    )


_MONITORS: tuple[Callable[[Sequence[Metrics], Sequence[Metrics]], Said], ...] = (
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
)
MONITORS = tuple(monitor.__name__.lstrip("_") for monitor in _MONITORS)
"""The names of all alarms."""


def _series(metrics: Sequence[Metrics], name: str) -> list[float]:
    return [float(m[name]) for m in metrics if name in m]


def _now(metrics: Sequence[Metrics], name: str) -> float | None:
    """Return the mean over the last steps; None before there are enough of them, or without the figure."""
    values = _series(metrics[-WINDOW:], name)
    return fmean(values) if len(values) == WINDOW else None


def _start(metrics: Sequence[Metrics], name: str) -> float | None:
    values = _series(metrics[:START], name)
    return fmean(values) if len(values) == START else None


def _solved(metrics: Sequence[Metrics]) -> bool:
    """Tell whether the policy is sure because it is right."""
    return (_now(metrics, "solved") or 0.0) >= 0.75
