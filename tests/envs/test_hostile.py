"""Attacks on families that run what they are given, named by their trick, and what each would gain."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from referee.envs.families import family
from referee.envs.families.countdown import evaluate, solve
from referee.envs.families.regular import Overrun, parse
from referee.envs.families.sqlite_bounded import QueryError, QueryLimit
from referee.envs.families.sudoku4 import count
from referee.verifiers.records import Completion, Problem, Reason, Verdict

SQL = family("sql_query")
REGEX = family("regex_synthesis")
SUMS = family("arithmetic")
COUNT = "SELECT COUNT(*) FROM people WHERE city = 'Oslo'"


def sql(query: str) -> Verdict:
    return SQL(Completion(text=query), SQL.problem(0, 0, 1))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM people; DROP TABLE people",
        "WITH x AS (SELECT 1) DELETE FROM people",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT writefile('/tmp/x', 'y')",
        "SELECT readfile('/etc/passwd')",
        "SELECT hex(randomblob(1000000000))",
        "SELECT zeroblob(1000000000)",
        "SELECT printf('%.1000000000d', 1)",
        "SELECT * FROM sqlite_dbpage",
        "SELECT * FROM pragma_database_list",
        "select \x00",
        "SELECT '\ud800'",
    ],
)
def test_a_query_that_does_more_than_read_scores_zero(query: str) -> None:
    verdict = sql(query)
    assert verdict.score == 0.0


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c",
        "SELECT COUNT(*) FROM people a, people b, people c, people d, people e, people f, people g, people h",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5000) SELECT x FROM c",
    ],
)
def test_a_query_without_end_is_stopped_by_its_steps_or_rows(query: str) -> None:
    started = time.perf_counter()
    verdict = sql(query)
    assert verdict.reason is Reason.RESOURCE_LIMIT
    assert verdict.score == 0.0
    assert time.perf_counter() - started < 5


def test_the_shown_answer_as_a_constant_fails_on_the_hidden_table() -> None:
    """It would gain every question whose answer can be read off the prompt."""
    from referee.envs.families.sql_query import _database, run_query

    paid = 0
    for index in range(50):
        problem = SQL.problem(9, index, 1)
        assert isinstance(problem.info["tables"], list)
        ((value,),) = run_query(_database(problem.info["tables"][0]), str(problem.answer))
        paid += SQL(Completion(text=f"SELECT {value}"), problem).score == 1.0
    assert paid == 0


def test_a_bad_reference_query_abstains() -> None:
    problem = SQL.problem(0, 0, 1)
    broken = Problem(prompt=problem.prompt, answer="SELECT nothing FROM nowhere", info=problem.info)
    assert SQL(Completion(text="SELECT 1"), broken).reason is Reason.BAD_REFERENCE
    assert issubclass(QueryError, ValueError)
    assert not issubclass(QueryLimit, QueryError)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "((a*)*)*",
        "(a|a)*",
        "(((a{20}){20}){20})",
        "((.*)(.*)(.*)(.*))*",
        "(" * 100,
        "[" * 100,
        "a{999999}",
    ],
)
def test_a_pattern_that_backtracks_elsewhere_is_decided_at_once(pattern: str) -> None:
    node = parse(pattern)
    started = time.perf_counter()
    if node is not None:
        with suppress(Overrun):
            node.matches("a" * 30 + "b")
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a*b", ["b", "aab"], ["a", "abb", ""]),
        ("(ab|c)+", ["ab", "cab"], ["", "a", "ba"]),
        ("[a-c]{2,3}", ["ab", "ccc"], ["a", "abcd", "ad"]),
        ("[^a]?", ["", "b"], ["a", "bb"]),
        (r"a\.b", ["a.b"], ["axb"]),
        (r"\d+", ["12"], ["a", ""]),
        ("a{2}", ["aa"], ["a", "aaa"]),
        ("a{2,}", ["aa", "aaaa"], ["a"]),
        ("", [""], ["a"]),
        ("a|", ["a", ""], ["b"]),
        ("(?:ab)*", ["", "abab"], ["aba"]),
    ],
)
def test_a_pattern_means_what_it_means_elsewhere(pattern: str, yes: list[str], no: list[str]) -> None:
    import re

    node = parse(pattern)
    assert node is not None
    for text in yes + no:
        assert node.matches(text) is (text in yes) is (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize(
    "pattern", ["a)", "(a", "*a", "a{2", "a{3,2}", "[b-a]", "[]", r"\b", "(?=a)", r"(a)\1", "a{x}"]
)
def test_what_is_not_in_the_grammar_is_no_pattern(pattern: str) -> None:
    assert parse(pattern) is None


def test_listing_the_strings_does_not_pay() -> None:
    """It would gain every regex problem without a thought."""
    for index in range(40):
        problem = REGEX.problem(3, index, 3)
        assert isinstance(problem.info["yes"], list)
        assert REGEX(Completion(text="|".join(map(str, problem.info["yes"]))), problem).score == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "5 6 7",
        "1, 2, 3",
        "5 or 6",
        "__import__('os')",
        "5+0",
        "³",
        "5" * 100_000,
        "\\boxed{6} and \\boxed{5}",
        "0x5",
    ],
)
def test_a_hedge_or_an_expression_is_no_number(text: str) -> None:
    problem = Problem(prompt="2+3=", answer="5", info={"family": "arithmetic", "level": 0})
    assert SUMS(Completion(text=text), problem).score == 0.0


@pytest.mark.parametrize(
    ("text", "paid"),
    [
        ("5", 1.0),
        ("+5", 1.0),
        ("**5**", 1.0),
        ("$5$", 1.0),
        ("5.", 1.0),
        ("The answer is 5", 1.0),
        ("Answer: 5", 1.0),
        ("First 6.\n\\boxed{5}", 1.0),
        ("<answer>5</answer>", 1.0),
        ("<think>6</think>5", 1.0),
        ("Not \\boxed{6}, I was wrong: \\boxed{5}", 1.0),
        ("\\boxed{5}, \\boxed{5}", 1.0),
        ("<think>5", 0.0),
        ("5\nNo, 6", 0.0),
        ("<think>5</think>", 0.0),
    ],
)
def test_where_the_final_answer_stands(text: str, paid: float) -> None:
    problem = Problem(prompt="2+3=", answer="5", info={"family": "arithmetic", "level": 0})
    assert SUMS(Completion(text=text), problem).score == paid


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6/(1-3/4)", 24),
        ("1+2*3", 7),
        ("2-3-4", -5),
        ("8/4/2", 1),
        ("(1)", 1),
        ("1/0", None),
        ("1+", None),
        ("2**3", None),
        ("(1", None),
        ("1)", None),
        ("-1", None),
        ("1 2", None),
        ("__import__('os')", None),
        ("(" * 10_000, None),
        ("", None),
    ],
)
def test_an_expression_is_read_by_our_own_parser(text: str, value: int | None) -> None:
    found = evaluate(text)
    assert (found[0] if found else None) == value


@pytest.mark.parametrize(
    "answer", ["24", "46", "4*6", "1*4*6", "(1+1)*4*6", "4!", "4*6+1-1 = 25", "4**2+6+1+1"]
)
def test_countdown_takes_each_number_once_and_nothing_else(answer: str) -> None:
    problem = family("countdown").puzzle([1, 1, 4, 6], 24)  # type: ignore[attr-defined]
    assert family("countdown")(Completion(text=answer), problem).score == 0.0
    assert family("countdown")(Completion(text="4*6+1-1 = 24"), problem).score == 1.0


def test_the_solver_finds_what_needs_fractions_and_knows_what_cannot_be() -> None:
    assert evaluate(solve([1, 3, 4, 6], 24) or "") is not None
    assert solve([1, 1, 1, 1], 24) is None


def test_a_sudoku_with_two_solutions_is_counted_as_such() -> None:
    assert count([0] * 16) == 2
    for index in range(20):
        problem = family("sudoku4").problem(0, index, 4)
        assert count(list(problem.info["grid"])) == 1  # type: ignore[arg-type]


def test_knights_and_knaves_have_one_solution() -> None:
    from itertools import product

    it = family("knights_and_knaves")
    for index in range(20):
        problem = it.problem(0, index, index % 3)
        names = "ABCDEF"[: 2 + index % 3]
        answers = [" ".join(kinds) for kinds in product(("knight", "knave"), repeat=len(names))]
        assert sum(it(Completion(text=a), problem).score or 0.0 for a in answers) == 1.0
