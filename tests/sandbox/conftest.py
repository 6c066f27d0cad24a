"""The sandboxes that the tests run against: one of each backend that this machine can have."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from referee.sandbox import Docker, Embedded

ROOT = Path(__file__).resolve().parents[2]


def _engine_module():
    spec = importlib.util.spec_from_file_location("sandbox_engine", Path(__file__).with_name("engine.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["sandbox_engine"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def engine():
    """The address of a Docker engine; without one the test is skipped, with the reason."""
    module = _engine_module()
    try:
        with module.engine() as address:
            yield address
    except module.NoEngine as e:
        pytest.skip(str(e))


@pytest.fixture(scope="session")
def embedded():
    box = Embedded(workers=1)
    yield box
    box.close()


@pytest.fixture(scope="session")
def landlocked():
    box = Embedded(workers=1, namespaces=False)
    yield box
    box.close()


@pytest.fixture(scope="session")
def docker(engine):
    box = Docker(workers=1, engine=engine)
    box.start()
    yield box
    box.close()


@pytest.fixture(scope="session")
def latest():
    """The seconds by which a sample under a limit must be decided: a busy machine's wait comes on top."""

    def seconds(wall_s: float) -> float:
        return (4 * wall_s if os.getloadavg()[0] > len(os.sched_getaffinity(0)) else wall_s) + 0.5

    return seconds


BACKENDS = ["embedded", "landlocked", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(scope="session", params=BACKENDS)
def sandbox(request):
    """Each backend in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def as_nobody():
    """A function that starts Python code as an unprivileged user, with a copy of the sandbox to import."""
    if os.geteuid() != 0:
        pytest.skip("only root can become an unprivileged user")
    if not os.path.exists("/usr/bin/python3.11"):
        pytest.skip("there is no /usr/bin/python3.11")
    home = Path("/var/tmp") / f"referee-{os.getpid()}"
    package = home / "referee"
    shutil.copytree(ROOT / "sandbox", package / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()

    def start(code: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/usr/bin/python3.11", "-c", code],
            cwd=home,
            env={"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
            user=65534,
            group=65534,
            extra_groups=[],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    yield start
    shutil.rmtree(home)
