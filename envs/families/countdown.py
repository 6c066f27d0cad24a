"""Countdown: make a number from given numbers, each used at most once (the game of 24 uses all four)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

from referee.envs.answers import final_answer
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Json, Problem, Reason, Verdict

_SYMBOL = re.compile(r"\s*([0-9]{1,6}|[-+*/()])")
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-"})
MAX_LENGTH = 500


@dataclass(frozen=True, kw_only=True)
class Countdown(Procedural):
    """An expression over all the given numbers whose value is the target.

    Levels: 0 two numbers; 1 three; 2 four, with target 24; 3 five; 4 six. The target is computed from a
    random expression over the numbers (at level 2 drawn until it is 24), so that one exists.

    Accepts:
        - any expression of + - * / and brackets that uses each number once and has the value, exactly
        - ``6/(1-3/4) = 24``: the expression with its own value after an equals sign
    Rejects:
        - a number left out, used twice or not given; numbers joined into longer ones
        - powers, factorials, functions, decimals; division by zero
        - the target alone
    """

    name: ClassVar[str] = "countdown"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw numbers and combine them at random."""
        count, high = ((2, 9), (3, 9), (4, 13), (5, 20), (6, 25))[level]
        while True:
            numbers = [stream.between(1, high) for _ in range(count)]
            if level == 2:
                found = solve(numbers, 24)
                if found is not None:
                    return _draft(numbers, 24, found)
                continue
            text, value = _combine(stream, numbers)
            if value.denominator == 1 and 1 <= value <= 999:
                return _draft(numbers, int(value), text)

    def extract(self, text: str) -> str | None:
        """Return the expression, without the prompt's own equation sign before it."""
        answer = final_answer(text)
        return answer.translate(_SPELLINGS) if answer is not None else None

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Evaluate the expression with exact fractions and count its numbers."""
        numbers, target = problem.info.get("numbers"), problem.info.get("target")
        if not isinstance(numbers, list) or not isinstance(target, int):
            return failure("info must hold numbers and a target", Reason.BAD_REFERENCE)
        expression, _, stated = answer.partition("=")
        if stated and stated.strip() != str(target):
            return False
        parsed = evaluate(expression)
        return parsed is not None and parsed[0] == target and Counter(parsed[1]) == Counter(numbers)

    def puzzle(self, numbers: list[int], target: int, *, id: str = "") -> Problem:
        """Return the problem of given numbers, whose solution is searched for.

        Raises:
            ValueError: where there is none.
        """
        found = solve(numbers, target)
        if found is None:
            raise ValueError(f"numbers must be able to make {target}, got {numbers}")
        draft = _draft(numbers, target, found)
        info: dict[str, Json] = {**draft.info, "family": self.name, "level": 2}
        return Problem(
            prompt=draft.terse if self.terse else draft.prompt, answer=draft.answer, id=id, info=info
        )


def evaluate(text: str) -> tuple[Fraction, list[int]] | None:
    """Return an expression's value and its numbers; None where it is no expression or divides by zero.

    >>> evaluate("6/(1-3/4)")
    (Fraction(24, 1), [6, 1, 3, 4])
    """
    if len(text) > MAX_LENGTH:
        return None
    symbols: list[str] = []
    at, text = 0, text.strip()
    while at < len(text):
        found = _SYMBOL.match(text, at)
        if found is None:
            return None
        symbols.append(found[1])
        at = found.end()
    return _reduce(symbols)


def _reduce(symbols: list[str]) -> tuple[Fraction, list[int]] | None:
    """Evaluate by the shunting-yard algorithm: two stacks and no recursion."""
    values: list[Fraction] = []
    operators: list[str] = []
    numbers: list[int] = []
    operand_next = True
    for symbol in [*symbols, "end"]:
        if symbol.isdigit() or symbol == "(":
            if not operand_next:
                return None
            if symbol == "(":
                operators.append(symbol)
            else:
                numbers.append(int(symbol))
                values.append(Fraction(int(symbol)))
                operand_next = False
            continue
        if operand_next:
            return None
        while operators and operators[-1] != "(" and _BINDS[operators[-1]] >= _BINDS[symbol]:
            right, left, operator = values.pop(), values.pop(), operators.pop()
            if operator == "/" and not right:
                return None
            values.append(_APPLY[operator](left, right))
        if symbol == ")":
            if not operators:
                return None
            operators.pop()
        elif symbol != "end":
            operators.append(symbol)
            operand_next = True
    return (values[0], numbers) if not operators and len(values) == 1 else None


_BINDS = {"end": 0, ")": 0, "+": 1, "-": 1, "*": 2, "/": 2}
_APPLY = {
    "+": Fraction.__add__,
    "-": Fraction.__sub__,
    "*": Fraction.__mul__,
    "/": Fraction.__truediv__,
}


def solve(numbers: list[int], target: int) -> str | None:
    """Return an expression over all of ``numbers`` that has the value ``target``, or None: tries them all."""
    return _solve(tuple(sorted(numbers)), target)


@lru_cache(maxsize=4096)
def _solve(numbers: tuple[int, ...], target: int) -> str | None:
    return _search([(n, 1, str(n)) for n in numbers], target)


def _search(items: list[tuple[int, int, str]], target: int) -> str | None:
    """Join two of the items in every way and go on; an item is a numerator, a denominator and a text."""
    if len(items) == 1:
        above, below, text = items[0]
        return text if above == target * below else None
    for i, (a, b, x) in enumerate(items):
        for j in range(i):
            c, d, y = items[j]
            rest = [*items[:j], *items[j + 1 : i], *items[i + 1 :]]
            options = [
                (a * d + c * b, b * d, f"({x}+{y})"),
                (a * c, b * d, f"({x}*{y})"),
                (a * d - c * b, b * d, f"({x}-{y})"),
                (c * b - a * d, b * d, f"({y}-{x})"),
            ]
            if c:
                options.append((a * d, b * c, f"({x}/{y})"))
            if a:
                options.append((c * b, d * a, f"({y}/{x})"))
            for option in options:
                if (found := _search([*rest, option], target)) is not None:
                    return found
    return None


def _combine(stream: Stream, numbers: list[int]) -> tuple[str, Fraction]:
    items = [(Fraction(n), str(n)) for n in numbers]
    while len(items) > 1:
        stream.shuffle(items)
        (a, x), (b, y) = items.pop(), items.pop()
        operator = stream.weighted("+-*/", (4, 3, 3, 1))
        if operator == "/" and not b:
            operator = "+"
        items.append((_APPLY[operator](a, b), f"({x}{operator}{y})"))
    value, text = items[0]
    return text, value


def _draft(numbers: list[int], target: int, found: str) -> Draft:
    listed = " ".join(map(str, numbers))
    solution = found.removeprefix("(").removesuffix(")") if found.startswith("(") else found
    return Draft(
        f"Use each of the numbers {listed} exactly once, with + - * / and brackets, to make {target}. "
        "End with a line that holds only the expression.",
        f"{listed} to {target}:",
        solution,
        {"numbers": list(numbers), "target": target},
    )
