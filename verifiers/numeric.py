r"""Equality of numbers as exact rationals.

Covered: integers, decimals, exponents, thousands separators, fractions, mixed numbers, percents,
currency signs, trailing units, a few words of scale, and the LaTeX of all these. Not covered:
anything that must be computed (``2^5``, ``\sqrt 2``); that is mathematics.

The threat: a text that costs time (``1e999999999`` has a billion digits), and a number picked out of
what is no number (``4:30``, ``x_3``, ``10^2``). A number may have at most 1,000 digits and an
exponent of at most 1,000; a longer one is a decision against the completion, never computed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from referee.verifiers.combine import Composable
from referee.verifiers.errors import UnreadableText
from referee.verifiers.extraction import Extract, check_extract, extract
from referee.verifiers.protocol import UNIT
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, text_of
from referee.verifiers.references import ListMeans, bad_reference, check_list_means, judged

Percent: TypeAlias = Literal["either", "fraction", "ignore"]

MAX_DIGITS = 1_000
MAX_EXPONENT = 1_000
_WINDOW = 4 * MAX_DIGITS

_UNSIGNED = (
    r"(?:[0-9]{1,3}(?:(?:,|\{,\}|\\,|\\!|[\u00a0\u202f\u2009])[0-9]{3})+(?![0-9])(?:\.[0-9]+)?"
    r"|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
)
_NUMBER = (
    r"(?=[-+−–$€£¥\\.0-9])"  # fails at once where no number begins
    rf"(?P<sign>[-+−–]\s*)?(?:\\?[$€£¥]\s*)?(?P<sign2>[-−])?"
    rf"(?:(?P<whole>[0-9]{{1,15}})\s+(?=[0-9]+/[0-9]|\\[dt]?frac))?"
    rf"(?:\\[dt]?frac\s*\{{\s*(?P<top>-?{_UNSIGNED})\s*\}}\s*\{{\s*(?P<bottom>{_UNSIGNED})\s*\}}"
    rf"|(?P<a>{_UNSIGNED})(?:\s?/\s?(?P<b>{_UNSIGNED}))?)"
    r"(?:[eE](?P<exponent>[-+]?[0-9]+)"
    r"|\s*(?:\\times|\\cdot|×|\*)\s*10\s*(?:\^|\*\*)\s*\{?(?P<power>[-+−]?[0-9]+)\}?)?"
    r"(?P<percent>\s*\\?%|\s*percent\b)?"
    r"(?:\s*(?P<scale>hundred|thousand|million|billion|trillion)\b)?"
)
_FIND = re.compile(_NUMBER)
_LAST_DIGIT = re.compile(r"[0-9]")
_SEPARATORS = re.compile(r"\{,\}|\\,|\\!|[,\u00a0\u202f\u2009]")
_PLAIN = re.compile(r"-?[0-9]{1,18}")
_UNIT_AFTER = re.compile(r"[^0-9=<>+*/^!]*")
_SCALE = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PART_OF_MORE_BEFORE = re.compile(
    r"(?:[\^_]\{?|[0-9][:.,/]|[0-9]\s*[*×·^]\s*|\\sqrt\{?|(?:[<>≠≤≥!]=?|\\(?:n?eq?|lt|gt|[lg]eq?)|\bnot)\s*)$"
)
_PART_OF_MORE_AFTER = re.compile(
    r":[0-9]|\s*[\^_]\s*[{0-9-]|/[0-9(]|[.,][0-9]|![0-9!=]|\s*\\?pi\b|[⁰¹²³⁴-⁹]|\}[\^_{]"
)


class TooLong(UnreadableText, ValueError):
    """A number with more digits, or a greater exponent, than is read."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact value, as written: whether it stood with a percent sign is kept beside it."""

    value: Fraction
    percent: bool = False


def last_number(text: str) -> str | None:
    """Return the last number of a text as it is written, or None.

    None also where the last digits are part of something else: a time, an index, a power.

    >>> last_number("Of 12 boxes she sold $1,234.50 worth.")
    '$1,234.50'
    >>> last_number("at 4:30") is None
    True
    """
    digit = _LAST_DIGIT.search(text[::-1])
    if digit is None:
        return None
    end = len(text) - digit.start()
    for size in (50, _WINDOW):  # most numbers are short: look no further back than one needs
        start = max(0, end - size)
        window = text[start : end + 40]
        match = None
        for match in _FIND.finditer(window):  # noqa: B007  # the last one is wanted
            pass
        if match is not None and (not start or match.start() > 20):
            return match.group().strip() if _stands_alone(window, match) else None
    return None


