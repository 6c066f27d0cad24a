"""One table of texts and what they say, held against every reader, verifier and family."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referee.envs import family
from referee.envs.answers import final_answer
from referee.envs.tools import calls_in
from referee.verifiers import Choice, Closeness, Exact, Math, Numeric, ThinkFormat, UnitTests, extract_code
from referee.verifiers.mathematics.extract import extract as mathematics
from referee.verifiers.reading.marks import Marks, as_marks
from referee.verifiers.reading.strategies import CUES as ORDER
from referee.verifiers.reading.strategies import extract, readings
from referee.verifiers.records import Completion, Problem, Reason, answer_of, text_of
from referee.verifiers.rubric import Rubric
from referee.verifiers.rubric_file import RubricError, rubric_from

TABLE = Path(__file__).parents[2] / "data" / "reading.jsonl"
ROWS = [json.loads(line) for line in TABLE.read_text(encoding="utf-8").splitlines()]


def rows(column: str) -> Any:
    chosen = [r for r in ROWS if column in r]
    return pytest.mark.parametrize("row", chosen, ids=[f"{r['note']}-{r['text'][:30]!r}" for r in chosen])


def problem(row: dict[str, Any], answer: Any = None) -> Problem:
    return Problem(prompt="?", answer=answer, thinking=as_marks(row.get("marks")))


def bare(text: str | None) -> str | None:
    return None if text is None else readings(text)[-1]


def test_every_row_says_where_it_comes_from() -> None:
    assert all(r["source"] and r["note"] for r in ROWS)
    for column in ("answer", "said", "box", "number", "code", "final"):
        assert sum(column in r for r in ROWS) >= 5


@rows("answer")
def test_the_answer_is_what_follows_the_thinking(row: dict[str, Any]) -> None:
    assert answer_of(row["text"], problem(row)) == row["answer"]


@rows("said")
def test_special_tokens_at_the_end_are_no_part_of_a_text(row: dict[str, Any]) -> None:
    assert text_of(row["text"]) == text_of(Completion(text=row["text"])) == row["said"]


@rows("box")
def test_every_verifier_reads_the_same_in_the_boxes(row: dict[str, Any]) -> None:
    asked = problem(row, "7")
    found = extract(answer_of(row["text"], asked), "boxed")
    assert bare(found) == row["box"]
    right = 1.0 if row["box"] == "7" else 0.0
    assert Exact(extract="boxed")(row["text"], asked).score == right
    assert Numeric(extract="boxed")(row["text"], asked).score == right
    assert Math(profile="strict")(row["text"], asked).score == right
    if "box" in row["text"]:
        of_family = Problem(answer="7", info={"family": "addition", "level": 0}, thinking=asked.thinking)
        assert family("addition")(row["text"], of_family).score == right
        assert Numeric()(row["text"], asked).score == right


@rows("number")
def test_the_last_number_of_a_text(row: dict[str, Any]) -> None:
    assert extract(answer_of(row["text"], problem(row)), "last_number") == row["number"]


@rows("code")
def test_the_code_of_a_text(row: dict[str, Any]) -> None:
    found = extract_code(row["text"], thinking=problem(row).thinking)
    assert (found.candidates[0] if found.candidates else None) == row["code"]


@rows("final")
def test_families_and_mathematics_agree_on_the_final_answer(row: dict[str, Any]) -> None:
    answer = answer_of(row["text"], problem(row))
    assert final_answer(answer) == row["final"]
    assert bare(mathematics(answer).answer) == row["final"] or row["final"] is None
    right = 1.0 if row["final"] == "7" else 0.0
    assert Math()(row["text"], problem(row, "7")).score == right


def test_code_in_a_second_open_thinking_is_not_run() -> None:
    text = "<think>a</think>\n<think>\n```python\ndef add(a, b): return a + b\n```\n"
    asked = Problem(info={"calls": [[[3, 4], 7]], "entry_point": "add"})
    assert UnitTests()(text, asked).reason is Reason.NO_ANSWER


def test_a_call_that_stands_only_in_the_thinking_is_not_made() -> None:
    call = '<tool_call>{"name": "now", "arguments": {}}</tool_call>'
    assert [c.name for c in calls_in(Completion(text=f"<reasoning>hm</reasoning>{call}"))] == ["now"]
    for text in (f"<reasoning>{call}</reasoning>5", f"<think>{call}", f"<think>a</think><think>{call}"):
        assert calls_in(Completion(text=text)) == []
    declared = (Marks(opening="<plan>", closing="</plan>"),)
    assert calls_in(Completion(text=f"<plan>{call}</plan>5"), declared) == []


PLAN = {"thinking": ["<plan>", "</plan>"]}


@pytest.mark.parametrize("verifier", [Math(), Numeric(), Exact(), Exact(extract="last_line")], ids=repr)
def test_marks_declared_on_a_rubric_are_read_by_its_parts(verifier: Any) -> None:
    asked = Problem(prompt="?", answer="7")
    declared = Rubric({"right": verifier, "form": ThinkFormat()}, thinking=("<plan>", "</plan>"))
    reward = declared("<plan>is it 5?</plan>7", asked)
    assert [v.score for v in reward.parts.values()] == [1.0, 1.0]
    assert declared("<plan>7</plan>I do not know", asked).parts["right"].score == 0.0
    assert declared.at(3).thinking == declared.thinking
    assert asked.thinking == ()


def test_a_rubric_file_declares_marks() -> None:
    rubric = rubric_from({"parts": {"right": "numeric"}, **PLAN})
    assert rubric.thinking == (Marks(opening="<plan>", closing="</plan>"),)
    spec = {"opening": "<plan>", "closing": "</plan>", "prefilled": True}
    assert rubric_from({"parts": {"right": "numeric"}, "thinking": [spec]}).thinking[0].prefilled
    with pytest.raises(RubricError, match="thinking: thinking must be an opening and a closing mark"):
        rubric_from({"parts": {"right": "numeric"}, "thinking": "<plan>"})
    with pytest.raises(RubricError, match="thinking has no 'open'; it has opening, closing, prefilled"):
        rubric_from({"parts": {"right": "numeric"}, "thinking": {"open": "<plan>"}})


def test_marks_on_a_problem_travel_and_are_left_out_where_there_are_none() -> None:
    from referee.verifiers.jsonl import dumps, loads

    plain = Problem(prompt="?", answer="7")
    assert "thinking" not in dumps(plain)
    marked = Problem(prompt="?", answer="7", thinking=[("<plan>", "</plan>")])  # type: ignore[arg-type]
    assert loads(Problem, dumps(marked)) == marked
    assert Numeric()("<plan>7</plan>none", marked).score == 0.0


# -- a stronger cue never makes a weaker reading ------------------------------------------------------

CUES = (
    "Answer: {}",
    "\\boxed{{{}}}",
    "Answer: \\boxed{{{}}}",
    "\\boxed{{Answer: {}}}",
    "$\\boxed{{{}}}$",
    "<answer>{}</answer>",
    "Final answer: {}",
)
STRATEGIES = ("whole", "last_line", ("boxed", "last_line"), ("tag:answer", "stated", "last_line"))
NUMBERS = ("7", "-7", "7.0", "$7", "7 eggs", "x = 7", "14/2", "So we get 7", "It is 7.", "So we add.\n7")
CHOICES = {"choices": ["Paris", "London", "Rome"]}
JUDGED = [
    *((Math(), t, Problem(answer=a)) for t in NUMBERS for a in ("7", "-7")),
    *((Math(), t, Problem(answer=t)) for t in (r"\frac{3}{4}", "x^2+1", "an ellipse", "(1,2)", r"\sqrt{2}")),
    *((Numeric(), t, Problem(answer=a)) for t in NUMBERS for a in ("7", "-7")),
    *((Exact(extract=e), t, Problem(answer=t)) for e in STRATEGIES for t in ("Paris", "7", "New York", "-x")),
    (Exact(extract="last_line"), "So we add.\n7", Problem(answer="7")),
    *(
        (Choice(), t, Problem(answer="B", info=CHOICES))
        for t in ("B", "(B)", "b", "B.", "London", "B) London", "the answer is B", "I think\nB")
    ),
    *(
        (family("addition"), t, Problem(answer="7", info={"family": "addition", "level": 0}))
        for t in ("7", "+7", "7.", "**7**", "The answer is 7", "So we add.\n7")
    ),
]


@pytest.mark.parametrize("cue", CUES)
def test_a_stronger_cue_never_makes_a_weaker_reading(cue: str) -> None:
    tried = 0
    for verifier, text, asked in JUDGED:
        if "\n" in text and cue.startswith(("Answer: {", "Final")) and not isinstance(verifier, Exact):
            continue  # the line behind the cue is the answer, and it is words
        if "\n" in text and cue.startswith("<answer>") and isinstance(verifier, Exact):
            continue  # a last line is asked for, not a tag
        if verifier(text, asked).score == 1.0:
            tried += 1
            assert verifier(cue.format(text), asked).score == 1.0, (verifier, text, cue)
    assert tried > 40


# In the order of their strength; the last is where a text without a cue is read.
SHOWN = (
    "<answer>{}</answer>", "It is \\boxed{{{}}}.", "#### {}", "**Answer:** {}", "The answer is {}",
)  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(SHOWN)), 2)), ids=str)
def test_of_two_cues_every_reader_takes_the_same(order: tuple[int, int]) -> None:
    text = "\n".join(SHOWN[cue].format(value) for cue, value in zip(order, ("7", "5"), strict=True))
    taken_back = order in ((1, 3), (1, 4), (3, 4))  # by a plain statement behind: by all readers or by none
    of_family = Problem(answer="7", info={"family": "addition", "level": 0})
    letters = text.replace("7", "B").replace("5", "C")
    scores = {
        str(verifier): verifier(shown, asked).score == 1.0
        for verifier, shown, asked in (
            (Math(), text, Problem(answer="7")),
            (Numeric(), text, Problem(answer="7")),
            (Closeness(), text, Problem(answer="7")),
            (Exact(extract=(*ORDER, "last_line")), text, Problem(answer="7")),
            (family("addition"), text, of_family),
            *([] if taken_back else [(Choice(), letters, Problem(answer="B"))]),
        )
    }
    assert len(set(scores.values())) == 1, scores
    assert taken_back or set(scores.values()) == {order[0] < order[1]}


@pytest.mark.parametrize(
    "line", ["A: 7", "**A:** 7", "**Answer:** 7", "Final answer: 7", "**Final Answer**\n7"]
)
@pytest.mark.parametrize("behind", ["", "\nThat took 5 steps.", "\n\n5 checks passed"])
def test_an_answer_line_is_read_wherever_it_stands(line: str, behind: str) -> None:
    of_family = Problem(answer="7", info={"family": "addition", "level": 0})
    for verifier, asked in (
        (Math(), Problem(answer="7")),
        (Numeric(), Problem(answer="7")),
        (Exact(extract="stated"), Problem(answer="7")),
        (family("addition"), of_family),
    ):
        assert verifier(f"We add.\n{line}{behind}", asked).score == 1.0, verifier


def test_a_box_inside_a_tag_is_what_the_tag_says() -> None:
    text = r"\boxed{5} <answer>So it is \boxed{7}, as wanted.</answer>"
    assert extract(text, ("tag:answer", "boxed")) == extract(text, ("boxed", "tag:answer")) == "7"
    assert extract(text, "tag:answer") == r"So it is \boxed{7}, as wanted."
    for verifier in (Math(), Numeric(), family("addition")):
        asked = Problem(answer="7", info={"family": "addition", "level": 0})
        assert verifier(text, asked).score == 1.0


@given(
    number=st.integers(-(10**6), 10**6).map(str) | st.decimals(-1000, 1000, places=2).map(str),
    lead=st.sampled_from(["", "so ", "We get ", "It is ", "x = ", "That makes ", "The answer is "]),
    tail=st.sampled_from(["", ".", " eggs", " "]),
    cue=st.sampled_from(CUES),
)
@settings(max_examples=300, deadline=None)
def test_a_number_said_in_any_words_stays_right_behind_any_cue(
    number: str, lead: str, tail: str, cue: str
) -> None:
    text = f"{lead}{number}{tail}"
    for verifier in (Math(), Numeric(), Exact(extract="last_line"), Exact()):
        asked = Problem(answer=number)
        if verifier(text, asked).score == 1.0:
            assert verifier(cue.format(text), asked).score == 1.0, (verifier, text, cue)


@pytest.mark.parametrize("text", ["5 or 7", "5 and 7", "5, 7", "The answer is 5 or 7"])
def test_what_encloses_several_values_is_refused_plain_as_well(text: str) -> None:
    asked = Problem(answer="7", info={"family": "addition", "level": 0})
    for verifier in (Math(), Numeric(), family("addition"), Exact(extract="last_line")):
        for shown in (text, f"\\boxed{{{text}}}", f"Answer: {text}"):
            assert verifier(shown, asked).score == 0.0, (verifier, shown)


@pytest.mark.parametrize(
    "text",
    [
        unit * (200_000 // len(unit))
        for unit in (
            "<think>", "</think>", "<think></think>", "<think>a</think>b</think>", "<|channel|>analysis<|message|>",
            "<|channel|>", "<|end|>", "[THINK]", "◁think▷", "`</think>`", "`", "```\n", "``` a\n", '"', "'", "{", "}",
            "$", "\\boxed{", "\\boxed ", "\\boxed{7}", "<answer>", "</answer>", "<eos>", "</s> ", "> ", "Answer: ",
            "answer is ", "#### ", "**", "7 or ", "7, ", "the final ", "<tool_call>", "\\text{", "= ",
        )
    ]
    + ["```" + "a" * 200_000 + "`", "<think>a</think>" + "x`" * 100_000 + "</think>"],
    ids=lambda t: repr(t[:12]),
)  # fmt: skip
def test_every_reading_takes_time_linear_in_the_text(text: str) -> None:
    asked = Problem(answer="no such answer", info={"family": "addition", "level": 0})
    started = time.process_time()
    answer = answer_of(text, asked)
    for how in ("boxed", "last_number", "last_line", "stated", "tag:answer", "after:####"):
        extract(answer, how)
    readings(answer)
    extract_code(text)
    final_answer(answer)
    mathematics(answer)
    Choice()(text, Problem(answer="B"))
    calls_in(Completion(text=text))
    assert time.process_time() - started < 3.0
