"""Training reward models: the loss by hand, TRL's loss, and that what is saved is what is read."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from referee.trainers.policy.policy import LoRA
from referee.trainers.reward_models.frozen_heads import HeadTraining, train_outcome_head, train_reward_head
from referee.trainers.reward_models.outcome_data import labelled_by, labelled_rollouts, majority
from referee.trainers.reward_models.preferences import Ranking
from referee.trainers.reward_models.reward_loss import bradley_terry_loss, ranking_pairs
from referee.trainers.reward_models.reward_training import (
    RewardTraining,
    load_backbone,
    scores_of,
    train_outcome_model,
    train_reward_model,
    trl_reward_trainer,
)
from referee.verifiers import OutcomeModel, Problem, RewardModel, Rubric
from referee.verifiers.learned.embedding import Embedder
from referee.verifiers.learned.text_layout import Reading
from referee.verifiers.records import Reason, Verdict
from referee.verifiers.scoring.asking import evaluate

MODELS = runpy.run_path(str(Path(__file__).parents[1] / "verifiers" / "learned" / "conftest.py"))
llama = MODELS["llama"]
P = Problem(prompt="say ")
#: The one with more a's is better.
RANKINGS = [
    Ranking(
        problem=P, completions=("a" * (2 + n % 3) + "b" * (n % 2), "ab" + "b" * (n % 4), "b" * (1 + n % 5))
    )
    for n in range(12)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return llama("LlamaForSequenceClassification", tmp_path_factory.mktemp("backbone"))


@given(
    st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=6),
    st.floats(0, 3),
    st.floats(0, 1),
)
def test_the_loss_is_the_formula(pairs, margin, centre):
    better, worse = (torch.tensor([p[i] for p in pairs], dtype=torch.float64) for i in (0, 1))
    by_hand = [math.log1p(math.exp(-(b - w - margin))) + centre * (b + w) ** 2 for b, w in pairs]
    got = bradley_terry_loss(better, worse, margin=margin, centre_coef=centre)
    assert float(got) == pytest.approx(sum(by_hand) / len(by_hand))


def test_a_ranking_counts_as_one_however_many_pairs_it_has():
    read = [
        Ranking(problem=P, completions=("a", "b")),
        Ranking(problem=P, completions=("a", "b", "c", "d"), margin=1),
    ]
    better, worse, margin, weight, unit = ranking_pairs(read)
    assert better.tolist() == [0, 2, 2, 2, 3, 3, 4]
    assert worse.tolist() == [1, 3, 4, 5, 4, 5, 5]
    assert margin.tolist() == [0, 1, 2, 3, 1, 2, 1]
    assert [float(weight[unit == u].sum()) for u in (0, 1)] == pytest.approx([1.0, 1.0])


def test_gradients_agree_with_finite_differences():
    scores = torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64, requires_grad=True)
    better, worse, _, weight, _ = ranking_pairs([RANKINGS[0]])
    assert torch.autograd.gradcheck(
        lambda s: bradley_terry_loss(s[better], s[worse], margin=0.5, weight=weight, centre_coef=0.1),
        (scores,),
    )


@pytest.mark.parametrize("lora", [None, LoRA(rank=4, alpha=8)])
def test_a_reward_model_learns_and_is_read_as_it_was_trained(folder, lora, tmp_path):
    backbone = load_backbone(folder, lora=lora)
    options = RewardTraining(epochs=15, batch_size=9, learning_rate=5e-3, lora=lora)
    losses = train_reward_model(backbone, RANKINGS, options)
    assert sum(losses[-4:]) < 0.6 * sum(losses[:4])
    items = [i for r in RANKINGS for i in r.items]
    with torch.no_grad():
        trained = scores_of(backbone, items).tolist()
    backbone.save(tmp_path)
    read = [v.score for v in evaluate(RewardModel(model=str(tmp_path), dtype="float32"), items)]
    assert read == pytest.approx(trained, abs=1e-4)


@pytest.mark.parametrize("family", ["Bert", "GPT2", "Qwen2"])
def test_the_backbone_may_be_of_any_family(family, tmp_path):
    import transformers

    tokenizer = MODELS["tokenizer"]()
    names = {"n_embd": 32, "n_layer": 2, "n_head": 2} if family == "GPT2" else {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
        "num_key_value_heads": 2,
    }  # fmt: skip
    config = getattr(transformers, f"{family}Config")(
        vocab_size=len(tokenizer), max_position_embeddings=128, num_labels=1, pad_token_id=0, **names
    )
    torch.manual_seed(0)
    getattr(transformers, f"{family}ForSequenceClassification")(config).save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    backbone = load_backbone(str(tmp_path / "start"))
    losses = train_reward_model(
        backbone, RANKINGS, RewardTraining(epochs=12, batch_size=9, learning_rate=5e-3)
    )
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4])
    backbone.save(tmp_path / "end")
    items = [i for r in RANKINGS for i in r.items]
    with torch.no_grad():
        trained = scores_of(backbone, items).tolist()
    model = RewardModel(model=str(tmp_path / "end"), dtype="float32")
    assert [v.score for v in model.verify_batch(items)] == pytest.approx(trained, abs=1e-4)
    assert [model(i.completion, i.problem).score for i in items[:4]] == pytest.approx(trained[:4], abs=1e-4)


def test_training_repeats_from_its_seed(folder):
    runs = [
        train_reward_model(load_backbone(folder, seed=1), RANKINGS, RewardTraining(seed=2)) for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_the_loss_is_trls(folder, tmp_path):
    """The same pairs, margin and centring through TRL's RewardTrainer, on the same weights."""
    pairs = [Ranking(problem=P, completions=r.completions[:2], margin=0.5) for r in RANKINGS[:4]]
    options = RewardTraining(batch_size=8, centre_coef=0.1, reading=Reading(style="text", add_eos=True))
    backbone = load_backbone(folder)
    trainer = trl_reward_trainer(backbone, pairs, tmp_path, options)
    (batch,) = trainer.get_train_dataloader()
    backbone.model.eval()
    with torch.no_grad():
        theirs = float(trainer.compute_loss(backbone.model, batch))
        better, worse, margin, weight, _ = ranking_pairs(pairs)
        s = scores_of(backbone, [i for r in pairs for i in r.items], options.reading)
        ours = float(bradley_terry_loss(s[better], s[worse], margin=margin, weight=weight, centre_coef=0.1))
    assert ours == pytest.approx(theirs, abs=1e-5)


