"""reasoning-gym's tasks: safe, bounded, and never paying for nonsense."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("reasoning_gym")

from referee.envs.laws import check_env
from referee.envs.reasoning_gym_adapter import ReasoningGym
from referee.envs.reasoning_gym_worker import GRAMMARS, LITERAL, allowed
from referee.verifiers.records import Completion, Reason, Verdict

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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_task_that_has_a_reference_pays_it_or_says_why_not() -> None:
    from reasoning_gym.factory import DATASETS

    known = {"arc_agi", "rearc", "coin_flip", "game_of_life_halting"}
    for task in sorted(set(DATASETS) - {"composite"}):
        it = ReasoningGym(task=task)
        problem = it.problem(1, 0)
        gold = it.gold(problem)
        verdict = it(Completion(text=gold), problem)
        assert verdict.score == 1.0 or not gold or task in known, (task, verdict)
