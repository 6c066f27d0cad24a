"""What every sandbox must do, as named checks: run them against a backend of your own.

>>> from referee.sandbox import Embedded, conformance
>>> [r.name for r in conformance(Embedded(), only=("runs_a_program",)) if not r.passed]
[]
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from referee.sandbox.records import Calls, Limits, Outcome, Program, Sandbox, Source, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """Whether a sandbox passed one named check, and what it did instead where it did not."""

    name: str
    passed: bool
    found: str = ""


def conformance(sandbox: Sandbox, *, only: Iterable[str] = ()) -> list[CheckResult]:
    """Run every check (or those named in ``only``) and return the results, in order."""
    wanted = set(only) or set(CHECKS)
    if unknown := sorted(wanted - set(CHECKS)):
        raise ValueError(f"only must name checks, got {unknown[0]!r}: they are {', '.join(CHECKS)}")
    results = []
    for name in CHECKS:
        if name in wanted:
            found = CHECKS[name](sandbox)
            results.append(CheckResult(name=name, passed=not found, found=found))
    return results


def _program(sandbox: Sandbox, code: str, stdin: str = "", wall_s: float = 3.0) -> tuple[Outcome, str, float]:
    start = time.monotonic()
    limits = Limits(wall_s=wall_s)
    run = sandbox.execute(Program(sources=(Source(code=code),), stdin=stdin), limits=limits)
    return run.outcome, run.stdout if run.outcome is Outcome.OK else run.error, time.monotonic() - start


def _prints(code: str, wanted: str, stdin: str = "") -> Callable[[Sandbox], str]:
    def check(sandbox: Sandbox) -> str:
        outcome, text, _ = _program(sandbox, code, stdin)
        return "" if (outcome, text.strip()) == (Outcome.OK, wanted) else f"{outcome}: {text[:200]}"

    return check


def _ends(code: str, *outcomes: Outcome) -> Callable[[Sandbox], str]:
    # one that never ends need not be waited for as long as one that must get somewhere first
    wall_s = 0.5 if outcomes == (Outcome.TIMEOUT,) else 1.0

    def check(sandbox: Sandbox) -> str:
        outcome, text, took = _program(sandbox, code, wall_s=wall_s)
        if outcome not in outcomes:
            return f"{outcome}: {text[:200]}"
        busy = os.getloadavg()[0] > len(os.sched_getaffinity(0))  # what it waits for comes on top
        latest = (4 * wall_s if busy else wall_s) + 0.5
        return "" if took < latest else f"it took {took:.1f} s, with a limit of {wall_s} s"

    return check


def _denied(attempt: str) -> Callable[[Sandbox], str]:
    """Check that a statement fails inside."""
    code = f"import os, socket, ctypes, signal\ntry:\n    {attempt}\n    print('allowed')\n"
    return _prints(code + "except (OSError, ValueError):\n    print('denied')", "denied")


def _calls(sandbox: Sandbox) -> str:
    job = Calls(
        sources=(Source(code="def f(x): return [x, str(x)]"),), entry_point="f", arguments=((1,), (2,))
    )
    run = sandbox.execute(job)
    return "" if list(run.values) == [[1, "1"], [2, "2"]] else f"{run.outcome}: {run.values} {run.error}"


def _trial(code: str, wanted: Outcome) -> Callable[[Sandbox], str]:
    tests = "def check(candidate):\n    assert candidate(3, 4) == 7\n    assert candidate(1, 1) == 2\n"

    def check(sandbox: Sandbox) -> str:
        run = sandbox.execute(Trial(sources=(Source(code=code),), tests=tests, entry_point="add"))
        return "" if run.outcome is wanted else f"{run.outcome}: {run.error}"

    return check


def _nothing_stays(sandbox: Sandbox) -> str:
    """A variable, a module attribute and a file of one run must not be there in the next."""
    leave = (
        "import builtins, math\nbuiltins.left = math.left = 1\ntry:\n    open('/tmp/left', 'w').write('x')\n"
    )
    _program(sandbox, leave + "except OSError:\n    pass")
    find = (
        "import builtins, math, os\n"
        "print(hasattr(builtins, 'left'), hasattr(math, 'left'), os.path.exists('/tmp/left'))"
    )
    return _prints(find, "False False False")(sandbox)


_WRITE_EVERYWHERE = (
    "import os\nok = []\nplaces = '/', '/usr', '/etc', '/home', '/var/tmp', '/dev/shm'\n"
    "for d in places:\n"
    "    try:\n        os.close(os.open(d + '/left', os.O_CREAT | os.O_WRONLY)); ok.append(d)\n"
    "    except OSError:\n        pass\nprint(ok)"
)
_THREADS = (
    "import threading\nout = []\nts = [threading.Thread(target=out.append, args=(i,)) for i in range(4)]\n"
    "[t.start() for t in ts]; [t.join() for t in ts]\nprint(len(out))"
)

CHECKS: dict[str, Callable[[Sandbox], str]] = {
    "runs_a_program": _prints("print(int(input()) * 2)", "42", "21\n"),
    "has_the_standard_library": _prints("import json, decimal, asyncio, hashlib, sqlite3; print('ok')", "ok"),
    "starts_threads": _prints(_THREADS, "4"),
    "has_an_empty_environment": _prints(
        "import os; print(len(os.environ) - ('LC_CTYPE' in os.environ))", "0"
    ),
    "returns_calls": _calls,
    "passes_a_right_solution": _trial("def add(a, b): return a + b", Outcome.OK),
    "fails_a_wrong_solution": _trial("def add(a, b): return 7", Outcome.WRONG),
    "fails_one_that_equals_everything": _trial(
        "class E:\n    def __eq__(self, o): return True\ndef add(a, b): return E()", Outcome.WRONG
    ),
    "fails_one_that_exits": _trial("import os\ndef add(a, b): os._exit(0)", Outcome.KILLED),
    "reports_a_syntax_error": _ends("def f(:", Outcome.SYNTAX_ERROR, Outcome.RAISED),
    "reports_what_is_raised": _ends("raise ValueError('x')", Outcome.RAISED),
    "reports_a_crash": _ends("import ctypes; ctypes.string_at(0)", Outcome.KILLED, Outcome.RAISED),
    "ends_a_loop": _ends("while True: pass", Outcome.TIMEOUT),
    "ends_a_sleeper": _ends("import time; time.sleep(60)", Outcome.TIMEOUT),
    "ends_one_that_ignores_signals": _ends(
        "import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass",
        Outcome.TIMEOUT,
    ),
    "bounds_memory": _ends("x = bytearray(1 << 34)", Outcome.MEMORY, Outcome.KILLED),
    "bounds_output": _ends("while True: print('x' * 65536)", Outcome.OUTPUT, Outcome.KILLED),
    "denies_fork": _denied("os.fork()"),
    "denies_exec": _denied("os.execv('/bin/true', ['true'])"),
    "denies_sockets": _denied("socket.socket()"),
    "denies_signals_to_others": _denied("os.kill(1, signal.SIGTERM)"),
    "denies_the_password_file": _denied("open('/etc/shadow').read()"),
    "denies_proc": _denied("open('/proc/self/maps').read()"),
    "denies_writing_files": _prints(_WRITE_EVERYWHERE, "[]"),
    "leaves_nothing_behind": _nothing_stays,
}
