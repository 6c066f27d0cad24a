"""Multiple choice: how rows write their choices, how models write theirs, and what is no choice."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.verifiers import Choice
from referee.verifiers.records import Json, Problem, Reason

CITIES: list[Json] = ["Paris", "London", "Rome", "Oslo"]
ARC: dict[str, Json] = {"text": CITIES, "label": ["A", "B", "C", "D"]}


def score(text: str, answer: Json = "B", choices: Any = CITIES, **options: Any) -> float | None:
    info = {} if choices is None else {"choices": choices}
    return Choice(**options)(text, Problem(answer=answer, info=info)).score


@pytest.mark.parametrize(
    "text",
    [
        "Answer: B (London)",
        "**Answer: B (London)**",
        "The answer is B (London).",
        "So B is the correct answer.",
        "So B is the correct answer",
        "Therefore, option B is correct.",
        "Therefore, **B** is the best choice because it rains.",
        "I think (B) is the right answer.",
        "B is correct.\nThe others are far away.",
        "London is in England, so B is the only correct option.",
        "答案：Ｂ",
        "答案是B。",
        "因此，正确答案为（Ｂ）。",
        "故选B",
        "所以选 B。",
        "应选Ｂ，因为下雨。",
        "（Ｂ）",
        "Ｂ．London",
        "\\boxed{B}",
        "\\boxed{\\text{B) London}}",
        "\\boxed{\\textbf{(B)}\\ London}",
        "<answer>B. London</answer>",
        "The answer is B because London rains.",
        "The answer is A. Wait, no, it's B.",
        "The answer is A. Actually, the answer is B.",
        "\\boxed{A} Wait, I was wrong: it should be B.",
        "A is tempting, but the answer is B",
        "B) London\n\nExplanation: it rains in London.",
        "**B) London**\n\nIt rains.",
        "B\n\nExplanation: it rains.",
        "The answer is London",
        "Final answer: b",
        "My choice: B.",
        "A) Paris\nB) London\nC) Rome\n\nAnswer: B",
        "Options A and C are wrong.\nAnswer: B",
        "The correct answer is:\n\n**B. London**",
        "**Answer:** B",
        "**Answer**: **B**",
        "Answer:\nB",
        "The answer is: **(B) London**",
        "Therefore, the correct option is (B).",
        "The best answer is option B: London.",
        "I choose B.",
        "My answer is B!",
        "B: London",
        "B - London",
        "<answer>\nB\n</answer>",
        "$\\boxed{B}$",
        "\\boxed{B: London}",
        "\\boxed{(B)}",
        "Final Answer: (B) London.",
        "Thus the answer is B, London.",
        'The answer is "B".',
        "The answer is 'B'",
        "The answer is `B`",
        "option B",
        "Option (B)",
        "choice b",
        "So the answer is (b).",
        "The answer is b.",
        "Answer: [B]",
        "Correct answer: B\n\nLet me know if you need more help!",
        "The correct choice is B. London is the capital of England.",
        "Answer: B. London\nReason: A is in France.",
        "B is correct because A is in France and C is in Italy.",
        "A is wrong, C is wrong, so B is the correct answer.",
        "The answer is A? No. The answer is B.",
        "The answer is **London**.",
        "Answer: London (B)",
        "It's B",
        "It must be B.",
        "答案为 B：London",
        "选择B",
        "正确答案是选项B",
        "本题选B。",
        "Réponse : B",
        "La respuesta es B",
        "The answer is: B) London",
        "**Final Answer**\n\nB",
        "Let's see.\n\nB. London",
        "#### B. London",
        "The final answer is $\\boxed{\\text{B}}$.",
        "I'd go with B",
        "Answer is B",
        "The right answer would be B.",
        "Both A and C are wrong. The answer is B.",
        "Between A and B, the answer is B.",
        "I'm not sure, but the answer is B.",
        "Since A isn't right, the answer is B.",
        "It is not A, so the answer is B.",
        "If it were warm it would be A, but the answer is B.",
        "B. London is in England, isn't it? Yes.",
        "The answer is (B) London, not (A) Paris.",
        "B, not A",
        "The answer is B and not C.",
        "The answer is B rather than A.",
    ],
)
def test_what_commits_to_a_choice(text: str) -> None:
    assert score(text) == 1.0
    assert score(text, "A") == 0.0
    assert score(text, choices=ARC) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "None of the above",
        "The answer is none of the above.",
        "\\boxed{None of the above}",
        "I don't know.",
        "A or B",
        "The answer is A or B.",
        "The answer is B or C.",
        "Either B or C is the correct answer.",
        "Neither A nor B is the correct answer.",
        "If B is the correct answer, it rains.",
        "Is it true that B is the correct answer?",
        "Some people say that B is the correct answer, but they err.",
        "I doubt that B is the correct answer.",
        "The answer is not B.",
        "B is not the correct answer.",
        "Not B",
        "The answer could be B",
        "The answer is B. Wait, no, it's C.",
        "The answer is B. Actually, the answer is C.",
        "The answer is B. Scratch that.",
        "The answer is B. Sorry, that's wrong.",
        "\\boxed{B} Wait, I was wrong: it should be C.",
        "So B is the correct answer. Correction: C.",
        "Answer: B (Paris)",
        "B (Rome)",
        "B) Paris",
        "A) Paris\nB) London\nC) Rome\nD) Oslo",
        "B) London\nC) Rome\n\nExplanation: both are cities.",
        "B) London is wrong\n\nSo it is another.",
        "B friend told me",
        "All of the above",
        "答案不是B",
        "不选B",
        "A, B and C are all wrong.",
        "(A) (B) (C) (D)",
        "Answer: A/B",
        "ABCD",
        "Answer: B and C",
        "<think>So B is the correct answer.</think>I cannot say.",
        "The answer is not B, it is C.",
        "B is wrong",
        "The answer is B if it rains, else C.",
        "The answer is B or maybe C",
        "B?",
        "Is it B?",
        "I'm torn between B and C",
        "B is incorrect. The answer is C",
        "The answer is anything but B.",
        "The answer cannot be B.",
        "The answer isn't B.",
        "B is the correct answer? No, C is the correct answer.",
        "B is the correct answer.\nActually no, C.",
        "B\nC",
        "Answer: B\nAnswer: C",
        "B is the correct answer and C is the correct answer.",
        "The answer is B. The answer is C.",
        "Answer: A, B, C, D",
        "Answer: B, C or D",
        "B, because... wait, C",
        "The answer is B (Paris)",
        "Answer: B/C",
        "Answer: B & C",
        "\\boxed{B} \\boxed{C}",
        "\\boxed{B or C}",
        "The answer is one of A, B, C.",
        "If it rains B is correct.",
        "Suppose B is the correct answer.",
        "It is unclear whether the answer is B.",
        "I can't say the answer is B.",
        "The answer is B? I don't know.",
        "Answer: Paris (B)",
        "Maybe it's B.",
        "I wouldn't choose B.",
        "I don't know whether it's B",
        "Could it be B?",
    ],
)
def test_what_commits_to_nothing_or_to_another(text: str) -> None:
    assert score(text) == 0.0
    assert score(text, choices=None) == 0.0 or "(Paris)" in text or "(Rome)" in text or ") Paris" in text


def test_without_texts_a_first_line_may_hold_the_choice() -> None:
    assert score("C) Rome\n\nExplanation: mass is conserved.", "C", None) == 1.0
    assert score("C) Rome is not it\n\nExplanation: mass is conserved.", "C", None) == 0.0
    assert score("Answer: B (London)", "B", None) == 1.0
    assert score("Answer: B (C)", "B", None) == 0.0


@pytest.mark.parametrize(
    "choices",
    [
        CITIES,
        ARC,
        [{"text": t, "label": x} for t, x in zip(CITIES, "ABCD", strict=True)],
        {"A": "Paris", "B": "London", "C": "Rome", "D": "Oslo"},
        ["A) Paris", "B) London", "C) Rome", "D) Oslo"],
        ["(A) Paris", "(B) London", "(C) Rome", "(D) Oslo"],
    ],
)
@pytest.mark.parametrize(
    "reference", ["B", "B) London", "(B) London", "B. London", "B: London", "London", "(B)", 1, 1.0]
)
def test_rows_write_choices_and_references_in_many_ways(choices: Json, reference: Json) -> None:
    assert score("B", reference, choices) == 1.0
    assert score("London", reference, choices) == 1.0
    assert score("B) London", reference, choices) == 1.0
    assert score("C", reference, choices) == 0.0


def test_a_reference_whose_text_is_another_choices_abstains() -> None:
    assert score("B", "B) Paris") is None
    assert score("B", "E) Lima") is None
    assert score("B", "B) London", None) == 1.0


def test_labels_may_be_numbers() -> None:
    row: Json = {"text": CITIES, "label": ["1", "2", "3", "4"]}
    assert score("Answer: 2", "2", row) == score("(2)", 2, row) == score("London", "2", row) == 1.0
    assert score("Answer: 2.5", "2", row) == score("Answer: 3", "2", row) == 0.0
    assert score("2", 0, row) is None


def test_more_than_26_choices_are_lettered_as_columns_are() -> None:
    many: list[Json] = [f"city {i}" for i in range(30)]
    assert (
        score("Answer: AB", "AB", many) == score("city 27", 27, many) == score("AB", "city 27", many) == 1.0
    )
    assert score("Answer: A", "AB", many) == score("Answer: AB", "A", many) == 0.0
    verdict = Choice()("A", Problem(answer="A", info={"choices": ["x"] * 703}))
    assert verdict.reason is Reason.BAD_REFERENCE
    assert "1 to 702" in str(verdict.detail["error"])


@pytest.mark.parametrize(
    "choices",
    [
        5, [], {}, "A", [["x"]], [None], {"text": ["x", "y"], "label": ["A"]}, {"text": ["x", "y"], "label": ["A", "A"]},
        [{"text": "x"}], {"a b": "x"}, {"text": ["x"], "label": [None]},
    ],
)  # fmt: skip
def test_choices_that_cannot_be_read_are_the_rows_fault(choices: Json) -> None:
    assert score("A", "A", choices) is None


@pytest.mark.parametrize(
    "reference", [["A", "C"], "A, C", "AC", "A and C", "A;C", ["A) Paris", "Rome"], [0, 2], ["AC"]]
)
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A, C", 1.0), ("C and A", 1.0), ("AC", 1.0), ("\\boxed{A, C}", 1.0), ("\\boxed{AC}", 1.0),
        ("The answers are A and C.", 1.0), ("Answer: A) Paris, C) Rome", 1.0), ("Paris and Rome", 1.0),
        ("答案：ＡＣ", 1.0), ("(A) and (C)", 1.0), ("<answer>A;C</answer>", 1.0),
        ("A", 0.0), ("A, B, C", 0.0), ("ABC", 0.0), ("A, C, Lima", 0.0), ("", 0.0), ("all of them", 0.0),
        ("A or not", 0.0), ("ABCD", 0.0),
    ],
)  # fmt: skip
def test_several_right_letters_are_a_set(reference: Json, text: str, wanted: float) -> None:
    assert score(text, reference, list_means="all") == wanted


def test_a_list_means_any_unless_told_otherwise() -> None:
    assert score("B", ["B", "C"]) == score("C", ["B", "C"]) == 1.0
    assert score("B and C", ["B", "C"]) == score("A", ["B", "C"]) == 0.0
    assert score("A", [], list_means="all") is None
    assert score("A", ["A", "Z"], list_means="all") is None


@given(text=st.text(alphabet="ABCabc ()[]{}.,:*\\n\n答案是选ＡＢ isorwaitnotbecause", max_size=120))
def test_no_text_buys_an_abstention_or_two_letters(text: str) -> None:
    paid = [x for x in "ABCD" if score(text, x)]
    assert len(paid) <= 1
    assert score(text, ["A"], list_means="all") in (0.0, 1.0)


@pytest.mark.parametrize(
    "piece", ["answer is ", "A or ", "(", "B is the correct answer. ", "wait, ", "答案", "so that ", "A) x\n"]
)
def test_time_is_linear_in_the_text(piece: str) -> None:
    started = time.perf_counter()
    score(piece * (200_000 // len(piece)))
    assert time.perf_counter() - started < 2.0
