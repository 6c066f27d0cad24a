r"""Whether a box is a part of something larger: ``2\boxed5``, ``\frac{\boxed5}2``, ``x\ge\boxed5``.

A box is an answer behind ``=``, ``\approx``, an arrow, a word or a stop, and before a unit, a percent or
degree sign, a word or a stop. Where a factor, an operator, an index, a function or a bound touches it, what
is in it is no answer. A minus sign behind ``=`` belongs to the number, and so does a word of scale behind.
"""

from __future__ import annotations

import re

_NEAR = 80  # characters on either side that can touch a box

_LAYOUT = (
    r"quad|qquad|displaystyle|textstyle|left|right|bigl?|bigr|Bigl?|Bigr|large|Large|LARGE|huge|Huge|hfill|"
    r"centering|noindent|newline|par|item|bf|rm|it|underbrace|underline|overbrace|checkmark|therefore|"
    r"because|"
    r"bullet|star|blacksquare|square|Box|qed|nonumber|notag|colon|,|;|:|!|\\"
)
_LEADS_TO = (
    r"Rightarrow|rightarrow|Longrightarrow|longrightarrow|implies|iff|Leftrightarrow|to|leadsto|mapsto|"
    r"approx|equiv|sim|simeq|cong|doteq|triangleq|coloneqq|in|pm|mp|lor|vee"
)
_COMMAND_BEFORE = re.compile(r"\\([A-Za-z]+|[,;:!\\])\s*$")
_ANSWER_BEHIND = frozenset(f"{_LAYOUT}|{_LEADS_TO}".replace("\\\\", "\\").split("|"))
_OPENED = re.compile(r"(?:(\\[A-Za-z]+|[\^_])\s*(?:\[[^\[\]]*\])?|(\})\s*|(.)|^)\{\s*$", re.S)
_HOLDS_TEXT = frozenset(
    f"\\{name}"
    for name in "text textbf textit textrm mbox mathrm mathbf mathit mathsf textsf boldsymbol bm hbox emph "
    "underline underbrace overbrace fbox color textcolor begin end tag label hspace vspace large Large Huge "
    "huge ensuremath".split()
)
_TINTED = re.compile(r"\\(?:text)?color\s*\{[^{}]*\}\s*\{\s*$")
_FACTOR_BEFORE = re.compile(r"(?:(?<![A-Za-z\\])[A-Za-z]|[\d!²³π√]|(?<!\(\w)\))(\s*)$")
_OPERATOR_BEFORE = re.compile(
    r"(?:[+^×÷·±√≤≥≠]|[<>!]=|<|(?<![-=])>|[A-Za-z\d}]_|(?:[\d)\]]|(?<![A-Za-z])[A-Za-z])\s*[*/−-])\s*$"
)
_MARKUP = re.compile(r"<[^<>\n]{1,40}>\s*$")
_LINE_START = re.compile(r"(?:[-*+>_•#]|\d+[.)]|\s)*")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_TUPLE_BEFORE = re.compile(r"[(\[]\s*(?:-?\d+(?:\.\d+)?\s*,\s*){1,8}$")
_TUPLE_AFTER = re.compile(r"\s*(?:,\s*-?\d+(?:\.\d+)?\s*){1,8}[)\]]")

