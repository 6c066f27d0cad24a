"""Process reward models: a score for every step of a solution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from referee.verifiers.combine import Composable
from referee.verifiers.learned.formats import FORMATS, Format
from referee.verifiers.learned.steps import (
    How,
    SolutionStep,
    StepAggregation,
    aggregate_steps,
    check_aggregation,
    check_how,
    first_wrong,
    split_steps,
)
from referee.verifiers.protocol import UNIT, Item, Range, failure
from referee.verifiers.records import (
    Completion,
    Json,
    Problem,
    Reason,
    Verdict,
    as_completion,
    has_answer,
    text_of,
)


@dataclass(frozen=True, kw_only=True)
class ProcessModel(Composable):
    """Score every step of a completion, and pay what ``aggregation`` makes of the scores.

    ``format`` says what the model reads (:mod:`referee.verifiers.learned.formats`), ``split`` what a
    step is (:mod:`referee.verifiers.learned.steps`). The verdict's ``detail`` holds the ``steps``'
    scores, the ``spans`` where they stand in the text, and ``first_wrong``, the index of the first
    step below ``threshold`` or -1; :func:`referee.trainers.step_rewards.step_rewards` turns these
    into rewards for tokens.

    Accepts: a completion in which the model finds every step right.
    Rejects:
        - a wrong step, whose score of 0 counts and is not dropped
        - a mark that the completion wrote itself: scores stand only where the format put marks
        - a completion without an answer, empty or nothing but thinking (0, ``no_answer``)
        - a completion that is longer than the model reads (0, ``resource_limit``)
    Abstains (``error``): where the model gives no finite number.
    """

    model: str
    format: Format = "token_classification"
    split: How = "auto"
    aggregation: StepAggregation = "min"
    threshold: float = 0.5
    dtype: str = "auto"
    device: str = "auto"
    batch_tokens: int = 16_384
    share_prefix: bool = True
    trust_remote_code: bool = False
    name: str = "process_model"

    def __post_init__(self) -> None:
        if self.format not in get_args(Format):
            raise ValueError(f"format must be one of {', '.join(get_args(Format))}, got {self.format!r}")
        check_how(self.split)
        check_aggregation(self.aggregation)
        if not 0.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold must be from 0 to 1, got {self.threshold}")

    @property
    def range(self) -> Range:
        """0 to 1, but without a bound for the sum."""
        return (0.0, math.inf) if self.aggregation == "sum" else UNIT

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the verdict on one completion."""
        return self.verify_batch([Item(as_completion(completion), problem)])[0]

    def prepare(self) -> None:
        """Load the model, so that no completion's deadline pays for it."""
        self.verify_batch([Item(Completion(text="."), Problem(prompt="."))])

    def verify_batch(self, items: Sequence[Item]) -> list[Verdict]:
        """Return the verdicts on many completions."""
        split = [
            split_steps(text_of(i.completion), self.split) if has_answer(i.completion, i.problem) else []
            for i in items
        ]
        scores = self.step_scores(
            [(i.problem, [s.text for s in steps]) for i, steps in zip(items, split, strict=True)]
        )
        return [self._verdict(s, x) for s, x in zip(split, scores, strict=True)]

    def step_scores(self, solutions: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[float] | None]:
        """Return the scores of each solution's steps, from 0 to 1; None where it is too long to be read."""
        from referee.verifiers.learned.batching import Wanted, states
        from referee.verifiers.learned.loading import load
        from referee.verifiers.learned.text_layout import longest_row

        form = FORMATS[self.format]
        loaded = load(
            self.model,
            form.kind,
            dtype=self.dtype,
            device=self.device,
            trust_remote_code=self.trust_remote_code,
        )
        longest = longest_row(loaded)
        groups: dict[str, int] = {}
        out: list[list[float] | None] = [[] for _ in solutions]
        wanted: dict[int, Wanted] = {}
        for i, (problem, steps) in enumerate(solutions):
            if not steps:
                continue
            ids, places = form.tokens(loaded.tokenizer, problem, steps)
            if len(ids) > longest:
                out[i] = None
                continue
            group = groups.setdefault(problem.prompt_text, len(groups))
            wanted[i] = Wanted(token_ids=tuple(ids), places=tuple(places), group=group)
        read = states(
            loaded,
            lambda tokens_BT, mask_BT, cache: form.scores(loaded, tokens_BT, mask_BT, cache),
            list(wanted.values()),
            batch_tokens=self.batch_tokens,
            share_prefix=self.share_prefix,
        )
        for i, scores in zip(wanted, read, strict=True):
            out[i] = [float(x) for x in scores[:, 0]]
        return out

    def _verdict(self, steps: Sequence[SolutionStep], scores: list[float] | None) -> Verdict:
        if scores is None:
            return Verdict(
                score=0.0, reason=Reason.RESOURCE_LIMIT, detail={"error": "longer than the model reads"}
            )
        if not steps:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        if not all(map(math.isfinite, scores)):
            return failure(f"{self.name} gave a step score that is no finite number")
        spans: list[Json] = [[s.start, s.end] for s in steps]
        wrong = first_wrong(scores, self.threshold)
        return Verdict(
            score=aggregate_steps(scores, self.aggregation),
            reason=Reason.SCORED,
            detail={"steps": list(scores), "spans": spans, "first_wrong": wrong},
        )
