"""Finding the code in a completion, in time linear in its length and without parsing it.

A model's text is never parsed here: deeply nested source can stall or crash a parser, so the reading
is left to the sandbox, which is given the candidates in order of preference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^[ \t]{0,3}(?P<ticks>`{3,}|~{3,})[ \t]*(?P<tag>[\w+#.-]*)[^`\n]*$")
_THINK_END, _THINK_START = "</think>", "<think>"
_TAGS = {
    "python": {"", "python", "python3", "py", "py3", "py2", "python2", "pycon", "ipython"},
    "bash": {"", "bash", "sh", "shell", "zsh", "console"},
    "javascript": {"", "javascript", "js", "node", "mjs"},
    "cpp": {"", "cpp", "c++", "cc", "cxx", "c"},
}
LANGUAGES = tuple(_TAGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """The code that was found: the best candidate first, or ``missing`` says why there is none."""

    candidates: tuple[str, ...] = ()
    missing: str = ""


def extract_code(text: str, *, language: str = "python", entry_point: str = "") -> Extraction:
    r"""Return the code of a completion.

    What comes before the last ``</think>`` is left out. Of the fenced blocks tagged with the language
    (or not tagged, where none is) it is the last one that defines ``entry_point``, else the last one;
    a block that the completion never closed counts. Without any fence, all of the text is the code.

    >>> extract_code("so:\n```python\nx = 1\n```\ndone").candidates
    ('x = 1', 'so:\n```python\nx = 1\n```\ndone')
    """
    if language not in _TAGS:
        raise ValueError(f"language must be one of {', '.join(_TAGS)}, got {language!r}")
    before, end, answer = text.rpartition(_THINK_END)
    if not end:
        answer = before + answer
        if answer.lstrip().startswith(_THINK_START):
            return Extraction(missing="the completion never stopped thinking")
    if not answer.strip():
        return Extraction(missing="the completion is empty" if not end else "nothing follows the thinking")
    blocks = fenced_blocks(answer)
    if not blocks:
        return Extraction(candidates=(answer.strip("\n"),))
    tags = _TAGS[language]
    wanted = [code for tag, code in blocks if tag in tags - {""}] or [c for tag, c in blocks if tag in tags]
    if not wanted:
        found = ", ".join(sorted({tag for tag, _ in blocks}))
        return Extraction(missing=f"no fenced block is {language}: there is {found}")
    if not any(code.strip() for code in wanted):
        return Extraction(missing="the fenced block is empty")
    wanted = [code for code in wanted if code.strip()]
    best = wanted[-1]
    if entry_point:
        name = re.escape(re.split(r"\W", entry_point)[0])
        defines = re.compile(rf"^\s*(?:(?:async\s+)?def|class)\s+{name}\b|^{name}\s*[:=]", re.MULTILINE)
        best = next((code for code in reversed(wanted) if defines.search(code)), best)
    # code may hold a fence in a docstring: the whole text is the last resort, where it reads as code
    return Extraction(candidates=(best, answer.strip("\n")))


def fenced_blocks(text: str) -> list[tuple[str, str]]:
    r"""Return (tag, content) of every fenced block, the tag in lower case.

    >>> fenced_blocks("~~~JS\n1\n~~~\n```\n2")
    [('js', '1'), ('', '2')]
    """
    blocks: list[tuple[str, str]] = []
    lines: list[str] | None = None
    fence = tag = ""
    for line in text.split("\n"):
        match = _FENCE.match(line.rstrip("\r"))
        if lines is None:
            if match:
                fence, tag, lines = match["ticks"], match["tag"].lower(), []
        elif match and match["ticks"].startswith(fence) and not match["tag"]:
            blocks.append((tag, "\n".join(lines)))
            lines = None
        else:
            lines.append(line)
    if lines is not None:
        blocks.append((tag, "\n".join(lines)))
    return blocks
