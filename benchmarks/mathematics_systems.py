"""Systems that judge mathematics, each in a process of its own that is started again where it dies.

Systems take turns in chunks of rows, so that they meet the same machine; a row that takes longer than
the deadline counts as wrong. Times are a child's own processor time.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mathematics_sets import Row

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
        started = time.process_time()
        try:
            score = judge(text, gold)
        except Exception as e:  # noqa: BLE001  # whatever a peer raises is a row that it gets wrong
            score = f"{type(e).__name__}"
        seconds = time.process_time() - started
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
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}",
            "TQDM_DISABLE": "1",
            "OMP_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, __file__, self.system],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
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


if __name__ == "__main__":
    serve(sys.argv[1])
