"""Preference data: every format gives the same rankings, and a ranking is never torn apart."""

from __future__ import annotations

import gzip
import json

import pytest

from referee.trainers.reward_models.preferences import (
    Ranking,
    batches_of_rankings,
    benchmark_pairs,
    rankings,
    split_conversations,
)
from referee.verifiers.records import Problem

ASK = [{"role": "user", "content": "hi"}]
ROWS = [
    {"prompt": "hi", "chosen": "yes", "rejected": "no"},
    {"prompt": ASK, "chosen": [{"role": "assistant", "content": "yes"}], "rejected": [{"role": "assistant", "content": "no"}]},
    {"chosen": [*ASK, {"role": "assistant", "content": "yes"}], "rejected": [*ASK, {"role": "assistant", "content": "no"}]},
    {"prompt": "hi", "chosen": [*ASK, {"role": "assistant", "content": "yes"}], "rejected": [*ASK, {"role": "assistant", "content": "no"}]},
    {"prompt": "hi", "ranking": ["yes", "no"]},
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_every_format_gives_the_same_pair(row):
    (read,) = rankings([row])
    assert read.completions == ("yes", "no")
    assert read.problem.prompt_text == "hi"
    assert read.pairs == [(0, 1)]


def test_implicit_texts_are_cut_at_the_last_shared_assistant_turn():
    before = "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:"
    assert split_conversations(before + " I do", before + " I don't") == (before, " I do", " I don't")
    assert split_conversations("same x", "same y") == ("same ", "x", "y")
    assert split_conversations("a", "ab") == ("a", "", "b")


def test_a_margin_is_read():
    assert rankings([{**ROWS[0], "margin": 2}])[0].margin == 2.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a"}, "row 0: a row must have chosen and rejected"),
        ({"prompt": "a", "ranking": ["x"]}, "row 0: completions must be at least two"),
        (
            {"chosen": [*ASK, *ASK], "rejected": [{"role": "user", "content": "x"}, *ASK]},
            "share all messages",
        ),
        ({"prompt": "a", "chosen": ASK * 2, "rejected": ASK}, "one message"),
    ],
)
def test_a_wrong_row_is_named(row, message):
    with pytest.raises(ValueError, match=message):
        rankings([row])


def test_a_ranking_of_four_has_six_pairs_all_in_one_batch():
    read = [
        Ranking(problem=Problem(prompt=str(i)), completions=tuple("abcd"[: 2 + i % 3])) for i in range(20)
    ]
    assert len(read[2].pairs) == 6
    batches = list(batches_of_rankings(read, completions=8, order=range(19, -1, -1)))
    assert [r for b in batches for r in b] == read[::-1]
    assert all(sum(len(r.completions) for r in b) <= 8 for b in batches)


def test_benchmark_rows_compare_the_best_with_each_rejected():
    rows = [
        {"id": 1, "prompt": "p", "chosen": "a", "rejected": "b", "subset": "math"},
        {"id": 2, "prompt": "p", "chosen": ["a", "c"], "rejected": ["b", "d", "e"], "subset": "Ties"},
    ]
    read = benchmark_pairs(rows)
    assert [r.completions for r in read] == [("a", "b"), ("a", "b"), ("a", "d"), ("a", "e")]
    assert [r.subset for r in read] == ["math", "Ties", "Ties", "Ties"]


def test_real_preference_pairs_are_read_whole(shared):
    with gzip.open(shared / "hh-rlhf" / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    read = rankings(rows)
    assert len(read) == len(rows) == 2312
    for row, r in zip(rows, read, strict=True):
        assert [r.problem.prompt + c for c in r.completions] == [row["chosen"], row["rejected"]]
    assert sum(r.problem.prompt.endswith("\n\nAssistant:") for r in read) > 2300
