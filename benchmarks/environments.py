"""What the procedural families are worth: speed, chance, and what policies that know nothing are paid.

    python benchmarks/environments.py --json                       all of it
    python benchmarks/environments.py --table docs/environments.md writes the table between its marks

For each family, over all its levels:

- ``rows_per_s``: problems drawn and golds scored in a second of one core's time (for games: won
  games; where code is run in other processes, in a second by the clock);
- ``gold``: the mean score of gold completions, on the first problem of ``golds`` different seeds;
- ``checks``: whether gymnasium's ``check_env`` passes without a warning, and ours finds no violation;
- ``random``, ``empty``, ``echo``: the mean score of random printable text, of nothing, of the prompt;
- ``chance``: computed from the family, never declared. For a single turn it is the best constant answer:
  the one, among the golds of some problems, that scores best on other problems. For games it is a player
  who draws legal moves at random. A learner that beats it has read the prompt.

Each family's figures are kept in benchmarks/results/environments.json; ``--families`` measures some anew,
and the summary and the table are always over all that there are. It exits with 1 where a family is missing, a
gold is not paid in full, a policy that knows nothing is paid more than chance, or a check fails.
"""

from __future__ import annotations

import argparse
import json
import platform
import string
import sys
import time
import warnings
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.utils import env_checker

from referee.envs.families import FAMILIES, family
from referee.envs.game import Game
from referee.envs.laws import check_env
from referee.envs.procedural import Family
from referee.envs.stream import Stream
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, Problem, Verdict

CHEAP = 50_000  # rows and scores a second that the cheap families are held to
SANDBOXED = {"code_function", "code_stdin"}  # each score runs processes
FEWER = 10  # where code is run, the policies get a tenth of the problems (golds get all of them)
LEAST_S = 2.0  # seconds that a family's speed is measured for
RESULTS = Path(__file__).parent / "results" / "environments.json"
MARKS = ("<!-- table: benchmarks/environments.py -->", "<!-- end of table -->")


def problems(it: Family, count: int, seed: int) -> list[Problem]:
    """Draw problems, spread over the levels."""
    return [it.problem(seed, i, i % it.levels) for i in range(count)]


def mean_score(it: Family, drawn: list[Problem], texts: list[str]) -> float:
    """Return the mean score; an abstention would be a fault of ours, and counts as one."""
    scores = [v.score for v in judged(it, drawn, texts)]
    assert None not in scores, f"{it.name} abstained on a problem of its own"
    return sum(s or 0.0 for s in scores) / len(scores)


def judged(it: Family, drawn: list[Problem], texts: list[str]) -> list[Verdict]:
    """Return the verdicts; where code is run, as many at a time as the sandbox has workers."""
    items = [Item(Completion(text=t), p, i) for i, (p, t) in enumerate(zip(drawn, texts, strict=True))]
    if it.name in SANDBOXED:
        return list(it.verify_batch(items))  # type: ignore[attr-defined]
    return [it(item.completion, item.problem) for item in items]


def gold_score(it: Family, drawn: list[Problem]) -> float:
    """Return the mean score of golds, and print the verdict of each that is not paid in full."""
    verdicts = judged(it, drawn, [it.gold(p) for p in drawn])
    for problem, verdict in zip(drawn, verdicts, strict=True):
        if verdict.score != 1.0:
            print(f"{problem.id}: {verdict}")
    return sum(v.score or 0.0 for v in verdicts) / len(verdicts)


def random_text(stream: Stream) -> str:
    """Return up to 24 random printable characters."""
    return "".join(stream.choice(string.printable[:95]) for _ in range(stream.below(25)))


def chance(it: Family, count: int) -> float:
    """Return what the best answer that ignores the prompt scores (see the module's docstring)."""
    scored = problems(it, count, seed=101)
    if isinstance(it, Game):
        return mean_score(it, scored, [it.random(p, Stream(f"chance/{p.id}")) for p in scored])
    golds = Counter(it.gold(p) for p in problems(it, count, seed=100))
    candidates = [text for text, _ in golds.most_common(2 if it.name in SANDBOXED else 10)]
    return max(mean_score(it, scored, [text] * len(scored)) for text in candidates)


def speed(it: Family, count: int) -> float:
    """Return how many rows are drawn and golds scored in a second: the best of five runs or more."""
    clock = time.perf_counter if it.name in SANDBOXED else time.process_time
    best, runs, began = 0.0, 0, clock()
    while runs < 5 or clock() - began < LEAST_S:
        started = clock()
        for i in range(count):
            problem = it.problem(runs, i, 0)
            it(Completion(text=it.gold(problem)), problem)
        best = max(best, count / (clock() - started))
        runs += 1
    return best


