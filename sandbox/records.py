"""What is asked of a sandbox, under which limits, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Protocol, TypeAlias, runtime_checkable


class Outcome(StrEnum):
    """How a run ended. All but the last two are the solution's own doing."""

    OK = "ok"
    WRONG = "wrong"  # it ran, and a test failed
    RAISED = "raised"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    KILLED = "killed"
    SYNTAX_ERROR = "syntax_error"
    BAD_REFERENCE = "bad_reference"  # the tests fail by themselves, whatever the solution
    SANDBOX_UNAVAILABLE = "sandbox_unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use.

    ``wall_s`` is the time from handing over the code to the answer; ``cpu_s`` whole seconds of
    processor time (None: as many as ``wall_s``, rounded up, and one); ``memory_bytes`` what the
    process may add to the bare interpreter; ``output_bytes`` what it may write to each of stdout and
    stderr; ``processes`` threads, and processes where a language is run by exec; ``files`` open
    descriptors; ``compile_s`` seconds that a compiler may take.
    """

    wall_s: float = 3.0
    cpu_s: int | None = None
    memory_bytes: int = 512 << 20
    output_bytes: int = 1 << 20
    processes: int = 64
    files: int = 64
    compile_s: float = 20.0

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is None and f.name == "cpu_s":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1 << 50:
                raise ValueError(f"{f.name} must be a positive number, got {value!r}")

    @property
    def cpu_seconds(self) -> int:
        """The limit on processor time that is enforced."""
        return self.cpu_s if self.cpu_s is not None else int(-(-self.wall_s // 1)) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Code, and the problem's own preamble: imports and helpers it may build on, or the head of the
    function whose body it is.
    """

    code: str
    before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Run a program once: its stdin in, its stdout out.

    The first of ``sources`` that reads as code is run. ``language`` is python, bash, javascript or cpp.
    """

    sources: tuple[Source, ...]
    stdin: str = ""
    language: str = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Call ``entry_point`` once with each of ``arguments`` (positional) and, where given, ``keywords``.

    An answer may be at most ``answer_bytes`` long. With ``stop_early`` the first call that raises ends the
    run.
    """

    sources: tuple[Source, ...]
    entry_point: str
    arguments: tuple[tuple[Any, ...], ...]
    keywords: tuple[dict[str, Any], ...] = ()
    stop_early: bool = True
    answer_bytes: int = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Run ``tests`` in a process of their own, against a proxy of the solution.

    ``setup`` is the problem's own code that both sides may use (the prompt of HumanEval). With
    ``stop_early`` the first failing test ends the run.
    """

    sources: tuple[Source, ...]
    tests: str
    entry_point: str = ""
    setup: str = ""
    stop_early: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Run a special checker, ``check(stdin, stdout, expected) -> bool or number``, on an output."""

    checker: str
    stdin: str
    stdout: str
    expected: str


Job: TypeAlias = Program | Calls | Trial | Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What a sandbox run did.

    ``error`` says why it ended as it did. ``values`` holds one item for each call that was answered:
    tagged plain data (:mod:`referee.sandbox.inside.wire`), never a live object. ``report`` is the
    judge's: tests passed and total, and the failures. ``cpu_s`` and ``peak_bytes`` are None where the
    process was not waited for. ``waited_s`` is how long what was late had to wait for a processor.
    """

    outcome: Outcome
    error: str = ""
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    wall_s: float = 0.0
    cpu_s: float | None = None
    peak_bytes: int | None = None
    waited_s: float = 0.0
    values: tuple[Any, ...] = ()
    report: dict[str, Any] = field(default_factory=dict)


OnValue: TypeAlias = Callable[[int, Any], bool]


@runtime_checkable
class Sandbox(Protocol):
    """Something that runs jobs: the embedded default, Docker, or a remote service."""

    @property
    def workers(self) -> int:
        """How many jobs it runs at a time; more wait."""
        ...

    def execute(self, job: Job, *, limits: Limits = ..., on_value: OnValue | None = None) -> Execution:
        """Run one job. Never raises for what the job does: a sandbox that is down is an outcome.

        ``on_value(index, value)`` is told each answered call of :class:`Calls`; False ends the run. A run
        that is made once more, for the machine's sake, tells from the first on again.
        """
        ...

    def close(self) -> None:
        """End what it keeps running; the next job starts it again."""
        ...
