"""Figures of a step, on examples worked by hand."""

from __future__ import annotations

import pytest

from referee.envs.records import Group, Rollout, Turn
from referee.trainers.record.metrics import group_metrics, repetition, signal
from referee.verifiers.records import Completion, Reward, Verdict


def group(problem, *paid, texts=None):
    rollouts = []
    for i, total in enumerate(paid):
        verdict = Verdict(score=total)
        text = texts[i] if texts else str(i)
        rollouts.append(
            Rollout(
                problem=problem,
                turns=(Turn(completion=Completion(text=text, token_ids=(5, 6), logprobs=(-0.5, -1.5))),),
                reward=Reward(total=total, parts={"exact": verdict}),
            )
        )
    return Group(problem=problem, rollouts=tuple(rollouts))


@pytest.mark.parametrize(
    ("paid", "texts", "kind"),
    [
        ((1.0, 0.0), None, None),
        ((1.0, 1.0), None, "all_solved"),
        ((0.0, 0.0), None, "all_failed"),
        ((0.5, 0.5), None, "all_partial"),
        ((0.1 + 0.2, 0.3), None, "all_partial"),  # rounding is no signal
        ((0.3, 0.301), None, None),
        ((1.0, 1.0), ("a", "a"), "identical_texts"),
        ((1.0, None), None, "undecided"),
        ((None, None), None, "undecided"),
        ((1.0, None, 0.0), None, None),
    ],
)
def test_groups_without_signal_are_told_apart(tiny, paid, texts, kind):
    assert signal(group(tiny.problems[0], *paid, texts=texts), best=1.0) == kind


def test_the_figures_of_a_step(tiny):
    groups = [
        group(tiny.problems[0], 1.0, 0.0),
        group(tiny.problems[1], 0.0, 0.0),
        group(tiny.problems[2], 1.0, None),
    ]
    figures = group_metrics(groups, best=1.0, max_new_tokens=4)
    assert figures["reward"] == pytest.approx(0.4)
    assert figures["reward_std"] == pytest.approx(0.4899, abs=1e-4)
    assert figures["solved"] == pytest.approx(2 / 6)
    assert figures["groups/no_signal"] == pytest.approx(2 / 3)
    assert figures["groups/all_failed"] == figures["groups/undecided"] == pytest.approx(1 / 3)
    assert figures["abstained"] == pytest.approx(1 / 6)
    assert figures["entropy"] == 1.0
    assert figures["completion_tokens"] == 2.0
    assert figures["reasons/exact/correct"] == 2
    assert figures["reasons/exact/unavailable"] == 1


@pytest.mark.parametrize(
    ("paid", "solved"),
    [
        ((1.0, 1.0), 1.0),
        ((0.0, 0.0), 0.0),
        ((1.0, 0.5, 0.0, 0.0), 0.25),  # what is paid in part is not solved
        ((1.0 - 1e-12, 0.0), 0.5),  # rounding is forgiven
        ((1.0, None), 0.5),  # nor is what nobody decided
    ],
)
def test_the_share_solved_counts_what_was_paid_in_full(tiny, paid, solved):
    figures = group_metrics([group(tiny.problems[0], *paid)], best=1.0, max_new_tokens=4)
    assert figures["solved"] == solved


def test_what_is_solved_depends_on_the_most_that_can_be_paid(tiny):
    groups = [group(tiny.problems[0], 1.0, 1.2, -0.5, 0.0)]
    assert group_metrics(groups, best=1.2, max_new_tokens=4)["solved"] == 0.25
    assert group_metrics(groups, best=0.0, max_new_tokens=4)["solved"] == 0.75
    assert signal(group(tiny.problems[0], 1.2, 1.2), best=1.2) == "all_solved"
    assert signal(group(tiny.problems[0], 1.0, 1.0), best=1.2) == "all_partial"


def test_repetition_is_the_share_of_ngrams_seen_before() -> None:
    assert repetition([1, 2, 3, 4]) == 0.0
    assert repetition([5] * 6) == 0.75
    assert repetition([1, 2]) == 0.0
