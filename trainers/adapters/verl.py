"""verl: a ``compute_score`` function, one completion a call, from a thread or awaited.

In a module of yours::

    compute_score = to_verl(rubric, on_abstention="raise")

and in verl's configuration ``reward.custom_reward_function.path=pkg://my_package.rewards`` and
``reward.custom_reward_function.name=compute_score``. verl has no word for "no reward": what an
abstention becomes is the ``on_abstention`` that you state, and the key ``abstained`` flags it. Every
sample has the same keys, as verl needs: for a part that abstains that number stands too (0 with
``"raise"``), and ``part/<name>/abstained`` is 1, so that no mean over a part is NaN.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from referee.trainers.adapters.abstention import (
    OnAbstention,
    check_on_abstention,
    flat,
    number,
    part_stand_in,
    reason,
)
from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Pair, Scorer
from referee.verifiers.cells import UNREADABLE, read_info
from referee.verifiers.protocol import failure
from referee.verifiers.records import Reason, Reward
from referee.verifiers.rubric import Rubric


def to_verl(
    rubric: Rubric,
    *,
    on_abstention: OnAbstention,
    name: str = "compute_score",
    deadline_s: float | None = None,
    workers: int = 1,
) -> VerlScore:
    """Return ``rubric`` as verl's ``compute_score``; its ``acompute_score`` is the one to be awaited.

    The row's ``ground_truth`` is the problem's answer, its ``extra_info`` the problem's info, with
    the ``data_source`` added; a ``prompt`` in ``extra_info`` is the problem's prompt. It is an object, or the
    JSON text of one; what is neither is its sample's abstention.

    Raises:
        ValueError: where the rubric needs siblings: verl scores one completion a call.
    """
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    scorer.require_single("verl")
    return VerlScore(scorer=scorer, on_abstention=check_on_abstention(on_abstention), name=name)


@dataclass(frozen=True, kw_only=True)
class VerlScore:
    """A rubric with verl's reward function signature."""

    scorer: Scorer
    on_abstention: OnAbstention
    name: str = "compute_score"

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | str | None = None,
        **reward_kwargs: Any,
    ) -> dict[str, Any]:
        """Return ``score``, and beside it the reason, the parts and the flags.

        ``reward_kwargs`` are what verl adds for its own reward models; a rubric needs none.
        """
        pair = self._pair(data_source, solution_str, ground_truth, extra_info)
        return self._result(self.scorer.score([pair])[0])

    @property
    def acompute_score(self) -> Callable[..., Awaitable[dict[str, Any]]]:
        """The same function to be awaited: a real coroutine function, which verl looks for."""
        return self._acall

    async def _acall(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | str | None = None,
        **reward_kwargs: Any,
    ) -> dict[str, Any]:
        pair = self._pair(data_source, solution_str, ground_truth, extra_info)
        return self._result((await self.scorer.ascore([pair]))[0])

    def _pair(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | str | None,
    ) -> Pair:
        completion = completion_of(solution_str)
        try:
            extra = dict(
                extra_info if isinstance(extra_info, Mapping) else read_info(extra_info, "extra_info")
            )
        except UNREADABLE as e:
            return completion, failure(e, Reason.BAD_REFERENCE)
        prompt = extra.pop("prompt", "")
        info = {**extra, "data_source": data_source}
        id_ = extra.get("id", extra.get("index", ""))
        return completion, problem_from(prompt, ground_truth, info, id_)

    def _result(self, reward: Reward) -> dict[str, Any]:
        score = number(reward, self.on_abstention)
        parts = flat(reward, missing=part_stand_in(self.on_abstention))
        return {"score": score, **parts, "reason": reason(reward)}
