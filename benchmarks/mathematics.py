r"""How often, how fast and how safely mathematical answers are judged: ours beside its peers, in one run.

    python benchmarks/mathematics.py [FILE.jsonl ...] [--json] [--peers math-verify trl] [--limit N]

Each file holds rows of completion, gold and label. Without files it runs on a public proxy set
(:mod:`mathematics_sets`), built from the shared data (folder REFEREE_SHARED, or ``shared`` beside
the repository). Every system judges in a fresh child process of its own; a child that takes longer
than the deadline on a row is ended and started again, and the row counts as wrong. Systems take
turns in chunks of 50 rows, so that they meet the same machine. Ours runs with every tier on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import resource
import selectors
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import psutil
from mathematics_sets import Row, proxy, rows_of

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = ["ours", "math-verify", "trl"]
DEADLINE_S = 6.5  # above the five seconds after which math-verify ends its own work
CHUNK = 50


# In the child


def judge_of(system: str) -> Any:
    """Return a function (completion, gold) -> score for a system."""
    if system == "ours":
        from referee.verifiers import Math, Problem

        verifier = Math()
        return lambda text, gold: verifier(text, Problem(answer=gold)).score
    if system == "math-verify":
        import logging

        from math_verify import parse, verify

        logging.disable(logging.CRITICAL)
        return lambda text, gold: float(verify(parse(f"${gold}$"), parse(text)))
    from trl.rewards import accuracy_reward

    return lambda text, gold: accuracy_reward(
        [[{"role": "assistant", "content": text}]], solution=[f"${gold}$"]
    )[0]


def serve(system: str) -> None:
    """Judge rows from standard input; answer each with its score, seconds and peak memory."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    judge = judge_of(system)
    judge(r"\boxed{2}", "2")  # imports and first compilations
    out.write("ready\n")
    out.flush()
    for line in sys.stdin:
        text, gold = json.loads(line)
        started = time.perf_counter()
        try:
            score = judge(text, gold)
        except Exception as e:  # noqa: BLE001  # whatever a peer raises is a row that it gets wrong
            score = f"{type(e).__name__}"
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        out.write(json.dumps([score, seconds, peak]) + "\n")
        out.flush()


# In the parent


