"""OpenRLHF: the ``reward_func`` of a reward file, called with one completion at a time in a thread.

The file that ``--reward.remote_url`` names holds::

    reward_func = to_openrlhf(rubric, on_abstention="raise")

OpenRLHF's own word for "no reward" is a function that raises: it then trains with the reward None,
which needs a reward model, or stops where there is none. Or state a number, and the extra log
``abstained`` flags it. The HTTP form of the same is served by ``referee serve``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from referee.trainers.adapters.abstention import (
    OnAbstention,
    check_on_abstention,
    flat,
    number,
    part_stand_in,
)
from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Pair, Scorer
from referee.verifiers.records import Reward
from referee.verifiers.rubric import Rubric


def to_openrlhf(
    rubric: Rubric,
    *,
    on_abstention: OnAbstention,
    special_tokens: Sequence[str] = (),
    name: str = "reward_func",
    deadline_s: float | None = None,
    workers: int = 1,
) -> OpenRLHFReward:
    """Return ``rubric`` as OpenRLHF's ``reward_func(queries, prompts, labels)``.

    The label is the problem's answer. OpenRLHF decodes prompt and response together with their
    special tokens: the prompt is cut from the front where it stands there, and any of
    ``special_tokens`` (``("<|im_end|>",)``) from the end.

    Raises:
        ValueError: where the rubric needs siblings: OpenRLHF scores one completion a call.
    """
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    scorer.require_single("OpenRLHF")
    return OpenRLHFReward(
        scorer=scorer,
        on_abstention=check_on_abstention(on_abstention),
        special_tokens=tuple(special_tokens),
        name=name,
    )


@dataclass(frozen=True, kw_only=True)
class OpenRLHFReward:
    """A rubric with OpenRLHF's reward function signature."""

    scorer: Scorer
    on_abstention: OnAbstention
    special_tokens: tuple[str, ...] = ()
    name: str = "reward_func"

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> dict[str, Any]:
        """Return ``rewards``, ``scores`` and ``extra_logs``: lists with one value for each query."""
        pairs = openrlhf_pairs(queries, prompts, labels, self.special_tokens)
        return openrlhf_answer(self.scorer.score(pairs), self.on_abstention)


def openrlhf_pairs(
    queries: Sequence[str | None],
    prompts: Sequence[str | None],
    labels: Sequence[Any],
    special_tokens: Sequence[str] = (),
) -> list[Pair]:
    """Return what OpenRLHF sends, to its function as over HTTP, as completions and problems.

    Raises:
        ValueError: where the three are not equally long.
    """
    if not len(queries) == len(prompts) == len(labels):
        raise ValueError(
            f"queries, prompts and labels must be equally long, got {len(queries)}, {len(prompts)} "
            f"and {len(labels)}"
        )
    return [
        (completion_of(response(q or "", p or "", special_tokens)), problem_from(p, label))
        for q, p, label in zip(queries, prompts, labels, strict=True)
    ]


def openrlhf_answer(rewards: Sequence[Reward], on_abstention: OnAbstention) -> dict[str, Any]:
    """Return rewards in OpenRLHF's shape, with the parts and the flags among its extra logs.

    Raises:
        Abstained: where one abstains and ``on_abstention`` is ``"raise"``.
    """
    scores = [number(r, on_abstention) for r in rewards]
    logs = [flat(r, missing=part_stand_in(on_abstention)) for r in rewards]
    columns = {name: [log[name] for log in logs] for name in (logs[0] if logs else ())}
    return {"rewards": scores, "scores": list(scores), "extra_logs": columns}


def response(query: str, prompt: str, special_tokens: Sequence[str] = ()) -> str:
    """Return what the model wrote: the query without its prompt in front and special tokens behind."""
    text = query.removeprefix(prompt) if prompt else query
    ends = [t for t in special_tokens if t]
    while any(text.rstrip().endswith(t) for t in ends):
        for t in ends:
            text = text.rstrip().removesuffix(t)
    return text
