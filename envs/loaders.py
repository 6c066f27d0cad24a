r"""Problems from files and ``datasets``: the layout is recognised, each row is checked, golds are linted.

=============  ================================================================================
``referee``    ``prompt`` and any of ``answer``, ``id``, ``info`` (an object, or the JSON text of one)
``gsm8k``      ``question``, ``answer`` that ends in ``#### N``
``math``       ``problem``, ``solution`` with a ``\boxed{}``, perhaps ``answer``
``humaneval``  ``prompt``, ``test``, ``entry_point``, perhaps ``canonical_solution``
``mbpp``       ``text`` (or ``prompt``), ``code``, ``test_list``, perhaps ``test_setup_code`` (or
               ``test_imports``); with MBPP+'s ``test``, that
``game24``     ``Puzzles`` (CSV): four numbers
``verl``       ``prompt`` (messages), ``reward_model`` with ``ground_truth``, of code its tests
``qa``         ``question`` and ``answer``
=============  ================================================================================

More sets of code are read by :mod:`referee.envs.code_rows`.

``info["format"]`` names the layout, ``info["solution"]`` holds a worked solution where the row has one,
``info["tests"]`` and ``info["entry_point"]`` the tests of ``humaneval`` and ``mbpp`` and what they call, as
:class:`referee.verifiers.unit_tests.UnitTests` reads them. Nothing of a row is ever executed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from referee.envs.code_rows import CODE_COLUMNS, CODE_LAYOUTS, stubs, tests_of_ground_truth
from referee.verifiers.cells import jsonable, read_info
from referee.verifiers.errors import UserMistake
from referee.verifiers.files.containers import BadLine, open_container
from referee.verifiers.jsonl import key
from referee.verifiers.protocol import Item, Verifier
from referee.verifiers.reading.box_spans import find_boxes
from referee.verifiers.records import Completion, Json, Problem, plain

ProblemRow = Mapping[str, Any]
_TESTS = ("tests", "cases", "calls", "input_output")


class BadRow(UserMistake, ValueError):
    """A row that is no problem: its number, and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One thing that is wrong with a row's reference."""

    row: int
    id: str
    issue: str


def load(path: str | Path, *, layout: str | None = None) -> list[Problem]:
    """Read problems from a file of any kind that :mod:`referee.verifiers.files.containers` opens.

    ``layout`` is one of those above; None recognises it from the first row.

    Raises:
        BadRow: for a row that does not fit, by its number (the first is 1).
        SourceError: for a file of another kind.
        FileNotFoundError: where there is no such file.
        ValueError: for a layout that is not known.
    """
    return load_rows(_rows(Path(path)), layout=layout)


def load_rows(rows: Iterable[ProblemRow], *, layout: str | None = None) -> list[Problem]:
    """Read problems from rows: dictionaries, or a ``datasets.Dataset``."""
    out: list[Problem] = []
    for number, row in enumerate(rows, 1):
        row = jsonable(row)
        if not isinstance(row, Mapping):
            raise BadRow(f"row {number} must be a JSON object, got {type(row).__name__}")
        if layout is None:
            layout = recognise(row)
        if layout not in LAYOUTS:
            raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, got {layout!r}")
        try:
            problem = LAYOUTS[layout](row)
        except (KeyError, TypeError, ValueError) as e:
            what = f"has no {e.args[0]!r}" if isinstance(e, KeyError) else str(e)
            raise BadRow(f"row {number} is no {layout} row: {what}") from None
        out.append(problem if problem.id else _named(problem, f"{layout}/{number - 1}"))
    return out


def recognise(row: ProblemRow) -> str:
    """Return the layout of a row by its columns.

    Raises:
        ValueError: where the columns are those of no known layout.
    """
    columns = {name for name, value in row.items() if value is not None}
    for layout, needed in _COLUMNS:
        if needed <= columns and (layout != "gsm8k" or "####" in str(row["answer"])):
            return layout
    raise ValueError(
        f"row must have the columns of one of {', '.join(LAYOUTS)}, got {', '.join(sorted(columns))}"
    )


def gold(problem: Problem) -> str | None:
    """Return a completion that should be right for a loaded problem; None where its row holds none."""
    solution = problem.info.get("solution")
    if problem.info.get("format") in ("humaneval", "mbpp", "math", "gsm8k", *CODE_LAYOUTS):
        return solution if isinstance(solution, str) and solution else None
    return problem.answer if isinstance(problem.answer, str) else None


