"""The audit finds what is wrong with a verifier, and nothing wrong with one that is right."""

from __future__ import annotations

import pytest

from referee.verifiers import Completion, Math, Numeric, Problem, audit
from referee.verifiers.probing import ATTACKS, HONEST, PROBES, overall

PROBLEMS = [Problem(prompt=f"How many are {n} and {n}?", answer=str(2 * n)) for n in range(3, 33)]


def contains(completion: Completion, problem: Problem) -> bool:
    return str(problem.answer) in completion.text


def always(completion: Completion, problem: Problem) -> float:
    return 1.0


def never(completion: Completion, problem: Problem) -> float:
    return 0.0


def absent(completion: Completion, problem: Problem) -> None:
    return None


def wrong(found: list[object]) -> set[str]:
    return {p.name for p in found if p.wrong}  # type: ignore[attr-defined]


def test_a_verifier_that_looks_for_the_reference_anywhere_is_fooled() -> None:
    fooled = wrong(audit(contains, PROBLEMS, workers=0))  # type: ignore[arg-type]
    assert {"only in the thinking", "hedge", "negated", "several answers"} <= fooled
    assert not fooled & {"empty", "blank", *(p.name for p in HONEST)}


def test_one_that_always_pays_fails_every_attack_and_no_honest_probe() -> None:
    found = audit(always, PROBLEMS, workers=0)
    assert wrong(found) == {p.name for p in ATTACKS}  # type: ignore[arg-type]
    fooled, tried, low, high = overall(found, honest=False)
    assert fooled == tried == len(ATTACKS) * len(PROBLEMS)
    assert low > 0.99
    assert high == 1.0


def test_one_that_never_pays_fails_every_honest_probe() -> None:
    assert wrong(audit(never, PROBLEMS, workers=0)) == {p.name for p in HONEST}  # type: ignore[arg-type]


def test_abstentions_are_neither() -> None:
    found = audit(absent, PROBLEMS, workers=0)
    assert not wrong(found)  # type: ignore[arg-type]
    assert all(p.abstained == len(PROBLEMS) and p.rate is None for p in found)


def test_math_is_not_fooled_and_misses_nothing() -> None:
    found = audit(Math(), PROBLEMS, workers=0)
    assert wrong(found) <= {"prompt echo"}  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_audit() -> None:
    assert audit(Numeric(), PROBLEMS, seed=3, workers=0) == audit(Numeric(), PROBLEMS, seed=3, workers=0)


def test_a_verifier_of_another_form_is_asked_in_it() -> None:
    found = audit(Numeric(extract="after:####"), PROBLEMS, template="\n#### {answer}\n", workers=0)
    honest = next(p for p in found if p.name == "stated")
    assert honest.wrong == 0


def test_what_cannot_be_audited_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two different references"):
        audit(never, [Problem(answer="3")], workers=0)
    with pytest.raises(ValueError, match=r"template must hold \{answer\}"):
        audit(never, PROBLEMS, template="nothing", workers=0)


def test_names_of_probes_differ() -> None:
    assert len({p.name for p in PROBES}) == len(PROBES)
