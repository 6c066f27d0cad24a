"""What the checks of one run come to, counted as they are made."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from referee.sandbox.inside import rewriting
from referee.sandbox.inside.proxy import SolutionGone, SolutionProxy
from referee.sandbox.inside.raised import SteeredByIt
from referee.sandbox.inside.wire import Tree

MOST_SHOWN = 20
ERRORS = (Exception, SteeredByIt)


class CheckTally:
    """The checks that passed, of how many, and what failed.

    ``entered`` names the functions that ran, ``failed`` those of them that raised.
    """

    def __init__(self, remote: SolutionProxy, source: str, *, stop_early: bool) -> None:
        self.remote = remote
        self.source = source
        self.stop_early = stop_early
        self.passed = 0
        self.total = 0
        self.failures: list[Tree] = []
        self.error = ""
        self.refused = ""  # why the tests cannot be run, whatever the solution
        self.entered: set[str] = set()
        self.failed: dict[str, dict[str, Tree]] = {}
        self._entries = 0
        self._begun = 0, 0  # entries and checks when the statement began

    @property
    def stopped(self) -> bool:
        """True where the first failure ends the run, and there was one."""
        return bool(self.stop_early and self.passed < self.total)

    def add(self, *, passed: bool, failure: dict[str, Tree] | None = None) -> None:
        """Count one check."""
        self.total += 1
        self.passed += passed
        if failure is not None and len(self.failures) < MOST_SHOWN:
            self.failures.append(dict(failure))

    def names(self) -> dict[str, Any]:
        """Return what rewritten tests call."""
        return {
            rewriting.WATCH: lambda name: _Watch(self, name),
            rewriting.BEGIN: self._begin,
            rewriting.PASSED: lambda line: self.add(passed=True),
            rewriting.FAILED: self._failed,
            rewriting.DONE: self._done,
            rewriting.BROKE: self._broke,
            rewriting.ERRORS: ERRORS,
        }

    @contextmanager
    def check(self, name: str = "", *, counts: bool = True) -> Iterator[None]:
        """Count what runs within as one check; with ``counts`` False only where it fails."""
        calls = self.remote.calls
        try:
            yield
        except BaseException as e:  # noqa: BLE001  # SystemExit too: the tests may end themselves
            if isinstance(e, SystemExit) and not isinstance(e, SteeredByIt) and e.code in (None, 0, False):
                if counts:
                    self.add(passed=True)
            elif not (is_skip(e) and self.remote.calls == calls):
                self.error = str(e) if isinstance(e, SolutionGone) else f"{type(e).__name__}: {e}"[:500]
                self.add(passed=False, failure=self.describe(e, name))
        else:
            if counts:
                self.add(passed=True)

    def describe(self, error: BaseException, name: str = "", line: int = 0) -> dict[str, Tree]:
        """Return the failing line of the tests, the error, and the call that came last."""
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == "<tests>"]
        line = line or (lines[-1] if lines and lines[-1] else 0)
        text = self.source.splitlines()
        shown = text[line - 1].strip()[:300] if 0 < line <= len(text) else ""
        return {
            "test": name or shown,
            "line": line,
            "error": f"{type(error).__name__}: {error}".removesuffix(": ")[:500],
            "last_call": self.remote.last[:500],
        }

    def swallowed(self, names: set[str]) -> None:
        """Count the tests that the module ran by itself, where it forgot their failures."""
        if not self.total:
            for _ in names & self.entered - self.failed.keys():
                self.add(passed=True)
        if self.total == self.passed:
            for name in sorted(names & self.failed.keys()):
                self.add(passed=False, failure=self.failed[name])
                self.error = self.error or str(self.failed[name]["error"])

    def enter(self, name: str) -> None:
        """Note that a function of the tests was entered."""
        self.entered.add(name)
        self._entries += 1

    def _begin(self) -> None:
        self._begun = self._entries, self.total

    def _done(self, line: int) -> None:
        entries, total = self._begun
        if self._entries > entries and self.total == total:  # a function that counted nothing by itself
            self.add(passed=True)

    def _failed(self, line: int) -> None:
        error = sys.exc_info()[1]
        assert error is not None
        self.error = self.error or f"{type(error).__name__}: {error}"[:500]
        self.add(passed=False, failure=self.describe(error, line=line))

    def _broke(self, line: int) -> None:
        error = sys.exc_info()[1]
        assert error is not None
        self.error = self.error or f"{type(error).__name__}: {error}"[:500]
        if len(self.failures) < MOST_SHOWN:
            self.failures.append(dict(self.describe(error, line=line)))


def is_skip(error: BaseException) -> bool:
    """Tell whether a test says that it should not have been run."""
    return type(error).__name__ in ("SkipTest", "Skipped") and type(error).__module__ in (
        "unittest.case", "_pytest.outcomes", "pytest",
    )  # fmt: skip


class _Watch:
    __slots__ = ("name", "tally")

    def __init__(self, tally: CheckTally, name: str) -> None:
        self.tally = tally
        self.name = name

    def __enter__(self) -> None:
        self.tally.enter(self.name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not is_skip(error) and not isinstance(error, GeneratorExit):
            self.tally.failed[self.name] = self.tally.describe(error, self.name)
