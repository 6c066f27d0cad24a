"""TRL (GRPO, RLOO, AsyncGRPO, online DPO): a reward function, and an environment with one tool.

TRL leaves out of a function's rewards what is None, so that is what an abstention becomes. Some of its
experimental trainers, online DPO and SDPO, sum None as 0 where no other function pays: there an
abstention raises, unless ``on_abstention`` gives a number.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from referee.trainers.adapters.abstention import (
    Abstained,
    OnAbstention,
    check_on_abstention,
    log_missing_reference,
    number,
    reason,
)
from referee.trainers.adapters.outside_rows import completion_of, problem_of
from referee.trainers.adapters.scorer import Pair, Scorer
from referee.verifiers.jsonl import key
from referee.verifiers.records import Problem, Reward
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.rows import Columns


def to_trl(
    rubric: Rubric,
    *,
    columns: Columns | None = None,
    name: str = "referee",
    eos_token_ids: int | Sequence[int] = (),
    on_abstention: OnAbstention | None = None,
    group_size: int | None = None,
    asynchronous: bool = False,
    deadline_s: float | None = None,
    workers: int = 1,
) -> TRLReward:
    """Return ``rubric`` as a TRL reward function: ``GRPOTrainer(reward_funcs=to_trl(rubric), ...)``.

    ``columns`` says which dataset columns hold the answer, the id and the info. Given the
    tokenizer's ``eos_token_ids``, a completion that does not end in one of them counts as truncated
    (TRL does not say so itself), and the rubric's truncation policy applies. Scheduled weights follow
    TRL's global step.

    Completions of equal prompts in a call are siblings for group verifiers. TRL calls a reward function
    in each process with that process's share of a batch, which may hold a part of a group only, and
    gathers the rewards afterwards. Given ``group_size``, which is TRL's ``num_generations``, a smaller
    group raises; a rubric with a group verifier needs it where there are several processes.

    Logged for each batch: every part's mean as ``<name>/<part>``, the share that got no reward as
    ``<name>/abstained``, and each completion's scores and reason in the completions table.

    An abstention becomes None, or what ``on_abstention`` says: ``"raise"`` or a number. Without it an
    abstention raises in trainers that would sum None as 0: those that pass their state but no
    ``log_metric``, which is how TRL's online DPO and SDPO are told from GRPO and RLOO.
    ``asynchronous`` gives a function that is awaited, so that TRL runs it beside the others.
    With ``deadline_s`` rules run in worker processes (:class:`Scorer`).

    Raises:
        ValueError: where ``group_size`` is below 1; in a call where siblings are missing.
    """
    if group_size is not None and group_size < 1:
        raise ValueError(f"group_size must be at least 1 or None, got {group_size}")
    ids = (eos_token_ids,) if isinstance(eos_token_ids, int) else tuple(eos_token_ids)
    cls = AsyncTRLReward if asynchronous else TRLReward
    return cls(
        scorer=Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers),
        columns=columns or Columns(),
        name=name,
        eos_token_ids=ids,
        on_abstention=None if on_abstention is None else check_on_abstention(on_abstention),
        group_size=group_size,
    )


@dataclass(frozen=True, kw_only=True)
class TRLReward:
    """A rubric with TRL's reward function signature. Picklable where its rubric is."""

    scorer: Scorer
    columns: Columns
    name: str
    eos_token_ids: tuple[int, ...] = ()
    on_abstention: OnAbstention | None = None
    group_size: int | None = None

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        trainer_state: Any = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **dataset: Any,
    ) -> list[float | None]:
        """Return one reward for each completion; ``dataset`` holds the other columns, as lists."""
        pairs = self._pairs(prompts, completions, completion_ids, dataset)
        rewards = self.scorer.score(pairs, step=_step(trainer_state))
        log_missing_reference(rewards, self.columns, dataset)
        return self._report(rewards, trainer_state, log_extra, log_metric)

    def _pairs(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None,
        dataset: Mapping[str, Any],
    ) -> list[Pair]:
        _check_length("completions", completions, len(prompts))
        _check_length("completion_ids", completion_ids, len(prompts))
        for name in self._named():
            _check_length(name, dataset.get(name), len(prompts))
        rows = [{"prompt": p, **{k: dataset[k][i] for k in _per_row(dataset, len(prompts))}}
                for i, p in enumerate(prompts)]  # fmt: skip
        ids = completion_ids if completion_ids is not None else [None] * len(rows)
        pairs: list[Pair] = [
            (completion_of(c, token_ids=t, truncated=self._truncated(t)), problem_of(row, self.columns))
            for c, t, row in zip(completions, ids, rows, strict=True)
        ]
        self._check_groups(pairs)
        return pairs

    def _named(self) -> list[str]:
        """Return the columns of the data set that the rubric reads."""
        c = self.columns
        return [path.partition(".")[0] for path in (c.answer, c.id, c.info, *c.info_columns)]

    def _check_groups(self, pairs: Sequence[Pair]) -> None:
        """Raise where siblings are missing, for a group verifier would then say what is not so."""
        if not self.scorer.rubric.is_group:
            return
        if self.group_size is None:
            if int(os.environ.get("WORLD_SIZE") or 1) > 1:
                raise ValueError(
                    "group_size must be given to to_trl (TRL's num_generations) for a rubric with a group "
                    "verifier in several processes: each sees its own share of a batch only"
                )
            return
        sizes = Counter(key(problem) for _, problem in pairs if isinstance(problem, Problem))
        if sizes and (least := min(sizes.values())) < self.group_size:
            raise ValueError(
                f"group_size must be the number of siblings in a call, got {self.group_size} and a group of "
                f"{least}: let per_device_train_batch_size be a multiple of num_generations"
            )

    def _truncated(self, token_ids: Sequence[int] | None) -> bool:
        if not self.eos_token_ids or token_ids is None:
            return False
        return len(token_ids) == 0 or int(token_ids[-1]) not in self.eos_token_ids

    def _report(
        self,
        rewards: Sequence[Reward],
        trainer_state: Any,
        log_extra: Callable[[str, list[Any]], None] | None,
        log_metric: Callable[[str, float], None] | None,
    ) -> list[float | None]:
        for part in self.scorer.rubric.parts:
            scores = [r.parts[part].score for r in rewards]
            decided = [s for s in scores if s is not None]
            if log_extra:
                log_extra(f"{self.name}/{part}", scores)
            if log_metric and decided:
                log_metric(f"{self.name}/{part}", math.fsum(decided) / len(decided))
        if log_extra:
            log_extra(f"{self.name}/reason", [reason(r) for r in rewards])
        if log_metric and rewards:
            log_metric(f"{self.name}/abstained", sum(r.abstains for r in rewards) / len(rewards))
        if self.on_abstention is not None:
            return [number(r, self.on_abstention) for r in rewards]
        if trainer_state is not None and log_metric is None and any(r.abstains for r in rewards):
            first = next(r for r in rewards if r.abstains)
            raise ValueError(
                "on_abstention must be given to to_trl for this trainer, which would sum None as 0: "
                f'a number or "raise"; {Abstained(first)}'
            )
        return [r.total for r in rewards]