def parse_number(text: str) -> Number | None:
    """Read a text that is a number and nothing more, but for a currency sign, a unit or a full stop.

    Raises:
        TooLong: where it has more than 1,000 digits, or an exponent beyond 1,000.

    >>> parse_number("1,250.50 dollars").value
    Fraction(2501, 2)
    >>> parse_number("2 3/4").value, parse_number("4:30")
    (Fraction(11, 4), None)
    """
    text = text.strip().removeprefix("$")
    if _PLAIN.fullmatch(text):
        return Number(Fraction(int(text)))
    text = _bare(text)
    if len(text) > _WINDOW and len(re.sub(r"[^0-9]", "", text)) > MAX_DIGITS:
        raise TooLong(f"a number may have at most {MAX_DIGITS:,} digits")
    match = _FIND.match(text)
    if match is None or not _stands_alone(text, match):
        return None
    rest = text[match.end() :]
    if len(rest) > 60 or not _UNIT_AFTER.fullmatch(rest):
        return None
    return _value(match)


def read_number(text: str) -> Number | None:
    """Read the number that an extracted text states: all of it, what follows its last ``=``, or its only one.

    >>> str(read_number("16 - 7 = 9 eggs").value)
    '9'
    >>> read_number("18 or 19") is None
    True
    """
    number = parse_number(text)
    if number is not None:
        return number
    head, equals, tail = text.rpartition("=")
    if equals and head.rstrip()[-1:] not in ("!", "\\", "<", ">") and (number := parse_number(tail)):
        return number
    if len(text) > _WINDOW:
        return None
    found = list(_FIND.finditer(text))
    if len(found) != 1 or not _stands_alone(text, found[0]) or text.startswith("!", found[0].end()):
        return None
    return _value(found[0])


