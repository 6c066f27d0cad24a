"""Sampling: what was drawn is kept, and does not depend on what was drawn beside it."""

from __future__ import annotations

import pytest
import torch

from referee.trainers.policy.batch import batch_logprobs, collate, completion_row
from referee.trainers.policy.policy import LoRA, Tiny, add_adapters, load_policy, tiny_policy
from referee.trainers.policy.sampling import Sampling, sample, seed_of

PROMPTS = ["1+1=", "12+30=", "7=", "99+1="]
TINY = Tiny(alphabet="0123456789+=", layers=2, width=32, heads=2)


@pytest.fixture(scope="module")
def policy():
    return tiny_policy(TINY, seed=3)


def draw(policy, prompts=PROMPTS, group_size=4, seeds=None, **options):
    sampling = Sampling(**{"max_new_tokens": 12, **options})
    ids = [policy.encode(p) for p in prompts]
    seeds = seeds or [seed_of(0, p) for p in prompts]
    return sample(policy, ids, group_size=group_size, sampling=sampling, seeds=seeds)


def ids(groups):
    return [[c.token_ids for c in g] for g in groups]


def test_a_character_tokenizer_reads_back_what_it_wrote(policy):
    for text in ("", "12+30=42", "====", "0"):
        assert policy.decode(policy.encode(text)) == text
    assert len(policy.encode("12+30=")) == 6


def test_equal_seeds_draw_equal_completions(policy):
    assert draw(policy) == draw(policy)
    assert ids(draw(policy)) != ids(draw(policy, seeds=[1, 2, 3, 4]))


def test_a_prompt_gets_the_same_completions_alone_and_among_others(policy):
    together = ids(draw(policy))
    for i, prompt in enumerate(PROMPTS):
        assert ids(draw(policy, [prompt]))[0] == together[i]
    assert ids(draw(policy, rows=4)) == together


def test_sampled_log_probabilities_are_those_that_training_computes(policy):
    for temperature in (1.0, 0.7):
        groups = draw(policy, temperature=temperature)
        rows = [
            completion_row(policy.encode(p), c.token_ids, c.logprobs)
            for p, g in zip(PROMPTS, groups, strict=True)
            for c in g
        ]
        batch = collate(rows, pad_id=policy.pad_id)
        with torch.no_grad():
            logprobs, entropy = batch_logprobs(
                policy.model, batch.tokens_BT, batch.mask_BT, temperature=temperature
            )
        torch.testing.assert_close(logprobs, batch.sampler_logprobs_BT, atol=2e-5, rtol=0)
        assert (entropy[batch.mask_BT > 0] > 0).all()
        assert not entropy[batch.mask_BT == 0].any()


def test_greedy_takes_the_likeliest_token_and_siblings_agree(policy):
    for group in draw(policy, temperature=0.0):
        assert len({c.token_ids for c in group}) == 1
    narrow = draw(policy, top_k=1)
    assert ids(narrow) == ids(draw(policy, temperature=0.0))
    assert ids(draw(policy, top_p=1e-6)) == ids(narrow)


def test_frequencies_follow_the_softmax(policy):
    drawn = draw(policy, ["3+"], group_size=4000, max_new_tokens=1, rows=10_000)[0]
    with torch.no_grad():
        logits = policy.model(torch.tensor([policy.encode("3+")])).logits[0, -1]
    expected = logits.softmax(-1)
    counts = torch.bincount(torch.tensor([c.token_ids[0] for c in drawn]), minlength=len(expected))
    chi2 = ((counts - 4000 * expected) ** 2 / (4000 * expected)).sum()
    assert chi2 < 40  # 14 degrees of freedom: exceeded once in 4,000 seeds


def test_a_completion_ends_at_its_end_token_or_is_truncated(policy):
    completions = [c for g in draw(policy, group_size=64) for c in g]
    assert {c.finish_reason.value for c in completions} == {"stop", "length"}
    for c in completions:
        ended = c.token_ids[-1] in policy.eos_ids
        assert c.truncated is not ended
        assert len(c.token_ids) == 12 or ended
        assert not set(c.token_ids[:-1]) & set(policy.eos_ids)
        assert policy.decode(c.token_ids) == c.text


def test_sampling_leaves_the_policy_as_it_was(policy):
    before = {k: v.clone() for k, v in policy.model.state_dict().items()}
    policy.model.train()
    state = torch.get_rng_state()
    draw(policy)
    assert policy.model.training
    policy.model.eval()
    assert torch.equal(state, torch.get_rng_state())
    for name, value in policy.model.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.dtype == before[name].dtype


def test_a_fresh_adapter_samples_what_its_base_does(policy):
    adapted = add_adapters(tiny_policy(TINY, seed=3), LoRA(rank=2))
    assert ids(draw(adapted)) == ids(draw(policy))
    assert adapted.has_adapters
    trained = [p.requires_grad for p in adapted.model.parameters()]
    assert 0 < sum(trained) < len(trained)


def test_a_saved_policy_is_loaded_as_it_was(policy, tmp_path):
    policy.save(tmp_path)
    again = load_policy(str(tmp_path))
    assert draw(again) == draw(policy)
    assert again.eos_ids == policy.eos_ids


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**options)


def test_an_empty_prompt_is_named(policy):
    with pytest.raises(ValueError, match="prompts must have at least one token"):
        draw(policy, [""])