def test_an_outcome_model_learns_verdicts(folder, tmp_path):
    items = [i for r in RANKINGS for i in r.items]

    def right(completion, problem):
        if completion.text == "ab":
            return Verdict(score=None, reason=Reason.UNAVAILABLE)
        return completion.text.startswith("aa")

    kept, labels = labelled_by(right, items)
    assert len(kept) == len(labels) < len(items)
    backbone = load_backbone(folder)
    train_outcome_model(backbone, kept, labels, RewardTraining(epochs=20, learning_rate=5e-3))
    backbone.save(tmp_path)
    scores = [v.score for v in evaluate(OutcomeModel(model=str(tmp_path)), kept)]
    assert all((s > 0.5) == bool(y) for s, y in zip(scores, labels, strict=True))


def test_rollouts_that_a_verifier_labelled_are_an_outcome_models_data(tiny):
    def even(completion, problem):
        return None if completion.text[:1] in ("8", "9") else completion.text[:1] in tuple("02468")

    rubric = Rubric({"even": (even, 1.0), "digits": (tiny.digits, 0.0)}, truncation="score")
    groups, _ = tiny.trainer(rubric=rubric).collect()
    items, labels = labelled_rollouts(groups, "even")
    rollouts = [r for g in groups for r in g.rollouts]
    kept = [r for r in rollouts if r.text[:1] not in ("8", "9")]
    assert 0 < len(kept) < len(rollouts)
    assert [i.completion.text for i in items] == [r.text for r in kept]
    assert [i.problem for i in items] == [r.problem for r in kept]
    assert labels == [float(r.text[:1] in tuple("02468")) for r in kept]
    assert len(labelled_rollouts(groups, "digits")[0]) == len(rollouts)


def test_frozen_heads_learn_and_are_read_as_verifiers(folder, tmp_path):
    embedder = Embedder(backbone=folder)
    items = [i for r in RANKINGS for i in r.items]
    x = embedder(items, cache=tmp_path / "cache")
    assert np.array_equal(x, embedder(items, cache=tmp_path / "cache"))
    assert np.abs(embedder(items, batch_tokens=1) - x).max() < 1e-5
    options = HeadTraining(penalties=(0.001, 0.01))
    train_reward_head(embedder, x, RANKINGS, options).save(tmp_path / "bt")
    scores = [v.score for v in evaluate(RewardModel(model=str(tmp_path / "bt")), items)]
    gaps = [scores[3 * n] - scores[3 * n + 2] for n in range(len(RANKINGS))]
    assert min(gaps) > 0
    labels = [i.completion.text.startswith("aa") for i in items]
    train_outcome_head(embedder, x, labels, list(range(len(items))), options).save(tmp_path / "orm")
    chances = [v.score for v in evaluate(OutcomeModel(model=str(tmp_path / "orm")), items)]
    assert sum((c > 0.5) == y for c, y in zip(chances, labels, strict=True)) >= 0.9 * len(items)


def test_parts_embed_prompt_and_completion_apart(folder):
    embedder = Embedder(backbone=folder, features="parts")
    x = embedder(RANKINGS[0].items)
    width = x.shape[1] // 4
    assert np.allclose(x[0, :width], x[1, :width])
    assert np.allclose(np.linalg.norm(x[:, width : 2 * width], axis=1), 1, atol=1e-5)


def test_the_majority_is_the_first_of_the_most_frequent():
    assert majority(["1", "2", "2", None]) == 1
    assert majority(["1", "2"]) == 0
    assert majority([None]) is None
