"""Mixtures keep their weights, and no problem is on both sides of a split."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.envs.families import family
from referee.envs.mixture import FamilySource, Mixture, Part, held_out, split
from referee.verifiers.records import Problem

SUMS = family("arithmetic", terse=True)


def problems(name: str, count: int) -> list[Problem]:
    return [Problem(prompt=f"{name}{i}") for i in range(count)]


def test_no_prompt_is_on_both_sides_even_where_a_family_has_only_a_hundred() -> None:
    sides = [
        {FamilySource(family=SUMS, split=side, seed=seed, share=0.3)(i).prompt for i in range(400)}
        for side, seed in (("train", 0), ("heldout", 1))
    ]
    assert not sides[0] & sides[1]
    assert len(sides[0]) + len(sides[1]) == 100  # every sum of two digits is on one of them


@given(st.text(), st.floats(0.01, 0.99))
def test_equal_prompts_fall_on_the_same_side(prompt: str, share: float) -> None:
    one, other = Problem(prompt=prompt, id="a", answer="1"), Problem(prompt=prompt, id="b", info={"x": 1})
    assert held_out(one, share) is held_out(other, share)


def test_a_split_keeps_its_share_and_loses_nothing() -> None:
    rows = problems("p", 2000)
    train, heldout = split(rows, 0.25)
    assert sorted(p.prompt_text for p in train + heldout) == sorted(p.prompt_text for p in rows)
    assert 400 < len(heldout) < 600
    assert split(rows, 0.25, salt="other") != (train, heldout)


def test_a_side_that_a_family_cannot_fill_is_refused() -> None:
    with pytest.raises(ValueError, match="share must leave some of arithmetic's problems"):
        FamilySource(family=SUMS, split="heldout", share=1e-9)(0)


def test_weights_are_kept_and_every_position_is_the_same_when_asked_again() -> None:
    parts = {"a": Part(source=problems("a", 7), weight=1.0), "b": Part(source=problems("b", 5), weight=3.0)}
    mixture = Mixture(parts=parts, seed=3)
    names = Counter(mixture.name_at(i) for i in range(4000))
    assert 900 < names["a"] < 1100
    assert [Mixture(parts=parts, seed=3)(i) for i in reversed(range(50))][::-1] == [
        mixture(i) for i in range(50)
    ]
    assert [Mixture(parts=parts, seed=4)(i) for i in range(50)] != [mixture(i) for i in range(50)]


def test_every_epoch_has_every_problem_once_and_in_an_order_of_its_own() -> None:
    mixture = Mixture(parts={"a": Part(source=problems("a", 20), epochs=2)})
    seen = [p.prompt_text for p in mixture]
    assert len(seen) == 40
    assert sorted(seen[:20]) == sorted(seen[20:])
    assert seen[:20] != seen[20:]


def test_a_part_that_is_used_up_leaves_its_share_to_the_others() -> None:
    parts = {
        "a": Part(source=problems("a", 3), epochs=1, weight=9.0),
        "b": Part(source=problems("b", 4), epochs=1),
    }
    assert sorted(p.prompt_text for p in Mixture(parts=parts)) == ["a0", "a1", "a2", "b0", "b1", "b2", "b3"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Part(source=[Problem()], weight=0.0), "weight must be above 0"),
        (lambda: Part(source=[Problem()], epochs=0), "epochs must be at least 1"),
        (lambda: Part(source=[]), "source must have at least one problem"),
        (lambda: Part(source=lambda i: Problem(), epochs=1), "epochs must be None"),
        (lambda: Mixture(parts={}), "parts must have at least one part"),
        (lambda: split([], 1.0), "share must be above 0 and below 1"),
    ],
)
def test_bad_options_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
