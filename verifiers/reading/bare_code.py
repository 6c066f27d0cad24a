"""Code that stands in a text without a fence: between marks or sentences, as a session, as a body."""

from __future__ import annotations

import re

_BEGINS = re.compile(
    r"(?:import|from|def|class|async\s+def|if\s+__name__|#!|@)\b|[@#]|\w+\s*=(?!=)|(?:print|for|while)\b\W"
)
_GOES_ON = re.compile(
    r"[ \t)\]}]|(?:else|elif|except|finally)\b|\w[\w.]*+\(.*\)\s*$|return\b|(?:if|try|with)\b.*:\s*$"
)
_MARKS = (("[PYTHON]", "[/PYTHON]"), ("[BEGIN]", "[DONE]"), ("<code>", "</code>"))  # that prompts ask for
_OPENING = tuple(opening for opening, _ in _MARKS)


def bare_candidates(text: str) -> tuple[str, ...]:
    """Return the ways to take a text without fences as code: as it stands, then less and less of it."""
    whole = text.strip("\n")
    found = _inside_marks(whole) if whole.lstrip().startswith(_OPENING) else []
    found.append(without_prompts(whole))
    lines = whole.split("\n")
    if lines[0][:1] in " \t":  # a body that goes on where the prompt stops, and then sentences
        end = next((i for i, line in enumerate(lines) if line.strip() and line[0] not in " \t"), len(lines))
        found.append("\n".join(lines[:end]))
    else:
        code = [i for i, line in enumerate(lines) if _BEGINS.match(line)]
        if code:
            last = max(
                i
                for i, line in enumerate(lines)
                if _BEGINS.match(line) or (line.strip() and _GOES_ON.match(line))
            )
            found.append("\n".join(lines[code[0] : max(last, code[-1]) + 1]))
    found += _inside_marks(whole)
    return tuple(dict.fromkeys(code for code in found if code.strip()))


def _inside_marks(text: str) -> list[str]:
    starts = [(text.rfind(opening), opening, closing) for opening, closing in _MARKS]
    return [text[at + len(o) :].partition(c)[0].strip("\n") for at, o, c in starts if at >= 0]


def without_prompts(code: str) -> str:
    r"""Return what was typed in a session of the interpreter, without its prompts and output.

    >>> without_prompts(">>> def f(x):\n...     return x\n>>> f(2)\n2")
    'def f(x):\n    return x\nf(2)'
    """
    if not code.lstrip().startswith(">>>"):
        return code
    typed = (line.lstrip() for line in code.split("\n"))
    return "\n".join(
        line[4:] for line in typed if line.startswith((">>> ", "... ")) or line in (">>>", "...")
    )
