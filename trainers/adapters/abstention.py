"""What an abstention becomes on a side that has no word for "no reward".

A rubric that abstains has no number to give: the reference or the machine failed, not the
completion. Sides that can say so (TRL, inspect, ...) are told so. For the others the user states,
as ``on_abstention``, either ``"raise"`` or the number that shall stand in; the verdict then still
carries a flag wherever the other side has room for one. There is no default, because the usual one,
a silent 0, teaches a policy that right answers are wrong.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

from referee.verifiers.errors import NotJudged
from referee.verifiers.evidence import evidence
from referee.verifiers.records import Json, Reason, Reward, Verdict
from referee.verifiers.scoring.rows import Columns

OnAbstention: TypeAlias = float | Literal["raise"]

_LONE = re.compile("[\ud800-\udfff]")  # in a text of Python every one is alone
_log = logging.getLogger("referee.trainers.adapters")


class Abstained(NotJudged, RuntimeError):
    """A rubric abstained where the other side needs a number. ``reward`` holds the verdicts."""

    def __init__(self, reward: Reward) -> None:
        super().__init__(f"the rubric abstained: {why(reward)}")
        self.reward = reward

    def __reduce__(self) -> tuple[type[Abstained], tuple[Reward]]:
        return type(self), (self.reward,)


def check_on_abstention(value: object) -> OnAbstention:
    """Return ``value`` as a choice.

    Raises:
        ValueError: where it is neither ``"raise"`` nor a finite number.
    """
    if value == "raise":
        return "raise"
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError(f'on_abstention must be "raise" or a finite number, got {value!r}')


def check_stand_in(side: str, value: object) -> float:
    """Return ``value`` as the number that stands in, for a side that scores whatever raises as 0.

    Raises:
        ValueError: where it is no finite number.
    """
    choice = check_on_abstention(value)
    if choice == "raise":
        raise ValueError(f"on_abstention must be a number for {side}, which scores what raises as 0.0")
    return choice


def number(reward: Reward, on_abstention: OnAbstention) -> float:
    """Return the reward's total, or what stands in for it.

    Raises:
        Abstained: where the reward abstains and ``on_abstention`` is ``"raise"``.
    """
    if reward.total is not None:
        return reward.total
    if on_abstention == "raise":
        raise Abstained(reward)
    return on_abstention


def why(reward: Reward) -> str:
    """Return why a reward abstains: the first part that did, its reason and what its detail says."""
    for name, verdict in reward.parts.items():
        if verdict.abstains:
            said = evidence(verdict)[:300]
            return f"{name}: {verdict.reason}" + (f" ({utf8(said)})" if said else "")
    return "the completion was truncated, and the rubric abstains on those" if reward.truncated else ""


def reason(reward: Reward) -> str:
    """Return the reason of a reward in one word: that of the part that decides whether it is paid."""
    if reward.truncated:
        return "truncated"
    for verdict in reward.parts.values():
        if verdict.abstains:
            return str(verdict.reason)
    return str(next(iter(reward.parts.values())).reason) if reward.parts else ""


def flat(reward: Reward, *, missing: float | None = None) -> dict[str, float]:
    """Return a reward's parts as finite numbers.

    ``part/<name>`` is the part's unweighted score; where it abstains it is ``missing`` (for sides that
    need the same keys for every completion), or left out. ``part/<name>/abstained`` is 1 there.
    ``abstained`` is 1 where the rubric gave no total, ``truncated`` where the completion was cut off.
    """
    out: dict[str, float] = {}
    for name, verdict in reward.parts.items():
        score = missing if verdict.score is None else verdict.score
        if score is not None:
            out[f"part/{name}"] = score
        out[f"part/{name}/abstained"] = float(verdict.abstains)
    return {**out, "abstained": float(reward.abstains), "truncated": float(reward.truncated)}


def part_stand_in(on_abstention: OnAbstention) -> float:
    """Return what stands in for a part that abstains, where every completion needs the same keys.

    It is the number for a total that does, else 0; never NaN, which makes every mean over it NaN.
    """
    return 0.0 if on_abstention == "raise" else on_abstention


def verdicts(reward: Reward) -> dict[str, Json]:
    """Return each part's score, reason and error as JSON data, for sides that keep metadata."""
    return {
        name: {"score": v.score, "reason": str(v.reason)}
        | ({"answer": utf8(v.answer)} if v.answer is not None else {})
        | ({"error": utf8(said)} if (said := _said(v)) is not None else {})
        for name, v in reward.parts.items()
    }


def _said(verdict: Verdict) -> Json:
    if "error" in verdict.detail:
        return verdict.detail["error"]
    return (evidence(verdict) or None) if verdict.abstains else None


def utf8(data: Json) -> Any:
    """Return JSON data with each lone surrogate replaced by U+FFFD.

    UTF-8 cannot carry them, so a text that holds one would fail its whole batch where the other side
    writes or sends it.
    """
    if isinstance(data, str):
        return data if data.isascii() else _LONE.sub("\ufffd", data)
    if isinstance(data, dict):
        return {utf8(k): utf8(v) for k, v in data.items()}
    return [utf8(v) for v in data] if isinstance(data, list) else data


def log_missing_reference(rewards: Sequence[Reward], columns: Columns, given: Iterable[str]) -> None:
    """Log that the rows lack the reference's column, where that is what abstentions may come from."""
    names = [*given]
    bad = any(v.reason is Reason.BAD_REFERENCE for r in rewards for v in r.parts.values())
    if bad and columns.answer.partition(".")[0] not in names and columns.answer not in names:
        _log.warning(
            "the rows have no column %r, which holds the reference unless columns=Columns(answer=...) names "
            "another; they have %s",
            columns.answer, ", ".join(names) or "none",
        )  # fmt: skip


def log_abstentions(rewards: Sequence[Reward]) -> None:
    """Log how many of ``rewards`` abstain, and why the first did."""
    silent = [r for r in rewards if r.abstains]
    if silent:
        counts = Counter(why(r).partition(" (")[0] for r in silent)
        kinds = ", ".join(f"{n} x {kind}" for kind, n in counts.most_common(5))
        _log.warning(
            "%d of %d completions got no reward (%s); the first: %s",
            len(silent), len(rewards), kinds, why(silent[0]),
        )  # fmt: skip
