r"""How often programs are judged rightly: honest ones, attacks, HumanEval's and ClassEval's own solutions.

    python benchmarks/code_truth.py [--only honest attacks humaneval classeval] [--show N] [--json]

The data lie in the folder REFEREE_SHARED, or in ``shared`` beside the repository; what is missing is named.
Every program runs in an embedded sandbox of one worker, under a limit of 3 s (10 s for HumanEval,
60 s for ClassEval, some of whose own tests take that long). A ClassEval solution counts where it passes its
tests in a plain run of this environment; those that do not are left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from referee.envs.loaders import gold, load, load_rows
from referee.sandbox import Embedded, Limits
from referee.verifiers import Problem, UnitTests

SHARED = Path(os.environ.get("REFEREE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
PACKAGES = tuple(name for name in ("numpy", "pandas", "PIL") if find_spec(name))


def rows(*names: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of JSON lines in the shared folder."""
    for name in names:
        with (SHARED / name).open() as file:
            yield from map(json.loads, file)


def honest() -> dict[str, Any]:
    """Judge programs in the styles of real data sets; a row says what it should get, or None: unclear."""
    boxes: dict[tuple[str, ...], Embedded] = {}
    counts = {"right": 0, "right and paid": 0, "right and abstained": 0, "wrong": 0, "wrong and paid": 0}
    missed = []
    for row in rows("code_cases/honest_sample.jsonl"):
        packages = tuple(row["options"].get("preload", ()))
        box = boxes.setdefault(packages, Embedded(workers=1, preload=packages))
        verify = UnitTests(box, limits=Limits(wall_s=row["options"].get("limits", 3.0)))
        verdict = verify(row["completion"], Problem(prompt=row["prompt"], info=row["info"]))
        expected = row["expected_score"]
        if expected is None:
            continue
        kind = "right" if expected else "wrong"
        counts[kind] += 1
        counts[f"{kind} and paid"] += bool(verdict.score)
        counts["right and abstained"] += bool(expected) and verdict.score is None
        if verdict.score != expected:
            missed.append(f"{row['id']}: {expected} expected, got {verdict.score}, {verdict.reason}")
    for box in boxes.values():
        box.close()
    return {**counts, "missed": missed}


def attacks() -> dict[str, Any]:
    """Judge attacks: none may be paid, none may abstain, and none may come back much later than its limit."""
    box = Embedded(workers=1)
    verify = UnitTests(box)
    counts = {"attacks": 0, "paid": 0, "abstained": 0, "raised": 0, "later than 4 times the limit": 0}
    missed = []
    for row in rows("attacks/attacks_sample.jsonl", "attacks/attacks3_sample.jsonl"):
        info = {**(row.get("info") or {}), **{k: row[k] for k in ("calls", "cases") if k in row}}
        if row.get("tests") and row.get("style", "assert") == "assert":
            info["tests"] = row["tests"]
        info |= {to: row[k] for k, to in (("entry_point", "entry_point"), ("lang", "language")) if row.get(k)}
        counts["attacks"] += 1
        problem = Problem(info=info)
        for before in row.get("before", []):
            verify(before, problem)
        started = time.monotonic()
        try:
            score = verify(row["code"], problem).score
        except Exception as e:  # noqa: BLE001  # counted: a verifier never raises on a text
            counts["raised"] += 1
            missed.append(f"{row['id']}: {type(e).__name__}: {e}"[:200])
            continue
        counts["paid"] += bool(score) and not row.get("expected_score")
        counts["abstained"] += score is None
        counts["later than 4 times the limit"] += time.monotonic() - started > 12.5
        if score != row.get("expected_score", 0):
            missed.append(f"{row['id']}: {score} ({row.get('trick', '')})"[:200])
    box.close()
    return {**counts, "missed": missed}


def humaneval() -> dict[str, Any]:
    """Judge HumanEval's own solutions, and a program that does nothing."""
    problems = load(SHARED / "humaneval" / "HumanEval.jsonl.gz")
    box = Embedded(workers=1)
    verify = UnitTests(box, limits=Limits(wall_s=10))
    missed = [p.id for p in problems if verify(gold(p) or "", p).score != 1.0]
    idle = [p.id for p in problems if verify(f"def {p.info['entry_point']}(*a, **k): pass", p).score]
    box.close()
    return {
        "solutions": len(problems),
        "pass": len(problems) - len(missed),
        "idle paid": len(idle),
        "missed": missed,
    }


def classeval() -> dict[str, Any]:
    """Judge ClassEval's own solutions, of those that pass in a plain run of this environment."""
    with gzip.open(SHARED / "public" / "classeval.json.gz", "rt") as file:
        data = json.load(file)
    kept = [row for row in data if _passes_plainly(row)]
    box = Embedded(workers=1, preload=PACKAGES)
    verify = UnitTests(box, limits=Limits(wall_s=60))
    missed = []
    for problem in load_rows(kept):
        verdict = verify(gold(problem) or "", problem)
        if verdict.score != 1.0:
            missed.append(f"{problem.id}: {verdict.score}, {verdict.reason}")
    box.close()
    return {"pass plainly": len(kept), "pass": len(kept) - len(missed), "missed": missed}


def _passes_plainly(row: dict[str, Any]) -> bool:
    parts = [
        "\n".join(row["import_statement"]),
        row["solution_code"],
        row["test"],
        "import unittest\nunittest.main()",
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.py"
        path.write_text("\n\n".join(parts))
        try:
            done = subprocess.run([sys.executable, str(path)], cwd=folder, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


MEASURES = {"honest": honest, "attacks": attacks, "humaneval": humaneval, "classeval": classeval}


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--show", type=int, default=20, help="how many misses to print of each")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    for name in asked.only:
        try:
            found[name] = MEASURES[name]()
        except FileNotFoundError as e:
            found[name] = {"not there": str(e.filename)}
        if not asked.json:
            missed = found[name].get("missed", [])
            print(
                f"{name}: " + ", ".join(f"{k} {v}" for k, v in found[name].items() if k != "missed"),
                flush=True,
            )
            print("".join(f"    {line}\n" for line in missed[: asked.show]), end="")
    if asked.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
