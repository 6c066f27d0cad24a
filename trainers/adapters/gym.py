"""gymnasium and GEM: rows and a rubric as a single-turn environment with text in and text out.

Both need a number: what an abstention becomes is the ``on_abstention`` that you state. The episode is
then truncated (it did not end by its rules), and ``info["abstained"]`` is True. Families of problems are
environments already (:mod:`referee.envs.text_env`); these are for a data set of yours.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from referee.trainers.adapters.abstention import OnAbstention, check_on_abstention, flat, number, why
from referee.trainers.adapters.outside_rows import completion_of, problem_of
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.extras import missing
from referee.verifiers.records import Problem
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.rows import Columns


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The rows to ask about, and how a completion is paid."""

    scorer: Scorer
    rows: Sequence[Mapping[str, Any]]
    columns: Columns
    on_abstention: OnAbstention

    def prompt(self, index: int) -> str:
        problem = problem_of(self.rows[index], self.columns)
        return (
            problem.prompt_text if isinstance(problem, Problem) else str(self.rows[index].get("prompt", ""))
        )

    def pay(self, index: int, action: str) -> tuple[float, dict[str, Any]]:
        problem = problem_of(self.rows[index], self.columns)
        (reward,) = self.scorer.score([(completion_of(action), problem)])
        info: dict[str, Any] = flat(reward)
        info |= {"abstained": reward.abstains, "why": why(reward) if reward.abstains else ""}
        return number(reward, self.on_abstention), {"index": index, **info}


def _rows(
    side: str,
    rubric: Rubric,
    rows: Sequence[Mapping[str, Any]],
    columns: Columns | None,
    on_abstention: OnAbstention,
    deadline_s: float | None,
    workers: int,
) -> _Rows:
    if not len(rows):
        raise ValueError("rows must hold at least one row, got none")
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    scorer.require_single(side)
    choice = check_on_abstention(on_abstention)
    return _Rows(scorer=scorer, rows=rows, columns=columns or Columns(), on_abstention=choice)


def to_gymnasium(
    rubric: Rubric,
    rows: Sequence[Mapping[str, Any]],
    *,
    on_abstention: OnAbstention,
    columns: Columns | None = None,
    max_length: int = 100_000,
    deadline_s: float | None = None,
    workers: int = 1,
) -> Any:
    """Return rows and ``rubric`` as a ``gymnasium.Env`` of one-turn episodes.

    ``reset(seed=s)`` draws a row at random; ``options={"index": i}`` asks for one.

    Raises:
        ValueError: where there are no rows, or the rubric needs siblings.
    """
    import gymnasium

    from referee.envs.text_env import Text

    table = _rows("gymnasium", rubric, rows, columns, on_abstention, deadline_s, workers)

    class RowsEnv(gymnasium.Env[str, str]):
        """One row, one completion, one reward."""

        def __init__(self) -> None:
            self.observation_space = Text(max_length)
            self.action_space = Text(max_length)
            self._index: int | None = None

        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[str, dict[str, Any]]:
            """Draw a row and return its prompt."""
            super().reset(seed=seed)
            chosen = (options or {}).get("index")
            self._index = int(self.np_random.integers(len(table.rows)) if chosen is None else chosen)
            return table.prompt(self._index), {"index": self._index}

        def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
            """Pay a completion; the episode ends."""
            if self._index is None:
                raise gymnasium.error.ResetNeeded("call reset() before step()")
            reward, info = table.pay(self._index, action)
            self._index = None
            return "", reward, not info["abstained"], info["abstained"], info

    return RowsEnv()


def to_gem(
    rubric: Rubric,
    rows: Sequence[Mapping[str, Any]],
    *,
    on_abstention: OnAbstention,
    columns: Columns | None = None,
    deadline_s: float | None = None,
    workers: int = 1,
) -> GemEntryPoint:
    """Return rows and ``rubric`` as a GEM entry point: ``gem.register("mine:sums", entry_point=...)``.

    Raises:
        ValueError: where there are no rows, or the rubric needs siblings.
    """
    return GemEntryPoint(table=_rows("GEM", rubric, rows, columns, on_abstention, deadline_s, workers))


@dataclass(frozen=True, kw_only=True)
class GemEntryPoint:
    """Makes GEM environments. Picklable where its rubric is."""

    table: _Rows

    @property
    def __name__(self) -> str:
        return "RefereeGemEnv"

    def __call__(self, seed: int | None = None) -> Any:
        """Return a new environment; the seed is the first episode's, where its reset gets none.

        Raises:
            ImportError: where gem is not installed.
        """
        try:
            import gem
        except ImportError as e:
            raise missing("to_gem", "gem", install="gem-llm") from e
        table = self.table

        class RefereeGemEnv(gem.Env):  # type: ignore[misc]
            """One row, one completion, one reward."""

            def __init__(self) -> None:
                self.index = 0
                self.random = random.Random(seed)

            def reset(self, seed: int | None = None) -> tuple[str, dict[str, Any]]:
                """Draw a row and return its prompt."""
                super().reset(seed)
                self.random = self.random if seed is None else random.Random(seed)
                self.index = self.random.randrange(len(table.rows))
                return table.prompt(self.index), {"index": self.index}

            def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
                """Pay a completion; the episode ends."""
                reward, info = table.pay(self.index, action)
                return "", reward, not info["abstained"], info["abstained"], info

            def sample_random_action(self) -> str:
                return str(self.random.randrange(100))

        return RefereeGemEnv()
