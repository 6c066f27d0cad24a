"""Checking a data set's references before anything is scored against them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from referee.verifiers.mathematics.compare import Comparer
from referee.verifiers.mathematics.leniency import Leniency
from referee.verifiers.mathematics.reference_answer import NESTED, reference_of_value
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable
from referee.verifiers.records import Json


class UnreadableReference(NamedTuple):
    """A reference that :class:`Math` cannot judge against, by its row (from 0), and why."""

    row: int
    answer: Json
    problem: str


def lint_reference(answer: Json) -> str | None:
    r"""Say why a reference, or one of a list, cannot be judged against; None where it can.

    >>> lint_reference(r"\frac{1}{2}")
    >>> lint_reference("")
    'the reference is empty'
    """
    if isinstance(answer, list) and answer:
        nested = any(isinstance(one, list) for one in answer)
        return NESTED if nested else next(filter(None, map(lint_reference, answer)), None)
    reference = reference_of_value(answer)
    if reference.problem:
        return reference.problem
    reading = reference.reading
    if reference.mended:
        return f"escapes are damaged, it is read as {reference.mended.strip()[:400]!r}"
    if reference.prose:
        return "the reference is prose: only the same words equal it"
    if reading.node is None:
        return f"the reference is only compared literally: {reading.problem}"
    if reading.node.kind == "text":
        return None
    try:
        _evaluate(Comparer(Leniency()), reading.node)
    except TooBig as e:
        return f"the reference is only compared literally: {e}"
    except Unreadable as e:
        return f"the reference has no value: {e}"
    return None


def repaired_reference(answer: Json) -> str | None:
    r"""Return a reference with its damaged escapes put right; None where nothing is damaged.

    >>> repaired_reference("\x0crac{1}{2}"), repaired_reference("90^"), repaired_reference("4")
    ('\\frac{1}{2}', '90^\\circ', None)
    """
    return (reference_of_value(answer).mended or None) if isinstance(answer, str) else None


def lint_references(answers: Iterable[Json]) -> Iterator[UnreadableReference]:
    """Yield a finding for each reference that cannot be judged against."""
    for row, answer in enumerate(answers):
        problem = lint_reference(answer)
        if problem is not None:
            yield UnreadableReference(row, answer, problem)


_NUMBERS = frozenset({"num", "add", "mul", "div", "pow", "fn"})


def _evaluate(comparer: Comparer, node: Node) -> None:
    if node.kind in _NUMBERS:
        if any(
            part.kind in ("pm", "matrix", "group") or part == Node("const", "inf") for part in _walk(node)
        ):
            return
        comparer.evaluator.form(node)
        return
    for part in node.args:
        _evaluate(comparer, part)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for part in node.args:
        yield from _walk(part)
