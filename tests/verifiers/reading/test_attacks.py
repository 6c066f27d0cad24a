"""Attacks on the reading room, and honest texts that an attack's mending must not cost."""

from __future__ import annotations

import time

import pytest

from referee.envs.answers import final_answer
from referee.verifiers import Exact, Math, Numeric, Problem
from referee.verifiers.records import has_answer

READERS = [Math(), Numeric()]
HEADERS = [
    "<s>",
    "<|begin_of_text|>",
    "<|im_start|>assistant\n",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<start_of_turn>model\n",
    "\ufeff",
]


def score(verifier, text: str, answer: str) -> float | None:
    return verifier(text, Problem(prompt="?", answer=answer)).score


@pytest.mark.parametrize("verifier", [*READERS, Exact()], ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("sign", ["$$", "$", "`", "``", "**", "\\\\", "__", "."])
def test_a_run_of_signs_takes_time_linear_in_its_length(verifier, sign: str) -> None:
    start = time.process_time()
    for text in (
        f"7 {sign * 500} \\boxed{{7}}",
        f"So it is {sign * 60} 42 dollars.",
        f"\\boxed{{6{sign * 60}$x$}}",
    ):
        score(verifier, text, "7")
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{5\text{ squared}}",
        r"\boxed{\text{minus }5}",
        r"\boxed{negative 5}",
        r"\boxed{at most 5}",
        r"\boxed{5 below zero}",
        "Answer: the square root of 5",
        "Answer: log of 5",
        "<answer>x is less than 5</answer>",
        "5 squared",
        "the square root of 5",
    ],
)
def test_a_number_that_its_words_change_is_another_one(text: str) -> None:
    assert score(Math(), text, "5") == 0.0


@pytest.mark.parametrize("verifier", READERS, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        (r"Therefore \boxed{5}. The answer in the book is 7", "5", 1.0),
        (r"Therefore \boxed{5}. The answer in the book is 7", "7", 0.0),
        (r"\boxed{5}. The common wrong answer is 6.", "5", 1.0),
        (r"\boxed{5}. The common wrong answer is 6.", "6", 0.0),
        (r"\boxed{2}. For n=4, the answer is 3.", "2", 1.0),
        (r"I guessed \boxed{6}, but the final answer is 5.", "5", 1.0),
        (r"\boxed{5} = \boxed{5.0}", "5", 1.0),
        (r"\boxed{5}, i.e. \boxed{5\text{ apples}}", "5", 1.0),
        (r"\boxed{5} or \boxed{7}", "7", 0.0),
        (r"$x=-\boxed{7}$", "-7", 1.0),
        (r"$x=-\boxed{7}$", "7", 0.0),
        *((f"{header}<think>\\boxed{{7}}", "7", 0.0) for header in HEADERS),
        *((f"{header}<think>5?</think>\\boxed{{7}}", "7", 1.0) for header in HEADERS),
    ],
)
def test_a_remark_takes_nothing_back_and_a_template_opens_no_answer(verifier, text, answer, expected) -> None:
    assert score(verifier, text, answer) == expected


def test_families_read_the_same() -> None:
    assert final_answer(r"\boxed{7}. The common wrong answer is 6.") == "7"
    assert final_answer(r"\boxed{7} = \boxed{7.0}") == "7"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>", False),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>4", True),
        ("<|im_start|>assistant\n<|im_end|>", False),
        ("<think>a</think>\u200b", False),
        ("model", True),
        ("hello", True),
    ],
)
def test_what_only_a_template_wrote_is_empty(text: str, expected: bool) -> None:
    assert has_answer(text, Problem()) is expected
