"""All of HumanEval: every canonical solution passes, and mutants are judged as a plain run judges them.

The plain run is the trusted one: an honest mutant and its tests in one process, inside the sandbox, its
exit status the verdict.
"""

from __future__ import annotations

import ast
import copy
import gzip
import json
import random

import pytest

from referee.sandbox import Limits, Outcome, Program, Source
from referee.verifiers import Problem, UnitTests

SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult, ast.Mod: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def sites(tree: ast.Module) -> list[tuple[ast.AST, str]]:
    out: list[tuple[ast.AST, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPPED:
            out.append((node, "op"))
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
            out.append((node, "ops"))
        elif isinstance(node, ast.Constant) and type(node.value) in (int, bool, float):
            out.append((node, "value"))
        elif isinstance(node, ast.Return) and node.value is not None:
            out.append((node, "return"))
        elif isinstance(node, ast.If | ast.While):
            out.append((node, "test"))
    return out


def mutant(source: str, index: int) -> str:
    """Return the source with its ``index``-th site changed."""
    tree = copy.deepcopy(ast.parse(source))
    node, kind = sites(tree)[index]
    if kind == "op":
        node.op = SWAPPED[type(node.op)]()
    elif kind == "ops":
        node.ops[0] = SWAPPED[type(node.ops[0])]()
    elif kind == "value":
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    elif kind == "return":
        node.value = ast.List(elts=[node.value], ctx=ast.Load())
    else:
        node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
    return ast.unparse(ast.fix_missing_locations(tree))


@pytest.fixture(scope="module")
def rows(shared):
    with gzip.open(shared / "humaneval" / "HumanEval.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def problem_of(row: dict) -> Problem:
    return Problem(prompt=row["prompt"], info={"tests": row["test"], "entry_point": row["entry_point"]})


def every_canonical_solution_passes(sandbox, rows):
    verifier = UnitTests(sandbox, limits=Limits(wall_s=10))
    for row in rows:
        verdict = verifier(row["canonical_solution"], problem_of(row))
        assert verdict.score == 1.0, (row["task_id"], verdict)
        assert verdict.detail["guarantee"] == "isolated"


def every_mutant_is_judged_as_a_plain_run_judges_it(sandbox, rows, *, per_problem=3):
    judged, failing, wrong = 0, 0, []
    verifier = UnitTests(sandbox, limits=Limits(wall_s=5))
    for row in rows:
        source = row["prompt"] + row["canonical_solution"]
        count = len(sites(ast.parse(source)))
        chosen = random.Random(row["task_id"]).sample(range(count), min(per_problem, count))
        for index in chosen:
            code = mutant(source, index)
            plain = f"{code}\n\n{row['test']}\n\ncheck({row['entry_point']})\n"
            trusted = sandbox.execute(Program(sources=(Source(code=plain),)), limits=Limits(wall_s=5))
            verdict = verifier(code, problem_of(row))
            judged += 1
            failing += trusted.outcome is not Outcome.OK
            if verdict.score != float(trusted.outcome is Outcome.OK):
                wrong.append((row["task_id"], index, trusted.error, verdict.detail))
    assert not wrong
    assert 0 < failing < judged


def test_every_canonical_solution_passes(embedded, rows):
    every_canonical_solution_passes(embedded, rows)


def test_mutants_are_judged_as_a_plain_run_judges_them(embedded, rows):
    every_mutant_is_judged_as_a_plain_run_judges_it(embedded, rows[::8])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_solution_and_every_mutant_is_judged_rightly_on_each_backend(sandbox, rows):
    every_canonical_solution_passes(sandbox, rows)
    every_mutant_is_judged_as_a_plain_run_judges_it(sandbox, rows)
