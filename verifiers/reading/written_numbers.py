r"""Which number a text states, as an exact rational.

Covered: integers, decimals, exponents, thousands separators, fractions, mixed numbers, percents,
currency signs, trailing units, a few words of scale, and the LaTeX of all these. Not covered:
anything that must be computed (``2^5``, ``\sqrt 2``); that is mathematics.

The threat: a text that costs time (``1e999999999`` has a billion digits), and a number picked out of
what is no number (``4:30``, ``x_3``, ``10^2``). A number may have at most 1,000 digits and an
exponent of at most 1,000; a longer one is a decision against the completion, never computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from referee.verifiers.errors import UnreadableText

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
    r"(?:\s*(?P<scale>dozen|hundred|thousand|million|billion|trillion)\b)?"
)
_FIND = re.compile(_NUMBER)
_LAST_DIGIT = re.compile(r"[0-9]")
_SEPARATORS = re.compile(r"\{,\}|\\,|\\!|[,\u00a0\u202f\u2009]")
_PLAIN = re.compile(r"-?[0-9]{1,18}")
_UNIT_AFTER = re.compile(r"[^0-9=<>+*/^!]*")
_SCALE = {
    "dozen": 12,
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_PART_OF_MORE_BEFORE = re.compile(
    r"(?:[\^_]\{?|[-−]\s*[({]\s*|[0-9][:.,/]|[0-9]\s*[*×·^]\s*|\\sqrt\{?|(?:[<>≠≤≥!]=?|\\(?:n?eq?|lt|gt|"
    r"[lg]eq?)|\bnot)\s*)$"
)
_PART_OF_MORE_AFTER = re.compile(
    r":[0-9]|\s*[\^_]\s*[{0-9-]|/[0-9(]|[.,][0-9]|![0-9!=]|\s*\\?pi\b|[⁰¹²³⁴-⁹]|\}[\^_{]"
)
_CHANGED_BEFORE = re.compile(
    r"(?:\b(?:at\s+(?:least|most)|(?:more|less|fewer|greater|larger|smaller)\s+than|up\s+to|not|"
    r"not\s+equal\s+to|never|minus|negative|nearly|almost|"
    r"(?:half|square|cube|root|none|factorial)\s+of(?:\s+the)?|half|twice|double|triple|"
    r"(?:any|every)thing\s+but|all\s+but|"
    r"except|without|possibly|perhaps|maybe|might\s+be|could\s+be|suppose\s+\w\s*=|let\s+\w\s*=)|n['’]t(?:\s+be)?|"
    r"\\(?:[bx]?cancel|[hv]?phantom|log|ln|sin|cos|tan|pm|mp)|[±√⁻]|~~|(?<![A-Za-z])[A-Za-z]\(|"
    r"[多少大小高低]于|至少|至多|不到|超过|不是|可能是?)[\s$*{}=]*$",
    re.I,
)
_CHANGED_AFTER = re.compile(
    r"(?:[\s$*}]|\\text\s*\{)*(?:(?:or\s+(?:more|less|fewer|so|above|below|under|over)|"
    r"and\s+(?:above|below|up|a\s+half)|"
    r"squared|cubed|factorial|half|halves|thirds|quarters|less|fewer|too\s+(?:many|few)|at\s+(?:most|least)|fails|"
    r"(?:[(\[,]\s*)?(?:is\s+|was\s+)?(?:wrong|incorrect|false|not)|does\s?n['’]t|does\s+not)\b|"
    r"\?|~~|或|吗|以上|以下|[折成多余])"
    r"|ish\b|[xyznkei](?![A-Za-z])|\s?\+(?!\s*[\d\\$])|-[}$]|[\u0300-\u036f]",
    re.I,
)  # words and signs by which a number is another number, a bound, or taken back


_OFFERED = re.compile(r"[0-9%}][\s$*]*,?\s*\b(?:or|and)\s[\s$*]*$")
_NO_WORDS = re.compile(r"[^A-Za-z:]*$")
_LISTED = re.compile(r"[0-9%}][\s$*]*[,;][\s$*]*$")


class NumberTooLong(UnreadableText, ValueError):
    """A number with more digits, or a greater exponent, than is read."""


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """An exact value, as written: whether it stood with a percent sign is kept beside it."""

    value: Fraction
    percent: bool = False


def last_number(text: str) -> str | None:
    """Return the last number of a text as it is written, or None.

    None also where the last digits are part of something else (a time, an index, a power), and where
    the last number is one of several that are offered: ``18 or 19``, ``the answer is 3, 4``.

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
            alone = _stands_alone(window, match) and not _is_offered(window[: match.start()])
            return match.group().strip() if alone else None
    return None