def lint(
    problems: Iterable[Problem],
    verifier: Verifier | None = None,
    *,
    gold: Callable[[Problem], str | None] = gold,
) -> list[Lint]:
    """Return what is wrong with references: missing ones, doubled prompts, golds that do not score 1.

    A doubled prompt with another answer is an issue; so is one id for two problems. With ``verifier``
    the row's own solution must score 1, and the empty completion must not; nor must, where there are
    tests of code, a program that does nothing.
    """
    from referee.verifiers.scoring.asking import evaluate

    out: list[Lint] = []
    seen: dict[str, Json] = {}
    ids: set[str] = set()
    tried: list[tuple[int, Problem, str, str]] = []
    listed = list(problems)
    for number, problem in enumerate(listed, 1):

        def report(issue: str, number: int = number, id: str = problem.id) -> None:
            out.append(Lint(row=number, id=id, issue=issue))

        if not problem.prompt_text.strip():
            report("the prompt is blank")
        blank = problem.answer in (None, []) or (
            isinstance(problem.answer, str) and not problem.answer.strip()
        )
        if blank and not any(problem.info.get(name) for name in _TESTS):
            report("there is no answer")
        asked = key(Problem(prompt=problem.prompt))
        if asked in seen and problem.info.get("format") != "game24":
            same = seen[asked] == problem.answer
            report("the prompt is that of an earlier row" + ("" if same else ", with another answer"))
        seen.setdefault(asked, problem.answer)
        if problem.id in ids:
            report("the id is that of an earlier row")
        ids.add(problem.id)
        if verifier is not None:
            if (text := gold(problem)) is not None:
                tried.append((number, problem, text, "its own solution"))
                tried.append((number, problem, "", "the empty completion"))
            if any(problem.info.get(name) for name in _TESTS):
                tried += [(number, problem, text, "a program that does nothing") for text in stubs(problem)]
    if verifier is not None:
        items = [Item(Completion(text=t), p, i) for i, (_, p, t, _) in enumerate(tried)]
        for (number, problem, _, what), verdict in zip(tried, evaluate(verifier, items), strict=True):
            if what == "its own solution" and verdict.score != 1.0:
                why = str(verdict.detail.get("error") or "") if verdict.score is None else ""
                said = f"{verdict.reason}: {why[:200]}" if why else str(verdict.reason)
                out.append(Lint(row=number, id=problem.id, issue=f"its own solution is {said}"))
            if what != "its own solution" and verdict.score == 1.0:
                out.append(Lint(row=number, id=problem.id, issue=f"{what} is correct"))
    return sorted(out, key=lambda issue: issue.row)


def _rows(path: Path) -> Iterator[ProblemRow]:
    for number, row in open_container(path).rows:
        if isinstance(row, BadLine):
            raise BadRow(f"line {number} of {path.name} is {row.why}")
        yield row


def _referee(row: ProblemRow) -> Problem:
    extra = {k: v for k, v in row.items() if k not in ("prompt", "answer", "id", "info") and v is not None}
    return Problem(
        prompt=_prompt(row["prompt"]),
        answer=row.get("answer"),
        id=str(row.get("id") or ""),
        info={**read_info(extra), **read_info(row.get("info"))},
    )


def _gsm8k(row: ProblemRow) -> Problem:
    solution = _text(row, "answer")
    answer = solution.rpartition("####")[2].strip()
    if "####" not in solution or not answer:
        raise ValueError(f"answer must end in '#### N', got {solution[-60:]!r}")
    return Problem(
        prompt=_text(row, "question"), answer=answer, info={"format": "gsm8k", "solution": solution}
    )


def _math(row: ProblemRow) -> Problem:
    solution = _text(row, "solution")
    boxes, _ = find_boxes(solution)
    answer = row.get("answer") or (boxes[-1].content if boxes else None)
    if not isinstance(answer, str):
        raise ValueError("solution must hold a \\boxed{} answer, or the row an answer")
    info: dict[str, Json] = {"format": "math", "solution": solution}
    for name in ("subject", "type", "level"):
        if row.get(name) is not None:
            info[name] = plain(name, row[name])
    return Problem(prompt=_text(row, "problem"), answer=answer, id=str(row.get("unique_id") or ""), info=info)


