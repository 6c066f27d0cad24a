"""Streams: the same choices for the same key, every outcome equally likely, for ever the same."""

from __future__ import annotations

from collections import Counter

import pytest

from referee.envs.stream import Stream


def test_a_key_gives_these_choices_on_every_machine_and_python() -> None:
    stream = Stream("arithmetic/0/0/0")
    assert [stream.below(10) for _ in range(20)] == [
        5,
        9,
        9,
        6,
        6,
        0,
        1,
        5,
        5,
        9,
        7,
        5,
        5,
        6,
        5,
        1,
        5,
        7,
        4,
        5,
    ]
    assert (Stream("x").between(-3, 3), Stream("x").coin(), Stream("x").choice("abc")) == (-1, False, "b")


def test_choices_go_on_when_a_digest_is_used_up() -> None:
    stream = Stream("long")
    drawn = [stream.below(1 << 30) for _ in range(1000)]
    assert len(set(drawn)) == 1000


def test_every_outcome_is_as_likely() -> None:
    stream = Stream("fair")
    counts = Counter(stream.below(7) for _ in range(70_000))
    chi_square = sum((counts[i] - 10_000) ** 2 / 10_000 for i in range(7))
    assert chi_square < 22.46  # the 0.1 % point of chi-square with 6 degrees of freedom


def test_weights_are_kept() -> None:
    stream = Stream("weights")
    counts = Counter(stream.weighted("abc", (1, 0, 3)) for _ in range(10_000))
    assert counts["b"] == 0
    assert 2300 < counts["a"] < 2700


def test_a_sample_has_no_member_twice_and_a_shuffle_keeps_them_all() -> None:
    stream = Stream("sample")
    for _ in range(100):
        assert len(set(stream.sample(range(20), 15))) == 15
        assert sorted(stream.shuffled(range(9))) == list(range(9))


@pytest.mark.parametrize("call", [lambda s: s.below(0), lambda s: s.sample([1], 2)])
def test_impossible_draws_are_refused(call) -> None:
    with pytest.raises(ValueError, match="must be at"):
        call(Stream("x"))
