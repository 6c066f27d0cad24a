"""Process models: their data, labels from rollouts, training, and rewards for tokens."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from referee.trainers.objective.step_rewards import step_rewards
from referee.trainers.policy.policy import tiny_policy
from referee.trainers.policy.sampling import Sampling
from referee.trainers.reward_models.process_data import (
    PolicyCompleter,
    Solution,
    math_shepherd,
    monte_carlo_labels,
    prm800k,
    stepwise,
    until_first_wrong,
)
from referee.trainers.reward_models.process_model import (
    ProcessTraining,
    load_step_classifier,
    step_loss,
    train_process_model,
)
from referee.verifiers import Problem, ProcessModel, Verdict

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "learned.py"
llama = runpy.run_path(str(Path(__file__).parents[1] / "verifiers" / "learned" / "conftest.py"))["llama"]
P = Problem(prompt="1+1+1:", answer="3")


def test_trls_stepwise_format_is_read():
    (s,) = stepwise([{"prompt": "p", "completions": ["a", "b"], "labels": [True, False]}])
    assert (s.problem.prompt, s.steps, s.labels) == ("p", ("a", "b"), (1.0, 0.0))


@pytest.mark.parametrize(("neutral", "second"), [(1.0, 1.0), (0.0, 0.0), (None, None)])
def test_prm800k_is_read_with_every_rated_step(neutral, second):
    row = {
        "question": {"problem": "p", "ground_truth_answer": "4"},
        "label": {
            "steps": [
                {
                    "completions": [{"text": "a", "rating": 1}, {"text": "x", "rating": -1}],
                    "chosen_completion": 0,
                },
                {
                    "completions": [{"text": "b", "rating": 0}],
                    "chosen_completion": 0,
                    "human_completion": None,
                },
                {
                    "completions": [{"text": "c", "rating": -1}],
                    "chosen_completion": None,
                    "human_completion": None,
                },
            ]
        },
    }
    read = {s.steps: s.labels for s in prm800k([row], neutral=neutral)}
    assert read == {("x",): (0.0,), ("a", "b", "c"): (None, None, 0.0), ("a", "b"): (1.0, second)}


def test_math_shepherd_is_read():
    row = {
        "input": "What? Step 1: a ки\nStep 2: b ки",
        "label": "What? Step 1: a +\nStep 2: b -",
    }
    (s,) = math_shepherd([row])
    assert (s.problem.prompt, s.steps, s.labels) == ("What?", ("Step 1: a", "Step 2: b"), (1.0, 0.0))
    with pytest.raises(ValueError, match="row 0: input has 2 steps and label 1"):
        math_shepherd([{**row, "label": "What? Step 1: a +"}])


class Scripted:
    """Continues rightly where no step is wrong, three times in four."""

    def __init__(self):
        self.seen = []

    def __call__(self, prefixes, samples):
        self.seen += [text for _, text in prefixes]
        return [
            ["=3" if "wrong" not in text and i % 4 else "=0" for i in range(samples)] for _, text in prefixes
        ]


def ends_right(completion, problem):
    if "lost" in completion.text:
        return None
    return completion.text.rpartition("=")[2] == problem.answer


def test_monte_carlo_labels_are_the_shares_of_right_continuations():
    completer = Scripted()
    solutions = [(P, ["a", "b", "c=3"]), (P, ["a", "wrong", "c=3"]), (P, ["a", "lost", "c=0"])]
    first, second, third = monte_carlo_labels(completer, solutions, ends_right, samples=4)
    assert first.labels == (0.75, 0.75, 1.0)
    assert second.labels == (0.75, 0.0, 1.0)
    assert third.labels == (0.75, None, None)
    assert sorted(completer.seen) == ["a\n", "a\nb\n", "a\nlost\n", "a\nwrong\n"]
    hard = monte_carlo_labels(completer, solutions[:2], ends_right, samples=4, hard=True)
    assert [s.labels for s in hard] == [(1.0, 1.0, 1.0), (1.0, 0.0, 1.0)]
    assert until_first_wrong([second])[0].labels == (0.75, 0.0, None)


def test_a_policys_continuations_depend_on_the_prefix_alone(tiny):
    completer = PolicyCompleter(policy=tiny_policy(tiny.options), sampling=Sampling(max_new_tokens=4))
    prefixes = [(Problem(prompt="1+1="), "2"), (Problem(prompt="12+3="), "")]
    together = completer(prefixes, 3)
    assert [len(t) for t in together] == [3, 3]
    assert completer(prefixes[::-1], 3) == together[::-1]
    assert completer(prefixes[1:], 3) == together[1:]


def test_the_step_loss_is_binary_cross_entropy_of_soft_labels():
    logits = torch.tensor([[0.2, 1.0], [0.0, -2.0]], dtype=torch.float64)
    labels = torch.tensor([0.75, 0.0], dtype=torch.float64)
    chance = logits.softmax(-1)[:, 1]
    by_hand = -(labels * chance.log() + (1 - labels) * (1 - chance).log()).mean()
    assert float(step_loss(logits, labels)) == pytest.approx(float(by_hand), abs=1e-6)


def test_a_process_model_learns_which_steps_are_wrong(tmp_path):
    folder = llama("LlamaForTokenClassification", tmp_path / "start", labels=2)
    solutions = [
        Solution(problem=P, steps=("ok" + "x" * (n % 3), word, "ok"), labels=(1, float(word == "ok"), None))
        for n in range(12)
        for word in ("ok", "bad")
    ]
    whole, parts = load_step_classifier(folder), load_step_classifier(folder)
    options = {"epochs": 8, "batch_size": 12, "learning_rate": 5e-3}
    losses = train_process_model(whole, solutions, ProcessTraining(**options))
    split = train_process_model(parts, solutions, ProcessTraining(**options, micro_batch_tokens=40))
    assert losses[:3] == pytest.approx(split[:3], abs=1e-4)
    assert losses[-1] < 0.3 * losses[0]
    whole.save(tmp_path / "prm")
    model = ProcessModel(model=str(tmp_path / "prm"), split="line")
    assert model("ok\nbad\nok", P).detail["first_wrong"] == 1
    assert model("ok\nok", P).detail["first_wrong"] == -1


def test_no_labels_are_refused(tmp_path):
    folder = llama("LlamaForTokenClassification", tmp_path, labels=2)
    with pytest.raises(ValueError, match="at least one labelled step"):
        train_process_model(load_step_classifier(folder), [Solution(problem=P, steps=("a",), labels=(None,))])


def test_step_scores_become_rewards_at_the_tokens_that_end_the_steps(tiny):
    policy = tiny_policy(tiny.options)
    text = "1+1=2+3"
    ids = policy.encode(text)
    verdict = Verdict(score=0.25, reason="scored", detail={"steps": [0.75, 0.25], "spans": [[0, 3], [4, 7]]})
    assert step_rewards(verdict, ids, policy.decode) == [0, 0, 0.75, 0, 0, 0, 0.25]
    assert step_rewards(verdict, ids, policy.decode, centre=0.5) == [0, 0, 0.25, 0, 0, 0, -0.25]
    with pytest.raises(ValueError, match="token_ids must spell the text"):
        step_rewards(verdict, ids[:5], policy.decode)
    with pytest.raises(ValueError, match="process model's"):
        step_rewards(Verdict(score=1.0), ids, policy.decode)


def test_a_step_ends_where_its_last_character_is_whole():
    """Tokens are bytes here, as in byte-level tokenizers: what is not whole decodes to replacement signs."""
    text = "aé\n√"
    ids = list(text.encode())
    verdict = Verdict(score=1.0, reason="scored", detail={"steps": [1.0, 0.5], "spans": [[0, 2], [3, 4]]})

    def decode(part):
        return bytes(part).decode(errors="replace")

    assert step_rewards(verdict, ids, decode) == [0, 0, 1.0, 0, 0, 0, 0.5]


@pytest.mark.slow
def test_the_monte_carlo_process_model_finds_planted_wrong_steps(tmp_path):
    assert runpy.run_path(str(BENCHMARK))["process"](tmp_path)["f1"] > 0.9
