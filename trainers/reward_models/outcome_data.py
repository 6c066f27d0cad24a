"""Training data for outcome models: rollouts that a verifier labelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from referee.envs.records import Group
from referee.verifiers.protocol import AnyVerifier, Item
from referee.verifiers.scoring.asking import evaluate


def labelled_by(verifier: AnyVerifier, items: Sequence[Item]) -> tuple[list[Item], list[float]]:
    """Return the items that ``verifier`` decides, and its scores; abstentions teach nothing."""
    verdicts = evaluate(verifier, items)
    kept = [(i, v.score) for i, v in zip(items, verdicts, strict=True) if v.score is not None]
    return [i for i, _ in kept], [s for _, s in kept]


def labelled_rollouts(groups: Iterable[Group], part: str) -> tuple[list[Item], list[float]]:
    """Return the completions of groups and the scores that the rubric's ``part`` gave them."""
    items, labels = [], []
    for number, group in enumerate(groups):
        for rollout in group.rollouts:
            verdict = rollout.reward.parts.get(part) if rollout.reward is not None else None
            if verdict is not None and verdict.score is not None:
                items.append(Item(rollout.completion, group.problem, number))
                labels.append(verdict.score)
    return items, labels


def majority(answers: Sequence[str | None]) -> int | None:
    """Return the index of the first completion with the most frequent answer; None where there is none.

    Self-consistency (Wang et al. 2022). Of equally frequent answers the one that came first wins.

    >>> majority(["4", None, "5", "5"])
    2
    """
    counts: dict[str, int] = {}
    for answer in answers:
        if answer is not None:
            counts[answer] = counts.get(answer, 0) + 1
    if not counts:
        return None
    most = max(counts.values())
    return answers.index(next(a for a in answers if a is not None and counts[a] == most))
