"""A sample that the machine never let run is not judged; one that sleeps or computes is."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.sandbox import Calls, Embedded, Execution, Limits, Outcome, Program, Source, Trial
from referee.sandbox.pool import Lanes, lanes_of
from referee.sandbox.starvation import Account, TimeLimit, waited_for_others

GOOD = (Source(code="def f(x):\n    for _ in range(3_000_000): pass\n    return x"),)
JOBS = {
    "program": Program(sources=(Source(code="for _ in range(3_000_000): pass\nprint(1)"),)),
    "calls": Calls(sources=GOOD, entry_point="f", arguments=((1,),)),
    "trial": Trial(sources=GOOD, tests="assert f(1) == 1", entry_point="f"),
}
LIMITS = Limits(wall_s=1.0)


@contextlib.contextmanager
def starving(box: Embedded) -> Iterator[None]:
    """Give a sandbox's servers only what two endless loops on their processor leave over."""
    box.start()
    processor = min(os.sched_getaffinity(0))
    lane = lanes_of(box, box._lane, box.workers)._free[0]
    for channel in lane._channels.values():
        outer = channel.process.pid
        with contextlib.suppress(OSError), open(f"/proc/{outer}/autogroup", "w") as f:
            f.write("19")  # where each session has its own share
        for process in (psutil.Process(outer), *psutil.Process(outer).children(recursive=True)):
            with contextlib.suppress(ProcessLookupError):  # it may just be ending
                os.sched_setaffinity(process.pid, {processor})
                os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
    spin = f"import os; os.sched_setaffinity(0, {{{processor}}})\nprint(flush=True)\nwhile True: pass"
    hogs = [
        subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE, start_new_session=True)
        for _ in range(2)
    ]
    try:
        for hog in hogs:
            hog.stdout.readline()
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
            hog.stdout.close()


@pytest.mark.slow  # it makes the machine busy
@pytest.mark.parametrize("namespaces", [True, False])
def test_what_hardly_ran_is_the_machines_failure(namespaces: bool) -> None:
    box = Embedded(workers=1, namespaces=namespaces)
    try:
        assert [box.execute(job).outcome for job in JOBS.values()] == [Outcome.OK] * 3
        for job in JOBS.values():  # spares with these limits are then there
            box.execute(job, limits=LIMITS)
        with starving(box):
            for name, job in JOBS.items():
                run = box.execute(job, limits=LIMITS)
                assert run.outcome is Outcome.SANDBOX_UNAVAILABLE, (name, run)
                assert "too busy" in run.error
    finally:
        box.close()


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(9)"])
def test_what_never_comes_back_is_decided(embedded: Embedded, code: str) -> None:
    run = embedded.execute(Program(sources=(Source(code=code),)), limits=Limits(wall_s=0.5))
    assert run.outcome is Outcome.TIMEOUT, run


def test_a_program_that_starts_others_for_ever_is_decided(embedded: Embedded) -> None:
    loop = Program(sources=(Source(code="while true; do /bin/true; done"),), language="bash")
    for _ in range(4):
        run = embedded.execute(loop, limits=Limits(wall_s=0.5))
        assert run.outcome is Outcome.TIMEOUT, run


def test_a_crowd_of_its_own_threads_is_no_busy_machine(embedded: Embedded) -> None:
    code = (
        "import threading\n"
        "def spin():\n    while True: sum(range(10**6))\n"
        "for _ in range(40): threading.Thread(target=spin).start()\n"
        "spin()"
    )
    run = embedded.execute(Program(sources=(Source(code=code),)), limits=LIMITS)
    assert run.outcome is not Outcome.SANDBOX_UNAVAILABLE, run


ITS_OWN_TIME = {
    "sleeps, then spins": "time.sleep(0.42)\nwhile True: pass",
    "spins, then sleeps": "t = time.time()\nwhile time.time() < t + 0.1: pass\ntime.sleep(9)",
    "a twelfth of the time": (
        "while True:\n    t = time.perf_counter()\n"
        "    while time.perf_counter() < t + 0.004: pass\n    time.sleep(0.046)"
    ),
    "wakes up without end": "while True: time.sleep(0)",
    "waits for a thread of its own": (
        "def late():\n    time.sleep(0.45)\n    while True: pass\n"
        "t = threading.Thread(target=late); t.start(); t.join()"
    ),
    "stands in line behind its own threads": (
        "def spin():\n    b = bytes(1 << 20)\n    while True: hashlib.sha256(b)\n"
        "for _ in range(6): threading.Thread(target=spin, daemon=True).start()\nwhile True: time.sleep(0)"
    ),
    "stops itself": "os.kill(os.getpid(), 19)",
    "faults late": (
        "time.sleep(0.4)\nwhile True:\n    m = mmap.mmap(-1, 99 << 20)\n"
        "    for i in range(0, 99 << 20, 4096): m[i] = 1\n    m.close()"
    ),
}