def checks(it: Family, count: int) -> bool:
    """Tell whether gymnasium's check passes without a warning, and ours without a violation."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            named = f"referee.envs.text_env:referee/{it.name.replace('_', '-')}-v0"
            env_checker.check_env(gymnasium.make(named).unwrapped)
        except (AssertionError, gymnasium.error.Error) as e:
            print(f"{it.name}: {e}")
            return False
    violations = check_env(it, count=count)
    for said in [*(str(w.message) for w in heard), *violations]:
        print(f"{it.name}: {said}")
    return not heard and not violations


def measure(name: str, count: int, golds: int) -> dict[str, Any]:
    """Return all figures of a family."""
    it = family(name)
    many = max(count // FEWER, 1) if name in SANDBOXED else count
    drawn = problems(it, many, seed=7)
    firsts = [it.problem(seed, 0, seed % it.levels) for seed in range(golds)]
    stream = Stream(f"random text/{name}")
    return {
        "family": name,
        "levels": it.levels,
        "turns": "many" if isinstance(it, Game) else "tools" if hasattr(it, "tools") else "one",
        "problems": many,
        "golds": golds,
        "rows_per_s": round(
            speed(it, 10 if name in SANDBOXED else 100 if name == "regex_synthesis" else 500)
        ),
        "gold": gold_score(it, firsts),
        "checks": checks(it, 10 if name in SANDBOXED else 50),
        "chance": chance(it, many),
        "random": mean_score(it, drawn, [random_text(stream) for _ in drawn]),
        "empty": mean_score(it, drawn, [""] * many),
        "echo": mean_score(it, drawn, [p.prompt_text for p in drawn]),
        "date": str(date.today()),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, one core",
    }


def sound(row: dict[str, Any]) -> bool:
    """Tell whether golds are paid in full, both checks pass, and knowing nothing pays no more than chance."""
    known_nothing = max(row["random"], row["empty"], row["echo"])
    return row["gold"] == 1.0 and row["checks"] and known_nothing <= row["chance"]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the figures as a table in Markdown."""
    first = rows[0]
    lines = [
        f"{max(r['date'] for r in rows)}, {first['machine']}: `python benchmarks/environments.py --table "
        f"docs/environments.md`, golds of {min(r['golds'] for r in rows):,} seeds a family, "
        f"{first['problems']} problems for each policy (a tenth of that where code is run).",
        "",
        "| family | levels | turns | rows and scores a second | gold | both checks | chance | random text | "
        "empty | echo |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        scores = " | ".join(f"{r[k]:.3f}" for k in ("chance", "random", "empty", "echo"))
        first = f"{r['family']} | {r['levels']} | {r['turns']} | {r['rows_per_s']:,} | {r['gold']:.3f}"
        lines.append(f"| {first} | {'pass' if r['checks'] else 'FAIL'} | {scores} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and where asked write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200, help="problems a family")
    parser.add_argument("--golds", type=int, default=1000, help="seeds whose gold is scored, a family")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), help="which families")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where each family's figures are kept")
    parser.add_argument("--table", type=Path, help="the file whose table is to be written")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    kept = json.loads(options.results.read_text()) if options.results.exists() else {}
    for name in options.families:
        r = kept[name] = measure(name, options.count, options.golds)
        options.results.parent.mkdir(parents=True, exist_ok=True)
        options.results.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        print(
            f"{name:20} {r['rows_per_s']:>8,}/s  gold {r['gold']:.3f}  chance {r['chance']:.3f}  "
            f"random {r['random']:.3f}  empty {r['empty']:.3f}  echo {r['echo']:.3f}  "
            f"checks {'pass' if r['checks'] else 'FAIL'}",
            flush=True,
        )
    rows = [kept[name] for name in FAMILIES if name in kept]
    ok = len(rows) == len(FAMILIES) and all(map(sound, rows))
    fast = [r["family"] for r in rows if r["rows_per_s"] >= CHEAP]
    print(f"gold 1, both checks, nothing above chance on every one of {len(FAMILIES)} families: {ok}")
    print(f"{CHEAP:,} rows and scores a second: {', '.join(fast)}")
    if options.table:
        text = options.table.read_text()
        before, _, rest = text.partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        options.table.write_text(f"{before}{MARKS[0]}\n{table(rows)}\n{MARKS[1]}{after}")
    if options.json:
        print(json.dumps({"ok": ok, "fast": fast, "families": rows}))
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
