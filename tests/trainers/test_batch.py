"""Batches: padding and splitting change nothing."""

from __future__ import annotations

import pytest
import torch

from referee.trainers.policy.batch import TokenRow, batch_logprobs, collate, completion_row
from referee.trainers.policy.policy import Tiny, tiny_policy


@pytest.fixture(scope="module")
def model():
    return tiny_policy(Tiny(alphabet="0123456789+=", layers=2, width=32, heads=2), seed=3).model.double()


ROWS = [
    completion_row([3, 4, 5], [6, 7, 1], [-1.0, -2.0, -3.0]),
    completion_row([9], [3], [-0.5]),
    completion_row([3, 4, 5, 6, 7], [8, 8, 8, 8, 1], [-1.0] * 5),
]


def logprobs(model, batch):
    return batch_logprobs(model, batch.tokens_BT, batch.mask_BT)[0]


def test_a_row_has_its_completion_masked_in():
    batch = collate(ROWS, pad_id=0)
    assert batch.mask_BT.sum(1).tolist() == [3, 1, 5]
    assert batch.tokens_BT[1].tolist() == [9, 3] + [0] * 8
    assert batch.sampler_logprobs_BT[0].tolist() == [0, 0, 0, -1, -2, -3, 0, 0, 0, 0]


def test_padding_changes_no_log_probability(model):
    batch = collate(ROWS, pad_id=0)
    whole = logprobs(model, batch)
    for i, row in enumerate(ROWS):
        alone = logprobs(model, collate([row], pad_id=0))
        torch.testing.assert_close(whole[i, : alone.shape[1]], alone[0], atol=1e-12, rtol=0)
        assert not whole[i, alone.shape[1] :].any()


def test_micro_batches_hold_every_row_once_within_their_budget():
    batch = collate(ROWS, pad_id=0)
    for budget in (1, 10, 12, 20, 1000):
        parts = batch.split(budget)
        assert sorted(i for part in parts for i in part.tolist()) == [0, 1, 2]
        for part in parts:
            micro = batch.select(part)
            assert len(part) == 1 or micro.tokens_BT.numel() <= budget
            assert micro.tokens_BT.shape[1] == int(micro.lengths_B.max())


def test_log_probabilities_match_the_plain_softmax(model):
    batch = collate(ROWS, pad_id=0)
    full = model(batch.tokens_BT).logits.log_softmax(-1)
    plain = full[:, :-1].gather(-1, batch.tokens_BT[:, 1:, None])[..., 0] * batch.mask_BT[:, 1:]
    torch.testing.assert_close(logprobs(model, batch)[:, 1:], plain, atol=1e-12, rtol=0)


def test_a_mask_at_the_first_token_is_refused():
    with pytest.raises(ValueError, match="mask must be False at the first token"):
        TokenRow(token_ids=(1, 2), mask=(True, True))
    with pytest.raises(ValueError, match="rows must have at least one row"):
        collate([], pad_id=0)
