"""What typesetting puts around an answer (delimiters, bold, sizes, text commands), and what is no answer."""

from __future__ import annotations

import re

# Each alternative is one sign or a word, so that a run of signs is read in one way only.
_HEAD = re.compile(r"(?:\\\(|\\\[|\$|`|\*\*|__|\s|\\displaystyle|\\begin\{(?:align|equation|gather)\*?\})+")
_TAIL = re.compile(
    r"(?:\\\)|\\\]|\$|`|\*\*|__|\s|\\end\{(?:align|equation|gather)\*?\}|(?<=[^\s.])\.(?!\.)|\\\\)+$"
)
_TAIL_CHARS = 120  # how far from the end a tail may begin; searching everywhere is quadratic
_EDGE = frozenset("$`*_.\\")
_OPENINGS = ("\\(", "\\[", "\\displaystyle", "\\begin{")
_APART = re.compile(r"(?<=\d)\s+(?=\d)")
_CONTROL_SPACE = re.compile(r"(?<!\\)\\ ")
TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mbox|mathrm|hbox|textnormal|textsf|emph|mathbf|mathit|boldsymbol|"
    r"operatorname)\s*\{([^{}]*)\}"
)
LAYOUT = re.compile(
    r"\\[,;:! ]|\\(?:quad|qquad|left|right|displaystyle|big|Big|bigg|Bigg|limits)(?![A-Za-z])|[\s~$]"
)
_PLACEHOLDERS = frozenset(
    {
        "",
        "?",
        "??",
        "...",
        "answer",
        "your answer",
        "final answer",
        "n/a",
        "tbd",
        "todo",
        "unknown",
        "\\ldots",
        "\\dots",
        "\\cdots",
        "answer here",
        "your answer here",
        "\\text{answer}",
        "…",
    }
)


_FULL_WIDTH = str.maketrans(
    {chr(c): chr(c - 0xFEE0) for c in range(0xFF01, 0xFF5F)} | {"，": ", ", "；": "; ", "\u3000": " "}
)
_WIDE = re.compile("[\uff01-\uff5e\u3000]")
_ORNAMENTS = re.compile(r"[\s\u220e\u25a0-\u27bf\u2b00-\u2bff\ufe0f\u200d\U0001f000-\U0001faff]")


def narrow(text: str) -> str:
    """Return a text with full-width signs, digits and letters (（：，１) as the usual ones.

    >>> narrow("（１，２）")
    '(1, 2)'
    """
    return text.translate(_FULL_WIDTH) if _WIDE.search(text) else text


def _without_ornaments(text: str) -> str:
    """Return a text without the check marks, emoji and spaces at its end."""
    end = len(text)
    while end and _ORNAMENTS.match(text, end - 1):
        end -= 1
    return text[:end]


def is_placeholder(text: str) -> bool:
    """Tell whether a text stands where an answer should, and is none."""
    if text.isdecimal():
        return False
    bare = strip(text)
    return bare not in ("<", ">") and bare.strip("[]<>_ .-").lower() in _PLACEHOLDERS


def strip(text: str) -> str:
    """Take delimiters, bold and a final full stop off an answer."""
    if not text.isascii():
        text = _without_ornaments(narrow(text))
    if "\\ " in text:
        text = _CONTROL_SPACE.sub(" ", text)
    if text and not _has_head(text) and not _has_tail(text):
        return text
    for _ in range(4):
        head = _HEAD.match(text)
        stripped = text[head.end() if head else 0 :].rstrip()
        if tail := _TAIL.search(stripped, max(0, len(stripped) - _TAIL_CHARS)):
            stripped = stripped[: tail.start()]
        if stripped == text:
            break
        text = stripped
    return text


def _has_head(text: str) -> bool:
    """Tell, at little cost, whether there may be something to take off the start of a text."""
    first = text[0]
    return text.startswith(_OPENINGS) if first == "\\" else first in _EDGE or first.isspace()


def _has_tail(text: str) -> bool:
    """Tell, at little cost, whether there may be something to take off the end of a text."""
    last = text[-1]
    if last == "}":
        return "\\end{" in text
    if last in ")]":
        return text[-2:-1] == "\\"
    return last in _EDGE or last.isspace()


def literal(text: str) -> str:
    """Return a text without layout: spaces, sizes, text commands."""
    if "{" not in text and " " not in text and "\\" not in text:
        return text.rstrip(".")
    text = TEXT.sub(r"\1", text)
    text = LAYOUT.sub("", _APART.sub(" \u00a6 ", text))
    return text.replace("dfrac", "frac").replace("tfrac", "frac").rstrip(".")


def unwrapped(text: str) -> str:
    r"""Take off the braces and text commands that enclose all of an answer.

    >>> unwrapped(r"{{7}}"), unwrapped(r"\text{an ellipse}"), unwrapped("{1}{2}")
    ('7', 'an ellipse', '{1}{2}')
    """
    for _ in range(4):
        text = text.strip()
        if command := TEXT.fullmatch(text):
            text = command[1]
        elif text[:1] == "{" and closing_brace(text, 0) == len(text):
            text = text[1:-1]
        else:
            break
    return text.strip()


def closing_brace(text: str, start: int) -> int:
    """Return the place behind the brace that closes the one at ``start``; -1 where none does."""
    level = 0
    for m in _BRACES.finditer(text, start):
        sign = m[0]
        if sign == "{":
            level += 1
        elif sign == "}":
            level -= 1
            if level == 0:
                return m.end()
    return -1


_BRACES = re.compile(r"\\.|[{}]", re.S)
