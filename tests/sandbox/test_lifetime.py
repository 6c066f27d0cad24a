"""Nothing is left behind: no process, also after kill -9 of the parent; and a dead worker is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from referee.sandbox import Embedded, Limits, Outcome, Program, Source, arun_many, run_many

HOST = """
import sys, threading, time
import psutil
from referee.sandbox import *
box = eval(sys.argv[1])
spin = Program(sources=(Source(code="while True: pass"),))
box.execute(Program(sources=(Source(code="print(1)"),)))
threading.Thread(target=box.execute, args=(spin,), kwargs={"limits": Limits(wall_s=600)}, daemon=True).start()
time.sleep(0.5)
print(*(p.pid for p in psutil.Process().children(recursive=True)), flush=True)
time.sleep(600)
"""


def echo(n: int) -> Program:
    return Program(sources=(Source(code=f"print({n})"),))


def killed_host(box: str) -> list[psutil.Process]:
    """Return the processes that a host had when it was killed."""
    host = subprocess.Popen([sys.executable, "-c", HOST, box], stdout=subprocess.PIPE, text=True)
    processes = [psutil.Process(int(pid)) for pid in host.stdout.readline().split()]
    os.kill(host.pid, signal.SIGKILL)
    host.wait()
    return processes


def runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.parametrize("namespaces", [True, False])
def test_no_process_outlives_a_killed_parent(namespaces):
    processes = killed_host(f"Embedded(workers=1, namespaces={namespaces})")
    assert processes  # the fork server at least, and as a rule the one that loops and spare children
    for _ in range(100):
        if not any(runs(p) for p in processes):
            return
        time.sleep(0.1)
    pytest.fail(f"still running: {[p for p in processes if runs(p)]}")


def _ours(process: psutil.Process) -> bool:
    try:
        return any("boot.py" in word for word in process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.docker
def test_no_container_outlives_a_killed_parent(engine, docker):
    client = __import__("docker").DockerClient(base_url=engine)
    docker.start()
    before = {c["Id"] for c in client.api.containers(all=True)}
    killed_host(f"Docker(workers=1, engine={engine!r})")
    left: set[str] = set()
    for _ in range(100):
        left = {c["Id"] for c in client.api.containers(all=True)} - before
        if not left:
            return
        time.sleep(0.1)
    pytest.fail(f"still running: {left}")


def test_no_mount_or_file_is_left_after_close():
    def facts():
        with open("/proc/self/mountinfo") as mounts:
            return len(mounts.readlines()), len(os.listdir("/tmp")), len(os.listdir("/proc/self/fd"))

    box = Embedded(workers=1, preload=("json",))
    before = facts()
    box.execute(echo(1))
    box.close()
    after = facts()
    assert after[0] == before[0]
    assert after[2] == before[2]


def test_a_worker_that_dies_is_replaced_and_the_sample_is_tried_again():
    box = Embedded(workers=1, preload=("string",))
    assert box.execute(echo(1)).outcome is Outcome.OK
    for process in psutil.Process().children(recursive=True):
        if _ours(process):
            process.kill()
    assert box.execute(echo(2)).stdout == "2\n"
    box.close()


def test_a_sandbox_that_cannot_start_is_unavailable_and_says_what_would_help(monkeypatch):
    box = Embedded(workers=1, preload=("abc",))
    monkeypatch.setattr("sys._base_executable", "/no/such/python")
    run = box.execute(echo(1))
    assert run.outcome is Outcome.SANDBOX_UNAVAILABLE
    assert "user namespaces" in run.error
    box.close()


def test_many_programs_come_in_order_or_as_completed(embedded):
    jobs = [echo(i) for i in range(20)]
    assert [r.stdout for _, r in run_many(embedded, jobs)] == [f"{i}\n" for i in range(20)]
    assert {r.stdout for _, r in run_many(embedded, jobs, in_order=False)} == {f"{i}\n" for i in range(20)}

    async def gather():
        return [r.stdout async for _, r in arun_many(embedded, iter(jobs))]

    assert asyncio.run(gather()) == [f"{i}\n" for i in range(20)]


def test_the_pool_reads_its_jobs_only_as_it_needs_them(embedded):
    read = []

    def endless():
        n = 0
        while True:
            read.append(n)
            yield echo(n)
            n += 1

    results = run_many(embedded, endless())
    assert next(results)[0] == 0
    results.close()
    assert len(read) <= 8


@pytest.mark.slow
def test_nothing_grows_over_ten_thousand_programs(embedded):
    def facts() -> tuple[int, int, int]:
        host = psutil.Process()
        largest = max(p.memory_info().rss for p in host.children(recursive=True) if runs(p))
        return host.memory_info().rss, largest, host.num_fds()

    limits = Limits(wall_s=10)
    for _ in run_many(embedded, (echo(i) for i in range(500)), limits=limits):
        pass
    before = facts()
    for _ in run_many(embedded, (echo(i) for i in range(10_000)), limits=limits):
        pass
    after = facts()
    assert after[0] - before[0] < 50 << 20
    assert after[1] - before[1] < 50 << 20
    assert after[2] <= before[2] + 24  # four files for each spare child, of which there may be more or fewer


def test_closing_touches_no_descriptor_that_is_no_longer_its_own():
    box = Embedded(workers=1, preload=("re",))
    for i in range(5):
        box.execute(echo(i))
    mine = [os.open("/dev/null", os.O_RDONLY) for _ in range(40)]  # take the numbers that were set free
    box.close()
    for fd in mine:
        os.fstat(fd)
        os.close(fd)


def test_where_nothing_confines_is_found_out_once(monkeypatch):
    from referee.sandbox import embedded
    from referee.sandbox.channel import ServerDown

    asked = []

    def refuse(options, world):
        asked.append(options["isolation"])
        raise ServerDown("OSError: [Errno 38] neither namespaces nor Landlock can be used here")

    monkeypatch.setattr(embedded, "start", refuse)
    monkeypatch.setattr(embedded, "_refused", [])
    monkeypatch.setattr(embedded, "_unconfined", {})
    box = Embedded(workers=1, preload=("calendar",))
    for _ in range(3):
        run = box.execute(echo(1))
        assert run.outcome is Outcome.SANDBOX_UNAVAILABLE
        assert "user namespaces" in run.error
    assert asked == ["namespaces", "none"]
    box.close()
