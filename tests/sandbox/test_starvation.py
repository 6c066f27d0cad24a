"""A sample that the machine never let run is not judged; one that sleeps or computes is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from referee.sandbox import Calls, Embedded, Limits, Outcome, Program, Source, Trial
from referee.sandbox.pool import lanes_of

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
