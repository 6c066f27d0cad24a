"""Rewards by a trained model: Bradley-Terry reward models, and outcome models.

Any checkpoint of transformers' ``AutoModelForSequenceClassification`` with one label (TRL's
RewardTrainer writes them; Skywork-Reward and most of RewardBench are such), models whose own code
returns ``score`` (ArmoRM, with ``trust_remote_code``), and a head on frozen embeddings that
:mod:`referee.trainers.reward_models.frozen_heads` trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from referee.verifiers.combine import Composable
from referee.verifiers.learned.text_layout import PLAIN, Reading, cut, longest_row, read
from referee.verifiers.protocol import UNIT, Item, Range, failure
from referee.verifiers.records import Completion, Problem, Reason, Verdict, as_completion, has_answer

UNBOUNDED: Range = (-math.inf, math.inf)


@dataclass(frozen=True, kw_only=True)
class RewardModel(Composable):
    """Pay what a reward model gives: an unbounded number, whose differences mean something.

    Under Bradley and Terry the chance that a is preferred to b is sigmoid(r(a) - r(b)). Scores do
    not depend on which completions are scored beside, nor on padding (within rounding). Bring them
    to 0 to 1 by ``clip`` or by :class:`referee.verifiers.learned.normalise.Squashed` before gates.

    The model reads all of a completion, thinking too. It scores a completion without an answer like any
    other text: 0 is no bottom of an unbounded scale. Squashed to 0 to 1, such a completion is 0.

    ``batch_tokens`` bounds the tokens, with padding, of one forward pass: memory, never results.

    Accepts: a completion that the model prefers scores higher.
    Rejects: special tokens written in a completion's text are read as plain text.
    Abstains (``error``): where the model gives no finite number.
    """

    model: str
    reading: Reading = PLAIN
    dtype: str = "auto"
    device: str = "auto"
    batch_tokens: int = 16_384
    share_prefix: bool = True
    trust_remote_code: bool = False
    name: str = "reward_model"
    range = UNBOUNDED

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model:
            raise TypeError(f"model must be a name or a folder, got {type(self.model).__name__}")
        if isinstance(self.reading, dict):
            object.__setattr__(self, "reading", Reading(**self.reading))
        if self.batch_tokens < 1:
            raise ValueError(f"batch_tokens must be at least 1, got {self.batch_tokens}")

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the model's score of one completion."""
        return self.verify_batch([Item(as_completion(completion), problem)])[0]

    def prepare(self) -> None:
        """Load the model, so that no completion's deadline pays for it."""
        self.verify_batch([Item(Completion(text="."), Problem(prompt="."))])

    def verify_batch(self, items: Sequence[Item]) -> list[Verdict]:
        """Return the model's scores of many completions."""
        return [self._verdict(x) for x in self.logits(items)]

    def logits(self, items: Sequence[Item]) -> list[float]:
        """Return the model's raw numbers; what is not finite is handed on as it is."""
        from referee.verifiers.learned.heads import head_of

        if not items:
            return []
        head = head_of(self.model)
        if head is not None:
            return head.logits(items, dtype=self.dtype, device=self.device, batch_tokens=self.batch_tokens)
        return _sequence_scores(self, items)

    def _verdict(self, logit: float) -> Verdict:
        if not math.isfinite(logit):
            return failure(f"{self.name} gave {logit}")
        return Verdict(score=logit, reason=Reason.SCORED)


@dataclass(frozen=True, kw_only=True)
class OutcomeModel(RewardModel):
    """Pay the chance, by a classifier, that a completion is right: sigmoid of the model's number.

    An outcome-supervised reward model (Cobbe et al. 2021). It guesses what a verifier would say:
    where a verifier can decide, use the verifier.

    Accepts: a completion that looks right scores near 1.
    Rejects: one that looks wrong scores near 0; one without an answer is 0, ``no_answer``.
    Abstains (``error``): where the model gives no finite number.
    """

    name: str = "outcome_model"
    range = UNIT

    def verify_batch(self, items: Sequence[Item]) -> list[Verdict]:
        """Return the chances of many completions; the model is not asked about one without an answer."""
        verdicts = [Verdict(score=0.0, reason=Reason.NO_ANSWER)] * len(items)
        asked = [i for i, item in enumerate(items) if has_answer(item.completion, item.problem)]
        for i, verdict in zip(asked, super().verify_batch([items[i] for i in asked]), strict=True):
            verdicts[i] = verdict
        return verdicts

    def _verdict(self, logit: float) -> Verdict:
        if math.isnan(logit):
            return failure(f"{self.name} gave {logit}")
        return Verdict(
            score=sigmoid(logit), reason=Reason.SCORED, detail={"logit": max(min(logit, 1e9), -1e9)}
        )


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), also for numbers whose exponential overflows."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def best_of(scores: Sequence[float | None]) -> int | None:
    """Return the index of the greatest score, the first of equal ones; None where none was given.

    >>> best_of([0.2, None, 0.9, 0.9])
    2
    """
    decided = [(s, -i) for i, s in enumerate(scores) if s is not None]
    return -max(decided)[1] if decided else None


def _sequence_scores(verifier: RewardModel, items: Sequence[Item]) -> list[float]:
    from referee.verifiers.learned.batching import Wanted, states
    from referee.verifiers.learned.loading import load

    loaded = load(
        verifier.model,
        "sequence_classification",
        dtype=verifier.dtype,
        device=verifier.device,
        trust_remote_code=verifier.trust_remote_code,
    )
    longest = longest_row(loaded, verifier.reading.max_length)
    groups: dict[str, int] = {}
    wanted = []
    for item in items:
        ids = cut(read(loaded.tokenizer, item.completion, item.problem, verifier.reading), longest)
        group = groups.setdefault(item.problem.prompt_text, len(groups))
        wanted.append(Wanted(token_ids=ids or (loaded.pad_id,), places=(max(len(ids) - 1, 0),), group=group))
    head = getattr(loaded.model, "score", None)
    if head is None or loaded.model.base_model is loaded.model:
        rows = states(loaded, _whole(loaded.model), wanted, batch_tokens=verifier.batch_tokens)
        return [float(r[0, 0]) for r in rows]

    def forward(tokens_BT: Any, mask_BT: Any, cache: Any) -> Any:
        hidden_BTD = loaded.model.base_model(
            input_ids=tokens_BT, attention_mask=mask_BT, past_key_values=cache, use_cache=cache is not None
        ).last_hidden_state
        return head(hidden_BTD)

    share = verifier.share_prefix
    rows = states(loaded, forward, wanted, batch_tokens=verifier.batch_tokens, share_prefix=share)
    return [float(r[0, 0]) for r in rows]


def _whole(model: Any) -> Any:
    """Return the forward pass of a model that pools by itself: one state a row."""

    def forward(tokens_BT: Any, mask_BT: Any, _: Any) -> Any:
        out = model(input_ids=tokens_BT, attention_mask=mask_BT)
        scores = out.score if getattr(out, "score", None) is not None else out.logits
        return scores.reshape(len(tokens_BT), 1, -1)

    return forward
