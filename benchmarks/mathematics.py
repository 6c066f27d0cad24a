r"""How often, how safely and how fast mathematical answers are judged: every figure in one run.

    python benchmarks/mathematics.py [FILE.jsonl ...] [--full] [--json] [--only PART ...]
        [--peers math-verify trl] [--limit N] [--sets FOLDER] [--peer-tests FOLDER] [--show N]

It prints, part by part (``--only``):

- accuracy: on FILEs of rows with completion, gold and label; without any, on public proxies
  (:mod:`mathematics_sets`), built from the shared data (folder REFEREE_SHARED, or ``shared`` beside
  the repository), and on the tables of the tests. Peers judge too where they are named.
- golds: HardVerify-Math's right and wrong answers, at the defaults and with ``rounding="as_printed"``;
  Big-Math's references against themselves, and those of each JSON-lines file in ``--sets``.
- peer-tests: the cases that math-verify tests itself with, read as syntax from its ``tests`` folder.
- speed: a GSM8K verdict beside a floor loop and beside math-verify; throughput on MATH-500 solutions.
- contexts: whether threads, event loops and other processes give the same verdicts.

All times are processor time, on one thread. ``--full`` takes every peer, row and pass; ``--show``
lists so many of what is missed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from mathematics_bars import against_themselves, agreement, big_math, cases_of, hard_verify, references_of
from mathematics_contexts import contexts
from mathematics_refused import REFUSED
from mathematics_sets import Row, gsm8k_solutions, math_solutions, proxy, rows_of
from mathematics_speed import speed
from mathematics_systems import ROOT, SYSTEMS, judge_of, measure

PARTS = ["accuracy", "golds", "peer-tests", "speed", "contexts"]
POLICIES: dict[str, dict[str, Any]] = {
    "at the defaults": {},
    'with rounding="as_printed"': {"rounding": "as_printed"},
}


def show(name: str, result: dict[str, dict[str, Any]]) -> None:
    """Print one set's table."""
    print(f"\n{name}: {next(iter(result.values()))['rows']} rows")
    heads = f"{'right':>8}{'FP':>5}{'FN':>5}{'none':>6}{'a second':>11}"
    print(f"  {'':12}{heads}{'p50 ms':>8}{'p99 ms':>9}{'worst s':>9}{'MiB':>7}")
    for system, f in result.items():
        print(
            f"  {system:12}{f['right']:8.4f}{f['false_positives']:5}{f['false_negatives']:5}"
            f"{f['abstained_or_failed']:6}"
            f"{f['per_second']:11.0f}{f['p50_ms']:8.3f}{f['p99_ms']:9.3f}{f['worst_s']:9.3f}{f['peak_mib']:7.0f}"
        )
    if {"ours", "math-verify"} <= set(result):
        ratio = result["ours"]["per_second"] / result["math-verify"]["per_second"]
        print(f"  ours / math-verify: {ratio:.1f} times the throughput")


