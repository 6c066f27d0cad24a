r"""Regular expressions as JSON Schema has them: ECMA-262's with the flag ``u``, matched by :mod:`regex`.

What the two write differently is translated: ``$`` is the end of the text and not the place before its
last line break, ``\d`` and ``\w`` are ASCII's, ``\u{1F600}`` and ``\cJ`` are characters. The rest
(``\p{L}``, named groups, look-arounds) is the same in both.
"""

from __future__ import annotations

import re
from functools import lru_cache

import regex

_TOKEN = re.compile(
    r"\\u\{(?P<code>[0-9A-Fa-f]{1,6})\}|\\c(?P<control>[A-Za-z])|\\(?P<escaped>.)|(?P<sign>[\[\]$])",
    re.DOTALL,
)
_DIGITS, _WORDS = "0-9", "A-Za-z0-9_"
_OUTSIDE = {"d": f"[{_DIGITS}]", "D": f"[^{_DIGITS}]", "w": f"[{_WORDS}]", "W": f"[^{_WORDS}]", "/": "/"}
_INSIDE = {"d": _DIGITS, "w": _WORDS, "/": "/"}


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    r"""Return a pattern of a schema, compiled.

    >>> compile_pattern(r"^\p{L}+$").search("Ünal") is None, compile_pattern(r"^\d$").search("٣") is None
    (False, True)

    Raises:
        regex.error: it is none.
    """
    return regex.compile(_translated(pattern))


def _translated(pattern: str) -> str:
    inside = False

    def one(found: re.Match[str]) -> str:
        nonlocal inside
        if (code := found["code"]) is not None:
            if int(code, 16) > 0x10FFFF:
                raise regex.error(f"no character has the number {code}")
            return regex.escape(chr(int(code, 16)))
        if (control := found["control"]) is not None:
            return regex.escape(chr(ord(control) % 32))
        if (escaped := found["escaped"]) is not None:
            return (_INSIDE if inside else _OUTSIDE).get(escaped, found.group())
        if found["sign"] == "$":
            return "$" if inside else r"\Z"
        if found["sign"] == "[":
            literal, inside = inside, True
            return r"\[" if literal else "["
        inside = False
        return "]"

    return _TOKEN.sub(one, pattern)
