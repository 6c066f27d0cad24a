"""Ray Data: a function for ``Dataset.map_batches`` that adds the rewards as columns.

An abstention is NaN in ``reward`` and True in ``abstained``, with its cause in ``why``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from referee.trainers.adapters.abstention import log_missing_reference, why
from referee.trainers.adapters.outside_rows import completion_of, problem_of
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.rows import Columns


def to_ray_data(
    rubric: Rubric,
    *,
    columns: Columns | None = None,
    prefix: str = "",
    deadline_s: float | None = None,
    workers: int = 1,
) -> RayRewards:
    """Return ``rubric`` as a function for ``ds.map_batches(function, batch_format="numpy")``.

    ``columns`` names the completion's and the others' columns. Adds ``reward``, ``part/<name>`` (NaN
    where they abstain), ``abstained`` and ``why``, all with ``prefix`` in front.

    Raises:
        ValueError: where ``columns`` names more than one completion, or the rubric needs siblings: Ray
            Data cuts a data set into batches where it likes.
    """
    columns = columns or Columns()
    if len(columns.completion) != 1:
        raise ValueError(f"columns must name one completion, got {', '.join(columns.completion)}")
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    if rubric.is_group:
        raise ValueError(
            "rubric must judge completions one by one for Ray Data, whose batches may hold a part of a "
            "group; it has a part that judges the completions of a problem together"
        )
    return RayRewards(scorer=scorer, columns=columns, prefix=prefix)


@dataclass(frozen=True, kw_only=True)
class RayRewards:
    """A rubric as a function from a batch of columns to the same with rewards."""

    scorer: Scorer
    columns: Columns
    prefix: str = ""

    @property
    def __name__(self) -> str:
        return "referee_rewards"

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return the batch with the rewards' columns."""
        (text,) = self.columns.completion
        if text not in batch:
            raise ValueError(f"no column {text!r}; the batch has {', '.join(batch)}")
        rows = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
        rewards = self.scorer.score(
            [(completion_of(row[text]), problem_of(row, self.columns)) for row in rows]
        )
        log_missing_reference(rewards, self.columns, batch)
        new: dict[str, Any] = {"reward": [_nan(r.total) for r in rewards]}
        for part in self.scorer.rubric.parts:
            new[f"part/{part}"] = [_nan(r.parts[part].score) for r in rewards]
        added = {k: np.asarray(v, dtype=np.float64) for k, v in new.items()}
        added["abstained"] = np.asarray([r.abstains for r in rewards], dtype=bool)
        added["why"] = np.asarray([why(r) if r.abstains else "" for r in rewards], dtype=object)
        return {**batch, **{self.prefix + k: v for k, v in added.items()}}


def _nan(score: float | None) -> float:
    return float("nan") if score is None else score
