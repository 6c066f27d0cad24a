"""Finding the code in a completion, in time linear in its length and without parsing it.

A model's text is never parsed here: deeply nested source can stall or crash a parser, so the reading
is left to the sandbox, which is given the candidates in order of preference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from referee.verifiers.reading.fences import fenced_blocks
from referee.verifiers.reading.marks import Marks
from referee.verifiers.reading.special_tokens import without_special_tokens
from referee.verifiers.reading.thinking import split_thinking

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


def extract_code(
    text: str, *, language: str = "python", entry_point: str = "", thinking: Sequence[Marks] = ()
) -> Extraction:
    r"""Return the code of a completion.

    Only what follows the thinking is looked at; ``thinking`` declares marks beside the usual ones. Of the
    fenced blocks tagged with the language (or not tagged, where none is) it is the last one that defines
    ``entry_point``, else the last one; a block that the completion never closed counts. Without any fence,
    all of the text is the code.

    >>> extract_code("so:\n```python\nx = 1\n```\ndone").candidates
    ('x = 1', 'so:\n```python\nx = 1\n```\ndone')
    """
    if language not in _TAGS:
        raise ValueError(f"language must be one of {', '.join(_TAGS)}, got {language!r}")
    split = split_thinking(without_special_tokens(text), thinking)
    if split.answer is None:
        return Extraction(missing="the completion never stopped thinking")
    answer = split.answer
    if not answer.strip():
        thought = split.thinking is not None
        return Extraction(missing="nothing follows the thinking" if thought else "the completion is empty")
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