def parse_number(text: str) -> WrittenNumber | None:
    """Read a text that is a number and nothing more, but for a currency sign, a unit or a full stop.

    Raises:
        NumberTooLong: where it has more than 1,000 digits, or an exponent beyond 1,000.

    >>> parse_number("1,250.50 dollars").value
    Fraction(2501, 2)
    >>> parse_number("2 3/4").value, parse_number("4:30")
    (Fraction(11, 4), None)
    """
    text = text.strip().removeprefix("$")
    if _PLAIN.fullmatch(text):
        return WrittenNumber(Fraction(int(text)))
    text = _bare(text)
    if len(text) > _WINDOW and len(re.sub(r"[^0-9]", "", text)) > MAX_DIGITS:
        raise NumberTooLong(f"a number may have at most {MAX_DIGITS:,} digits")
    match = _FIND.match(text)
    if match is None or not _stands_alone(text, match):
        return None
    rest = text[match.end() :]
    if len(rest) > 60 or not _UNIT_AFTER.fullmatch(rest):
        return None
    return _value(match)


def read_number(text: str) -> WrittenNumber | None:
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
    r"""Drop what only dresses a number: dollar delimiters, ``\text``, a leading ``x =``."""
    if len(text) > 2 and text[0] == "$" == text[-1]:
        text = text[1:-1].strip()
    text = re.sub(r"^[A-Za-z]\w{0,20}\s*=\s*", "", text)
    return re.sub(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*)\}", r" \1", text).strip(" *`\t\n")


def _is_offered(before: str) -> bool:
    """Tell whether a number goes on a list that nothing but a cue precedes, or follows an "or" or "and"."""
    before = before[-120:].rpartition("\n")[2]
    if _OFFERED.search(before[-24:]):
        return True
    listed = _NO_WORDS.search(before)
    assert listed is not None  # it matches the empty text
    lead = before[: listed.start()].rstrip("*_ ")
    return _LISTED.search(listed[0]) is not None and (not lead or lead.endswith((":", "is", "are")))


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - 12) : match.start()]
    if _PART_OF_MORE_BEFORE.search(before) or _PART_OF_MORE_AFTER.match(text, match.end()):
        return False
    return not (
        _CHANGED_BEFORE.search(text[max(0, match.start() - 32) : match.start()])
        or _is_changed(text, match.end())
    )


def _is_changed(text: str, end: int) -> bool:
    """Tell whether what stands behind a number changes it, or takes it back."""
    return end < len(text) and _CHANGED_AFTER.match(text, end, end + 40) is not None


def _value(match: re.Match[str]) -> WrittenNumber | None:
    part = match.groupdict()
    top, bottom = part["top"] or part["a"], part["bottom"] or part["b"]
    exponent = (part["exponent"] or part["power"] or "0").replace("−", "-")
    if len(top) + len(bottom or "") > MAX_DIGITS or len(exponent) > 6 or abs(int(exponent)) > MAX_EXPONENT:
        raise NumberTooLong(f"at most {MAX_DIGITS:,} digits and an exponent of {MAX_EXPONENT:,} are read")
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
    return WrittenNumber(value, part["percent"] is not None)


def _rational(text: str) -> Fraction:
    text = _SEPARATORS.sub("", text)
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    return Fraction(int((whole or "0") + decimals), 10 ** len(decimals))
