"""Attacks by another author, on each backend: none is paid, is late, stays, or reaches the host."""

from __future__ import annotations

import fcntl
import json
import shutil
import socket
import time
from pathlib import Path

import psutil
import pytest

from referee.sandbox import Limits
from referee.verifiers import Problem, UnitTests

CANARY = Path("/tmp/rlvr_canary")  # these three are what the attacks are after
PORT = 47811
LEFT = "rlvrleft"
RIGHT = "def add(a, b): return a + b"
LIMITS = Limits(wall_s=1.5)


@pytest.fixture(scope="module")
def attacks(shared):
    return [json.loads(line) for line in (shared / "attacks" / "attacks_sample.jsonl").open()]


@pytest.fixture
def host():
    """What the attacks would change here: a file, a folder open to all, and a port that listens."""
    with open("/tmp/rlvr_canary.lock", "w") as lock:  # they are one for the whole machine
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield from canaries()


def canaries():
    CANARY.mkdir(exist_ok=True)
    CANARY.chmod(0o777)
    (CANARY / "secret.txt").write_text("secret")
    (CANARY / "secret.txt").chmod(0o666)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", PORT))
        listener.setblocking(False)
        yield listener
    shutil.rmtree(CANARY)


def is_untouched(listener: socket.socket) -> bool:
    with pytest.raises(BlockingIOError):
        listener.recv(16)
    assert [p.name for p in CANARY.iterdir()] == ["secret.txt"]
    assert (CANARY / "secret.txt").read_text() == "secret"
    return not any(p.info["name"] == LEFT for p in psutil.process_iter(["name"]))


def no_attack_wins(sandbox, attacks, host, latest):
    verifier = UnitTests(sandbox, limits=LIMITS)
    for attack in attacks:
        problem = Problem(info={"tests": attack["tests"], "entry_point": attack["entry_point"]})
        for before in attack["before"]:
            verifier(before, problem)
        start = time.monotonic()
        verdict = verifier(attack["code"], problem)
        assert verdict.score == 0.0, (attack["id"], verdict)
        assert time.monotonic() - start < latest(LIMITS.wall_s), attack["id"]
        assert is_untouched(host), attack["id"]
        calls = Problem(info={"calls": [[[3, 4], 7]], "entry_point": "add"})
        assert verifier(RIGHT, calls).score == 1.0, attack["id"]


def test_no_given_attack_wins(embedded, attacks, host, latest):
    no_attack_wins(embedded, attacks, host, latest)


@pytest.mark.slow
def test_no_given_attack_wins_on_any_backend(sandbox, attacks, host, latest):
    no_attack_wins(sandbox, attacks, host, latest)


AS_NOBODY = """
import json, os, sys, time
from referee.sandbox import Embedded, Limits, Outcome, Source, Trial
box = Embedded(workers=1, namespaces=%r)
def judge(code, attack, limits):
    job = Trial(sources=(Source(code=code),), tests=attack["tests"], entry_point=attack["entry_point"])
    return box.execute(job, limits=limits).outcome
out = []
for line in sys.stdin:
    attack = json.loads(line)
    limits = Limits(wall_s=attack.get("wall_s", 3.0))
    for before in attack["before"]:
        judge(before, attack, limits)
    start = time.monotonic()
    outcome = judge(attack["code"], attack, limits)
    lost = outcome not in (Outcome.OK, Outcome.SANDBOX_UNAVAILABLE, Outcome.BAD_REFERENCE)
    busy = os.getloadavg()[0] > os.cpu_count()
    if not lost or time.monotonic() - start > limits.wall_s * (4 if busy else 1) + 0.5:
        out.append((attack["id"], outcome.value, time.monotonic() - start))
tests = {"tests": "def check(candidate):\\n    assert candidate(3, 4) == 7\\n", "entry_point": "add"}
print(out, judge("def add(a, b): return a + b", tests, Limits()).value)
"""


@pytest.mark.slow
@pytest.mark.parametrize("namespaces", [True, False])
def test_no_attack_wins_where_this_process_is_nobody(namespaces, as_nobody, attacks, host):
    own = (Path(__file__).parents[1] / "data" / "code_attacks.jsonl").read_text().splitlines()
    lines = [*own, *(json.dumps(attack) for attack in attacks)]
    run = as_nobody(AS_NOBODY % namespaces)
    assert run.communicate("\n".join(lines))[0].strip() == "[] ok"
    assert is_untouched(host)
