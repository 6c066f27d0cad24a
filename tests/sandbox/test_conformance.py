"""Every backend passes every named check, also where this process is nobody."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from referee.sandbox.suite import CHECKS, conformance

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", CHECKS)
def test_each_backend_conforms(name, sandbox):
    [result] = conformance(sandbox, only=(name,))
    assert result.passed, result.found


def test_a_check_that_is_not_there_is_refused(embedded):
    with pytest.raises(ValueError, match="only must name checks, got 'x'"):
        conformance(embedded, only=("x",))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an unprivileged user")
@pytest.mark.skipif(not os.path.exists("/usr/bin/python3.11"), reason="there is no /usr/bin/python3.11")
def test_an_unprivileged_user_has_a_sandbox_too(tmp_path_factory):
    home = Path("/var/tmp") / f"referee-{os.getpid()}"
    package = home / "referee"
    shutil.copytree(ROOT / "sandbox", package / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    code = (
        "from referee.sandbox import Embedded, conformance\n"
        "print([(r.name, r.found) for r in conformance(Embedded(workers=1, namespaces=%r)) if not r.passed])"
    )
    try:
        runs = [
            subprocess.Popen(
                ["/usr/bin/python3.11", "-c", code % namespaces],
                cwd=home,
                env={"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
                user=65534,
                group=65534,
                extra_groups=[],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for namespaces in (True, False)
        ]
        for output in [run.communicate()[0] for run in runs]:
            assert output.strip() == "[]"
    finally:
        shutil.rmtree(home)
