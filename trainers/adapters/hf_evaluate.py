"""Hugging Face ``evaluate``: a metric module.

``compute`` gives the mean over the predictions that have a reward, each reward (None where the rubric
abstains), and how many abstained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.extras import missing
from referee.verifiers.records import Reward
from referee.verifiers.rubric import Rubric


def to_evaluate(
    rubric: Rubric,
    *,
    prompts: bool = False,
    name: str = "referee",
    deadline_s: float | None = None,
    workers: int = 1,
) -> Any:
    """Return ``rubric`` as an ``evaluate.Metric``: ``metric.compute(predictions=..., references=...)``.

    Each reference is the problem's answer, a text. With ``prompts`` the metric also takes, and then
    needs, the column ``prompts``.

    Raises:
        ValueError: where the rubric needs siblings and there are no ``prompts``: questions with the same
            answer would be taken for one.
        ImportError: where evaluate or datasets is not installed.
    """
    try:
        import datasets
        import evaluate
    except ImportError as e:
        raise missing("to_evaluate", "evaluate", install="evaluate") from e
    columns = ("predictions", "references", "prompts") if prompts else ("predictions", "references")
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    if rubric.is_group and not prompts:
        raise ValueError(
            "prompts must be True for a rubric with a part that judges the completions of a problem "
            "together: without them equal references of two problems would make siblings"
        )

    class Referee(evaluate.Metric):  # type: ignore[misc]
        """The rubric as a metric."""

        def _info(self) -> Any:
            text = datasets.Value("string")
            return evaluate.MetricInfo(
                description="The rewards of a rubric.",
                citation="",
                inputs_description=f"{', '.join(columns)}: texts",
                features=datasets.Features(dict.fromkeys(columns, text)),
            )

        def _compute(
            self, predictions: Sequence[str], references: Sequence[str], prompts: Sequence[str] | None = None
        ) -> dict[str, Any]:
            asked = prompts if prompts is not None else [""] * len(predictions)
            rows = zip(predictions, references, asked, strict=True)
            rewards = scorer.score([(completion_of(p), problem_from(q, r)) for p, r, q in rows])
            return summary(rewards)

    return Referee(config_name=name)


def summary(rewards: Sequence[Reward]) -> dict[str, Any]:
    """Return the mean of the decided rewards (None without any), all rewards, and the parts' means."""
    out: dict[str, Any] = {
        "reward": _mean([r.total for r in rewards]),
        "rewards": [r.total for r in rewards],
        "abstained": sum(r.abstains for r in rewards),
    }
    for part in rewards[0].parts if rewards else ():
        out[f"reward/{part}"] = _mean([r.parts[part].score for r in rewards])
    return out


def _mean(scores: Sequence[float | None]) -> float | None:
    decided = [s for s in scores if s is not None]
    return math.fsum(decided) / len(decided) if decided else None
