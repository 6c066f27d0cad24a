"""A rubric whose parts keep their deadlines wherever it is called: what a trainer hands to its rollouts."""

from __future__ import annotations

from collections.abc import Sequence

from referee.verifiers.protocol import Item
from referee.verifiers.records import Reward
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.engine import Engine


class TimedRubric(Rubric):
    """A rubric that scores through an engine, and pays by its own weights and policies."""

    __slots__ = ("_engine",)

    _engine: Engine

    def __init__(self, rubric: Rubric, engine: Engine) -> None:
        super().__init__(
            rubric.parts,
            abstention=rubric.abstention,
            truncation=rubric.truncation,
            thinking=rubric.thinking,
        )
        object.__setattr__(self, "_engine", engine)

    def at(self, step: int) -> Rubric:
        """Return the rubric with every scheduled weight fixed at its value in training step ``step``."""
        return TimedRubric(super().at(step), self._engine)

    def score_items(self, items: Sequence[Item]) -> list[Reward]:
        """Return one reward for each item; items of the same ``group`` are siblings."""
        return self._paid(self._engine.score_items(items))

    async def ascore_items(self, items: Sequence[Item]) -> list[Reward]:
        """Like :meth:`score_items`, for callers in an event loop."""
        return self._paid(await self._engine.ascore_items(items))

    def close(self) -> None:
        """Let go of the worker processes."""
        self._engine.close()

    def _paid(self, rewards: Sequence[Reward]) -> list[Reward]:
        return [self.pay(r.parts, truncated=r.truncated) for r in rewards]
