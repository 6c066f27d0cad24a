"""How references and public judged answers fare: HardVerify-Math, Big-Math, folders of references, and
the cases that math-verify tests itself with. Nothing of them is kept in the repository.
"""

from __future__ import annotations

import ast
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from referee.verifiers import Math, Problem

REFERENCE_KEYS = ("gold", "answer", "final_answer", "Answer")


class Case(NamedTuple):
    """One judged pair of math-verify's tests."""

    place: str
    gold: str
    text: str
    expected: bool


def boxed(text: str) -> str:
    """Return a completion that gives a text as its answer."""
    return f"Therefore the answer is \\boxed{{{text}}}."


def hard_verify(path: Path, options: dict[str, Any]) -> dict[str, Any] | None:
    """Return the recall on right answers that graders refuse, and the ids of wrong ones that are paid.

    It is None where this version of the verifier has not the options.
    """
    try:
        math = Math(**options)
    except TypeError:
        return None
    rows = json.loads(gzip.decompress(path.read_bytes()))
    right = [math(boxed(r["fn_output"]), Problem(answer=r["ground_truth"])) for r in rows]
    wrong = [math(boxed(r["tn_output"]), Problem(answer=r["ground_truth"])) for r in rows]
    missed = [
        {"id": r["id"], "gold": r["ground_truth"], "answer": r["fn_output"], "reason": str(v.reason)}
        for r, v in zip(rows, right, strict=True)
        if v.score != 1.0
    ]
    return {
        "rows": len(rows),
        "recall": 1 - len(missed) / len(rows),
        "abstained": sum(v.abstains for v in right),
        "wrong_paid": [r["id"] for r, v in zip(rows, wrong, strict=True) if v.score == 1.0],
        "missed": missed,
    }


def balanced(text: str) -> bool:
    r"""Tell whether the braces of a text close; ``\{`` and ``\}`` are signs."""
    depth = 0
    bare = text.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
    for sign in bare:
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            return False
    return depth == 0


def against_themselves(references: Iterable[str]) -> dict[str, Any]:
    """Judge each reference, in a box, against itself."""
    math, reasons, missed = Math(), Counter[str](), []
    for reference in references:
        verdict = math(boxed(reference), Problem(answer=reference))
        reasons[str(verdict.reason)] += 1
        if verdict.score != 1.0:
            missed.append({"gold": reference, "reason": str(verdict.reason), "detail": verdict.detail})
    return {
        "rows": reasons.total(),
        "right": reasons["correct"],
        "reasons": dict(reasons),
        "missed": missed,
    }


def big_math(path: Path) -> dict[str, Any]:
    """Judge Big-Math's references against themselves, without those whose braces do not close."""
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines() if line]
    references = [r["answer"] for r in rows]
    return {**against_themselves(filter(balanced, references)), "all": len(references)}


def references_of(path: Path) -> list[str]:
    """Return the references of a JSON-lines file: what stands under the first key that is known."""
    out = []
    for line in path.read_text().splitlines():
        row = json.loads(line) if line.strip() else {}
        found = next((row[k] for k in REFERENCE_KEYS if row.get(k) not in (None, "")), None)
        if found is not None:
            text = str(found[0] if isinstance(found, list) and len(found) == 1 else found)
            out.append(text.rsplit("#### ", 1)[-1])
    return out


def cases_of(tests: Path) -> Iterator[Case]:
    """Yield the parametrised cases of math-verify's tests that are a gold, a text and a label.

    The files are read as syntax and never run; a case that is no literal is left out.
    """
    for path in sorted(tests.glob("test_*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for decorator in function.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("parametrize"):
                    yield from _cases(f"{path.stem}::{function.name}", *decorator.args[:2])


def _cases(place: str, names: ast.expr, rows: ast.expr) -> Iterator[Case]:
    columns = [n.strip().replace("result", "expected") for n in str(ast.literal_eval(names)).split(",")]
    if not {"gold", "pred", "expected"} <= set(columns) or not isinstance(rows, ast.List):
        return
    for i, row in enumerate(rows.elts):
        try:
            values = dict(zip(columns, ast.literal_eval(row), strict=True))
        except ValueError:  # an expression
            continue
        if isinstance(values["gold"], str) and isinstance(values["pred"], str):
            yield Case(f"{place}[{i}]", values["gold"], values["pred"], bool(values["expected"]))


def agreement(cases: Iterable[Case], judge: Callable[[str, str], Any]) -> dict[str, Any]:
    """Return how many cases are judged as they are labelled, and those that are not."""
    rows, differing = 0, []
    for case in cases:
        rows += 1
        score = judge(case.text, case.gold)
        if (score == 1.0) is not case.expected:
            differing.append({**case._asdict(), "score": score})
    return {"rows": rows, "agree": rows - len(differing), "differing": differing}