class Child:
    """A system in a process of its own, started again after each row that it does not survive."""

    def __init__(self, system: str) -> None:
        self.system = system
        self.process: subprocess.Popen[bytes] | None = None
        self.peak = 0

    def ask(self, row: Row) -> tuple[Any, float]:
        """Return the score (or what went wrong) and the seconds."""
        process = self.process or self.start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps([row["completion"], row["gold"]]).encode() + b"\n")
            process.stdin.flush()
            line = self.line(DEADLINE_S)
        except OSError:
            line = b""
        if not line:
            self.end()
            return "late" if line is None else "died", DEADLINE_S
        score, seconds, peak = json.loads(line)
        self.peak = max(self.peak, peak)
        return score, seconds

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process and wait until it has imported its library."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", self.system],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        if self.line(180) != b"ready\n":
            raise RuntimeError(f"{self.system} did not start: is it installed?")
        return self.process

    def line(self, timeout_s: float) -> bytes | None:
        """Return the next line, nothing at its end, None where it is late."""
        assert self.process is not None
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            return self.process.stdout.readline() if selector.select(timeout_s) else None

    def end(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.process = None


def measure(rows: list[Row], systems: list[str]) -> dict[str, dict[str, Any]]:
    """Return each system's figures on one set."""
    children = {s: Child(s) for s in systems}
    asked: dict[str, list[tuple[Any, float]]] = {s: [] for s in systems}
    for child in children.values():
        child.start()
    for begin in range(0, len(rows), CHUNK):
        for name, child in children.items():
            asked[name].extend(child.ask(row) for row in rows[begin : begin + CHUNK])
    out = {}
    for name, child in children.items():
        child.end()
        out[name] = figures(rows, asked[name], child.peak)
    return out


def figures(rows: list[Row], asked: list[tuple[Any, float]], peak: int) -> dict[str, Any]:
    """Sum one system's answers up."""
    times = sorted(t for _, t in asked)
    verdicts = [score == 1.0 for score, _ in asked]
    labels = [bool(r["label"]) for r in rows]
    return {
        "rows": len(rows),
        "right": sum(v == w for v, w in zip(verdicts, labels, strict=True)) / len(rows),
        "false_positives": sum(v and not w for v, w in zip(verdicts, labels, strict=True)),
        "false_negatives": sum(w and not v for v, w in zip(verdicts, labels, strict=True)),
        "abstained_or_failed": sum(not isinstance(score, int | float) for score, _ in asked),
        "per_second": len(times) / sum(times),
        "p50_ms": 1000 * times[len(times) // 2],
        "p99_ms": 1000 * times[min(len(times) - 1, int(len(times) * 0.99))],
        "worst_s": times[-1],
        "peak_mib": peak / 2**20,
    }


def verdicts_of(rows: list[Row]) -> list[float | None]:
    """Judge rows with ours; a module-level function, so that a spawned process can be asked for it."""
    judge = judge_of("ours")
    return [judge(r["completion"], r["gold"]) for r in rows]


def _send(pipe: Any, rows: list[Row]) -> None:
    pipe.send(verdicts_of(rows))
    pipe.close()


def contexts(rows: list[Row]) -> dict[str, Any]:
    """Judge the same rows in five contexts; say how many verdicts differ, and what was left behind."""

    def in_process(method: str) -> list[float | None]:
        context = multiprocessing.get_context(method)
        mine, theirs = context.Pipe()
        process = context.Process(target=_send, args=(theirs, rows))  # type: ignore[attr-defined]
        process.start()
        theirs.close()  # a child that dies ends the pipe
        out: list[float | None] = mine.recv()
        process.join()
        return out

    main = verdicts_of(rows)
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(verdicts_of, [rows[i::4] for i in range(4)]))
    threaded: list[float | None] = [None] * len(rows)
    for i, part in enumerate(parts):
        threaded[i::4] = part
    others = {
        "thread pool": threaded,
        "asyncio.to_thread": asyncio.run(_to_thread(rows)),
        "forked": in_process("fork"),
        "spawned": in_process("spawn"),
    }
    differ = {name: sum(a != b for a, b in zip(got, main, strict=True)) for name, got in others.items()}
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before and _works(p)]
    return {"rows": len(rows), "differing": differ, "processes_left": len(left)}


def _works(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "tracker" not in " ".join(process.cmdline())
    except psutil.Error:  # ended while it was looked at
        return False


async def _to_thread(rows: list[Row]) -> list[float | None]:
    return await asyncio.to_thread(verdicts_of, rows)


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


def main() -> None:
    """Run the sets, print their tables, and the JSON where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument(
        "--peers", nargs="*", default=SYSTEMS[1:], choices=SYSTEMS[1:], help="which peers to run"
    )
    parser.add_argument("--limit", type=int, help="at most so many rows of a set, spread evenly")
    parser.add_argument("--serve", choices=SYSTEMS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return
    if args.files:
        sets = {str(f): rows_of(f) for f in args.files}
    else:
        shared = Path(os.environ.get("REFEREE_SHARED") or ROOT.parent / "shared") / "data"
        sets = proxy(shared, ROOT / "tests" / "data" / "mathematics_pairs.jsonl")
    results: dict[str, Any] = {}
    for name, rows in sets.items():
        if args.limit and len(rows) > args.limit:
            rows = rows[:: -(-len(rows) // args.limit)]
        results[name] = measure(rows, ["ours", *args.peers])
        show(name, results[name])
    sample = [r for rows in sets.values() for r in rows[:: max(1, len(rows) // 100)]]
    same = contexts(sample)
    print(f"\ncontexts, {same['rows']} rows: differing from the main thread's {same['differing']}; "
          f"processes left over {same['processes_left']}")  # fmt: skip
    if args.json:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
        print(
            json.dumps(
                {"machine": machine, "date": time.strftime("%Y-%m-%d"), "sets": results, "contexts": same}
            )
        )


if __name__ == "__main__":
    main()
