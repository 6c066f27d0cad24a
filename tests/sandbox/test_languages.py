"""Programs in other languages run by exec in a jailed process, with an outcome for each way of ending."""

from __future__ import annotations

import shutil

import pytest

from referee.sandbox import Limits, Outcome, Program, Source
from referee.sandbox.channel import ServerDown
from referee.sandbox.embedded import server_options, start
from referee.verifiers import Problem, UnitTests

NEEDS = {"bash": "bash", "javascript": "node", "cpp": "g++"}
DOUBLE = {
    "bash": "read n; echo $((n * 2))",
    "javascript": "console.log(2 * parseInt(require('fs').readFileSync(0, 'utf8')))",
    "cpp": "#include <iostream>\nint main() { long n; std::cin >> n; std::cout << 2 * n << '\\n'; }",
}
ENDS = {
    "bash": {
        "while true; do :; done": Outcome.TIMEOUT,
        "exit 3": Outcome.RAISED,
        "kill -9 $$": Outcome.KILLED,
    },
    "javascript": {
        "while (true) {}": Outcome.TIMEOUT,
        "throw 1": Outcome.RAISED,
        "process.exit(3)": Outcome.RAISED,
    },
    "cpp": {
        "int main() { while (true); }": Outcome.TIMEOUT,
        "int main() { return 3; }": Outcome.RAISED,
        "int main() { return *(volatile int *)0; }": Outcome.KILLED,
        "int main( {": Outcome.SYNTAX_ERROR,
    },
}
LANGUAGES = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(needs), reason=f"{needs} is not installed"))
    for name, needs in NEEDS.items()
]


def program(language: str, code: str, stdin: str = "") -> Program:
    return Program(sources=(Source(code=code),), stdin=stdin, language=language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_reads_its_stdin_and_writes_its_stdout(embedded, language):
    run = embedded.execute(program(language, DOUBLE[language], "21\n"), limits=Limits(wall_s=5))
    assert (run.outcome, run.stdout) == (Outcome.OK, "42\n"), run


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_way_of_ending_has_its_outcome(embedded, language):
    for code, outcome in ENDS[language].items():
        run = embedded.execute(program(language, code), limits=Limits(wall_s=1))
        assert run.outcome is outcome, (code, run)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_of_one_program_is_there_in_the_next(embedded, language):
    leave = {
        "bash": "echo x > /tmp/left; (sleep 60 &) ; echo ok",
        "javascript": "require('fs').writeFileSync('/tmp/left', 'x'); console.log('ok')",
        "cpp": '#include <fstream>\n#include <iostream>\nint main() { std::ofstream("/tmp/left") << 1; std::cout << "ok\\n"; }',
    }
    find = "if [ -e /tmp/left ]; then echo left; else echo none; fi"
    first = embedded.execute(program(language, leave[language]), limits=Limits(wall_s=5))
    assert (first.outcome, first.stdout) == (Outcome.OK, "ok\n"), first
    second = embedded.execute(program("bash", find))
    assert (second.outcome, second.stdout) == (Outcome.OK, "none\n"), second


@pytest.mark.skipif(not shutil.which("g++"), reason="g++ is not installed")
def test_a_program_that_follows_one_just_ended_is_not_taken_for_what_that_one_left(embedded):
    broken, leaves = program("cpp", "int main( {"), program("bash", "(sleep 60 &) ; echo ok")
    for _ in range(10):
        assert embedded.execute(broken).outcome is Outcome.SYNTAX_ERROR
        run = embedded.execute(leaves)
        assert (run.outcome, run.stdout) == (Outcome.OK, "ok\n"), run


def test_a_shell_reaches_no_network_no_shadow_file_and_no_other_process(embedded):
    code = (
        "cat /etc/shadow 2>/dev/null && echo read\n"
        "echo x 2>/dev/null > /dev/tcp/127.0.0.1/22 && echo connected\n"
        "kill -9 1 2>/dev/null && echo killed\n"
        "echo done\n"
    )
    assert embedded.execute(program("bash", code)).stdout == "done\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_cases_judge_other_languages(embedded, language):
    problem = Problem(info={"cases": [{"stdin": "4", "stdout": "8"}], "language": language})
    verifier = UnitTests(embedded, limits=Limits(wall_s=5))
    verdict = verifier(f"```{language}\n{DOUBLE[language]}\n```", problem)
    assert verdict.score == 1.0, verdict


def test_without_namespaces_they_are_refused_not_run_with_less():
    with pytest.raises(ServerDown, match="languages that are run by exec need namespaces"):
        start(server_options("program", (), isolation="none"))
