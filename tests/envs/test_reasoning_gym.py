"""reasoning-gym's tasks: safe, bounded, and never paying for nonsense."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("reasoning_gym")

from referee.envs.laws import check_env
from referee.envs.reasoning_gym_adapter import ReasoningGym
from referee.envs.reasoning_gym_worker import (
    GRAMMARS,
    LITERAL,
    allowed,
    fills_goals,
    makes_24,
    restored,
    shape_of,
)
from referee.verifiers.jsonl import dumps, loads
from referee.verifiers.records import Completion, Problem, Reason, Verdict

HOSTILE = "__import__('os').system('touch {path}')"


def judge(task: str, text: str, index: int = 0) -> Verdict:
    it = ReasoningGym(task=task)
    return it(Completion(text=text), it.problem(0, index))


@pytest.mark.parametrize(
    "task", ["basic_arithmetic", "chain_sum", "spiral_matrix", "countdown", "polynomial_multiplication"]
)
def test_a_task_keeps_the_laws_of_a_family(task: str) -> None:
    assert check_env(ReasoningGym(task=task), count=5) == []


@pytest.mark.parametrize("task", sorted({*LITERAL, *GRAMMARS}))
def test_no_answer_is_executed(task: str, tmp_path: Path) -> None:
    target = tmp_path / "forged"
    verdict = judge(task, HOSTILE.format(path=target))
    assert verdict.score == 0.0
    assert not target.exists()


@pytest.mark.parametrize("task", ["game_of_life_halting", "coin_flip"])
def test_a_scorer_that_pays_for_nonsense_abstains(task: str) -> None:
    it = ReasoningGym(task=task)
    verdict = it(Completion(text="anything at all"), it.problem(1, 0))
    assert verdict.reason is Reason.BAD_REFERENCE
    assert "pays in full" in str(verdict.detail["error"])


def test_partial_credit_for_a_wrong_answer_is_not_paid_unless_asked_for() -> None:
    strict = ReasoningGym(task="countdown")
    problem = strict.problem(0, 0)
    assert strict(Completion(text="1+1"), problem).score == 0.0
    loose = ReasoningGym(task="countdown", strict=False)
    assert loose(Completion(text="1+1"), problem).score == 0.05
    assert loose(Completion(text=""), problem).score == 0.0


def test_a_completion_that_makes_the_scorer_run_for_ever_scores_zero_in_bounded_time() -> None:
    it = ReasoningGym(task="countdown", deadline_s=2.0)
    problem = it.problem(0, 0)
    it(Completion(text="1"), problem)  # the worker has started
    started = time.perf_counter()
    verdict = it(Completion(text="9**9**9**9**9"), problem)
    assert time.perf_counter() - started < 60
    assert verdict.score == 0.0
    assert it(Completion(text=it.gold(problem)), problem).score == 1.0  # and goes on


def test_a_scorer_that_raises_on_junk_is_the_completions_fault() -> None:
    for task in ("spiral_matrix", "polynomial_multiplication"):
        assert judge(task, "[[[").score == 0.0


def test_streams_of_neighbouring_seeds_share_no_problem() -> None:
    it = ReasoningGym(task="chain_sum")
    first = {it.problem(0, i).prompt for i in range(20)}
    second = {it.problem(1, i).prompt for i in range(20)}
    assert not first & second


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="task must be one that reasoning-gym can make, got 'nonsense'"):
        ReasoningGym(task="nonsense").problem(0, 0)
    with pytest.raises(ValueError, match="deadline_s must be above 0"):
        ReasoningGym(task="chain_sum", deadline_s=0)
    with pytest.raises(ValueError, match="level must be 0"):
        ReasoningGym(task="chain_sum").problem(0, 0, 1)


@pytest.mark.parametrize(
    ("task", "answer", "fine"),
    [
        ("countdown", "(3+4)*5 - 6/2", True),
        ("countdown", "int(3)", False),
        ("countdown", "3 .real", False),
        ("polynomial_multiplication", "3*x**2 - 4*y + 1", True),
        ("simple_integration", "sin(x)/2 + C", True),
        ("simple_integration", "x.__class__", False),
        ("simple_integration", "lambdify(x)", False),
        ("simple_integration", "S('x')", False),
        ("simple_integration", "x if x else y", False),
        ("chain_sum", "anything", True),
        ("chain_sum", "9" * 30_000, False),
    ],
)
def test_the_grammar_of_what_sympy_may_see(task: str, answer: str, fine: bool) -> None:
    assert allowed(task, answer) is fine


@pytest.mark.parametrize("task", ["graph_color", "rubiks_cube", "propositional_logic"])
def test_a_task_without_a_reference_is_judged_by_its_rules(task: str) -> None:
    it = ReasoningGym(task=task)
    problem = it.problem(3, 0)
    assert problem.answer is None
    assert it(Completion(text=it.gold(problem)), problem).score == 1.0
    assert it(Completion(text="[[["), problem).score == 0.0
    assert it(Completion(text="nothing"), problem).score == 0.0


def test_what_raises_in_a_scorer_without_a_reference_is_the_completions_fault() -> None:
    for task in ("boxnet", "rush_hour"):
        for text in ("[[[", "{}", '{"a": 1}', "[1]", "F+1", "null"):
            assert judge(task, text).score == 0.0, (task, text)


@pytest.mark.parametrize("task", ["arc_agi", "rearc"])
def test_tuples_reach_the_scorer_as_tuples(task: str) -> None:
    it = ReasoningGym(task=task)
    problem = loads(Problem, dumps(it.problem(3, 0)))
    assert it(Completion(text=it.gold(problem)), problem).score == 1.0
    assert it(Completion(text=it.gold(it.problem(3, 1))), problem).score == 0.0


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.dictionaries(st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(value=_VALUES)
def test_nothing_is_lost_on_the_way_through_json(value: object) -> None:
    shape = json.loads(json.dumps(shape_of(value)))
    back = restored(json.loads(json.dumps(value)), shape)
    assert back == value
    assert repr(back) == repr(value)


@pytest.mark.parametrize("task", ["puzzle24", "sokoban"])
def test_no_other_puzzles_answer_is_paid(task: str) -> None:
    it = ReasoningGym(task=task)
    problems = [it.problem(11, i) for i in range(8)]
    golds = [it.gold(p) for p in problems]
    for i, problem in enumerate(problems):
        paid = [g for g in golds if it(Completion(text=g), problem).score == 1.0]
        assert set(paid) == {golds[i]}


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("6*(5-1)*1", True), ("1*6*(5-1)", True), ("-6*(1-5)*1", True), ("6*4*1*1", False), ("6*(5-1)", False),
        ("6*(5-1)*1*1", False), ("6*(5-1)*1 + 0", False), ("6*(5-1)**1", False), ("(6*(5-1)*1)//1", False),
        ("6(5-1)*1", False), ("24", False), ("6*(5-1", False), ("(" * 3000 + "6", False), ("6/(5-5)*1", False),
        ("", False), ("6.0*(5-1)*1", False),
    ],
)  # fmt: skip
def test_24_is_made_of_the_puzzles_own_numbers(answer: str, right: bool) -> None:
    assert makes_24(answer, {"numbers": [6, 5, 1, 1]}) is right


def test_a_fraction_is_not_cut_to_24() -> None:
    assert not makes_24("9*8/3+1/2", {"numbers": [9, 8, 3, 1, 2]})
    assert makes_24("8/(3-8/3)", {"numbers": [8, 3, 8, 3]})


@pytest.mark.parametrize(
    ("moves", "right"),
    [("R", True), ("RL", True), ("LRR", False), ("UR", False), ("r", False), ("R!", False), ("", False)],
)
def test_a_box_is_pushed_by_moves_that_can_be_made(moves: str, right: bool) -> None:
    assert fills_goals(moves, {"gamestr": "+ + + + + \n+ * @ X + \n+ + + + + \n"}) is right


# What reasoning-gym 0.1.25 itself has no way to judge, or shows no solution of.
BROKEN = {"coin_flip": "pays 0 in full", "game_of_life_halting": "pays any text in full"}
NO_EXAMPLE = {"boxnet", "rush_hour"}
# A conclusion may follow from other premises too, a colouring suit another graph.
TRUE_OF_OTHERS = {"propositional_logic", "graph_color"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_task_pays_its_gold_and_no_other_problems() -> None:
    from reasoning_gym.factory import DATASETS

    tasks = sorted(set(DATASETS) - {"composite"})
    assert len(tasks) > 100
    for task in set(tasks) - set(BROKEN) - NO_EXAMPLE:
        it = ReasoningGym(task=task)
        problems = [it.problem(1, i) for i in range(3)]
        golds = [it.gold(p) for p in problems]
        for problem, gold in zip(problems, golds, strict=True):
            if "Integral(" in gold:  # not integrated upstream: to take it would pay for the question
                assert it(Completion(text=gold), problem).score == 0.0
                continue
            assert it(Completion(text=gold), problem).score == 1.0, (task, gold)
            others = [
                g for g, p in zip(golds, problems, strict=True) if g != gold and p.prompt != problem.prompt
            ]
            paid = [g for g in others if it(Completion(text=g), problem).score == 1.0]
            assert not paid or task in TRUE_OF_OTHERS, (task, problem.prompt[-200:], paid)
