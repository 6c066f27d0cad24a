"""Finding the code in a completion, in time linear in its length and without parsing it.

A model's text is never parsed here: deeply nested source can stall or crash a parser, so the reading
is left to the sandbox, which is given the candidates in order of preference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from referee.verifiers.reading.bare_code import bare_candidates, without_prompts
from referee.verifiers.reading.fences import Fence, fences
from referee.verifiers.reading.final_answer import last_element
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

    Only what follows the thinking is looked at, of an ``<answer>`` its contents; ``thinking`` declares marks
    beside the usual ones. Of the fenced blocks tagged with the language (or not tagged, where none is) it is
    the last one that defines ``entry_point``, else the last one, behind the blocks before it that do nothing
    but import and define; a block that the completion never closed counts. A session of the interpreter is
    read without its prompts and output. Without any fence, all of the text is the code, or what of it
    stands between sentences.

    >>> extract_code("so:\n```python\nx = 1\n```\ndone").candidates
    ('x = 1', 'so:\n```python\nx = 1\n```\ndone')
    """
    if language not in _TAGS:
        raise ValueError(f"language must be one of {', '.join(_TAGS)}, got {language!r}")
    split = split_thinking(without_special_tokens(text), thinking)
    if split.answer is None:
        return Extraction(missing="the completion never stopped thinking")
    answer = split.answer.removeprefix("\ufeff")
    if not answer.strip():
        thought = split.thinking is not None
        return Extraction(missing="nothing follows the thinking" if thought else "the completion is empty")
    answer = _inside_tag(answer)
    blocks = _blocks(answer)
    if len(blocks) == 1 and not blocks[0].content.strip() and not blocks[0].tag:
        answer, blocks = answer[: blocks[0].start], []  # a closing fence that nothing opened
    if not blocks:
        return Extraction(candidates=bare_candidates(answer))
    tags = _TAGS[language]
    wanted = [f.content for f in blocks if f.tag in tags - {""}] or [
        f.content for f in blocks if f.tag in tags
    ]
    if not wanted:
        found = ", ".join(sorted({f.tag for f in blocks}))
        return Extraction(missing=f"no fenced block is {language}: there is {found}")
    if not any(code.strip() for code in wanted):
        return Extraction(missing="the fenced block is empty")
    wanted = [without_prompts(code) if language == "python" else code for code in wanted if code.strip()]
    at = len(wanted) - 1
    defines = None
    if entry_point:
        name = re.escape(re.split(r"\W", entry_point)[0])
        defines = re.compile(rf"^\s*(?:(?:async\s+)?def|class)\s+{name}\b|^{name}\s*[:=]", re.MULTILINE)
        at = next((i for i in reversed(range(len(wanted))) if defines.search(wanted[i])), at)
    best = wanted[at]
    if language == "python":
        before = [c for c in wanted[:at] if _only_defines(c) and not (defines and defines.search(c))]
        best = "\n\n".join([*before, best])
    # code may hold a fence in a docstring: the whole text is the last resort, where it reads as code
    return Extraction(candidates=tuple(dict.fromkeys((best, wanted[at], answer.strip("\n")))))


_DEFINES = re.compile(r"import\b|from\b|def\b|class\b|async\s+def\b")
_TOP_LEVEL = re.compile(
    r"import\b|from\b|def\b|class\b|async\s+def\b|@|#|[)\]}]|\w++(?:\s*+:[^=\n]++)?+\s*+=(?!=)"
)


def _inside_tag(answer: str) -> str:
    """Return what the last ``<answer>`` holds, or all behind one that is never closed at the start."""
    inside = last_element(answer, "answer") if "</" in answer else None
    if inside is None and answer.lstrip()[:8].lower() == "<answer>":
        inside = answer.lstrip()[8:]
    return inside.strip("\n ") if inside is not None and inside.strip() else answer


def _blocks(answer: str) -> list[Fence]:
    """Return the fenced blocks; where one is a page of Markdown, those in it."""
    found = list(fences(answer))
    if found and not found[-1].closed:
        found[-1] = found[-1]._replace(content=_without_closing(found[-1].content))
    pages = [f for f in found if f.tag in ("markdown", "md") and ("```" in f.content or "~~~" in f.content)]
    if pages and len(pages) == len(found):
        return [inner for page in pages for inner in fences(page.content)]
    return found


def _without_closing(content: str) -> str:
    """Take off a closing fence that stands behind code, on its last line."""
    stripped = content.rstrip()
    return stripped.rstrip("`") if stripped.endswith("```") else content


def _only_defines(code: str) -> bool:
    """Tell whether a block imports or defines something, and no statement at its top does anything else."""
    top = [line for line in code.split("\n") if line.strip() and line[0] not in " \t"]
    return any(map(_DEFINES.match, top)) and all(map(_TOP_LEVEL.match, top))
