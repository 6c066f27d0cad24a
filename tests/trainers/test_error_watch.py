"""A run whose verifier is broken ends: every verdict of a paid part an error, so many steps running."""

from __future__ import annotations

import pytest

from referee.envs.records import Group, Rollout
from referee.trainers.loop.error_watch import ErrorWatch
from referee.trainers.record.metrics import group_metrics
from referee.verifiers import Exact, Problem, Reward, Rubric, Verdict
from referee.verifiers.errors import BrokenVerifier, UserMistake
from referee.verifiers.protocol import failure

RUBRIC = Rubric({"right": Exact(), "aside": (Exact(), 0.0)})
FINE, ERROR = Verdict(score=1.0), failure(KeyError("answr"))


def groups(*verdicts: Verdict, aside: Verdict = FINE, truncated: bool = False) -> list[Group]:
    rollouts = tuple(
        Rollout(
            problem=Problem(),
            turns=(),
            reward=RUBRIC.pay({"right": verdict, "aside": aside}, truncated=truncated),
        )
        for verdict in verdicts
    )
    return [Group(problem=Problem(), rollouts=rollouts)]


def steps(limit: int, *sampled: list[Group]) -> int:
    """How many steps are taken before the watch ends them; all where it does not."""
    watch = ErrorWatch(RUBRIC, limit)
    for step, some in enumerate(sampled, 1):
        try:
            watch.see(step, some)
        except BrokenVerifier:
            return step
    return len(sampled) + 1


ALL, SOME, NONE = groups(ERROR, ERROR), groups(ERROR, FINE), groups(FINE, FINE)


@pytest.mark.parametrize(
    ("limit", "sampled", "ended"),
    [
        (2, [ALL, ALL, ALL], 2),
        (1, [ALL, ALL], 1),
        (0, [ALL] * 9, 10),
        (2, [ALL, SOME, ALL, NONE, ALL], 6),
        (2, [SOME] * 5, 6),
        (2, [NONE, ALL, ALL], 3),
        (2, [groups(ERROR, truncated=True)] * 3, 2),
        (2, [groups(FINE, aside=ERROR)] * 3, 4),
        (2, [groups(Verdict(score=None))] * 3, 4),
        (2, [[Group(problem=Problem(), rollouts=(Rollout(problem=Problem(), turns=()),))]] * 3, 4),
    ],
    ids=["twice", "once", "never", "not running", "some", "later", "cut off", "unpaid", "away", "unpaid yet"],
)
def test_a_run_ends_after_so_many_steps_of_nothing_but_errors(
    limit: int, sampled: list[list[Group]], ended: int
) -> None:
    assert steps(limit, *sampled) == ended


def test_the_message_holds_the_part_the_first_error_and_the_way_on() -> None:
    watch = ErrorWatch(RUBRIC, 1)
    with pytest.raises(
        UserMistake, match=r"every verdict of right was an error in 1 step running.*answr"
    ) as e:
        watch.see(7, ALL)
    assert "stopped in step 7" in str(e.value)
    assert "stop_after_errors" in str(e.value)


def test_the_share_of_errors_is_a_figure_that_truncation_does_not_hide() -> None:
    for truncated in (False, True):
        found = group_metrics(
            groups(ERROR, FINE, FINE, FINE, truncated=truncated), best=1.0, max_new_tokens=4
        )
        assert found["errors"] == 0.25
    assert isinstance(groups(ERROR)[0].rollouts[0].reward, Reward)
