"""The one engine: items in, rewards out, for files, adapters, services and trainers alike.

Where each part of a rubric runs is :mod:`~referee.verifiers.scoring.plan`'s to say. The engine asks each
part there (worker processes, the event loop, batches in this process), joins the verdicts that come
back in any order, and pays each completion once all its parts have spoken. A part that is late, dies or
fails costs its own verdict, never its neighbours' or its siblings'.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from referee.verifiers.protocol import AnyVerifier, Item, failure
from referee.verifiers.records import Reward, Verdict
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.asking import checked, evaluate
from referee.verifiers.scoring.awaiting import CONCURRENCY, Awaiting
from referee.verifiers.scoring.batches import Batches
from referee.verifiers.scoring.call import Call
from referee.verifiers.scoring.crew import crew, release, wake
from referee.verifiers.scoring.crew_orders import CrewOrder, CrewTask, Payload
from referee.verifiers.scoring.plan import Place, Plan, asks_batches, is_group, leaves, place, plan

DEADLINE_S = 10.0
BATCH = 256
_TOGETHER = 64  # units for which a split composition is driven at once: its parts are asked in chunks


@dataclass(slots=True)
class WorkUnit:
    """Items that are paid together: one completion, or the siblings of a group."""

    number: int
    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Settled:
    """A unit's rewards, and the seconds that went into each; ``shared`` where some are a batch's share."""

    number: int
    rewards: list[Reward]
    seconds: list[float]
    shared: bool = False


_log = logging.getLogger(__name__)
_clients = iter(range(1, 1 << 62))

Told = Callable[[Settled], None]
_Verdicts = Callable[[list[Verdict], list[float], bool], None]


@dataclass(slots=True, eq=False)
class _Open:
    """A unit whose parts have not all spoken."""

    unit: WorkUnit
    told: Told
    columns: dict[str, list[Verdict]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    shared: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Engine:
    """Scores with one rubric until it is closed, from any thread, and from processes that are forked.

    ``deadline_s`` is the time that each part has for each completion; ``workers`` is the number of
    processes that rules use; 0 asks them in the caller's thread, where nothing can end them.

    Raises:
        TypeError: where a rule cannot be pickled for worker processes.
        ValueError: where ``deadline_s`` is not above 0, or ``workers`` below 0.
    """

    def __init__(self, rubric: Rubric, *, deadline_s: float = DEADLINE_S, workers: int = 1) -> None:
        if not 0 < deadline_s < math.inf:
            raise ValueError(f"deadline_s must be above 0 and finite, got {deadline_s}")
        if workers < 0:
            raise ValueError(f"workers must be at least 0, got {workers}")
        self.rubric, self.deadline_s, self.workers = rubric, deadline_s, workers
        self.plan: Plan = plan({name: part.verifier for name, part in rubric.parts.items()})
        self._payloads: dict[int, tuple[AnyVerifier, Payload]] = {}
        self._split_rules = [
            leaf
            for name in self.plan.split
            for leaf in leaves(rubric.parts[name].verifier)
            if place(leaf) is Place.WORKER
        ]
        if workers:
            self._rules = Payload([self._part(name) for name in self.plan.worker])
            for rule in self._split_rules:
                self._payload(rule)
        self._pid = 0
        self._client = next(_clients)
        weakref.finalize(self, release, self._client).atexit = False

    @property
    def window(self) -> int:
        """How many units in flight keep everything busy, and no more."""
        if self.plan.batches:
            return 2 * BATCH
        waiting = _TOGETHER if self.plan.split else CONCURRENCY if self.plan.loop else 0
        chunk = self._rules.chunk if self.workers and self.plan.worker else 1
        return max(2 * waiting, 4 * self.workers * chunk, 1)

    def begin(self, units: Sequence[WorkUnit], told: Told, call: Call) -> None:
        """Ask about units; ``told`` hears of each one, in some other thread or in this one."""
        if not units:
            return
        self._here()
        units = [replace(unit, items=self.rubric.marked(unit.items)) for unit in units]
        opened = [_Open(unit, told, {}, [0.0] * len(unit.items)) for unit in units]
        for name in self.plan.loop:
            for o in opened:
                self._ask_awaited(call, self._part(name), o.unit.items, partial(self._settle, o, name))
        for name in self.plan.here:
            self._ask_batch(call, self._part(name), *_joined(opened, partial(self._settle_many, name)))
        if self.plan.worker and self.workers:
            self._ask_rules(call, opened)
        for name in self.plan.split:
            verifier = self._part(name)
            size = len(opened) if asks_batches(verifier) else _TOGETHER
            for i in range(0, len(opened), size):
                part = partial(self._settle_many, name)
                self._drive(call, verifier, *_joined(opened[i : i + size], part))
        if self.plan.worker and not self.workers:
            for o in opened:
                for name in self.plan.worker:
                    self._ask_here(call, self._part(name), o.unit.items, partial(self._settle, o, name))

    def settle_here(self, units: Sequence[WorkUnit]) -> Iterator[Settled]:
        """Ask about units in this thread, in one batch, where all parts bound themselves."""
        start = time.monotonic()
        items = [item for unit in units for item in unit.items]
        rewards = iter(self.rubric.score_items(items))
        share = (time.monotonic() - start) / len(items)
        for unit in units:
            count = len(unit.items)
            yield Settled(unit.number, list(islice(rewards, count)), [share] * count, len(items) > 1)

    def submit(self, items: Sequence[Item]) -> Future[list[Reward]]:
        """Hand in items; the future holds one reward for each. Cancelled, what has not begun never does.

        Items of the same ``group`` are siblings.
        """
        units, places = _units(items, whole_groups=self.plan.whole_groups)
        out: list[Any] = [None] * len(items)
        future: Future[list[Reward]] = Future()
        call, lock, left = Call(), threading.Lock(), len(units)

        def told(settled: Settled) -> None:
            nonlocal left
            with lock:
                for i, reward in zip(places[settled.number], settled.rewards, strict=True):
                    out[i] = reward
                left -= 1
                if left or not future.set_running_or_notify_cancel():
                    return
            future.set_result(out)

        def ended(future: Future[list[Reward]]) -> None:
            if future.cancelled():
                call.cancelled = True
                wake()

        future.add_done_callback(ended)
        if not units:
            future.set_result([])
        for i in range(0, len(units), BATCH):
            self.begin(units[i : i + BATCH], told, call)
        return future

    def score_items(self, items: Sequence[Item]) -> list[Reward]:
        """Return one reward for each item; items of the same ``group`` are siblings."""
        future = self.submit(items)
        try:
            return future.result()
        except BaseException:  # the caller was interrupted
            future.cancel()
            raise

    async def ascore_items(self, items: Sequence[Item]) -> list[Reward]:
        """Like :meth:`score_items`, for callers in an event loop."""
        if not self.workers:
            return await asyncio.to_thread(self.score_items, items)
        return await asyncio.wrap_future(self.submit(items))

    def close(self) -> None:
        """Let go of the worker processes; they end where nobody else scores. It may be used again."""
        release(self._client)
        if self._pid == os.getpid():
            self._awaiting.close()

    # ---- asking

    def _ask_rules(self, call: Call, opened: Sequence[_Open]) -> None:
        names = self.plan.worker

        def done(tasks: list[CrewTask]) -> None:
            for task in tasks:
                columns: dict[str, list[Any]] = {name: [None] * len(task.items) for name in names}
                seconds = [0.0] * len(task.items)
                for cell in task.cells.values():
                    columns[names[cell.part]][cell.first : cell.first + len(cell.verdicts)] = cell.verdicts
                    for i in range(len(cell.verdicts)):
                        seconds[cell.first + i] += cell.seconds / len(cell.verdicts)
                self._settle_columns(task.tag, columns, seconds, shared=False)

        self._order(call, self._rules, [CrewTask(o.unit.items, o) for o in opened], done)

    def _order(
        self, call: Call, payload: Payload, tasks: list[CrewTask], done: Callable[[list[CrewTask]], None]
    ) -> None:
        hired = crew()
        hired.hold(self._client)
        hired.submit(
            CrewOrder(call, self._client, self.workers, payload, self.deadline_s, deque(tasks), done)
        )

    def _ask_rule(self, call: Call, verifier: AnyVerifier, items: Sequence[Item], heard: _Verdicts) -> None:
        gather = _Gather(items, heard, whole=is_group(verifier))

        def done(tasks: list[CrewTask]) -> None:
            for task in tasks:
                (cell,) = task.cells.values()
                gather.put(task.tag, cell.verdicts, cell.seconds)

        tasks = [CrewTask(asked, i) for i, asked in enumerate(gather.questions)]
        self._order(call, self._payload(verifier), tasks, done)

    def _ask_awaited(
        self, call: Call, verifier: AnyVerifier, items: Sequence[Item], heard: _Verdicts
    ) -> None:
        gather = _Gather(items, heard, whole=is_group(verifier))
        for i, asked in enumerate(gather.questions):
            self._awaiting.ask(call, verifier, asked, partial(gather.put, i))

    def _ask_batch(self, call: Call, verifier: AnyVerifier, items: Sequence[Item], heard: _Verdicts) -> None:
        def done(verdicts: list[Verdict], seconds: float) -> None:
            heard(verdicts, [seconds / len(items)] * len(items), len(items) > 1)

        if items:
            self._batches.ask(call, verifier, items, done)

    def _ask_here(self, call: Call, verifier: AnyVerifier, items: Sequence[Item], heard: _Verdicts) -> None:
        gather = _Gather(items, heard, whole=is_group(verifier))
        for i, asked in enumerate(gather.questions):
            start = time.monotonic()
            verdicts = evaluate(verifier, asked)
            gather.put(i, verdicts, time.monotonic() - start)

    def _drive(self, call: Call, verifier: Any, items: Sequence[Item], heard: _Verdicts) -> None:
        """Drive a combinator whose parts run in different places, asking each where it belongs."""
        steps = verifier.steps(items)
        spent, shared = [0.0] * len(items), False
        where = {id(item): i for i, item in enumerate(items)}

        def advance(verdicts: list[Verdict] | None) -> None:
            try:
                ask = next(steps) if verdicts is None else steps.send(verdicts)
                while not ask.items:
                    ask = steps.send([])
            except StopIteration as stop:
                heard(checked(stop.value, verifier, len(items)), spent, shared)
                return
            except Exception as e:  # noqa: BLE001  # a combinator is other people's code, too
                heard([failure(e)] * len(items), spent, shared)
                return

            def answered(verdicts: list[Verdict], seconds: list[float], in_batch: bool) -> None:
                nonlocal shared
                shared = shared or in_batch
                for item, s in zip(ask.items, seconds, strict=True):
                    if id(item) in where:
                        spent[where[id(item)]] += s
                advance(verdicts)

            try:
                self._ask(call, ask.verifier, ask.items, answered)
            except Exception as e:  # noqa: BLE001  # what it asked cannot be sent to a worker, or is no verifier
                heard([failure(e)] * len(items), spent, shared)

        advance(None)

    def _ask(self, call: Call, verifier: AnyVerifier, items: Sequence[Item], heard: _Verdicts) -> None:
        match place(verifier):
            case Place.LOOP:
                self._ask_awaited(call, verifier, items, heard)
            case Place.HERE:
                self._ask_batch(call, verifier, items, heard)
            case Place.SPLIT:
                self._drive(call, verifier, items, heard)
            case _:
                ask = self._ask_rule if self.workers else self._ask_here
                ask(call, verifier, items, heard)

    # ---- joining

    def _settle(
        self, o: _Open, name: str, verdicts: list[Verdict], seconds: list[float], shared: bool
    ) -> None:
        self._settle_columns(o, {name: verdicts}, seconds, shared=shared)

    def _settle_many(
        self,
        name: str,
        opened: Sequence[_Open],
        verdicts: list[Verdict],
        seconds: list[float],
        shared: bool,
    ) -> None:
        begin = 0
        for o in opened:
            mine = slice(begin, begin + len(o.unit.items))
            begin = mine.stop
            self._settle_columns(o, {name: verdicts[mine]}, seconds[mine], shared=shared)

    def _settle_columns(
        self, o: _Open, columns: dict[str, list[Verdict]], seconds: Sequence[float], *, shared: bool
    ) -> None:
        with o.lock:
            o.columns.update(columns)
            o.seconds = [a + b for a, b in zip(o.seconds, seconds, strict=True)]
            o.shared = o.shared or shared
            if len(o.columns) < len(self.rubric.parts):
                return
        try:
            rewards = self._paid(o)
        except Exception as e:  # noqa: BLE001  # nobody may wait for ever: it is said, and abstains
            _log.exception("a completion could not be paid")
            o.columns = dict.fromkeys(self.rubric.parts, [failure(e)] * len(o.unit.items))
            rewards = self._paid(o)
        o.told(Settled(o.unit.number, rewards, o.seconds, o.shared))

    def _paid(self, o: _Open) -> list[Reward]:
        return [
            self.rubric.pay(
                {name: o.columns[name][i] for name in self.rubric.parts}, truncated=item.completion.truncated
            )
            for i, item in enumerate(o.unit.items)
        ]

    # ---- what belongs to one process

    def _here(self) -> None:
        if self._pid != os.getpid():
            self._awaiting = Awaiting(self.deadline_s)
            self._batches = Batches(self.deadline_s)
            self._pid = os.getpid()

    def _part(self, name: str) -> AnyVerifier:
        return self.rubric.parts[name].verifier

    def _payload(self, verifier: AnyVerifier) -> Payload:
        if id(verifier) not in self._payloads:
            self._payloads[id(verifier)] = (
                verifier,
                Payload([verifier]),
            )  # held, so that the id stays its own
        return self._payloads[id(verifier)][1]


class _Gather:
    """Collects the verdicts on questions that are asked one by one, in the items' order."""

    def __init__(self, items: Sequence[Item], heard: _Verdicts, *, whole: bool) -> None:
        groups: dict[int, list[int]] = {}
        for i, item in enumerate(items):
            groups.setdefault(item.group if whole else i, []).append(i)
        self._places = list(groups.values())
        self.questions = [[items[i] for i in places] for places in self._places]
        self._heard, self._lock, self._left = heard, threading.Lock(), len(self._places)
        self._verdicts: list[Any] = [None] * len(items)
        self._seconds = [0.0] * len(items)

    def put(self, question: int, verdicts: list[Verdict], seconds: float) -> None:
        """Take the answer to a question; with the last one, tell."""
        places = self._places[question]
        with self._lock:
            for i, verdict in zip(places, verdicts, strict=True):
                self._verdicts[i] = verdict
                self._seconds[i] = seconds / len(places)
            self._left -= 1
            if self._left:
                return
        self._heard(self._verdicts, self._seconds, False)


def _joined(
    opened: Sequence[_Open], settle: Callable[[Sequence[_Open], list[Verdict], list[float], bool], None]
) -> tuple[list[Item], _Verdicts]:
    return [item for o in opened for item in o.unit.items], partial(settle, opened)


def _units(items: Sequence[Item], *, whole_groups: bool) -> tuple[list[WorkUnit], list[list[int]]]:
    """Return units, numbered from 0, and the places of each one's items."""
    places: dict[int, list[int]] = {}
    for i, item in enumerate(items):
        places.setdefault(item.group if whole_groups else i, []).append(i)
    found = list(places.values())
    return [WorkUnit(n, [items[i] for i in at]) for n, at in enumerate(found)], found
