"""Training process reward models: two classes for the token that ends each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from referee.trainers.loop.optimizers import optimizer_of
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.shuffling import shuffled
from referee.trainers.policy.sampling import seed_of
from referee.trainers.reward_models.process_data import Solution
from referee.verifiers.learned.batching import by_length, fill_up
from referee.verifiers.learned.formats import FORMATS
from referee.verifiers.learned.loading import forget, place, quiet

StepRow: TypeAlias = "tuple[list[int], list[int], list[float]]"
"""Tokens, the places of labelled steps, their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTraining:
    """Options of a training run; ``batch_size`` counts solutions."""

    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 1e-5
    warmup_steps: int = 0
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    micro_batch_tokens: int = 16_384
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class StepClassifier:
    """A token classifier with two labels that is being trained, and its tokenizer."""

    model: Any
    tokenizer: Any

    def save(self, folder: str | Path) -> None:
        """Write a checkpoint that ``ProcessModel(model=folder)`` reads."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        forget()


def load_step_classifier(
    name: str, *, extra_layers: int = 0, frozen: bool = False, seed: int = 0
) -> StepClassifier:
    """Load a backbone with a fresh head of two labels; a policy's folder is a good start.

    ``extra_layers`` fresh layers are put on top: what a small policy foretells for a step's result is
    there only after its last layer, and a layer more can compare it with what was written. With
    ``frozen`` the loaded layers keep their weights, and the fresh layers, the last norm and the head are
    trained, at ten times the learning rate that whole models bear.

    Raises:
        ValueError: for extra layers on a backbone that does not keep its layers in a list ``layers``.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer

    where, gguf = place(name)
    options: dict[str, Any] = {"gguf_file": gguf} if gguf else {}
    if extra_layers:
        layers = AutoConfig.from_pretrained(where, **options).num_hidden_layers
        options["num_hidden_layers"] = layers + extra_layers
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = AutoModelForTokenClassification.from_pretrained(
            where, num_labels=2, dtype=torch.float32, **options
        )
    base = model.base_model
    if extra_layers and not isinstance(getattr(base, "layers", None), nn.ModuleList):
        raise ValueError(f"extra_layers must be 0 for a {type(base).__name__}, got {extra_layers}")
    if frozen:
        base.requires_grad_(requires_grad=False)
        fresh = base.layers[-extra_layers:] if extra_layers else []
        for part in (*fresh, getattr(base, "norm", None)):
            if part is not None:
                part.requires_grad_(requires_grad=True)
    if isinstance(getattr(model, "dropout", None), nn.Dropout):
        model.dropout.p = 0.0  # transformers drops a tenth before this head where nobody asked for it
    tokenizer: Any = AutoTokenizer.from_pretrained(where, **({"gguf_file": gguf} if gguf else {}))
    return StepClassifier(model, tokenizer)


def step_loss(logits_SC: Tensor, labels_S: Tensor) -> Tensor:
    """Return the cross-entropy of steps with labels from 0 to 1, averaged over the steps.

    loss = -mean [ y log p + (1 - y) log (1 - p) ],  p = softmax(logits)[1]

    Soft labels are Monte-Carlo shares (Wang et al. 2024, section 3).
    """
    logp_SC = logits_SC.float().log_softmax(-1)
    return -(labels_S * logp_SC[:, 1] + (1.0 - labels_S) * logp_SC[:, 0]).mean()


def train_process_model(
    classifier: StepClassifier,
    solutions: Sequence[Solution],
    options: ProcessTraining | None = None,
    *,
    on_step: Callable[[Mapping[str, float]], None] | None = None,
) -> list[float]:
    """Train, in place; return each optimiser step's loss. Steps without a label are in no loss."""
    o = options or ProcessTraining()
    rows = [r for r in (_row(classifier, s) for s in solutions) if r[1]]
    if not rows:
        raise ValueError("solutions must have at least one labelled step, got none")
    model, trained = classifier.model, [p for p in classifier.model.parameters() if p.requires_grad]
    optimizer = optimizer_of(trained, learning_rate=o.learning_rate, weight_decay=o.weight_decay)
    per_epoch = -(-len(rows) // o.batch_size)
    rate = Training(steps=o.epochs * per_epoch, schedule="linear", warmup_steps=o.warmup_steps).rate
    losses: list[float] = []
    model.train()
    for epoch in range(o.epochs):
        order = shuffled(len(rows), seed=o.seed, round=epoch)
        for start in range(0, len(rows), o.batch_size):
            for group in optimizer.param_groups:
                group["lr"] = o.learning_rate * rate(len(losses))
            batch = [rows[i] for i in order[start : start + o.batch_size]]
            with torch.random.fork_rng():
                torch.manual_seed(seed_of(o.seed, "dropout", len(losses)))
                losses.append(_accumulate(classifier, batch, o.micro_batch_tokens))
            nn.utils.clip_grad_norm_(trained, o.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
            if on_step is not None:
                on_step({"step": len(losses), "loss": losses[-1]})
    model.eval()
    return losses


def _row(classifier: StepClassifier, solution: Solution) -> StepRow:
    form = FORMATS["token_classification"]
    ids, places = form.tokens(classifier.tokenizer, solution.problem, solution.steps)
    known = [(p, x) for p, x in zip(places, solution.labels, strict=True) if x is not None]
    return ids, [p for p, _ in known], [x for _, x in known]


def _accumulate(classifier: StepClassifier, rows: Sequence[StepRow], micro_batch_tokens: int) -> float:
    """Add up the gradient of one batch, in micro-batches that change nothing but rounding."""
    steps = sum(len(r[1]) for r in rows)
    pad, device = int(classifier.tokenizer.pad_token_id or 0), next(classifier.model.parameters()).device
    total = 0.0
    for batch in by_length([len(r[0]) for r in rows], micro_batch_tokens):
        chosen = [rows[i] for i in batch]
        tokens_BT, mask_BT = fill_up([r[0] for r in chosen], pad, device)
        logits_BTC = classifier.model(input_ids=tokens_BT, attention_mask=mask_BT).logits
        at = [(b, p) for b, r in enumerate(chosen) for p in r[1]]
        labels_S = torch.tensor([x for r in chosen for x in r[2]], device=device)
        logits_SC = logits_BTC[[b for b, _ in at], [p for _, p in at]]
        loss = step_loss(logits_SC, labels_S) * (len(at) / steps)
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total
