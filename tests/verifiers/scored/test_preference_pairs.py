"""Pairs, samples, rates and flips of scored completions: by hand, by law, and as TRL reads them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.cli import main
from referee.verifiers import Completion, Message, Problem, Reason, Reward, Verdict
from referee.verifiers.scored.flips import NotTheSame, changes
from referee.verifiers.scored.pass_rates import pass_at_k, rates
from referee.verifiers.scored.preference_pairs import PairOptions, pairs
from referee.verifiers.scored.rejection import accepted, tuning_row
from referee.verifiers.scoring.store import Scored

NUMBERS = itertools.count(1)


def scored(text, total, *, prompt="1+1=", answer="2", said=None, cut=False, id="", style=0.0, info=None):
    parts = {
        "right": Verdict(score=total, reason=Reason.UNAVAILABLE if total is None else None, answer=said),
        "style": Verdict(score=style),
    }
    return Scored(
        line=next(NUMBERS),
        column="completion",
        problem=Problem(prompt=prompt, answer=answer, id=id, info=info or {}),
        completion=Completion(text=text),
        reward=Reward(total=total, parts=parts, truncated=cut),
    )


GROUP = [scored("a", 1.0), scored("b", 0.5), scored("c", 0.0), scored("d", None), scored("a ", 0.0)]


def made(kind, rows=GROUP, **options):
    found, summary = pairs(rows, PairOptions(kind=kind, **options))
    return [(r.get("chosen"), r.get("rejected")) for r in found], summary


def test_pairs_of_each_kind():
    assert made("best_worst")[0] == [("a", "c")]
    assert made("ranking")[0] == [("a", "c"), ("a", "b"), ("b", "c")]
    assert made("ranking", gap=0.6)[0] == [("a", "c")]
    assert made("ranking", cap=2)[0] == [("a", "c"), ("a", "b")]
    assert made("right_wrong")[0] == [("a", "b")]
    assert made("gold")[0] == [("2", "b"), ("2", "c")]
    rows, summary = pairs(GROUP, PairOptions(kind="unpaired"))
    assert [(r["completion"], r["label"]) for r in rows] == [("a", True), ("b", False), ("c", False)]
    assert (summary.rows, summary.problems, summary.without) == (3, 1, 0)


def test_what_was_cut_off_is_never_the_better_one_and_equal_ones_are_no_pair():
    assert made("best_worst", [scored("a", 1.0, cut=True), scored("b", 0.5), scored("c", 0.0)])[0] == [
        ("b", "c")
    ]
    assert made("best_worst", [scored("a", 0.5), scored("b", 0.5)])[0] == []
    assert made("best_worst", [scored("a", 0.5), scored("b", 0.5)], gap=0.0)[0] == []
    assert made("best_worst", [scored("a", None), scored("b", 1.0)])[1].without == 1


def test_lengths_are_matched_where_asked_for():
    rows = [scored("a" * 100, 1.0), scored("b", 0.0), scored("c" * 80, 0.2)]
    assert made("ranking", rows, longer=2.0)[0] == [("a" * 100, "c" * 80)]


def test_problems_are_gathered_wherever_their_lines_stand():
    rows = [scored("a", 1.0, prompt="p"), scored("x", 0.0, prompt="q"), scored("b", 0.0, prompt="p")]
    found, summary = pairs(rows)
    assert [(r["prompt"], r["chosen"], r["rejected"]) for r in found] == [("p", "a", "b")]
    assert summary.without == 1


def test_chats_give_messages():
    prompt = (Message(role="user", content="1+1="),)
    rows = [scored("a", 1.0, prompt=prompt), scored("b", 0.0, prompt=prompt)]
    (row,) = pairs(rows)[0]
    assert row["prompt"] == [{"role": "user", "content": "1+1="}]
    assert row["chosen"] == [{"role": "assistant", "content": "a"}]
    assert tuning_row(rows[0])["completion"] == [{"role": "assistant", "content": "a"}]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([None, 0.0, 0.3, 1.0])), max_size=12))
def test_a_pair_is_always_of_a_better_and_a_worse_decided_text(group):
    rows = [scored(text, total) for text, total in group]
    for kind in ("best_worst", "ranking", "right_wrong"):
        found, _ = pairs(rows, PairOptions(kind=kind))
        for row in found:
            assert row["score_chosen"] - row["score_rejected"] >= 0.1
            assert row["chosen"] != row["rejected"]
    texts = [one.completion.text for one in accepted(rows, cap=3)]
    assert len(texts) == len(set(texts)) <= 3


def test_samples_pass_once_each_and_are_chosen_as_asked():
    rows = [
        scored("a b c d", 1.0),
        scored("a b", 1.0),
        scored("a b c", 1.0),
        scored("x y z w v", 1.0),
        *GROUP,
    ]
    assert [o.completion.text for o in accepted(rows, cap=2)] == ["a b c d", "a b"]
    assert [o.completion.text for o in accepted(rows, cap=2, prefer="shortest")] == ["a", "a b"]
    assert [o.completion.text for o in accepted(rows, cap=2, prefer="diverse")] == ["a", "x y z w v"]
    assert accepted([scored("a", 1.0, cut=True), scored("b", None)]) == []
    with pytest.raises(ValueError, match="part must be one of right, style, got 'lenght'"):
        accepted(GROUP, part="lenght")


def test_rates_by_hand():
    rows = [
        scored("1", 1.0, said="2", style=0.1), scored("2", 1.0, said="2", style=0.2),
        scored("3", 0.0, said="3", style=0.9), scored("4", 0.0, said="4", style=0.0),
        scored("5", 0.0, prompt="q", said="7", style=0.5), scored("6", 1.0, prompt="q", said="8", style=0.5),
    ]  # fmt: skip
    found = rates(rows, by="style")
    assert found["pass@1"].mean == pytest.approx((0.5 + 0.5) / 2)
    assert found["pass@2"].mean == pytest.approx((pass_at_k(4, 2, 2) + 1.0) / 2)
    assert found["pass@4"].problems == 1
    assert found["majority@n"].mean == pytest.approx((1.0 + 0.5) / 2)  # a tie is half right
    assert found["best@n by style"].mean == pytest.approx((0.0 + 0.5) / 2)
    assert found["weighted@n by style"].mean == pytest.approx((0.0 + 0.5) / 2)
    assert all(r.low <= r.mean <= r.high for r in found.values())


def test_equal_answers_may_be_told_by_a_verifier():
    rows = [scored("1", 1.0, said="0.5"), scored("2", 1.0, said="1/2"), scored("3", 0.0, said="7"),
            scored("4", 0.0, said="7")]  # fmt: skip
    assert rates(rows)["majority@n"].mean == 0.0
    same = {frozenset(("0.5", "1/2"))}
    with_same = rates(rows, same=lambda a, b: a == b or frozenset((a, b)) in same)
    assert with_same["majority@n"].mean == 0.5


def test_flips_by_hand():
    before = [scored("a", 1.0), scored("b", 0.0), scored("c", 0.0), scored("d", None)]
    after = [scored("a", 0.0), scored("b", 1.0), scored("c", 0.0), scored("d", 1.0)]
    found = changes(before, after)
    assert (found.flips, found.to_right, found.to_wrong, found.from_abstention) == (3, 1, 1, 1)
    assert found.signs == 2
    # centred: (2/3, -1/3, -1/3) and (-1/3, 2/3, -1/3)
    assert found.cosine == pytest.approx((-2 / 9 - 2 / 9 + 1 / 9) / (6 / 9))
    same = changes(before, before)
    assert (same.flips, same.cosine, same.signs) == (0, 1.0, 0)
    with pytest.raises(NotTheSame, match="got one in the first alone"):
        changes(before, after[:3])


def write(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


@pytest.fixture
def file(tmp_path):
    rows = [
        {"prompt": f"{a}+1=", "answer": str(a + 1), "completion": [str(a + 1), "7", f"It is {a + 1}."],
         "info": {"level": a % 2}}
        for a in range(4)
    ]  # fmt: skip
    source = write(tmp_path / "rows.jsonl", *rows)
    assert main(["score", "math", str(source), "-o", str(tmp_path / "scored.jsonl"), "-q"]) == 0
    return tmp_path / "scored.jsonl"


def test_the_commands_from_end_to_end(file, tmp_path, capsys):
    assert (
        main(["pairs", str(file), "-o", str(tmp_path / "p.jsonl"), "--kind", "right_wrong", "--cap", "1"])
        == 0
    )
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [(r["prompt"], r["chosen"], r["rejected"]) for r in lines][:1] == [("0+1=", "1", "7")]
    assert main(["sample", str(file), "-o", str(tmp_path / "s.jsonl"), "--cap", "1"]) == 0
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 4
    capsys.readouterr()
    assert main(["summary", str(file), "--json", "-k", "1", "-k", "2", "--breakdown", "level"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["pass@1"]["mean"] == pytest.approx(2 / 3)
    assert said["pass@2"]["problems"] == 4
    assert set(said["by_level"]) == {"0", "1"}
    assert main(["summary", str(file), "--same-by", "math"]) == 0
    rows = str(tmp_path / "rows.jsonl")
    assert main(["compare", "math", "exact", rows, "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["flips"], said["to_wrong"]) == (4, 4)
    assert main(["compare", "math", "exact", rows, "--fail-over", "0.1"]) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pairs", "SCORED", "-o", "OUT", "--gap", "-1"], "--gap must be at least 0"),
        (["pairs", "SCORED", "-o", "OUT", "--longer", "0.5"], "--longer must be at least 1"),
        (["pairs", "SCORED", "-o", "SCORED"], "--out must be another file than the source"),
        (["pairs", "SCORED", "-o", "OUT", "--part", "nope"], "part must be one of math, got 'nope'"),
        (["sample", "SCORED", "-o", "OUT", "--cap", "0"], "--cap must be at least 1, got 0"),
        (["sample", "NOWHERE", "-o", "OUT"], "source cannot be opened"),
        (["summary", "ROWS"], "not a scored completion"),
        (["summary", "SCORED", "-k", "0"], "ks must be at least 1, got 0"),
        (["compare", "SCORED", "NOWHERE"], "source cannot be opened"),
    ],
)
def test_mistakes_are_one_line(file, tmp_path, capsys, arguments, said):
    names = {
        "SCORED": file,
        "OUT": tmp_path / "out.jsonl",
        "NOWHERE": tmp_path / "no.jsonl",
        "ROWS": tmp_path / "rows.jsonl",
    }
    capsys.readouterr()
    assert main([str(names.get(a, a)) for a in arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()
