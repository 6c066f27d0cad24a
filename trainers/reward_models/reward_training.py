"""Training reward models and outcome models on any transformers backbone, in full or by LoRA.

Pairs alone can as well be trained by TRL's RewardTrainer (:func:`trl_reward_trainer`), which brings its
logging, devices and checkpoints; what it lacks is here: rankings kept in one batch, and outcomes.
For frozen backbones see :mod:`referee.trainers.reward_models.frozen_heads`. What is saved is read by
:class:`referee.verifiers.learned.reward_model.RewardModel` and ``OutcomeModel``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from referee.trainers.loop.optimizers import optimizer_of
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.shuffling import shuffled
from referee.trainers.policy.policy import LoRA
from referee.trainers.policy.sampling import seed_of
from referee.trainers.reward_models.preferences import Ranking, batches_of_rankings
from referee.trainers.reward_models.reward_loss import bradley_terry_loss, ranking_pairs
from referee.verifiers.learned.batching import fill_up
from referee.verifiers.learned.loading import forget, place, quiet
from referee.verifiers.learned.text_layout import PLAIN, Reading, cut, longest_row, read
from referee.verifiers.protocol import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardTraining:
    """Options of a training run; ``batch_size`` counts completions, ``margin`` is in the rankings.

    ``lora`` trains adapters and the head, and merges them when the model is saved. One epoch is
    usual: reward models overfit fast (Ouyang et al. 2022, section 3.5).
    """

    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 1e-5
    warmup_steps: int = 0
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    centre_coef: float = 0.01
    lora: LoRA | None = None
    reading: Reading = field(default=PLAIN)
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A classifier with one label that is being trained, and its tokenizer."""

    model: Any
    tokenizer: Any

    def save(self, folder: str | Path) -> None:
        """Write a checkpoint that ``RewardModel(model=folder)`` reads, with adapters merged."""
        model = self.model.merge_and_unload() if hasattr(self.model, "merge_and_unload") else self.model
        model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        forget()


