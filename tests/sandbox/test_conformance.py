"""Every backend passes every named check, also where this process is nobody."""

from __future__ import annotations

import pytest

from referee.sandbox.suite import CHECKS, conformance


@pytest.mark.parametrize("name", CHECKS)
def test_each_backend_conforms(name, sandbox):
    [result] = conformance(sandbox, only=(name,))
    assert result.passed, result.found


def test_a_check_that_is_not_there_is_refused(embedded):
    with pytest.raises(ValueError, match="only must name checks, got 'x'"):
        conformance(embedded, only=("x",))


def test_an_unprivileged_user_has_a_sandbox_too(as_nobody):
    code = (
        "from referee.sandbox import Embedded, conformance\n"
        "print([(r.name, r.found) for r in conformance(Embedded(workers=1, namespaces=%r)) if not r.passed])"
    )
    runs = [as_nobody(code % namespaces) for namespaces in (True, False)]
    for output in [run.communicate(timeout=300)[0] for run in runs]:
        assert output.strip() == "[]"
