"""Latency of the HTTP service under concurrent load: every answer is checked, and none may be lost.

    python benchmarks/service.py [--clients 8] [--requests 200] [--items 8] [--workers 1] [--json]

`referee serve` runs in a process of its own, on loopback; the clients are threads, each with a connection
that stays open. Times are those that a client sees; the processor time is the service's and its workers'.
Exits with 1 where an answer was lost or wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

RUBRIC = """\
parts:
  right: {verifier: math}
  format: {verifier: tags, options: {names: [answer]}, weight: 0.25}
"""


def main() -> int:
    """Serve, ask, print; return 1 where an answer was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=200, help="of each client")
    parser.add_argument("--items", type=int, default=8, help="completions in a request")
    parser.add_argument("--workers", type=int, default=1, help="the service's worker processes")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    a = parser.parse_args()
    with serving(a.workers) as (url, process):
        asked(url, 0, 0, a.items)  # the workers have started
        gate = threading.Barrier(a.clients + 1)
        with ThreadPoolExecutor(a.clients) as threads:
            running = [
                threads.submit(client, url, number, a.requests, a.items, gate) for number in range(a.clients)
            ]
            gate.wait()
            started, before = time.perf_counter(), cpu_s(process)
            results = [r for f in running for r in f.result()]
            seconds, busy = time.perf_counter() - started, cpu_s(process) - before
    figures = report(results, a.clients * a.requests, a.items, seconds)
    figures["cpu_ms_per_request"] = busy * 1000 / len(results) if results else 0.0
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{machine}, {a.clients} clients, {a.workers} worker(s)")
    for name, value in figures.items():
        print(f"{name:24} {value:>12,.2f}" if isinstance(value, float) else f"{name:24} {value:>12,}")
    if a.json:
        print(json.dumps({**vars(a), **figures}))
    return int(figures["lost"] + figures["wrong"] > 0)


@contextlib.contextmanager
def serving(workers: int) -> Iterator[tuple[str, psutil.Process]]:
    """Run `referee serve` until the block is left; yield its address and its process."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        (Path(folder) / "rubric.yaml").write_text(RUBRIC)
        command = [sys.executable, "-m", "referee", "serve", "rubric.yaml"]
        process = subprocess.Popen(
            [*command, "--port", str(port), "--workers", str(workers)],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            while True:
                with contextlib.suppress(httpx.TransportError):
                    httpx.get(f"{url}/health")
                    break
                if process.poll() is not None:
                    raise RuntimeError(f"referee serve ended: {Path(log.name).read_text()[-1000:]}")
                time.sleep(0.05)
            yield url, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def cpu_s(process: psutil.Process) -> float:
    """Return the processor time that a process and its living descendants have used."""
    return sum(sum(p.cpu_times()[:2]) for p in (process, *process.children(recursive=True)))


def client(
    url: str, number: int, requests: int, items: int, gate: threading.Barrier
) -> list[tuple[float, bool]]:
    """Return each answered request's seconds, and whether every reward in it was right."""
    done = []
    with httpx.Client(base_url=url, timeout=60) as session:
        gate.wait()
        for i in range(requests):
            began = time.perf_counter()
            with contextlib.suppress(httpx.HTTPError):
                right = asked(url, number, i, items, session)
                done.append((time.perf_counter() - began, right))
    return done


def asked(url: str, number: int, i: int, items: int, session: httpx.Client | None = None) -> bool:
    """Send one request of sums that no other sends; half of the answers in it are right."""
    rows, wanted = [], []
    for j in range(items):
        a, b, right = number * 1000 + i, j, (i + j) % 2 == 0
        rows.append({"completion": f"<answer>{a + b + (not right)}</answer>", "answer": str(a + b)})
        wanted.append(1.25 if right else 0.25)
    post = session.post if session is not None else httpx.post
    answer = post(f"{'' if session is not None else url}/score", json={"items": rows}, timeout=60)
    answer.raise_for_status()
    return [r["reward"] for r in answer.json()["rewards"]] == wanted


def report(
    results: list[tuple[float, bool]], sent: int, items: int, seconds: float
) -> dict[str, float | int]:
    """Return what was seen, in milliseconds and requests a second."""
    times = sorted(t * 1000 for t, _ in results) or [0.0]
    cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
    return {
        "sent": sent,
        "lost": sent - len(results),
        "wrong": sum(not right for _, right in results),
        "p50_ms": cuts[49],
        "p95_ms": cuts[94],
        "p99_ms": cuts[98],
        "max_ms": times[-1],
        "requests_per_s": len(results) / seconds,
        "completions_per_s": len(results) * items / seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