def load_backbone(name: str, *, lora: LoRA | None = None, seed: int = 0) -> Backbone:
    """Load a backbone with a fresh head of one label, whose weights ``seed`` decides."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    where, gguf = place(name)
    options: dict[str, Any] = {"gguf_file": gguf} if gguf else {}
    tokenizer: Any = AutoTokenizer.from_pretrained(where, **options)
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = AutoModelForSequenceClassification.from_pretrained(
            where, num_labels=1, dtype=torch.float32, **options
        )
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
        if lora is not None:
            from peft import LoraConfig, get_peft_model

            config = LoraConfig(
                r=lora.rank,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
                task_type="SEQ_CLS",
            )
            model = get_peft_model(model, config)
    return Backbone(model, tokenizer)


def train_reward_model(
    backbone: Backbone,
    rankings: Sequence[Ranking],
    options: RewardTraining | None = None,
    *,
    on_step: Callable[[Mapping[str, float]], None] | None = None,
) -> list[float]:
    """Train by Bradley and Terry, in place; return each step's loss. A ranking's pairs stay in one batch."""
    o = options or RewardTraining()

    def batches() -> Iterator[tuple[list[Item], Callable[[Tensor], Tensor]]]:
        for epoch in range(o.epochs):
            for batch in batches_of_rankings(
                rankings, completions=o.batch_size, order=shuffled(len(rankings), seed=o.seed, round=epoch)
            ):
                better, worse, margin, weight, _ = ranking_pairs(batch)

                def loss(
                    scores_B: Tensor,
                    better: Tensor = better,
                    worse: Tensor = worse,
                    margin: Tensor = margin,
                    weight: Tensor = weight,
                ) -> Tensor:
                    return bradley_terry_loss(
                        scores_B[better],
                        scores_B[worse],
                        margin=margin.to(scores_B.device),
                        weight=weight.to(scores_B.device),
                        centre_coef=o.centre_coef,
                    )

                yield [item for r in batch for item in r.items], loss

    return _train(backbone, list(batches()), o, on_step)


def train_outcome_model(
    backbone: Backbone,
    items: Sequence[Item],
    labels: Sequence[float],
    options: RewardTraining | None = None,
    *,
    on_step: Callable[[Mapping[str, float]], None] | None = None,
) -> list[float]:
    """Train to foretell verdicts by binary cross-entropy, in place; ``labels`` are from 0 to 1."""
    o = options or RewardTraining()
    if len(items) != len(labels):
        raise ValueError(f"labels must have one value for each of {len(items)} items, got {len(labels)}")
    target = torch.tensor([float(x) for x in labels])
    steps = []
    for epoch in range(o.epochs):
        order = shuffled(len(items), seed=o.seed, round=epoch)
        for start in range(0, len(order), o.batch_size):
            rows = order[start : start + o.batch_size]

            def loss(scores_B: Tensor, rows: list[int] = rows) -> Tensor:
                return nn.functional.binary_cross_entropy_with_logits(
                    scores_B, target[rows].to(scores_B.device)
                )

            steps.append(([items[i] for i in rows], loss))
    return _train(backbone, steps, o, on_step)


def scores_of(backbone: Backbone, items: Sequence[Item], reading: Reading = PLAIN) -> Tensor:
    """Return the scores of items with gradients, each read at its own last token."""
    model = backbone.model
    longest = longest_row(backbone, reading.max_length)
    rows = [cut(read(backbone.tokenizer, i.completion, i.problem, reading), longest) for i in items]
    device = next(model.parameters()).device
    tokens_BT, mask_BT = fill_up(rows, int(backbone.tokenizer.pad_token_id or 0), device)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    head = getattr(inner, "score", None)
    if head is None:
        return model(input_ids=tokens_BT, attention_mask=mask_BT).logits[:, 0]  # type: ignore[no-any-return]
    hidden_BTD = inner.base_model(input_ids=tokens_BT, attention_mask=mask_BT).last_hidden_state
    last_B = mask_BT.sum(1) - 1
    rows_B = torch.arange(len(rows), device=device)
    return head(hidden_BTD[rows_B, last_B])[:, 0]  # type: ignore[no-any-return]


def trl_reward_trainer(
    backbone: Backbone, rankings: Sequence[Ranking], folder: str | Path, options: RewardTraining | None = None
) -> Any:
    """Return TRL's RewardTrainer over all pairs, with the same margin and centring; call its ``train()``.

    TRL closes texts with the end token: read its models with ``Reading(add_eos=True)``. It deals a
    ranking's pairs over its batches.
    """
    from datasets import Dataset
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import RewardTrainer

    o = options or RewardTraining()
    rows = [
        {
            "chosen": r.problem.prompt_text + o.reading.separator + r.completions[i],
            "rejected": r.problem.prompt_text + o.reading.separator + r.completions[j],
            "margin": r.margin * (j - i),
        }
        for r in rankings
        for i, j in r.pairs
    ]
    config = RewardConfig(
        output_dir=str(folder),
        num_train_epochs=o.epochs,
        per_device_train_batch_size=max(1, o.batch_size // 2),
        learning_rate=o.learning_rate,
        weight_decay=o.weight_decay,
        max_grad_norm=o.max_grad_norm,
        warmup_steps=o.warmup_steps,
        center_rewards_coefficient=o.centre_coef or None,
        seed=o.seed,
        report_to="none",
        save_strategy="no",
        bf16=False,
        max_length=longest_row(backbone, o.reading.max_length),
    )
    return RewardTrainer(
        model=backbone.model,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=backbone.tokenizer,
    )


def _train(
    backbone: Backbone,
    steps: Sequence[tuple[list[Item], Callable[[Tensor], Tensor]]],
    o: RewardTraining,
    on_step: Callable[[Mapping[str, float]], None] | None,
) -> list[float]:
    trained = [p for p in backbone.model.parameters() if p.requires_grad]
    optimizer = optimizer_of(trained, learning_rate=o.learning_rate, weight_decay=o.weight_decay)
    rate = Training(steps=len(steps), schedule="linear", warmup_steps=o.warmup_steps).rate
    losses: list[float] = []
    backbone.model.train()
    for step, (items, loss_of) in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = o.learning_rate * rate(step)
        with torch.random.fork_rng():
            torch.manual_seed(seed_of(o.seed, "dropout", step))
            loss = loss_of(scores_of(backbone, items, o.reading))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, o.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        if on_step is not None:
            on_step({"step": step + 1, "loss": losses[-1]})
    backbone.model.eval()
    return losses