_CLOSED = r"(?:[ \t]|\\[,;:! ]|~|\})*"
_LARGER_AFTER = re.compile(
    r"\}{0,3}(?:\d|[.,]\d|\$?\^\s*\{?\s*(?:-?\s*(?:\d+|[A-Za-z])\s*(?:\}|(?![\w{]))|\\(?!circ|prime|text|"
    r"deg))|"
    r"[²³⁰¹⁴-⁹π√]|!(?=\s*(?:[\d$+*/^=-]|\\[)\]])))"
)
_TOUCHING_AFTER = re.compile(
    rf"{_CLOSED}(?:"
    r"[+×÷·±√π²³]\s*[\w\\$(√π]|[-−–]\s?(?:[\d(\\]|[A-Za-z](?![A-Za-z]))|/\s*(?:[\d(]|\\(?!text|mathrm|"
    r"boxed|fbox)|[a-zA-Z](?![A-Za-z]))(?<!/[shgLm])|"
    r"\*\s*(?:[\d(]|[a-z](?![A-Za-z]))|\*\*\d|_\s*[{\d\\]|_[a-z](?![A-Za-z])|"
    r"[<>]=?\s*(?:[-\d\\]|[a-z](?![A-Za-z>/]))|[≤≥≠]|:\d|!=|\{|"
    r"\$?[ \t]*[+×÷][ \t]*\$?\d|\$?[ \t]*\b(?:squared|cubed|factorial|plus|minus|divided\s+by|"
    r"multiplied\s+by|"
    r"to\s+the\s+power|(?:less\s+than|more\s+than|times)(?=[\s$]+[\d\\]))\b|"
    r"\(\s*-?(?:\d+|[a-z])\s*[-+*/^)])"
)
_COMMAND_AFTER = re.compile(rf"{_CLOSED}\\([A-Za-z]+)")
_HARMLESS_AFTER = frozenset(
    f"{_LAYOUT}|{_LEADS_TO}|text|textbf|textit|textrm|mathrm|mbox|hbox|mathbf|mathit|emph|degree|circ|"
    f"celsius|"
    "Omega|mu|AA|ohm|angstrom|unit|si|SI|pounds|euro|end|begin|tag|label|hspace|vspace|hfil|pmod|bmod|mod|"
    "ldots|dots|"
    "boxed|fbox|framebox|color|footnotesize|small|medskip|bigskip|smallskip|hline|cdots|or|land|wedge|"
    "blacktriangle|Diamond|diamond|square|lozenge|dagger|star|langle|rangle|prime|item|section|"
    "subsection".split("|")
)
_LETTER_AFTER = re.compile(rf"({_CLOSED})([A-Za-z]{{1,3}})(?![A-Za-z])")
_SHORT_UNITS = frozenset(
    """
    m g s h L J N W V K C F cm mm km kg mg ml mL dm nm Hz Pa kJ kW kN min hr hrs sec ft in lb lbs oz mi yd mph
    am pm or is as if so by to of at on we it and for per the but not day all are was has can our yes now let
    rad deg mol rpm kmh bits sq cu th st nd rd
    """.split()
)
APART = frozenset("$=:.;")  # what stands behind one of these is no part of what stands before it
_IN_MATHEMATICS = re.compile(r"\\[\[(](?:(?!\\[\])])[^\n$])*$")
_SIGN_BEFORE = re.compile(r"(?:=[\s$]*|\$)[-−]\s*$|:\s*[-−]$|^[-−]$")
_SCALE_AFTER = re.compile(
    r"[\s$\\,;~]*(?:(?:text|mathrm|mbox)\{\s*)?(hundred|thousand|million|billion|trillion|dozen)s?\b", re.I
)


_UNIT_AFTER = re.compile(
    r"[\s$~]{0,4}+(?:\\[,;:! ]){0,2}+[\s$~]{0,4}+"
    r"(?:(?P<percent>\\?%)|\\(?:text|mathrm|textrm|mbox)\s?\{(?P<group>[^{}$]{1,40})\}|"
    r"(?P<word>(?:(?:square|cubic)\ )?[A-Za-zµμΩ°][\w/·*^²³-]{0,15}+(?:\ per\ [a-z]{1,12})?)"
    r"(?=[\s.,;:)$!?]|$))"
)
_NO_UNIT = frozenset("in at as a an A I h am pm or is are to by for and us it we".split())


def negated(text: str, start: int) -> bool:
    """Tell whether a minus sign that belongs to a box stands before it."""
    if text[start - 1 : start] not in "-− \t":
        return False
    before = text[max(0, start - 20) : start]
    return before.rstrip()[-1:] in ("-", "−") and _SIGN_BEFORE.search(before) is not None


def scale(text: str, end: int) -> str:
    """Return the word of scale behind a box: ``thousand``; nothing where there is none."""
    found = _SCALE_AFTER.match(text, end, end + _NEAR)
    return found[1] if found else ""


