"""ms-swift: a reward class for ``orms``, in a file that ``--external_plugins`` names.

In that file::

    from swift.rewards import orms
    orms["referee"] = to_ms_swift(rubric, on_abstention="mean")

and ``--reward_funcs referee``. ms-swift sums None as 0 where no other function pays, so what an
abstention becomes is the ``on_abstention`` that you state. ``"mean"`` is the nearest to leaving the
completion out: the mean of its siblings' rewards, so that its advantage is 0 and the baseline of the
others is what it would be without it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from referee.trainers.adapters.abstention import (
    OnAbstention,
    check_on_abstention,
    log_missing_reference,
    number,
)
from referee.trainers.adapters.outside_rows import completion_of, problem_of
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.jsonl import key
from referee.verifiers.records import Problem, Verdict
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.rows import Columns

OnSwiftAbstention: TypeAlias = OnAbstention | Literal["mean"]


def to_ms_swift(
    rubric: Rubric,
    *,
    on_abstention: OnSwiftAbstention,
    columns: Columns | None = None,
    name: str = "referee",
    deadline_s: float | None = None,
    workers: int = 1,
) -> SwiftReward:
    """Return ``rubric`` as what ms-swift instantiates: call it with its ``args`` and get the function.

    The dataset's columns arrive as lists; ``columns`` names those of the answer and the rest. ms-swift
    passes no prompts, so that rows are siblings where their ``messages`` before the last are equal.
    What it marks ``is_truncated`` counts as truncated.

    ``on_abstention`` is a number, ``"raise"``, which ends the training, or ``"mean"``: the mean of what
    the siblings in this process got, 0 for all where none of them got a reward. Dividing by the group's
    standard deviation, GRPO then makes the others' advantages larger by sqrt((G-1)/(n-1)) for n decided
    of G siblings.

    Raises:
        ValueError: where ``on_abstention`` is none of these.
    """
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    choice: OnSwiftAbstention = "mean" if on_abstention == "mean" else check_on_abstention(on_abstention)
    return SwiftReward(scorer=scorer, on_abstention=choice, columns=columns or Columns(), name=name)


@dataclass(frozen=True, kw_only=True)
class SwiftReward:
    """A rubric as an ``ORM``: first made with ``args``, then called with completions."""

    scorer: Scorer
    on_abstention: OnSwiftAbstention
    columns: Columns
    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, completions: Sequence[str] | None = None, *, args: Any = None, **dataset: Any) -> Any:
        """Return this function where ms-swift makes it, and the rewards where it calls it."""
        if completions is None:
            return self
        count = len(completions)
        lists = {k: v for k, v in dataset.items() if isinstance(v, Sequence) and len(v) == count}
        pairs, groups = [], []
        for i, completion in enumerate(completions):
            row = {k: v[i] for k, v in lists.items()}
            if "prompt" not in row and isinstance(row.get("messages"), list):
                row["prompt"] = row["messages"][:-1]
            problem = problem_of(row, self.columns)
            pairs.append((completion_of(completion, truncated=bool(row.get("is_truncated"))), problem))
            groups.append(_group(row, problem))
        rewards = self.scorer.score(pairs)
        log_missing_reference(rewards, self.columns, lists)
        if self.on_abstention == "mean":
            return with_means([r.total for r in rewards], groups)
        return [number(r, self.on_abstention) for r in rewards]


def with_means(totals: Sequence[float | None], groups: Sequence[Hashable]) -> list[float]:
    """Return ``totals`` with the mean of its group's in place of None, 0 where the group has none.

    >>> with_means([1.0, None, 0.5, None], ["a", "a", "a", "b"])
    [1.0, 0.75, 0.5, 0.0]
    """
    decided: dict[Hashable, list[float]] = defaultdict(list)
    for total, group in zip(totals, groups, strict=True):
        if total is not None:
            decided[group].append(total)
    means = {group: math.fsum(some) / len(some) for group, some in decided.items()}
    return [means.get(g, 0.0) if t is None else t for t, g in zip(totals, groups, strict=True)]


def _group(row: Mapping[str, Any], problem: Problem | Verdict) -> Hashable:
    """Return what tells siblings: ms-swift's own id of the prompt, else the problem."""
    return row.get("prompt_id") or (key(problem) if isinstance(problem, Problem) else str(row.get("prompt")))
