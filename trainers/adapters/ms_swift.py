"""ms-swift: a reward class for ``orms``, in a file that ``--external_plugins`` names.

In that file::

    from swift.rewards import orms
    orms["referee"] = to_ms_swift(rubric)

and ``--reward_funcs referee``. ms-swift, like TRL, leaves None out: that is what an abstention becomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from referee.trainers.adapters.reading import completion_of, problem_of
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.rows import Columns


def to_ms_swift(
    rubric: Rubric,
    *,
    columns: Columns | None = None,
    name: str = "referee",
    deadline_s: float | None = None,
    workers: int = 1,
) -> SwiftReward:
    """Return ``rubric`` as what ms-swift instantiates: call it with its ``args`` and get the function.

    The dataset's columns arrive as lists; ``columns`` names those of the answer and the rest. ms-swift
    passes no prompts, so that rows are siblings where their ``messages`` before the last are equal.
    """
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    return SwiftReward(scorer=scorer, columns=columns or Columns(), name=name)


@dataclass(frozen=True, kw_only=True)
class SwiftReward:
    """A rubric as an ``ORM``: first made with ``args``, then called with completions."""

    scorer: Scorer
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
        pairs = []
        for i, completion in enumerate(completions):
            row = {k: v[i] for k, v in lists.items()}
            if "prompt" not in row and isinstance(row.get("messages"), list):
                row["prompt"] = row["messages"][:-1]
            pairs.append((completion_of(completion), problem_of(row, self.columns)))
        return [r.total for r in self.scorer.score(pairs)]
