"""Groups over processes: siblings are drawn apart and judged together, with the same result."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from referee.trainers.loop.rollouts import SingleTurn
from referee.trainers.loop.spreading import roll_out_together
from referee.trainers.policy.sampling import Sampling, sample
from referee.verifiers.rubric import Rubric


class Rank:
    """One of several processes whose gathering is done before it by running all of them."""

    def __init__(self, rank, world, heard):
        self.rank, self.world, self.heard = rank, world, heard
        self.calls = 0

    def gathered(self, mine):
        number, self.calls = self.calls, self.calls + 1
        if number < len(self.heard):
            return [x for part in self.heard[number] for x in part]
        raise _Said(mine)


class _Said(Exception):
    pass


def together(world, *args, **options):
    """Return what every process of ``world`` gets: each is run up to its next gathering, again and again."""
    heard = []
    while True:
        said, results = [], []
        for rank in range(world):
            try:
                results.append(roll_out_together(args[0], Rank(rank, world, heard), *args[1:], **options))
            except _Said as e:
                said.append(e.args[0])
        if results:
            return results
        heard.append(said)


class Best:
    """Pays the longest of a whole group; it must see all siblings."""

    def __call__(self, completions, problem):
        assert len(completions) == 4, "a part of a group"
        most = max(len(c.text) for c in completions)
        return [float(len(c.text) == most) for c in completions]


@pytest.mark.parametrize("world", [1, 2, 3, 8, 20])
def test_every_process_has_the_groups_that_one_would_have(tiny, world):
    t = tiny.trainer(rubric=Rubric({"digits": tiny.digits, "best": Best()}, truncation="score"))
    problems = tiny.problems[:3]
    options = {"group_size": 4, "sampling": t.sampling, "seeds": [5, 6, 7], "policy_step": 2}
    alone = SingleTurn()(t.policy, problems, t.rubric, **options)
    for groups in together(world, SingleTurn(), t.policy, problems, t.rubric, **options):
        for ours, theirs in zip(groups, alone, strict=True):
            assert ours.problem == theirs.problem
            for a, b in zip(ours.rollouts, theirs.rollouts, strict=True):
                assert a.completion.token_ids == b.completion.token_ids
                assert a.reward == b.reward
                assert a.policy_step == 2


def test_siblings_can_be_drawn_apart(tiny):
    t = tiny.trainer()
    prompts = [t.policy.encode(p.prompt) for p in tiny.problems[:3]]
    whole = sample(t.policy, prompts, group_size=4, sampling=t.sampling, seeds=[1, 2, 3])
    some = sample(
        t.policy, prompts, group_size=4, sampling=t.sampling, seeds=[1, 2, 3], siblings=[[3], [0, 2], [1]]
    )
    wanted = [[whole[0][3]], [whole[1][0], whole[1][2]], [whole[2][1]]]
    assert [[c.token_ids for c in g] for g in some] == [[c.token_ids for c in g] for g in wanted]


@pytest.mark.parametrize("narrowed", [{"top_k": 3}, {"top_p": 0.5}])
def test_both_log_probabilities_are_kept_where_the_draw_is_narrowed(tiny, narrowed):
    t = tiny.trainer()
    prompts = [t.policy.encode(p.prompt) for p in tiny.problems[:4]]
    sampling = Sampling(max_new_tokens=4, **narrowed)
    drawn = [
        c for g in sample(t.policy, prompts, group_size=4, sampling=sampling, seeds=[0, 1, 2, 3]) for c in g
    ]
    assert all(d > p for c in drawn for d, p in zip(c.drawn_logprobs, c.logprobs, strict=True))
    # by hand: the probability of the first token among those that were left
    with torch.no_grad():
        logits = t.policy.model(input_ids=torch.tensor([prompts[0]])).logits[0, -1]
    probs = logits.double().softmax(-1)
    order = probs.sort(descending=True)
    kept = 3 if "top_k" in narrowed else int((order.values.cumsum(0) - order.values < 0.5).sum())
    mass = order.values[:kept].sum()
    first = drawn[0]
    assert first.drawn_logprobs[0] == pytest.approx(float((probs[first.token_ids[0]] / mass).log()), abs=1e-4)
    whole = sample(t.policy, prompts, sampling=Sampling(max_new_tokens=4), seeds=[0, 1, 2, 3])
    assert all(c.drawn_logprobs is None for g in whole for c in g)


def test_the_figures_see_what_the_draw_left_out(tiny):
    t = tiny.trainer()
    t.training = replace(t.training, top_k=3)
    t.sampling = t.training.sampling(t.preset)
    figures, _, _ = t.take_step()
    assert figures["sampler/kl"] > 0.01
    plain, _, _ = tiny.trainer().take_step()
    assert plain["sampler/kl"] < 1e-6
    assert figures["entropy"] < 1.11 < plain["entropy"]  # of three tokens, at most log 3
