"""Small programming tasks: each with a reference in Python, a solution in source, and inputs to try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from referee.envs.stream import Stream

_LETTERS = "abcdefg"


@dataclass(frozen=True, slots=True)
class Task:
    """A task: what is asked, the reference, its source as the body of ``solve(x)``, and an input drawer."""

    ask: str
    reference: Callable[[Any], Any]
    body: str
    draw: Callable[[Stream], Any]


def task(stream: Stream, level: int) -> Task:
    """Draw a task of a level from 0 to 4."""
    return stream.choice(_LEVELS[level])(stream)


def _number(stream: Stream) -> int:
    return stream.between(-20, 50)


def _natural(stream: Stream) -> int:
    return stream.between(1, 200)


def _numbers(stream: Stream) -> list[int]:
    return [stream.between(-9, 20) for _ in range(stream.between(1, 7))]


def _word(stream: Stream) -> str:
    return "".join(stream.choice(_LETTERS) for _ in range(stream.between(1, 9)))


def _affine(stream: Stream) -> Task:
    a, b = stream.between(2, 9), stream.between(1, 9)
    return Task(f"{a} times x, plus {b}", lambda x: a * x + b, f"return {a} * x + {b}", _number)


def _remainder(stream: Stream) -> Task:
    a = stream.between(3, 9)
    return Task(f"the remainder of x when divided by {a}", lambda x: x % a, f"return x % {a}", _natural)


def _above(stream: Stream) -> Task:
    a = stream.between(0, 9)
    return Task(
        f"the sum of the numbers in the list x that are greater than {a}",
        lambda x: sum(n for n in x if n > a),
        f"return sum(n for n in x if n > {a})",
        _numbers,
    )


def _multiples(stream: Stream) -> Task:
    a = stream.between(2, 5)
    return Task(
        f"how many numbers in the list x are multiples of {a}",
        lambda x: sum(n % a == 0 for n in x),
        f"return len([n for n in x if n % {a} == 0])",
        _numbers,
    )


def _count(stream: Stream) -> Task:
    c = stream.choice(_LETTERS)
    return Task(
        f"how many times the letter {c} stands in the string x",
        lambda x: x.count(c),
        f"return x.count({c!r})",
        _word,
    )


def _swap(stream: Stream) -> Task:
    a, b = stream.sample(_LETTERS, 2)
    return Task(
        f"the string x backwards, with every {a} replaced by {b}",
        lambda x: x[::-1].replace(a, b),
        f"return x[::-1].replace({a!r}, {b!r})",
        _word,
    )


def _digits(stream: Stream) -> Task:
    base = stream.between(2, 9)
    body = f"total = 0\nwhile x:\n    total += x % {base}\n    x //= {base}\nreturn total"
    return Task(
        f"the sum of the digits of x written in base {base}", lambda x: _digit_sum(x, base), body, _natural
    )


def _digit_sum(x: int, base: int) -> int:
    return 0 if x == 0 else x % base + _digit_sum(x // base, base)


def _runs(stream: Stream) -> Task:
    c = stream.choice(_LETTERS)
    body = (
        f"best = run = 0\nfor c in x:\n    run = run + 1 if c == {c!r} else 0\n"
        "    best = max(best, run)\nreturn best"
    )
    return Task(
        f"the length of the longest run of the letter {c} in the string x",
        lambda x: max(map(len, "".join(d if d == c else " " for d in x).split()), default=0),
        body,
        lambda s: "".join(s.choice(c + "b") for _ in range(s.between(1, 10))),
    )


def _stairs(stream: Stream) -> Task:
    a = stream.between(2, 4)
    body = (
        "ways = [1] + [0] * x\nfor i in range(1, x + 1):\n"
        f"    ways[i] = ways[i - 1] + (ways[i - {a}] if i >= {a} else 0)\nreturn ways[x]"
    )
    return Task(
        f"in how many ways a stair of x steps can be climbed, 1 or {a} steps at a time",
        lambda x: _ways(x, a),
        body,
        lambda s: s.between(0, 12),
    )


def _ways(x: int, a: int) -> int:
    return 0 if x < 0 else 1 if x == 0 else _ways(x - 1, a) + _ways(x - a, a)


def _subset(stream: Stream) -> Task:
    a = stream.between(1, 3)
    body = (
        "take = skip = 0\nfor n in x:\n"
        f"    take, skip = skip + n * {a}, max(take, skip)\nreturn max(take, skip)"
    )
    return Task(
        f"{a} times the greatest sum of numbers in the list x of which no two stand beside each other "
        "(none need be taken)",
        lambda x: a * _apart(tuple(x)),
        body,
        _numbers,
    )


def _apart(x: tuple[int, ...]) -> int:
    return 0 if not x else max(x[0] + _apart(x[2:]), _apart(x[1:]))


_LEVELS: tuple[tuple[Callable[[Stream], Task], ...], ...] = (
    (_affine, _remainder),
    (_above, _multiples),
    (_count, _swap),
    (_digits, _runs),
    (_stairs, _subset),
)
