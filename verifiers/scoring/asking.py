"""Asking verifiers: one by one, in groups or in batches, called or awaited, and never raising.

A combinator (:mod:`referee.verifiers.combine`) does not call its parts. Its ``steps`` generator
*asks* for verdicts and is sent them, so that one description serves both drivers below, asks only
for the items that are still undecided, and lets a model score all of them in one batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from referee.verifiers.protocol import AnyVerifier, Item, as_verdict, failure, name_of
from referee.verifiers.records import Verdict
from referee.verifiers.scoring.loops import run_coroutine
from referee.verifiers.scoring.plan import is_asked_once, is_async, is_batched, is_group, is_stepwise


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


def evaluate(verifier: Any, items: Sequence[Item]) -> list[Verdict]:
    """Return one verdict for each item; a verifier that fails abstains there."""
    if not items:
        return []
    if is_stepwise(verifier):
        try:
            return checked(_drive(verifier.steps(items)), verifier, len(items))
        except Exception as e:  # noqa: BLE001
            return [failure(e)] * len(items)
    if is_async(verifier):
        return run_coroutine(aevaluate(verifier, items))
    if is_batched(verifier):
        return _batch(verifier, items)
    if is_group(verifier):
        return _by_group(items, lambda group: _group(verifier, group))
    return [_one(verifier, item) for item in items]


async def aevaluate(verifier: Any, items: Sequence[Item]) -> list[Verdict]:
    """Like :func:`evaluate` for callers in an event loop: awaits what is async, threads what is not."""
    if not items:
        return []
    if is_stepwise(verifier):
        try:
            return checked(await _adrive(verifier.steps(items)), verifier, len(items))
        except Exception as e:  # noqa: BLE001
            return [failure(e)] * len(items)
    if not is_async(verifier):
        return await asyncio.to_thread(evaluate, verifier, items)
    if is_batched(verifier):
        return await _abatch(verifier, items)
    if is_group(verifier):
        groups = list(_groups(items).values())
        if len(groups) == 1:
            return await _agroup(verifier, items)
        answers = await asyncio.gather(*(_agroup(verifier, [items[i] for i in g]) for g in groups))
        return _scatter(groups, answers, len(items))
    if len(items) == 1:
        return [await _aone(verifier, items[0])]  # in the caller's task, which is watched
    return list(await asyncio.gather(*(_aone(verifier, item) for item in items)))


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
# abstains; that is why the functions here catch Exception.


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
        return checked(values, verifier, len(items))
    except Exception as e:  # noqa: BLE001
        return [failure(e)] * len(items)


async def _agroup(verifier: Any, items: Sequence[Item]) -> list[Verdict]:
    try:
        values = await verifier([i.completion for i in items], items[0].problem)
        return checked(values, verifier, len(items))
    except Exception as e:  # noqa: BLE001
        return [failure(e)] * len(items)


def _batch(verifier: Any, items: Sequence[Item]) -> list[Verdict]:
    """Ask for a batch. Where that fails its halves are asked, down to the items whose own fault it is."""
    try:
        return checked(verifier.verify_batch(items), verifier, len(items))
    except Exception as e:  # noqa: BLE001
        if len(items) == 1 or is_asked_once(verifier):
            return [failure(e)] * len(items)
    half = len(items) // 2
    return _batch(verifier, items[:half]) + _batch(verifier, items[half:])


async def _abatch(verifier: Any, items: Sequence[Item]) -> list[Verdict]:
    try:
        return checked(await verifier.verify_batch(items), verifier, len(items))
    except Exception as e:  # noqa: BLE001
        return [failure(e)] * len(items)


def checked(values: Iterable[object], verifier: Any, count: int) -> list[Verdict]:
    """Return what a verifier gave for ``count`` items as verdicts; where it is not that, abstentions."""
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
