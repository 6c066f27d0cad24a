"""Asking verifiers: one by one, in groups or in batches, called or awaited, and never raising.

A combinator (:mod:`referee.verifiers.combine`) does not call its parts. Its ``steps`` generator
*asks* for verdicts and is sent them, so that one description serves both drivers below, asks only
for the items that are still undecided, and lets a model score all of them in one batch.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from referee.verifiers.protocol import AnyVerifier, Item, as_verdict, failure, is_async, is_group, name_of
from referee.verifiers.records import Verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """A combinator's request: the verdicts of ``verifier`` on ``items``."""

    verifier: AnyVerifier
    items: Sequence[Item]


Steps: TypeAlias = Generator[Ask, list[Verdict], list[Verdict]]


@runtime_checkable
class Stepwise(Protocol):
    """Something that decides items by asking others."""

    def steps(self, items: Sequence[Item]) -> Steps:
        """Yield asks, be sent their verdicts, and return one verdict for each item."""
        ...


def evaluate(verifier: AnyVerifier, items: Sequence[Item]) -> list[Verdict]:
    """Return one verdict for each item; a verifier that fails abstains there."""
    if not items:
        return []
    if hasattr(verifier, "steps"):
        return _drive(verifier.steps(items))
    if is_async(verifier):
        return run_coroutine(aevaluate(verifier, items))
    if hasattr(verifier, "verify_batch"):
        return _batch(verifier, items)
    if is_group(verifier):
        return _by_group(items, lambda group: _group(verifier, group))
    return [_one(verifier, item) for item in items]


async def aevaluate(verifier: AnyVerifier, items: Sequence[Item]) -> list[Verdict]:
    """Like :func:`evaluate` for callers in an event loop: awaits what is async, threads what is not."""
    if not items:
        return []
    if hasattr(verifier, "steps"):
        return await _adrive(verifier.steps(items))
    if not is_async(verifier):
        return await asyncio.to_thread(evaluate, verifier, items)
    if hasattr(verifier, "verify_batch"):
        return await _abatch(verifier, items)
    if is_group(verifier):
        groups = list(_groups(items).values())
        answers = await asyncio.gather(*(_agroup(verifier, [items[i] for i in g]) for g in groups))
        return _scatter(groups, answers, len(items))
    return list(await asyncio.gather(*(_aone(verifier, item) for item in items)))


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from synchronous code, also where this thread already has a running loop.

    One event loop for each process runs in a thread of its own, so that HTTP clients keep their
    connections between calls. Called from that very thread, it takes a thread and a loop of its own.
    """
    loop = _background_loop()
    if threading.current_thread().name != _THREAD_NAME:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


_THREAD_NAME = "referee-async"
_loops: dict[int, asyncio.AbstractEventLoop] = {}  # by process: a loop does not survive a fork
_loops_lock = threading.Lock()


def _background_loop() -> asyncio.AbstractEventLoop:
    with _loops_lock:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = asyncio.new_event_loop()
            _loops.clear()
            _loops[os.getpid()] = loop
            threading.Thread(target=loop.run_forever, name=_THREAD_NAME, daemon=True).start()
        return loop


def _reset_after_fork() -> None:
    global _loops_lock
    _loops_lock = threading.Lock()
    _loops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def _drive(steps: Steps) -> list[Verdict]:
    try:
        ask = next(steps)
        while True:
            ask = steps.send(evaluate(ask.verifier, ask.items))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def _adrive(steps: Steps) -> list[Verdict]:
    try:
        ask = next(steps)
        while True:
            ask = steps.send(await aevaluate(ask.verifier, ask.items))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


# Verifiers are other people's code. Whatever they raise is reported in the verdict's detail and
# abstains; that is why the four functions below catch Exception.


def _one(verifier: Any, item: Item) -> Verdict:
    try:
        return as_verdict(verifier(item.completion, item.problem), verifier)
    except Exception as e:  # noqa: BLE001
        return failure(e)


async def _aone(verifier: Any, item: Item) -> Verdict:
    try:
        return as_verdict(await verifier(item.completion, item.problem), verifier)
    except Exception as e:  # noqa: BLE001
        return failure(e)


def _group(verifier: Any, items: Sequence[Item]) -> list[Verdict]:
    try:
        values = verifier([i.completion for i in items], items[0].problem)
        return _as_verdicts(values, verifier, len(items))
    except Exception as e:  # noqa: BLE001
        return [failure(e)] * len(items)


async def _agroup(verifier: Any, items: Sequence[Item]) -> list[Verdict]:
    try:
        values = await verifier([i.completion for i in items], items[0].problem)
        return _as_verdicts(values, verifier, len(items))
    except Exception as e:  # noqa: BLE001
        return [failure(e)] * len(items)


def _batch(verifier: Any, items: Sequence[Item]) -> list[Verdict]:
    try:
        return _as_verdicts(verifier.verify_batch(items), verifier, len(items))
    except Exception as e:  # noqa: BLE001
        return [failure(e)] * len(items)


async def _abatch(verifier: Any, items: Sequence[Item]) -> list[Verdict]:
    try:
        return _as_verdicts(await verifier.verify_batch(items), verifier, len(items))
    except Exception as e:  # noqa: BLE001
        return [failure(e)] * len(items)


def _as_verdicts(values: Iterable[object], verifier: Any, count: int) -> list[Verdict]:
    verdicts = [as_verdict(v, verifier) for v in values]
    if len(verdicts) != count:
        message = f"{name_of(verifier)} must return one verdict for each of {count} completions, "
        return [failure(f"{message}got {len(verdicts)}")] * count
    return verdicts


def _groups(items: Sequence[Item]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for i, item in enumerate(items):
        groups.setdefault(item.group, []).append(i)
    return groups


def _by_group(items: Sequence[Item], judge: Any) -> list[Verdict]:
    groups = list(_groups(items).values())
    return _scatter(groups, [judge([items[i] for i in g]) for g in groups], len(items))


def _scatter(groups: list[list[int]], answers: Sequence[Sequence[Verdict]], count: int) -> list[Verdict]:
    out: list[Any] = [None] * count
    for group, verdicts in zip(groups, answers, strict=True):
        for i, verdict in zip(group, verdicts, strict=True):
            out[i] = verdict
    return out