@dataclass(frozen=True, kw_only=True)
class AsyncTRLReward(TRLReward):
    """The same, awaited: TRL gathers such functions, so judges do not wait for one another."""

    async def __call__(  # type: ignore[override]
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        trainer_state: Any = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **dataset: Any,
    ) -> list[float | None]:
        """Return one reward for each completion; ``dataset`` holds the other columns, as lists."""
        pairs = self._pairs(prompts, completions, completion_ids, dataset)
        rewards = await self.scorer.ascore(pairs, step=_step(trainer_state))
        log_missing_reference(rewards, self.columns, dataset)
        return self._report(rewards, trainer_state, log_extra, log_metric)


def to_trl_environment(
    rubric: Rubric,
    *,
    columns: Columns | None = None,
    name: str = "referee",
    deadline_s: float | None = None,
    workers: int = 1,
) -> TRLEnvironmentFactory:
    """Return a factory for ``GRPOTrainer(environment_factory=...)``: the model submits by a tool call.

    The environment has one tool, ``submit(answer)``. Its reward is the rubric's on the last answer
    that was submitted, on the empty text where there was none, and None where the rubric abstains.

    Raises:
        ValueError: where the rubric needs siblings: an environment knows only its own episode.
    """
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    scorer.require_single("a TRL environment")
    return TRLEnvironmentFactory(scorer=scorer, columns=columns or Columns(), name=name)


@dataclass(frozen=True, kw_only=True)
class TRLEnvironmentFactory:
    """Makes one :class:`TRLEnvironment` for each rollout."""

    scorer: Scorer
    columns: Columns
    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self) -> TRLEnvironment:
        """Return a new environment."""
        return TRLEnvironment(self)


class TRLEnvironment:
    """One episode: the row it is about, and the answer that was submitted."""

    def __init__(self, factory: TRLEnvironmentFactory) -> None:
        self._factory = factory
        self._row: dict[str, Any] = {}
        self._answer = ""

    def reset(self, **row: Any) -> None:
        """Begin an episode on a row of the dataset."""
        self._row, self._answer = row, ""

    def submit(self, answer: str) -> str:
        """Submit the final answer.

        Args:
            answer: The final answer to the question.

        Returns:
            A note that the answer was received.
        """
        self._answer = answer
        return "The answer was received."

    def get_reward(self) -> float | None:
        """Return the rubric's reward for the submitted answer, None where it abstains."""
        problem = problem_of(self._row, self._factory.columns)
        completion = completion_of(self._answer if isinstance(self._answer, str) else str(self._answer))
        return self._factory.scorer.score([(completion, problem)])[0].total


def _check_length(name: str, values: object, rows: int) -> None:
    """Refuse a column that is not as long as the prompts.

    Raises:
        ValueError: naming the column.
    """
    if isinstance(values, Sequence) and not isinstance(values, str) and len(values) != rows:
        raise ValueError(f"{name} must be as long as prompts, which are {rows}, got {len(values)}")


def _per_row(dataset: Mapping[str, Any], rows: int) -> list[str]:
    """Return the columns that hold a value for each row; TRL adds the live environments beside them."""
    return [
        name
        for name, values in dataset.items()
        if name != "environments" and isinstance(values, Sequence) and len(values) == rows
    ]


def _step(trainer_state: Any) -> int | None:
    return None if trainer_state is None else int(trainer_state.global_step)
