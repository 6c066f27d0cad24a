r"""How units are written: from LaTeX or plain letters behind a number to one plain unit text.

The plain text has words and symbols side by side, ``/``, parentheses and powers (``kg m^2 s^-2``); ``units``
says what it means.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from referee.verifiers.mathematics.tree import Unreadable
from referee.verifiers.mathematics.units import Unit, is_unit_word, known_unit, read_unit

_SIGNS = {
    "mu": "μ",
    "upmu": "μ",
    "textmu": "μ",
    "Omega": "Ω",
    "ohm": "Ω",
    "textohm": "Ω",
    "AA": "Å",
    "angstrom": "Å",
    "circ": "°",
    "degree": "°",
    "textdegree": "°",
    "degreeCelsius": "°C",
    "odot": "☉",
    "oplus": "⊕",
    "ell": "L",
    "cdot": " ",
    "times": " ",
    "bullet": " ",
    "per": " per ",
    "quad": " ",
    "percent": "%",
    "squared": " squared ",
    "cubed": " cubed ",
    "square": " square ",
    "cubic": " cubic ",
    "left": "",
    "right": "",
}
_FONTS = frozenset("text textrm mathrm mbox rm hbox textnormal operatorname mathsf textup unit si".split())
_FRACTIONS = frozenset(["frac", "dfrac", "tfrac", "nicefrac", "sfrac"])
_PREFIXES = frozenset("tera giga mega kilo hecto deci centi milli micro nano pico femto".split())
_PIECE = re.compile(
    r"(?P<space>(?:\\[,;:! ]|[~\s·*])+)|\\(?P<c>[A-Za-z]+)\s*|(?P<esc>\\[%$])|(?P<script>[_^])"
    r"|(?P<open>\{)|(?P<close>\})|(?P<plain>[\w/().%°☉⊕℃℉¢-])"
)
_POWER = re.compile(r"[-+]?\d{1,2}")
_LONGEST = 160
_DEPTH = 8
_NO_UNIT = "the text holds what no unit does"


@lru_cache(maxsize=2048)
def unit_text(latex: str) -> str:
    """Return a LaTeX text as a plain unit text; nothing where it holds what no unit does."""
    try:
        text, pos = _read(latex, 0, 0)
    except Unreadable:
        return ""
    return text.strip(" .") if pos == len(latex) else ""


def marked_unit(latex: str) -> str:
    """Return the plain text of an argument that is nothing but known units; else nothing."""
    text = unit_text(latex) if len(latex) <= _LONGEST else ""
    return text if text and known_unit(text) else ""


def _read(latex: str, pos: int, depth: int) -> tuple[str, int]:
    """Read up to the brace that closes this level."""
    if depth > _DEPTH:
        raise Unreadable(_NO_UNIT)
    out = ""
    while pos < len(latex):
        m = _PIECE.match(latex, pos)
        if m is None:
            raise Unreadable(_NO_UNIT)
        kind = m.lastgroup
        if kind == "close":
            if depth:
                break
            raise Unreadable(_NO_UNIT)
        pos = m.end()
        if kind == "space":
            out += " "
        elif kind == "c":
            more, pos = _command(m["c"], latex, pos, depth)
            out += more
        elif kind == "open":
            more, pos = _group(latex, pos - 1, depth)
            out += more
        elif kind == "script":
            more, pos = _group(latex, pos, depth)
            out += _script(m[0], more.strip())
        elif kind == "esc":
            out += m[0][1]
        else:
            out += " " if m[0] == "-" else m[0]
    return out, pos


def _group(latex: str, pos: int, depth: int) -> tuple[str, int]:
    """Read one argument: a group in braces, a command, or a sign; a signed number behind ``^``."""
    if latex[pos : pos + 1] == "{":
        text, pos = (
            (m[0], m.end()) if (m := _POWER.match(latex, pos + 1)) else _read(latex, pos + 1, depth + 1)
        )
        if latex[pos : pos + 1] != "}":
            raise Unreadable(_NO_UNIT)
        return text, pos + 1
    if m := _POWER.match(latex, pos):
        return m[0], m.end()
    if m := re.compile(r"\\([A-Za-z]+)\s*|[A-Za-z☉⊕]").match(latex, pos):
        return _command(m[1], latex, m.end(), depth) if m[1] else (m[0], m.end())
    raise Unreadable(_NO_UNIT)


def _script(sign: str, text: str) -> str:
    if sign == "^" and (text == "°" or _POWER.fullmatch(text)):
        return text if text == "°" else f"^{text} "
    if sign == "_" and text in ("☉", "⊕"):
        return f"_{text} "
    raise Unreadable(_NO_UNIT)


def _command(name: str, latex: str, pos: int, depth: int) -> tuple[str, int]:
    if name in _SIGNS:
        return _SIGNS[name], pos
    if name in _FONTS:
        return _group(latex, pos, depth) if latex[pos : pos + 1] == "{" else ("", pos)
    if name in _FRACTIONS:
        top, pos = _group(latex, pos, depth)
        while latex[pos : pos + 1] == " ":
            pos += 1
        bottom, pos = _group(latex, pos, depth)
        return f"({top})/({bottom})", pos
    if name in _PREFIXES:
        return name, pos
    if known_unit(name):  # \metre, \kilo\gram
        return f"{name} ", pos
    raise Unreadable(_NO_UNIT)


# Plain letters behind a number

_RUN = re.compile(
    r"(?:\\(?:mu|Omega|AA|cdot|times|mathrm|text|rm|odot|oplus|[,;: ])|[A-Za-z0-9{}^/*()_ ~-]){1,80}"
)
_ENDS = re.compile(
    r"\s*(?:$|[,;=<>&\]$]|[.!?](?!\d)|\\(?:approx|le|ge|text|quad|qquad|\\|\})|\)|and\b|or\b)|\s\d"
)
_JOINT = re.compile(r"\s(?:(?:and|or|is|in|for|per|to|the|each)\s|\d)")
_ATOM = re.compile(r"[A-Za-zμΩÅ]+(?:_[☉⊕])?")
_PAIRS = frozenset(["mg", "ms", "nm", "dm", "mi", "pt"])  # as likely a product as a unit
_SINGLE = frozenset("msNJVWAL")  # letters that are seldom anything else behind a number and a space
_DOUBTFUL = frozenset("ghKTCFHS") | _PAIRS  # letters that may be a unit or a variable


def ends_item(text: str, pos: int) -> bool:
    """Tell whether nothing goes on behind a unit in plain letters."""
    return _ENDS.match(text, pos) is not None


class PlainUnit(NamedTuple):
    """A unit in plain letters: its text, where it ends, and whether it can be nothing else."""

    text: str
    end: int
    sure: bool


def plain_unit(text: str, start: int, spaced: bool) -> PlainUnit | None:
    r"""Read the plain letters from ``start``, behind a number, as a unit; None where they are variables.

    ``9.8 m/s^2``, ``3 kg m^2`` and ``5\ \Omega`` can be nothing else; ``5 m`` and ``9.8m/s`` may be products.
    """
    m = _RUN.match(text, start)
    if m is None:
        return None
    source = m[0]
    if (joint := _JOINT.search(source)) is not None:
        source = source[: joint.start()]
    source = source.rstrip(" ~\\")
    for opening, closing in ("()", "{}"):
        while source.endswith(closing) and source.count(closing) > source.count(opening):
            source = source[:-1].rstrip(" ~\\")
    if not source or not ends_item(text, start + len(source)):
        return None
    plain = marked_unit(source)
    atoms = _ATOM.findall(plain)
    if not atoms:
        return None
    sure = "_" in plain or (
        spaced and ("^-" in plain or any(map(_no_product, atoms)) or (len(atoms) > 1 and "/" in plain))
    )
    single = (spaced and plain in _SINGLE) or (plain in _DOUBTFUL and (spaced or plain in _PAIRS))
    return PlainUnit(plain, start + len(source), sure) if sure or single or "/" in plain else None


def _no_product(atom: str) -> bool:
    """Tell whether letters are a unit's and no variables side by side."""
    return (len(atom) > 1 and (is_unit_word(atom) or not atom.islower())) or not atom.isascii()


def doubtful_unit(source: str, spaced: bool) -> Unit | None:
    """Return the unit that letters are if they are no product."""
    plain = marked_unit(source)
    unit = read_unit(plain)[2] if plain else None
    return unit and unit._replace(certain=spaced and (plain in _SINGLE or plain in _PAIRS))