@pytest.mark.parametrize("what", ITS_OWN_TIME)
@pytest.mark.parametrize("kind", JOBS)
def test_what_a_program_did_with_its_time_is_its_own(embedded: Embedded, what: str, kind: str) -> None:
    code = "import hashlib, mmap, os, threading, time\n"
    body = ITS_OWN_TIME[what].replace("\n", "\n    ")
    sources = (Source(code=f"{code}def f(x):\n    {body}\n{'f(1)' if kind == 'program' else ''}"),)
    job = {
        "program": Program(sources=sources),
        "calls": Calls(sources=sources, entry_point="f", arguments=((1,),)),
        "trial": Trial(sources=sources, tests="assert f(1) == 1", entry_point="f"),
    }[kind]
    run = embedded.execute(job, limits=Limits(wall_s=0.5))
    assert run.outcome is Outcome.TIMEOUT, run


def test_a_judge_that_is_kept_busy_by_answers_is_the_solutions_doing(embedded: Embedded) -> None:
    code = "import time\ndef f(x):\n    time.sleep(0.7)\n    return [[i] for i in range(99_000)] * 5"
    job = Trial(sources=(Source(code=code),), tests="assert f(1) == 1", entry_point="f")
    assert embedded.execute(job, limits=LIMITS).outcome not in (Outcome.OK, Outcome.SANDBOX_UNAVAILABLE)


@pytest.mark.parametrize("kind", ["calls"])
def test_a_fork_server_that_was_stopped_is_the_machines_failure(kind: str) -> None:
    others = psutil.Process().children(recursive=True)
    box = Embedded(workers=1, preload=("stat",))
    try:
        assert box.execute(JOBS[kind]).outcome is Outcome.OK
        for process in set(psutil.Process().children(recursive=True)) - set(others):
            with contextlib.suppress(psutil.NoSuchProcess):  # it may just be ending
                process.send_signal(signal.SIGSTOP)
        assert box.execute(JOBS[kind], limits=LIMITS).outcome is Outcome.OK
    finally:
        box.close()


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=4), st.floats(1, 9))
def test_no_process_can_buy_a_wait_from_those_it_works_with(
    shares: list[tuple[float, float]], wall: float
) -> None:
    """Whatever they run and wait among themselves, on one processor that is theirs, is no wait for others."""
    whole = sum(ran for ran, _ in shares) or 1.0
    accounts = []
    for ran, _ in shares:
        ran_s = wall * ran / whole
        accounts.append(Account(ran_s, wall - ran_s))  # ready to run all the time
    assert waited_for_others(accounts) <= wall - sum(a.ran_s for a in accounts) + 1e-6


@given(st.floats(0, 1.2), st.floats(1, 9))
def test_the_time_is_extended_only_for_a_wait_and_not_for_ever(share: float, wall: float) -> None:
    """A process that waits for that share of the time is done when it has had its limit, or four of them."""
    limit = TimeLimit(wall, lambda final: share * limit.given_s)
    for _ in range(1000):
        given = limit.given_s
        if not limit.extend():
            break
        assert given <= limit.given_s <= 4 * wall + 1e-9
    if share < 0.5:
        assert limit.given_s == wall
    elif share > 0.51:
        assert limit.given_s == pytest.approx(min(4 * wall, wall / max(1 - share, 1e-9)), rel=0.01)


class Scripted:
    """Stands for a lane: each run waits for a processor as long as it is told to."""

    def __init__(self, waits: list[float]) -> None:
        self.waits, self.running, self.alone = waits, 0, []

    def run(self, job: object, limits: Limits, on_value: object) -> Execution:
        self.running += 1
        time.sleep(0.02)
        waited = self.waits.pop(0) if self.waits else 0.0
        self.alone.append(self.running == 1)
        self.running -= 1
        outcome = Outcome.TIMEOUT if waited else Outcome.OK
        return Execution(outcome=outcome, wall_s=1.0, waited_s=waited)

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("workers", "waits", "outcome", "runs"),
    [
        (1, [0.3], Outcome.TIMEOUT, 1),
        (1, [0.8], Outcome.TIMEOUT, 1),  # nothing of ours was beside it
        (2, [0.8], Outcome.OK, 2),
        (2, [0.8, 0.8], Outcome.TIMEOUT, 2),
        (1, [0.95], Outcome.OK, 2),
        (1, [0.95, 0.2], Outcome.TIMEOUT, 2),
        (2, [0.95, 0.95], Outcome.SANDBOX_UNAVAILABLE, 2),
        (2, [0.8, 0.95], Outcome.SANDBOX_UNAVAILABLE, 2),
    ],
)
def test_in_doubt_it_is_run_once_more_and_then_decided(
    workers: int, waits: list[float], outcome: Outcome, runs: int
) -> None:
    lane = Scripted(waits)
    assert Lanes(lambda _: lane, workers).run(JOBS["program"], LIMITS, None).outcome is outcome
    assert len(lane.alone) == runs


def test_what_is_run_once_more_is_run_alone() -> None:
    first = Scripted([0.95])
    others = [Scripted([]) for _ in range(3)]
    made = iter([first, *others])
    lanes = Lanes(lambda _: next(made), 4)
    beside = [threading.Thread(target=lanes.run, args=(JOBS["calls"], LIMITS, None)) for _ in range(8)]
    with lanes.borrow() as lane:
        assert lane is first
        for thread in beside:
            thread.start()
    with lanes.borrow(alone=True):
        assert sum(o.running for o in others) + first.running == 0
    for thread in beside:
        thread.join()
