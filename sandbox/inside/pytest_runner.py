"""Runs a module's tests by pytest itself, where it is preloaded: fixtures, ``capsys`` and the rest."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from referee.sandbox.inside.runners import finish
from referee.sandbox.inside.tally import CheckTally

_OPTIONS = ["--capture=sys", "--noconftest"]
for _off in ("cacheprovider", "faulthandler", "terminal", "logging", "junitxml", "pastebin"):
    _OPTIONS += ["-p", f"no:{_off}"]
_OPTIONS += ["-c", os.devnull, "--rootdir=/"]


def run_module(run: CheckTally, module: ModuleType) -> None:
    """Run every test of a module as pytest collects them; each that it reports is one check."""
    import _pytest.config

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugin = _plugin(run, module)
    status = 3
    with run.check(counts=False):
        options = [*_OPTIONS, *(["-x"] if run.stop_early else [])]
        status = _pytest.config.main(options, plugins=[plugin])
    if plugin.collected is None or not run.remote.calls:
        if status not in (0, 1, 5):
            run.refused = run.refused or f"pytest could not run the tests: exit status {int(status)}"
        return
    missing = plugin.collected - plugin.finished
    if missing and not run.stopped:
        for _ in range(1 if run.stop_early else missing):
            run.add(passed=False)  # what the solution did ended pytest itself


def _plugin(run: CheckTally, module: ModuleType) -> Any:
    import pytest
    from _pytest.fixtures import FixtureLookupError

    class Module(pytest.Module):
        def _getobj(self) -> ModuleType:
            return module

    class Plugin:
        collected: int | None = None
        finished = 0
        calls = 0
        failure: Any = None
        skipped = False

        def pytest_collection(self, session: Any) -> bool:
            top = Module.from_parent(session, path=Path("/tests.py"))
            session.items = list(session.genitems(top))
            session.testscollected = self.collected = len(session.items)
            return True

        def pytest_pyfunc_call(self, pyfuncitem: Any) -> bool:
            names = pyfuncitem._fixtureinfo.argnames
            finish(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
            return True

        def pytest_runtest_logstart(self) -> None:
            self.calls, self.failure, self.skipped = run.remote.calls, None, False

        def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
            if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
                self.failure = run.describe(call.excinfo.value, item.name)
                if isinstance(call.excinfo.value, FixtureLookupError):
                    run.refused = f"{item.name}: {str(call.excinfo.value)[:300]}"

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.skipped and run.remote.calls == self.calls:
                self.skipped = True
            elif report.passed and hasattr(report, "wasxfail"):
                pass
            if report.when == "teardown":
                self.finished += 1
            elif report.passed:
                return
            if report.failed or (report.skipped and not hasattr(report, "wasxfail") and not self.skipped):
                self.failure = self.failure or {"test": report.nodeid, "line": 0, "error": "it was skipped"}
                run.error = run.error or str(self.failure["error"])
            elif report.skipped and hasattr(report, "wasxfail"):
                self.failure = None
            if report.when == "teardown" and (self.failure is not None or not self.skipped):
                run.add(passed=self.failure is None, failure=self.failure)

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed and not run.remote.calls:
                run.refused = f"pytest cannot collect the tests: {str(report.longrepr)[-300:]}"

    return Plugin()
