r"""What a completion shows on its surface: its length, and how it goes about numbers.

Sentence encoders hardly tell numbers apart. A wrong solution to a word problem often leaves a given
number unused, brings in one that nobody gave, or ends in one that nothing led to: features of that kind
tell a head what an embedding can't. No answer is known and nothing is run.

Numbers are read as they stand (``1,200`` is one), in the prompt also as words up to twelve. What stands
before an equals sign are operands, what stands after it is a result; where there are calculator notes
(``<<2*3=6>>``, as in GSM8K) the equations are read there alone.
"""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
_NOTE = re.compile(r"<<([^<>=\n]{0,200})=\s*([^<>=\n]{0,40})>>")
_WHOLE_WITH_FRACTION = re.compile(r"\d\.0+(?!\d)")
_EQUATION = re.compile(
    r"([\d.,+\-−*/xX×÷·()$€£%\s]{1,200})=\s*+(-?\s*+[$€£]?\s*+(?:\d[\d,]*(?:\.\d+)?|\.\d+))"
)
_WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "half": 2, "twice": 2, "double": 2, "third": 3,
    "triple": 3, "quarter": 4, "dozen": 12,
}  # fmt: skip
_GREATEST = 1e12
COUNT = 21
"""How many features there are."""


def surface_features(prompt: str, completion: str) -> list[float]:
    """Return ``COUNT`` features of a completion beside its prompt.

    >>> features = surface_features("Ann has 3 apples and buys 4.", "3 + 4 = 7")
    >>> features[3:6], features[6:10]  # given 2, unused 0, share; invented 0, share, 2 operands, 1 result
    ([2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 1.0])
    """
    given = {
        *numbers(prompt),
        *(float(_WORDS[w]) for w in re.findall(r"[a-z]+", prompt.lower()) if w in _WORDS),
    }
    equations = _NOTE.findall(completion) or _EQUATION.findall(completion)
    known, used, idle = {1.0, 100.0, *given}, set[float](), set[float]()
    results: list[float] = []
    operands, invented = 0, 0
    for before, after in equations:
        for value in numbers(before):
            operands += 1
            invented += value not in known
            used.add(value)
            idle.discard(value)
        for value in numbers(after)[:1]:
            results.append(-value if after.strip().startswith("-") else value)
            known.add(value)
            idle.add(value)
    stated = numbers(completion)
    last = stated[-1] if stated else -1.0
    unused = len(given - used)
    return [
        math.log1p(len(completion)),
        math.log1p(completion.count("\n")),
        math.log1p(len(prompt)),
        float(len(given)),
        float(unused),
        unused / max(1, len(given)),
        float(invented),
        invented / max(1, operands),
        float(operands),
        float(len(results)),
        float(last == int(last)),
        math.log1p(max(last, 0.0)),
        float(last in known),
        float(last in given),
        float(bool(results) and last == abs(results[-1])),
        float(min(results, default=0.0) < 0),
        float(sum(v != int(v) for v in results)),
        float(len(idle - {last})),
        float(len(results) - len(set(results))),
        float(len(_WHOLE_WITH_FRACTION.findall(completion))),
        float(len(numbers(prompt)) - len(set(numbers(prompt)))),
    ]


def numbers(text: str) -> list[float]:
    """Return the numbers that stand in a text, without signs, in order.

    >>> numbers("1,200 of 3.50 and .5")
    [1200.0, 3.5, 0.5]
    """
    return [_value(m) for m in _NUMBER.findall(text)]


def _value(text: str) -> float:
    return min(float(text.replace(",", "")), _GREATEST)
