"""Scoring for a client that calls again and again, from any thread, until its run ends.

By default a rubric is called where the client calls it, in its thread: every verifier of ours
bounds its own work. With ``deadline_s`` rules run in worker processes that live as long as the
client's, so that no verifier, however written, can hold a training run: a completion past its
deadline costs its worker's life and is decided as in :func:`referee.verifiers.score`. Worker
processes start a fresh interpreter, so the script that uses them needs the usual
``if __name__ == "__main__":`` guard.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from referee.trainers.adapters.abstention import log_abstentions
from referee.trainers.adapters.live_pool import LivePool
from referee.verifiers.evaluate import run_coroutine
from referee.verifiers.jsonl import key
from referee.verifiers.protocol import Item, failure
from referee.verifiers.records import Completion, Problem, Reason, Reward, Verdict
from referee.verifiers.rubric import Rubric, Schedule
from referee.verifiers.scoring.pool import Pool

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
    _live: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

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
        if self._in_processes:
            Pool(self.rubric, workers=0, deadline_s=1.0)  # raises where the rubric cannot be pickled

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_live": []}

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
        if self._in_processes:
            solved = self._regroup(items, self._pool().submit(self._units(items)).result())
        elif self.rubric.is_async and self.deadline_s is not None:
            solved = run_coroutine(self._awaited(items))
        else:
            solved = self.rubric.score_items(items)
        return self._finish(pairs, solved, step)

    async def ascore(self, pairs: Sequence[Pair], *, step: int | None = None) -> list[Reward]:
        """Like :meth:`score`, for callers in an event loop."""
        items = self._items(pairs)
        if self._in_processes:
            future = self._pool().submit(self._units(items))
            solved = self._regroup(items, await asyncio.wrap_future(future))
        elif self.rubric.is_async and self.deadline_s is not None:
            solved = await self._awaited(items)
        elif self.rubric.is_async:
            solved = await self.rubric.ascore_items(items)
        else:
            solved = await asyncio.to_thread(self.rubric.score_items, items)
        return self._finish(pairs, solved, step)

    def close(self) -> None:
        """End the worker processes, where there are any."""
        if self._live and self._live[0] == os.getpid():
            self._live[1].close()
        self._live.clear()

    @property
    def _in_processes(self) -> bool:
        here = any(_stays(part.verifier) for part in self.rubric.parts.values())
        return self.deadline_s is not None and not self.rubric.is_async and not here

    def _pool(self) -> LivePool:
        with _starting:
            if not self._live or self._live[0] != os.getpid() or not self._live[1].alive:
                assert self.deadline_s is not None
                self._live[:] = [os.getpid(), LivePool(self.rubric, self.workers, self.deadline_s)]
            return self._live[1]  # type: ignore[no-any-return]

    def _items(self, pairs: Sequence[Pair]) -> list[Item]:
        """Return the pairs that can be scored; siblings are told apart only where it matters."""
        readable = [(c, p) for c, p in pairs if isinstance(p, Problem)]
        if not self.rubric.is_group:
            return [Item(c, p, i) for i, (c, p) in enumerate(readable)]
        groups: dict[str, int] = {}
        return [Item(c, p, groups.setdefault(key(p), len(groups))) for c, p in readable]

    def _units(self, items: Sequence[Item]) -> list[list[Item]]:
        units: dict[int, list[Item]] = {}
        for item in items:
            units.setdefault(item.group, []).append(item)
        return list(units.values())

    def _regroup(self, items: Sequence[Item], solved: Sequence[Sequence[Reward]]) -> list[Reward]:
        groups = dict.fromkeys(item.group for item in items)
        queues = {group: iter(rewards) for group, rewards in zip(groups, solved, strict=True)}
        return [next(queues[item.group]) for item in items]

    async def _awaited(self, items: Sequence[Item]) -> list[Reward]:
        async def one(unit: list[Item]) -> list[Reward]:
            assert self.deadline_s is not None
            try:
                async with asyncio.timeout(self.deadline_s * len(unit)):
                    return await self.rubric.ascore_items(unit)
            except TimeoutError:
                late = failure(f"no verdict in {self.deadline_s:g} s", Reason.UNAVAILABLE)
                return [self._without(late, i.completion.truncated) for i in unit]

        return self._regroup(items, await asyncio.gather(*map(one, self._units(items))))

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


_starting = threading.Lock()


def _reset_after_fork() -> None:
    global _starting
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def _stays(verifier: Any) -> bool:
    """Tell whether a verifier must stay in this process.

    Models do, which score batches and are large; so do tests that run code, for in a worker they
    only wait for a sandbox that has limits of its own. A rule that only shares work within a batch
    is ``portable``.
    """
    bound = hasattr(verifier, "verify_batch") and not getattr(verifier, "portable", False)
    return bound or any(_stays(child) for child in getattr(verifier, "children", ()))
