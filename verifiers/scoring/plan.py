"""Where a part runs, decided once, for every part of a rubric.

A **rule** (any callable) runs in a *worker* process under a deadline: nothing else can end one that
never returns. What must be **awaited** (judges) runs in an event *loop*, many at a time. What scores
**batches** (learned models, tests in a sandbox) runs *here*, in this process. A combinator goes where
all its parts go, where at most one of them does not bound itself. Otherwise it is *split*: its steps are
driven here and each part is asked where it belongs, so that each keeps its own deadline, and siblings keep
theirs, whatever stands beside it.

This is the only reader of what a verifier says of itself, as plain attributes:

- ``steps(items)``: it decides by asking its ``children`` (:mod:`~referee.verifiers.scoring.asking`),
- ``verify_batch(items)``: it scores many completions at once,
- ``portable = True``: its batches only share work; it is small, and as good in a worker process,
- ``bounds_itself = True``: it has limits of its own, and needs no deadline of ours,
- ``asked_once = True``: a question costs money; a batch that failed is not asked again in parts,
- ``prepare()``: loads what it needs, wherever it runs, before its first deadline is counted,
- ``is_async``, ``is_group``: where its signature does not tell.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from types import FunctionType, MethodType
from typing import Any

from referee.verifiers.protocol import AnyVerifier


class Place(StrEnum):
    """Where a verifier is asked."""

    WORKER = "worker"
    LOOP = "loop"
    HERE = "here"
    SPLIT = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The names of a rubric's parts by where they run, and whether siblings must come together."""

    worker: tuple[str, ...] = ()
    loop: tuple[str, ...] = ()
    here: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    whole_groups: bool = False
    batches: bool = False  # some part gains from many completions at once
    self_bounded: bool = False  # all parts are portable: a worker is a matter of speed alone


def plan(verifiers: Mapping[str, AnyVerifier]) -> Plan:
    """Return where each of ``verifiers`` runs."""
    places = {name: place(verifier) for name, verifier in verifiers.items()}
    return Plan(
        worker=tuple(n for n, p in places.items() if p is Place.WORKER),
        loop=tuple(n for n, p in places.items() if p is Place.LOOP),
        here=tuple(n for n, p in places.items() if p is Place.HERE),
        split=tuple(n for n, p in places.items() if p is Place.SPLIT),
        whole_groups=any(map(is_group, verifiers.values())),
        batches=any(asks_batches(v) for v in verifiers.values()),
        self_bounded=all(is_portable(v) for v in verifiers.values()),
    )


def place(verifier: object) -> Place:
    """Return where a verifier runs."""
    children = children_of(verifier)
    if not children:
        if is_async(verifier):
            return Place.LOOP
        return Place.HERE if is_batched(verifier) and not is_portable(verifier) else Place.WORKER
    places = {place(child) for child in children}
    if is_stepwise(verifier):
        unbounded = sum(not is_portable(leaf) for leaf in leaves(verifier))
        whole = len(places) == 1 and unbounded <= 1 and not is_group(verifier)
        return places.pop() if whole else Place.SPLIT
    if is_async(verifier):  # it awaits its children itself
        return Place.LOOP
    return Place.WORKER if places == {Place.WORKER} else Place.HERE


def children_of(verifier: object) -> tuple[AnyVerifier, ...]:
    """Return the verifiers that one asks."""
    return tuple(getattr(verifier, "children", ()))


def leaves(verifier: Any) -> Iterator[AnyVerifier]:
    """Yield the verifiers at the ends of a composition, itself where it asks no other."""
    children = children_of(verifier)
    if not children:
        yield verifier
    for child in children:
        yield from leaves(child)


def is_stepwise(verifier: object) -> bool:
    """Tell whether a verifier decides by asking others, step by step."""
    return hasattr(verifier, "steps")


def is_batched(verifier: object) -> bool:
    """Tell whether a verifier scores many completions at once."""
    return hasattr(verifier, "verify_batch")


def is_portable(verifier: object) -> bool:
    """Tell whether a verifier bounds its own work and is as good in a worker as here."""
    children = children_of(verifier)
    if children:
        return all(map(is_portable, children))
    return is_batched(verifier) and bool(getattr(verifier, "portable", False))


def bounds_itself(verifier: object) -> bool:
    """Tell whether a verifier has limits of its own."""
    return bool(getattr(verifier, "bounds_itself", False))


def is_asked_once(verifier: object) -> bool:
    """Tell whether a verifier must not be asked again about a batch that failed."""
    return is_async(verifier) or bool(getattr(verifier, "asked_once", False))


def asks_batches(verifier: object) -> bool:
    """Tell whether some end of a composition runs here, in batches."""
    return any(place(leaf) is Place.HERE for leaf in leaves(verifier))


def is_group(verifier: object) -> bool:
    """Tell whether a verifier judges the completions of one problem together, or asks one that does."""
    stated = getattr(verifier, "is_group", None)
    if stated is not None:
        return bool(stated)
    children = children_of(verifier)
    return any(map(is_group, children)) if children else _called(verifier)[0] == "completions"


def is_async(verifier: object) -> bool:
    """Tell whether a verifier must be awaited, or asks one that must."""
    stated = getattr(verifier, "is_async", None)
    if stated is not None:
        return bool(stated)
    return _called(verifier)[1] or any(map(is_async, children_of(verifier)))


def _called(verifier: object) -> tuple[str, bool]:
    """Return the name of the first parameter of what a call runs, and whether it is a coroutine function."""
    if isinstance(verifier, FunctionType):
        return _traits(verifier, 0)
    if isinstance(verifier, MethodType):
        return _traits(verifier.__func__, 1)
    if isinstance(verifier, partial):
        return _called(verifier.func)
    return _traits(getattr(type(verifier), "__call__"), 1)  # noqa: B004, B009  # what the class defines


@lru_cache(maxsize=4096)
def _traits(function: Callable[..., Any], skip: int) -> tuple[str, bool]:
    function = inspect.unwrap(function)
    try:
        names = list(inspect.signature(function).parameters)[skip:]
    except (TypeError, ValueError):  # a builtin without a signature
        names = []
    return (names[0] if names else ""), inspect.iscoroutinefunction(function)
