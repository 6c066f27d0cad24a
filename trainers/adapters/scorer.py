"""Scoring for a client that calls again and again, from any thread, until its run ends.

By default a rubric is called where the client calls it, in its thread: every verifier of ours
bounds its own work. With ``deadline_s`` rules run in worker processes that live as long as the
client's, so that no verifier, however written, can hold a training run: it is the engine of
:func:`referee.verifiers.score` (:mod:`referee.verifiers.scoring.engine`). Where a rule is defined in the
script itself, workers import that script, which needs the usual ``if __name__ == "__main__":`` guard.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from referee.trainers.adapters.abstention import log_abstentions
from referee.verifiers.jsonl import key
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, Problem, Reward, Verdict
from referee.verifiers.rubric import Rubric, Schedule
from referee.verifiers.scoring.engine import Engine

Pair: TypeAlias = tuple[Completion, Problem | Verdict]  # a verdict says why there is no problem


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """A rubric and how to call it: in the caller's thread, or in ``workers`` processes with a deadline.

    Picklable where its rubric is; the worker processes are started where and when they are needed.

    Raises:
        TypeError: where ``rubric`` is no rubric, or cannot be pickled and ``deadline_s`` is given.
        ValueError: where ``deadline_s`` or ``workers`` is not above 0.
    """

    rubric: Rubric
    deadline_s: float | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.rubric, Rubric):
            raise TypeError(
                f"rubric must be a Rubric, got {type(self.rubric).__name__}: "
                'wrap a verifier as Rubric({"name": verifier})'
            )
        if self.deadline_s is not None and not self.deadline_s > 0:
            raise ValueError(f"deadline_s must be above 0 or None, got {self.deadline_s}")
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.deadline_s is not None:
            self._engine()  # raises where the rubric cannot be pickled

    def require_single(self, side: str) -> None:
        """Raise where a part needs siblings, for a side that scores one completion a call.

        Raises:
            ValueError: naming the parts that judge the completions of a problem together.
        """
        if self.rubric.is_group:
            raise ValueError(
                f"rubric must judge completions one by one for {side}, which scores one completion a "
                "call; it has a part that judges the completions of a problem together"
            )

    def score(self, pairs: Sequence[Pair], *, step: int | None = None) -> list[Reward]:
        """Return the reward of each pair; pairs of equal problems are siblings, wherever they stand.

        ``step`` is the training step for scheduled weights. Abstentions are logged.
        """
        items = self._items(pairs)
        solved = (self._engine() if self.deadline_s is not None else self.rubric).score_items(items)
        return self._finish(pairs, solved, step)

    async def ascore(self, pairs: Sequence[Pair], *, step: int | None = None) -> list[Reward]:
        """Like :meth:`score`, for callers in an event loop."""
        items = self._items(pairs)
        if self.deadline_s is not None:
            solved = await self._engine().ascore_items(items)
        elif self.rubric.is_async:
            solved = await self.rubric.ascore_items(items)
        else:
            solved = await asyncio.to_thread(self.rubric.score_items, items)
        return self._finish(pairs, solved, step)

    def close(self) -> None:
        """Let go of the worker processes, where there are any; the next call starts others."""
        if (engine := _engines.get(id(self))) is not None:
            engine.close()

    def _engine(self) -> Engine:
        assert self.deadline_s is not None
        with _making:
            if id(self) not in _engines:
                _engines[id(self)] = Engine(self.rubric, deadline_s=self.deadline_s, workers=self.workers)
                weakref.finalize(self, _engines.pop, id(self), None).atexit = False
            return _engines[id(self)]

    def _items(self, pairs: Sequence[Pair]) -> list[Item]:
        """Return the pairs that can be scored; siblings are told apart only where it matters."""
        readable = [(c, p) for c, p in pairs if isinstance(p, Problem)]
        if not self.rubric.is_group:
            return [Item(c, p, i) for i, (c, p) in enumerate(readable)]
        groups: dict[str, int] = {}
        return [Item(c, p, groups.setdefault(key(p), len(groups))) for c, p in readable]

    def _without(self, verdict: Verdict, truncated: bool = False) -> Reward:
        return self.rubric.pay(dict.fromkeys(self.rubric.parts, verdict), truncated=truncated)

    def _finish(self, pairs: Sequence[Pair], solved: Sequence[Reward], step: int | None) -> list[Reward]:
        rest = iter(solved)
        rewards = [next(rest) if isinstance(p, Problem) else self._without(p, c.truncated) for c, p in pairs]
        if step is not None and any(isinstance(p.weight, Schedule) for p in self.rubric.parts.values()):
            now = self.rubric.at(step)
            rewards = [now.pay(r.parts, truncated=r.truncated) for r in rewards]
        log_abstentions(rewards)
        return rewards


# Beside the scorers, not in them: clients copy, compare and write out the fields of what they hold.
_engines: dict[int, Engine] = {}
_making = threading.RLock()


def _reset_after_fork() -> None:
    global _making
    _making = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
