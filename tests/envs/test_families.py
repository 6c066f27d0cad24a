"""Every family keeps the laws, and no text makes a verifier raise or pays more than it is worth."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referee.envs.families import FAMILIES, family
from referee.envs.laws import check_env
from referee.verifiers.protocol import as_verdict
from referee.verifiers.records import Completion

QUICK = 50
SANDBOXED = {"code_function", "code_stdin"}  # each verdict starts processes
COSTLY = {"regex_synthesis", "sql_query", "tic_tac_toe"}  # their generators search
MANY = 1000


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("terse", [False, True], ids=["words", "terse"])
def test_a_family_keeps_the_laws(name: str, terse: bool) -> None:
    count = 3 if name in SANDBOXED else 12 if terse or name in COSTLY else QUICK
    assert check_env(family(name, terse=terse), count=count) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FAMILIES)
def test_gold_scores_one_on_a_thousand_seeds(name: str) -> None:
    it = family(name)
    for seed in range(MANY):  # a new stream each time
        problem = it.problem(seed, 0, seed % it.levels)
        assert as_verdict(it(Completion(text=it.gold(problem)), problem), it).score == 1.0, problem


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - SANDBOXED))
@settings(max_examples=30)
@given(data=st.data())
def test_no_text_makes_a_family_raise(name: str, data: st.DataObject) -> None:
    it = family(name)
    index = data.draw(st.integers(0, 1000))
    problem = it.problem(5, index, index % it.levels)
    text = data.draw(st.text() | st.text("0123456789 ,.()+-*/=[]{}<>\\\n"))
    verdict = as_verdict(it(Completion(text=text), problem), it)
    assert verdict.score is not None
    assert 0.0 <= verdict.score <= 1.0


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_survives_pickling_and_compares_by_value(name: str) -> None:
    it = family(name)
    again = pickle.loads(pickle.dumps(it))
    assert again == it
    assert again.problem(3, 4, 0) == it.problem(3, 4, 0)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("wrapped", ["<think>hm</think>\n{}", "So:\n\n{}", "{}\n"])
def test_a_gold_answer_after_some_thinking_still_scores_one(name: str, wrapped: str) -> None:
    it = family(name)
    if name in MULTI_LINE and wrapped.startswith("So"):
        pytest.skip("its answer has lines of its own")
    problem = it.problem(0, 0, 0)
    assert it(Completion(text=wrapped.format(it.gold(problem))), problem).score == 1.0


MULTI_LINE = {"guess_number", "hangman", "twenty_questions", "tic_tac_toe"}


@pytest.mark.parametrize("level", [-1, 99])
def test_a_level_that_a_family_does_not_have_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=f"level must be from 0 to 5 in arithmetic, got {level}"):
        family("arithmetic").problem(0, 0, level)


def test_an_unknown_family_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"family must be one of .*arithmetic.*, got 'nonsense'"):
        family("nonsense")


@pytest.mark.parametrize("name", sorted(SANDBOXED))
@pytest.mark.parametrize(
    "text", ["\x00", "def solve(x):", "```python\nwhile True: pass\n```", "é\ud800", "]["]
)
def test_no_text_makes_a_sandboxed_family_raise(name: str, text: str) -> None:
    it = family(name)
    assert as_verdict(it(Completion(text=text), it.problem(0, 0)), it).score == 0.0


def test_there_are_at_least_twenty_three_families() -> None:
    assert len(FAMILIES) >= 23


def test_a_public_name_is_never_hidden_by_a_module_of_its_name() -> None:
    """Importing a submodule sets an attribute of its name on the package, over a lazy function's."""
    import importlib
    from pathlib import Path

    import referee.envs

    modules = {path.stem for path in Path(referee.envs.__path__[0]).glob("*.py")} | {"families"}
    assert not modules & set(referee.envs.__all__)
    for module in modules - {"__init__", "reasoning_gym_worker"}:
        importlib.import_module(f"referee.envs.{module}")
    assert callable(referee.envs.family)
