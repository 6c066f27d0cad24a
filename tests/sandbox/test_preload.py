"""Packages that the user names are there for the solution, imported ahead."""

from __future__ import annotations

import subprocess
import sys

import pytest

from referee.sandbox import Calls, Docker, Embedded, Outcome, Program, Source, Trial
from referee.verifiers import Problem, Reason, UnitTests


@pytest.fixture(scope="module")
def numerical():
    pytest.importorskip("numpy")
    box = Embedded(workers=1, preload=("numpy",))
    yield box
    box.close()


def test_numpy_computes_and_its_arrays_cross_as_lists(numerical):
    code = "import numpy as np\ndef f(x): return np.array(x) * np.float64(2)\n"
    run = numerical.execute(Calls(sources=(Source(code=code),), entry_point="f", arguments=(([1, 2],),)))
    assert run.outcome is Outcome.OK, run
    assert list(run.values) == [[2.0, 4.0]]


def test_tests_may_use_numpy_too(numerical):
    code = "import numpy as np\ndef f(n): return np.arange(n).sum()\n"
    tests = "import numpy as np\ndef check(candidate):\n    assert np.isclose(candidate(5), 10)\n"
    run = numerical.execute(Trial(sources=(Source(code=code),), tests=tests, entry_point="f"))
    assert run.outcome is Outcome.OK, run


@pytest.mark.slow
@pytest.mark.docker
def test_an_image_brings_what_is_preloaded(engine):
    pytest.importorskip("numpy")
    box = Docker(workers=1, engine=engine, preload=("numpy",))
    code = "import numpy as np\ndef f(n): return np.linalg.det(np.eye(n))\n"
    tests = "import numpy as np\ndef check(candidate):\n    assert np.isclose(candidate(5), 1)\n"
    run = box.execute(Trial(sources=(Source(code=code),), tests=tests, entry_point="f"))
    box.close()
    assert run.outcome is Outcome.OK, run


def test_preloaded_random_numbers_differ_from_run_to_run(numerical):
    draw = Program(sources=(Source(code="import random; print(random.random())"),))
    assert numerical.execute(draw).stdout != numerical.execute(draw).stdout


def test_random_numbers_differ_from_run_to_run_and_from_worker_to_worker(embedded):
    draw = Program(sources=(Source(code="import random; print(random.random())"),))
    assert len({embedded.execute(draw).stdout for _ in range(6)}) == 6


def test_a_package_that_is_not_installed_is_refused_at_construction():
    with pytest.raises(ImportError, match="pip install no_such_package"):
        Embedded(preload=("no_such_package",))


def test_without_preload_a_solution_cannot_import_what_is_installed_here(embedded):
    problem = Problem(info={"calls": [[[1], 1]], "entry_point": "f"})
    verdict = UnitTests(embedded)("import numpy\ndef f(x): return x\n", problem)
    assert (verdict.score, verdict.reason) == (0.0, Reason.INCORRECT)


def test_no_large_module_is_imported_by_the_fork_servers():
    code = (
        "import sys, types\n"
        "for name, path in (('referee', []), ('referee.sandbox', [sys.argv[1]])):\n"
        "    sys.modules[name] = types.ModuleType(name); sys.modules[name].__path__ = path\n"
        "from referee.sandbox.inside import solution, zygote\n"
        "print(*sorted({'socket', 'pathlib', 'inspect', 'ast', 'asyncio', 'subprocess', 'signal', 'threading'}"
        " & set(sys.modules)))"
    )
    folder = __import__("referee.sandbox").sandbox.__path__[0]
    done = subprocess.run(
        [sys.executable, "-s", "-S", "-P", "-c", code, folder], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_a_package_may_lie_where_the_samples_have_their_folders(tmp_path, monkeypatch):
    tmp_path.chmod(0o755)
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "__init__.py").write_text("X = 41")
    monkeypatch.syspath_prepend(tmp_path)
    box = Embedded(workers=1, preload=("packed",))
    code = "import os, packed\ntry: open(os.path.dirname(packed.__file__) + '/z', 'w')\nexcept OSError: print(packed.X)"
    try:
        assert box.execute(Program(sources=(Source(code=code),))).stdout == "41\n"
    finally:
        box.close()