def accuracy(sets: dict[str, list[Row]], systems: list[str], limit: int | None) -> dict[str, Any]:
    """Measure the systems on each set."""
    out = {}
    for name, rows in sets.items():
        if limit and len(rows) > limit:
            rows = rows[:: -(-len(rows) // limit)]
        out[name] = measure(rows, systems)
        show(name, out[name])
    return out


def references(public: Path, folder: Path | None, most: int) -> dict[str, Any]:
    """Print how HardVerify-Math, Big-Math and a folder's references fare."""
    out: dict[str, Any] = {}
    print()
    for policy, options in POLICIES.items():
        path = public / "hardverify_math.json.gz"
        found = out[f"HardVerify-Math {policy}"] = hard_verify(path, options) if path.exists() else None
        if found is None:
            print(f"HardVerify-Math {policy}: not there")
            continue
        print(
            f"HardVerify-Math {policy}: recall {found['recall']:.3f} of {found['rows']}"
            f" ({found['abstained']} abstained), wrong answers paid {found['wrong_paid']}"
        )
        listed(found["missed"], most)
    path = public / "bigmath_golds.jsonl.gz"
    files = {"Big-Math": path} if path.exists() else {}
    if not files:
        print("Big-Math: not there")
    if folder is None or not folder.is_dir():
        print(
            "other references against themselves: not there (--sets FOLDER of JSON lines with gold or answer)"
        )
    else:
        files |= {p.stem: p for p in sorted(folder.glob("*.jsonl"))}
    for name, file in files.items():
        found = out[name] = big_math(file) if name == "Big-Math" else against_themselves(references_of(file))
        right = f"{found['right']} of {found['rows']} ({found['right'] / max(1, found['rows']):.4f})"
        print(f"{name} against itself: {right} {found['reasons']}")
        listed(found["missed"], most)
    return out


def peer_tests(folder: Path | None, full: bool, most: int) -> dict[str, Any]:
    """Print on how many of math-verify's own cases we agree with its labels."""
    cases = list(cases_of(folder)) if folder is not None and folder.is_dir() else []
    if not cases:
        print("\nmath-verify's own cases: not there (--peer-tests FOLDER, its repository's tests)")
        return {}
    out = {system: agreement(cases, judge_of(system)) for system in SYSTEMS[: 2 if full else 1]}
    print()
    for system, found in out.items():
        print(f"math-verify's own cases, {system}: agrees with {found['agree']} of {found['rows']}")
        if system == "ours":
            missed = [case for case in found["differing"] if case["place"] not in REFUSED]
            print(f"    refused on purpose {len(found['differing']) - len(missed)}, missed {len(missed)}")
            listed(
                [{**case, "why": REFUSED.get(case["place"], "missed")} for case in found["differing"]], most
            )
    return out


def listed(rows: list[dict[str, Any]], most: int) -> None:
    """Print the first rows of a list, each on a line."""
    for row in rows[:most]:
        print("    " + json.dumps(row, ensure_ascii=False)[:400])


def speeds(shared: Path, full: bool) -> dict[str, Any]:
    """Print what verdicts cost."""
    solutions = [r for r in math_solutions(shared) if r["label"]]
    out = speed(gsm8k_solutions(shared), solutions, full, peer=True)
    print()
    for name, figures in out.items():
        told = ", ".join(
            f"{side} {value:.1f}" + (" times" if "/" in side else " µs") for side, value in figures.items()
        )
        print(f"{name}: {told}")
    return out


def main() -> None:
    """Run the parts, print their tables, and the JSON where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="which parts to run")
    parser.add_argument("--full", action="store_true", help="all peers, rows and passes")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--peers", nargs="*", choices=SYSTEMS[1:], help="which peers judge for accuracy")
    parser.add_argument("--limit", type=int, help="at most so many rows of a set, spread evenly")
    parser.add_argument("--sets", type=Path, help="a folder of JSON lines, whose references are judged")
    parser.add_argument("--peer-tests", type=Path, help="the folder of math-verify's tests")
    parser.add_argument("--show", type=int, default=0, help="list so many of what is missed")
    args = parser.parse_args()
    shared = Path(os.environ.get("REFEREE_SHARED") or ROOT.parent / "shared") / "data"
    peers = args.peers if args.peers is not None else SYSTEMS[1:] if args.full else []
    results: dict[str, Any] = {}
    sets: dict[str, list[Row]] = {}
    if {"accuracy", "contexts"} & set(args.only):
        tables = ROOT / "tests" / "data"
        sets = {str(f): rows_of(f) for f in args.files} if args.files else proxy(shared, tables)
    if "accuracy" in args.only:
        results["accuracy"] = accuracy(sets, ["ours", *peers], args.limit)
    if not args.files:
        if "golds" in args.only:
            results["golds"] = references(shared / "public", args.sets, args.show)
        if "peer-tests" in args.only:
            results["peer-tests"] = peer_tests(args.peer_tests, args.full, args.show)
        if "speed" in args.only:
            results["speed"] = speeds(shared, args.full)
    if "contexts" in args.only:
        same = contexts([r for rows in sets.values() for r in rows[:: max(1, len(rows) // 100)]])
        results["contexts"] = same
        print(f"\ncontexts, {same['rows']} rows: differing from the main thread's {same['differing']}; "
              f"processes left over {same['processes_left']}")  # fmt: skip
    if args.json:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
        print(json.dumps({"machine": machine, "date": time.strftime("%Y-%m-%d"), **results}))


if __name__ == "__main__":
    main()