def unit_behind(text: str, end: int) -> str:
    r"""Return what stands where a unit may stand behind a box: ``km/h`` of ``$\boxed{60}\text{ km/h}$``."""
    found = _UNIT_AFTER.match(text, end, end + _NEAR)
    if found is None:
        return ""
    if found["percent"]:
        return "%"
    word = (found["group"] or found["word"]).strip()
    return "" if word in _NO_UNIT else word


def touched_before(text: str, start: int) -> bool:
    """Tell whether what begins at ``start`` is a part of something that began before it."""
    if text[start - 1 : start] in APART:
        return False
    before = text[max(0, start - _NEAR) : start]
    near = before.rstrip(" \t\n~")
    sign = near[-1:]
    if not sign or sign in APART:
        return False
    if sign == "(" or sign == "," or sign == "[":
        return _TUPLE_BEFORE.search(before) is not None and not near.endswith(("\\(", "\\[", "\\,"))
    if sign == "{":
        return _in_a_group(before)
    if sign == "}":
        return _behind_a_group(near)
    if (command := _COMMAND_BEFORE.search(before)) is not None:
        return command[1] not in _ANSWER_BEHIND
    segment = near.rpartition("\n")[2].rpartition("$")[2].lstrip(" \t")
    if _LINE_START.fullmatch(segment) and not before.rstrip(" \t").endswith("$" + segment):
        return False
    if segment.endswith(("->", "=>", "**", "__")) or _MARKUP.search(segment):
        return False
    if negated(before, len(before)):
        return False
    prose = _PROSE.search(re.sub(r"\\[A-Za-z]+", "", segment)) is not None
    if factor := _FACTOR_BEFORE.search(before):
        return not (factor[1] and (prose or "\n" in factor[1] or _outside(before)))
    if (operator := _OPERATOR_BEFORE.search(before)) is not None:
        return not (prose and operator[0].strip()[-1:] in "-−*" and operator[0][-1:].isspace())
    return False


def _outside(before: str) -> bool:
    """Tell whether a box stands outside of mathematics, as far as its line shows."""
    line = before.rpartition("\n")[2]
    return "$" not in line and _IN_MATHEMATICS.search(line) is None


def _in_a_group(before: str) -> bool:
    if _TINTED.search(before):
        return False
    opened = _OPENED.search(before)
    if opened is None or opened[3]:
        return False
    return opened[2] is not None or (opened[1] is not None and opened[1] not in _HOLDS_TEXT)


def _behind_a_group(near: str) -> bool:
    r"""Tell whether the group that ends a text is a factor: ``\sqrt{2}``, not ``\text{so}``."""
    level = 0
    for at in range(len(near) - 1, -1, -1):
        level += (near[at] == "}") - (near[at] == "{")
        if not level:
            break
    else:
        return False
    command = re.search(r"\\[A-Za-z]+\s*(?:\{[^{}]*\})?$", near[:at])
    if command is None:
        return near[:at].rstrip()[-1:] in ("^", "_")
    return command[0].partition("{")[0].strip() not in _HOLDS_TEXT


def touched_after(text: str, end: int) -> bool:
    """Tell whether what ends at ``end`` is a part of something that goes on behind it."""
    sign = text[end : end + 1]
    if not sign or sign == "\n":
        return False
    if _LARGER_AFTER.match(text, end):
        return True
    if sign in "$.)]" and text[end + 1 : end + 2] in ("", ".", "\n", "$"):
        return False
    limit = end + _NEAR
    if _TOUCHING_AFTER.match(text, end, limit) or _TUPLE_AFTER.match(text, end, limit):
        return True
    if command := _COMMAND_AFTER.match(text, end, limit):
        return command[1] not in _HARMLESS_AFTER
    letters = _LETTER_AFTER.match(text, end, limit)
    if letters is None or (letters[2] in _SHORT_UNITS and (letters[1] or len(letters[2]) > 1)):
        return False
    return not letters[1] or not _outside(text[max(0, end - _NEAR) : end])
