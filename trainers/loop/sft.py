"""Supervised fine-tuning on demonstrations, with the loss on the completion's tokens only.

The warm start of a tiny policy, and the cold start before reinforcement learning (DeepSeek-R1,
section 2.3). Any model, in full or through adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from accelerate import Accelerator
from torch import Tensor

from referee.envs.records import Rollout
from referee.trainers.loop.optimizers import optimizer_of
from referee.trainers.loop.rollouts import row_of
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.shuffling import item_at
from referee.trainers.objective.options import OptimizerName, RateSchedule, at_least, check_options
from referee.trainers.placement import Placement, Share
from referee.trainers.policy.batch import Batch, TokenRow, batch_logprobs, collate, completion_row
from referee.trainers.policy.dropout import RowDropout
from referee.trainers.policy.policy import Policy
from referee.trainers.policy.sampling import seed_of
from referee.verifiers.records import Problem

Demonstration: TypeAlias = "tuple[Problem, str] | Rollout"
"""A problem with a completion that shows how, or a whole episode that does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SFT:
    """Options of supervised fine-tuning."""

    steps: int = 250
    """Optimiser steps."""
    batch_size: int = 64
    """Demonstrations in one optimiser step."""
    learning_rate: float = 1e-3
    """AdamW's, at its height."""
    schedule: RateSchedule = "constant"
    """How the learning rate goes on after the warm-up."""
    warmup_steps: int = 0
    """Steps over which it rises."""
    optimizer: OptimizerName = "adamw"
    """By name (:mod:`referee.trainers.loop.optimizers`)."""
    weight_decay: float = 0.0
    """The optimiser's; norms and biases take none."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    micro_batch_tokens: int = 16_384
    """Tokens, with padding, of one forward pass at most: memory, never results."""
    seed: int = 0
    """Decides the demonstrations' order."""

    def __post_init__(self) -> None:
        check_options(self)
        at_least(self, 0, "steps", "learning_rate", "warmup_steps", "weight_decay", "max_grad_norm")
        at_least(self, 1, "batch_size", "micro_batch_tokens")


def demonstration_row(policy: Policy, problem: Problem, completion: str) -> TokenRow:
    """Return the row of a problem and a completion that shows how; the end token is added.

    The completion is tokenised on its own, as it will be sampled: after the prompt's last token.
    """
    ids = policy.tokenizer(completion, add_special_tokens=False)["input_ids"]
    return completion_row(policy.encode(problem.prompt), [*map(int, ids), policy.end_of(problem.prompt)])


def fine_tune(
    policy: Policy,
    demonstrations: Sequence[Demonstration] | Callable[[int], Demonstration],
    *,
    options: SFT | None = None,
    accelerator: Accelerator | None = None,
    on_step: Callable[[Mapping[str, float]], None] | None = None,
) -> list[float]:
    """Train a policy, in place, to write the demonstrations; return the loss of each step.

    loss = -sum over completion tokens of log pi(y_t) / their number in the batch

    ``demonstrations`` is a sequence, gone through in a new random order each time, or a function of
    an index.
    """
    o = options or SFT()
    placement = Placement(accelerator)
    model = placement.model(policy.model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = placement.optimizer(
        optimizer_of(
            trained,
            name=o.optimizer,
            learning_rate=o.learning_rate,
            weight_decay=o.weight_decay,
            apart=policy.embeddings(),
        )
    )
    dropout = RowDropout(policy.model)
    rate = Training(steps=o.steps, schedule=o.schedule, warmup_steps=o.warmup_steps).rate
    losses: list[float] = []
    model.train()
    for step in range(o.steps):
        for group in optimizer.param_groups:
            group["lr"] = o.learning_rate * rate(step)
        positions = range(step * o.batch_size, (step + 1) * o.batch_size)
        rows = [_row(policy, _demonstration(demonstrations, i, o.seed)) for i in positions]
        batch = collate(rows, pad_id=policy.pad_id, device=placement.device)
        tokens = float(batch.mask_BT.sum())

        def loss_of(share: Share, batch: Batch = batch, tokens: float = tokens, step: int = step) -> Tensor:
            micro = batch.select(share.rows_B)
            seeds = [seed_of(o.seed, "dropout", step, row) for row in share.rows_B.tolist()]
            with dropout.of_rows(seeds):
                logprobs_BT, _ = batch_logprobs(model, micro.tokens_BT, micro.mask_BT)
            return -logprobs_BT.sum() / tokens

        total = placement.backward(model, placement.shares(batch, tokens=o.micro_batch_tokens), loss_of)
        placement.clip(trained, o.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(placement.summed(total)))
        if on_step is not None:
            on_step({"step": step + 1, "loss": losses[-1]})
    model.eval()
    return losses


def _row(policy: Policy, shown: Demonstration) -> TokenRow:
    return row_of(shown, policy) if isinstance(shown, Rollout) else demonstration_row(policy, *shown)


def _demonstration(
    source: Sequence[Demonstration] | Callable[[int], Demonstration], position: int, seed: int
) -> Demonstration:
    if callable(source):
        return source(position)
    return source[item_at(position, len(source), seed=seed)]
