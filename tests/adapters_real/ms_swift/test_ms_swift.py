"""ms-swift 4.6: its table of reward functions and the code that resolves a name in it."""

from __future__ import annotations

import pytest
import torch
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, totals
from swift.rewards import orms

from referee.trainers import to_ms_swift

CASES, EXPECTED = cases(), expected()


def resolved(rubric):
    from swift.rlhf_trainers.utils import resolve_reward_funcs

    orms["referee"] = to_ms_swift(rubric)
    (function,), _ = resolve_reward_funcs(["referee"], args=object())
    return function


def test_the_resolved_function_gives_every_score_bit_for_bit_and_none_for_an_abstention():
    function = resolved(RUBRIC)
    columns = {"answer": [c.answer for c in CASES], "id": [c.id for c in CASES]}
    held = function([c.completion for c in CASES], trainer_state=object(), **columns)
    assert bits(held) == bits(totals(EXPECTED))
    cast = torch.tensor([torch.nan if h is None else h for h in held], dtype=torch.float32)
    wanted = torch.tensor([torch.nan if t is None else t for t in totals(EXPECTED)], dtype=torch.float32)
    assert torch.equal(cast.nan_to_num(-99.0), wanted.nan_to_num(-99.0))


def test_siblings_are_told_by_their_messages():
    messages = [[{"role": "user", "content": q}, {"role": "assistant", "content": "?"}] for q in "abab"]
    held = resolved(GROUP_RUBRIC)(["4", "4", "5", "4"], answer=["4"] * 4, messages=messages)
    assert held == [1.25, 1.0, 0.25, 1.0]


def test_a_column_that_is_not_there_is_named():
    from referee.verifiers.scoring import Columns

    with pytest.raises(ValueError, match="no column 'solution'"):
        to_ms_swift(RUBRIC, columns=Columns(answer="solution"))(["4"], answer=["4"])