def _bare(text: str) -> str:
    r"""Drop what only dresses a number: dollar delimiters, a box, ``\text``, a leading ``x =``."""
    if len(text) > 2 and text[0] == "$" == text[-1]:
        text = text[1:-1].strip()
    text = re.sub(r"^\\boxed\s*\{(.*)\}$", r"\1", text)
    text = re.sub(r"^[A-Za-z]\w{0,20}\s*=\s*", "", text)
    return re.sub(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*)\}", r" \1", text).strip(" *`\t\n")


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - 12) : match.start()]
    return not (_PART_OF_MORE_BEFORE.search(before) or _PART_OF_MORE_AFTER.match(text, match.end()))


def _value(match: re.Match[str]) -> Number | None:
    part = match.groupdict()
    top, bottom = part["top"] or part["a"], part["bottom"] or part["b"]
    exponent = (part["exponent"] or part["power"] or "0").replace("−", "-")
    if len(top) + len(bottom or "") > MAX_DIGITS or len(exponent) > 6 or abs(int(exponent)) > MAX_EXPONENT:
        raise TooLong(f"at most {MAX_DIGITS:,} digits and an exponent of {MAX_EXPONENT:,} are read")
    value = _rational(top)
    if bottom is not None:
        divisor = _rational(bottom)
        if not divisor:
            return None
        value = value / divisor
    if part["whole"]:
        value += int(part["whole"])
    if exponent != "0":
        value *= Fraction(10) ** int(exponent)
    if part["scale"]:
        value *= _SCALE[part["scale"]]
    for sign in (part["sign"], part["sign2"]):
        if sign and sign.strip() in "-−–":
            value = -value
    return Number(value, part["percent"] is not None)


def _rational(text: str) -> Fraction:
    text = _SEPARATORS.sub("", text)
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    return Fraction(int((whole or "0") + decimals), 10 ** len(decimals))


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric(Composable):
    """Pay 1 where the extracted number equals ``problem.answer`` exactly, as a rational.

    ``abs_tol`` and ``rel_tol`` (of the reference) allow |x - answer| <= max(abs_tol, rel_tol |answer|);
    both are 0 unless asked for. ``percent`` says what 75% is: ``fraction`` 0.75, ``ignore`` 75,
    ``either`` both (where only one side has a sign). The reference is a number or a text that is one;
    ``reference`` is a strategy that finds it in a longer text, such as ``after:####``. A list of
    references means any of them; one number cannot be all of them, so ``list_means="all"`` is refused.

    Accepts:
        - ``18``, ``18.0``, ``$18``, ``18 eggs``, ``36/2``, ``1.8e1`` for 18
        - ``1,234`` and ``1 234`` written with a narrow space for 1234; ``2 3/4`` for 2.75
        - ``5 million`` for 5000000
        - ``75%`` for 75 or 0.75 (``either``)
        - ``4`` for the list 4, 5
    Rejects:
        - ``18.0000001`` for 18; ``0.333`` for 1/3: no tolerance unless asked
        - ``5 million`` for 5; ``4:30`` for 30; ``10^2`` for 2; ``x_3`` for 3
        - ``1e999999999``, at once
        - a number that stands only inside the thinking
    Abstains:
        - where the reference is no number, or one of a list is none and no other matches
    """

    extract: Extract = ("boxed", "after:####", "tag:answer", "last_number")
    abs_tol: float = 0.0
    rel_tol: float = 0.0
    percent: Percent = "either"
    reference: Extract = "whole"
    list_means: ListMeans = "any"
    name = "numeric"
    range = UNIT

    def __post_init__(self) -> None:
        for field in ("abs_tol", "rel_tol"):
            value = getattr(self, field)
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"{field} must be a finite number of at least 0, got {value!r}")
        if self.percent not in get_args(Percent):
            raise ValueError(f"percent must be one of {', '.join(get_args(Percent))}, got {self.percent!r}")
        object.__setattr__(self, "extract", check_extract(self.extract))
        object.__setattr__(self, "reference", check_extract(self.reference))
        check_list_means(
            "numeric", self.list_means, all_needs="which reads one number: math compares several values"
        )

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``answer`` is the number as written."""
        found = extract(text_of(completion), self.extract)
        return judged(problem.answer, lambda reference: self._against(found, reference))

    def _against(self, found: str | None, reference: Json) -> Verdict:
        expected = reference_number(reference, self.reference)
        if expected is None:
            return bad_reference(f"answer must be a number, got {reference!r:.80}")
        if found is None:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        try:
            number = read_number(found)
        except TooLong as e:
            return Verdict(
                score=0.0, reason=Reason.RESOURCE_LIMIT, answer=found[:80], detail={"error": str(e)}
            )
        if number is None:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER, answer=found[:200])
        if self._equal(number, expected):
            return Verdict(score=1.0, reason=Reason.CORRECT, answer=found)
        return Verdict(score=0.0, reason=Reason.INCORRECT, answer=found)

    def _equal(self, number: Number, expected: Number) -> bool:
        if number.percent == expected.percent or self.percent == "ignore":
            return self._close(number.value, expected.value)
        exact = self._close(_as_fraction(number), _as_fraction(expected))
        return exact or (self.percent == "either" and self._close(number.value, expected.value))

    def _close(self, value: Fraction, expected: Fraction) -> bool:
        if value == expected:
            return True
        if not self.abs_tol and not self.rel_tol:
            return False
        allowed = max(_decimal(self.abs_tol), _decimal(self.rel_tol) * abs(expected))
        return abs(value - expected) <= allowed


def reference_number(answer: Json, how: Extract = "whole") -> Number | None:
    """Return a reference as an exact number, or None where it is none."""
    if isinstance(answer, bool) or not isinstance(answer, int | float | str):
        return None
    if isinstance(answer, int):
        return Number(Fraction(answer))
    return _reference(str(answer), how)


@lru_cache(maxsize=65_536)
def _reference(answer: str, how: Extract) -> Number | None:
    found = answer if how == "whole" else extract(answer, how)
    try:
        return parse_number(found) if found else None
    except TooLong:
        return None


@lru_cache(maxsize=256)
def _decimal(tolerance: float) -> Fraction:
    """The tolerance as the user wrote it: 0.1 is one tenth, not the nearest binary fraction."""
    return Fraction(repr(tolerance))


def _as_fraction(number: Number) -> Fraction:
    return number.value / 100 if number.percent else number.value