def _humaneval(row: ProblemRow) -> Problem:
    prompt, solution = _text(row, "prompt"), row.get("canonical_solution")
    info: dict[str, Json] = {"format": "humaneval", "tests": _text(row, "test")}
    info["entry_point"] = _text(row, "entry_point")
    if solution:
        info["solution"] = prompt + str(solution)
    return Problem(prompt=prompt, answer=info.get("solution"), id=str(row.get("task_id") or ""), info=info)


def _mbpp(row: ProblemRow) -> Problem:
    asserts = row["test_list"]
    if not isinstance(asserts, list) or not asserts or not all(isinstance(t, str) for t in asserts):
        raise ValueError(f"test_list must hold at least one text, got {asserts!r:.60}")
    code = _text(row, "code")
    setup = row.get("test_setup_code") or "\n".join(row.get("test_imports") or ())
    tests: list[Json] = [*([str(setup)] if setup else []), *asserts]
    info: dict[str, Json] = {"format": "mbpp", "solution": code, "tests": tests}
    defined = set(re.findall(r"^\s*def (\w+)", code, re.MULTILINE))
    if called := [name for name in re.findall(r"(\w+)\s*\(", asserts[0]) if name in defined]:
        info["entry_point"] = called[0]
    if row.get("test"):
        info["tests"] = str(row["test"])
    shown = "\n".join(asserts)
    return Problem(
        prompt=f"{row.get('text') or row['prompt']}\nYour code should pass these tests:\n{shown}",
        answer=code,
        id=f"mbpp/{row['task_id']}" if row.get("task_id") is not None else "",
        info=info,
    )


def _game24(row: ProblemRow) -> Problem:
    from referee.envs.families import family

    numbers = [int(n) for n in _text(row, "Puzzles").split()]
    if len(numbers) != 4:
        raise ValueError(f"Puzzles must be four numbers, got {row['Puzzles']!r}")
    rank = str(row.get("Rank") or "")
    countdown: Any = family("countdown")
    problem: Problem = countdown.puzzle(numbers, 24, id=f"game24/{rank}" if rank else "")
    return Problem(
        prompt=problem.prompt, answer=problem.answer, id=problem.id, info={**problem.info, "format": "game24"}
    )


def _verl(row: ProblemRow) -> Problem:
    judged = row["reward_model"]
    if not isinstance(judged, Mapping) or "ground_truth" not in judged:
        raise ValueError("reward_model must have a ground_truth")
    info = read_info({k: row.get(k) for k in ("data_source", "ability", "extra_info")})
    tests = tests_of_ground_truth(judged["ground_truth"])
    return Problem(
        prompt=_prompt(row["prompt"]),
        answer=None if tests else judged["ground_truth"],
        info={"format": "verl", **info, **tests},
    )


def _qa(row: ProblemRow) -> Problem:
    return Problem(prompt=_text(row, "question"), answer=row["answer"], info={"format": "qa"})


LAYOUTS: dict[str, Callable[[ProblemRow], Problem]] = {
    "referee": _referee,
    "gsm8k": _gsm8k,
    "math": _math,
    "humaneval": _humaneval,
    "mbpp": _mbpp,
    "game24": _game24,
    "verl": _verl,
    "qa": _qa,
    **CODE_LAYOUTS,
}

_COLUMNS: tuple[tuple[str, frozenset[str]], ...] = (  # the most telling first
    *CODE_COLUMNS,
    ("humaneval", frozenset({"prompt", "test", "entry_point"})),
    ("mbpp", frozenset({"code", "test_list"})),
    ("math", frozenset({"problem", "solution"})),
    ("game24", frozenset({"Puzzles"})),
    ("verl", frozenset({"prompt", "reward_model"})),
    ("gsm8k", frozenset({"question", "answer"})),
    ("qa", frozenset({"question", "answer"})),
    ("referee", frozenset({"prompt"})),
)


def _prompt(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(value)


def _text(row: ProblemRow, name: str) -> str:
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text that is not blank, got {value!r:.60}")
    return value


def _named(problem: Problem, id: str) -> Problem:
    return Problem(prompt=problem.prompt, answer=problem.answer, id=id, info=problem.info)
