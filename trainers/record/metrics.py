"""The figures of a training step that come from its groups. Pure functions of the records.

Names are flat, with ``/`` for families: ``reward``, ``reward/PART``, ``groups/all_failed``,
``reasons/PART/REASON``. Shares are of groups or completions, 0 to 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from referee.envs.records import Group, Rollout
from referee.verifiers.records import Reason
from referee.verifiers.rubric import passes


def group_metrics(groups: Sequence[Group], *, best: float, max_new_tokens: int) -> dict[str, float]:
    """Return the figures of what was sampled; ``best`` is the most that the rubric can pay.

    ``reward`` is over what was decided, and missing where nothing was; ``solved`` is over everything.
    ``reward_std`` is over all completions (n), ``reward_group_std`` the mean of the groups' own.
    ``groups/no_signal`` is the share of groups whose rewards are all equal; of these
    ``groups/all_solved`` were paid the most there is, ``groups/all_failed`` 0 or less,
    ``groups/identical_texts`` wrote one text (solved or not, they are counted only here),
    ``groups/undecided`` have fewer than two rewards. Of an episode of several turns ``completion_tokens``
    are those of all turns. ``entropy`` is the mean of -log p over the
    sampled tokens, in nats, under the distribution that they were drawn from: an unbiased estimate of its
    entropy a token, over everything that was sampled. ``repetition`` is the mean of :func:`repetition`.
    ``errors`` is the share of completions on which a verifier failed, cut off or not.
    """
    rollouts = [r for g in groups for r in g.rollouts]
    totals = [t for g in groups for t in g.totals if t is not None]
    lengths = [len(r.sampled_ids) for r in rollouts]
    turns = [len(turn.completion.token_ids or ()) for r in rollouts for turn in r.turns]
    written = [turn.completion for r in rollouts for turn in r.turns]
    logprobs = [p for c in written for p in c.drawn_logprobs or c.logprobs or ()]
    texts = Counter((i, r.text) for i, g in enumerate(groups) for r in g.rollouts)
    spreads = [_std([t for t in g.totals if t is not None]) for g in groups]
    kinds = Counter(kind for g in groups if (kind := signal(g, best=best)) is not None)
    out = {
        **({"reward": _mean(totals)} if totals else {}),  # a verifier that is down pays no 0
        "reward_std": _std(totals),
        "reward_group_std": _mean(spreads),
        **_parts(rollouts),
        "solved": _mean([float(passes(r.reward.total, best)) for r in rollouts if r.reward is not None]),
        "groups/no_signal": sum(kinds.values()) / len(groups),
        **{f"groups/{kind}": kinds[kind] / len(groups) for kind in KINDS},
        "entropy": -_mean(logprobs) if logprobs else 0.0,
        "completion_tokens": _mean(lengths),
        "completion_tokens_max": float(max(lengths)),
        "truncated": sum(r.truncated for r in rollouts) / len(rollouts),
        "abstained": sum(r.reward is None or r.reward.abstains for r in rollouts) / len(rollouts),
        "errors": sum(failed(r) for r in rollouts) / len(rollouts),
        "distinct_texts": len(texts) / len(rollouts),
        "repetition": _mean([repetition(r.sampled_ids) for r in rollouts]),
        "length_limit_share": _mean(turns) / max_new_tokens,
    }
    reasons = Counter(
        (name, v.reason.value) for r in rollouts if r.reward for name, v in r.reward.parts.items()
    )
    out.update({f"reasons/{part}/{reason}": float(n) for (part, reason), n in sorted(reasons.items())})
    return out


KINDS = ("identical_texts", "all_solved", "all_failed", "all_partial", "undecided")


def signal(group: Group, *, best: float) -> str | None:
    """Say why a group teaches nothing (one of ``KINDS``); None where its rewards differ."""
    totals = [t for t in group.totals if t is not None]
    if len(totals) < 2:
        return "undecided"
    if not math.isclose(max(totals), min(totals), rel_tol=1e-6):
        return None
    if len({r.text for r in group.rollouts}) == 1:
        return "identical_texts"
    if passes(totals[0], best):
        return "all_solved"
    return "all_failed" if totals[0] <= 0.0 else "all_partial"


def failed(rollout: Rollout, part: str | None = None) -> bool:
    """Tell whether a verifier (that of ``part``, where one is named) failed on a rollout.

    Not whether the rollout was paid: one that was cut off is paid 0 whatever its verdicts are.
    """
    verdicts = rollout.reward.parts if rollout.reward is not None else {}
    return any(v.reason is Reason.ERROR for name, v in verdicts.items() if part in (None, name))


def repetition(tokens: Sequence[int], *, n: int = 3) -> float:
    """Return the share of a sequence's n-grams that stood in it before (Welleck et al. 2020, seq-rep-n).

    >>> repetition([1, 2, 1, 2, 1, 2])
    0.5
    """
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def _parts(rollouts: Sequence[Rollout]) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for r in rollouts:
        for name, verdict in (r.reward.parts if r.reward else {}).items():
            scores.setdefault(name, [])
            if verdict.score is not None:
                scores[name].append(verdict.score)
    out = {}
    for name, values in scores.items():
        out[f"reward/{name}"], out[f"reward_std/{name}"] = _mean(values), _std(values)
    return out


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _std(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(_mean([(v - mean) ** 2 for v in values]))
