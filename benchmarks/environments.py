"""What the procedural families are worth: speed, chance, and what policies that know nothing are paid.

    python benchmarks/environments.py --json                       speed, chance and policies
    python benchmarks/environments.py --table docs/environments.md writes the table between its marks

For each family, over all its levels:

- ``rows_per_s``: problems drawn and golds scored in a second of one core's time (for games: won
  games; where code is run in other processes, in a second by the clock);
- ``gold``: the mean score of gold completions;
- ``random``, ``empty``, ``echo``: the mean score of random printable text, of nothing, of the prompt;
- ``chance``: computed from the family, never declared. For a single turn it is the best constant answer:
  the one, among the golds of some problems, that scores best on other problems. For games it is a player
  who draws legal moves at random. A learner that beats it has read the prompt.
"""

from __future__ import annotations

import argparse
import json
import platform
import string
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from referee.envs.families import FAMILIES, family
from referee.envs.game import Game
from referee.envs.procedural import Family
from referee.envs.stream import Stream
from referee.verifiers.records import Completion, Problem

CHEAP = 50_000  # rows and scores a second that the cheap families are held to
SANDBOXED = {"code_function", "code_stdin"}  # each score runs processes
MARKS = ("<!-- table: benchmarks/environments.py -->", "<!-- end of table -->")


def problems(it: Family, count: int, seed: int) -> list[Problem]:
    """Draw problems, spread over the levels."""
    return [it.problem(seed, i, i % it.levels) for i in range(count)]


def mean_score(it: Family, drawn: list[Problem], texts: list[str]) -> float:
    """Return the mean score; an abstention would be a fault of ours, and counts as one."""
    scores = [it(Completion(text=t), p).score for p, t in zip(drawn, texts, strict=True)]
    assert None not in scores, f"{it.name} abstained on a problem of its own"
    return sum(s or 0.0 for s in scores) / len(scores)


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
    """Return how many rows are drawn and golds scored in a second: the best of five runs."""
    clock = time.perf_counter if it.name in SANDBOXED else time.process_time
    best = 0.0
    for run in range(5):
        started = clock()
        for i in range(count):
            problem = it.problem(run, i, 0)
            it(Completion(text=it.gold(problem)), problem)
        best = max(best, count / (clock() - started))
    return best


def measure(name: str, count: int) -> dict[str, Any]:
    """Return all figures of a family."""
    it = family(name)
    many = min(count, 15) if name in SANDBOXED else count
    drawn = problems(it, many, seed=7)
    stream = Stream(f"random text/{name}")
    return {
        "family": name,
        "levels": it.levels,
        "turns": "many" if isinstance(it, Game) else "tools" if hasattr(it, "tools") else "one",
        "problems": many,
        "rows_per_s": round(
            speed(it, 10 if name in SANDBOXED else 100 if name == "regex_synthesis" else 500)
        ),
        "gold": mean_score(it, drawn, [it.gold(p) for p in drawn]),
        "chance": chance(it, many),
        "random": mean_score(it, drawn, [random_text(stream) for _ in drawn]),
        "empty": mean_score(it, drawn, [""] * many),
        "echo": mean_score(it, drawn, [p.prompt_text for p in drawn]),
    }


def table(rows: list[dict[str, Any]], about: dict[str, Any]) -> str:
    """Return the figures as a table in Markdown."""
    lines = [
        f"{about['date']}, {about['machine']}: `{about['command']}`, {about['problems']} problems a family "
        "(15 where code is run).",
        "",
        "| family | levels | turns | rows and scores a second | gold | chance | random text | empty | echo |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        scores = " | ".join(f"{r[k]:.3f}" for k in ("gold", "chance", "random", "empty", "echo"))
        lines.append(f"| {r['family']} | {r['levels']} | {r['turns']} | {r['rows_per_s']:,} | {scores} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and where asked write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200, help="problems a family")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), help="which families")
    parser.add_argument("--table", type=Path, help="the file whose table is to be written")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    rows = []
    for name in options.families:
        rows.append(measure(name, options.count))
        r = rows[-1]
        print(
            f"{name:20} {r['rows_per_s']:>8,}/s  gold {r['gold']:.3f}  chance {r['chance']:.3f}", flush=True
        )
    about = {
        "date": str(date.today()),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, one core",
        "command": "python benchmarks/environments.py --table docs/environments.md",
        "problems": options.count,
    }
    ok = all(
        r["gold"] == 1.0 and max(r["random"], r["empty"], r["echo"]) <= max(r["chance"], 1e-9) for r in rows
    )
    fast = sorted(r["family"] for r in rows if r["rows_per_s"] >= CHEAP)
    print(f"gold 1 and nothing above chance on every family: {ok}; {CHEAP:,} a second: {', '.join(fast)}")
    if options.table:
        text = options.table.read_text()
        before, _, rest = text.partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        options.table.write_text(f"{before}{MARKS[0]}\n{table(rows, about)}\n{MARKS[1]}{after}")
    if options.json:
        print(json.dumps({**about, "ok": ok, "fast": fast, "families": rows}))


if __name__ == "__main__":
    main()
