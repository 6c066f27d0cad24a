"""The same verdict in every context, with no process left behind; math-verify behind its deadline."""

from __future__ import annotations

import asyncio
import multiprocessing
import operator
import os
import pickle
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from referee.verifiers import Completion, Item, Math, MathVerify, Problem, Reason, evaluate
from referee.verifiers.mathematics import lint_reference, lint_references

CASES = [
    (r"\boxed{\sqrt{5+2\sqrt6}}", r"\sqrt2+\sqrt3", 1.0),
    (r"\boxed{9**9**9**9}", "5", 0.0),
    (r"\boxed{(1+x)^{5000}}", "x", 0.0),
    (r"\boxed{\arctan\frac12+\arctan\frac13}", r"\frac{\pi}{4}", 1.0),
    ("The answer is 5 or 6.", "5", 0.0),
]
EXPECTED = [c[2] for c in CASES]


def scores(cases=tuple(CASES)):
    return [Math()(text, Problem(answer=gold)).score for text, gold, _ in cases]


def send(pipe):
    pipe.send(scores())


def test_main_thread_thread_pool_and_to_thread_agree(descendants):
    before = descendants()
    assert scores() == EXPECTED
    with ThreadPoolExecutor(4) as pool:
        assert all(got == EXPECTED for got in pool.map(lambda _: scores(), range(8)))
    assert asyncio.run(asyncio.to_thread(scores)) == EXPECTED
    assert descendants() <= before


def test_a_forked_process_agrees():
    reader, writer = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=send, args=(writer,))
    process.start()
    writer.close()  # so that a child that dies unheard is the pipe's end, and not a wait without one
    assert reader.poll(60)
    assert reader.recv() == EXPECTED
    process.join(60)
    assert process.exitcode == 0


@pytest.mark.slow
def test_a_spawned_process_agrees():
    # It gets what it can import by name wherever it starts: nothing of this file's.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(operator.call, Math(), text, Problem(answer=gold)) for text, gold, _ in CASES]
        assert [future.result(timeout=300).score for future in asked] == EXPECTED


def test_a_batch_gives_what_single_calls_give():
    items = [Item(Completion(text=text), Problem(answer=gold)) for text, gold, _ in CASES * 3]
    assert evaluate(Math(), items) == [Math()(i.completion, i.problem) for i in items]


def test_verifiers_are_values():
    for verifier in (Math(percent="fraction"), MathVerify(timeout_s=2.0)):
        assert pickle.loads(pickle.dumps(verifier)) == verifier
        assert eval(repr(verifier), {"Math": Math, "MathVerify": MathVerify}) == verifier
        assert hash(verifier) == hash(pickle.loads(pickle.dumps(verifier)))


@pytest.mark.parametrize(
    ("options", "answer", "gold", "score"),
    [
        ({"percent": "fraction"}, "50", r"50\%", 0.0),
        ({"percent": "fraction"}, "0.5", r"50\%", 1.0),
        ({"percent": "number"}, "0.5", r"50\%", 0.0),
        ({"percent": "number"}, "50", r"50\%", 1.0),
        ({"lists": "ordered"}, "2,1", "1,2", 0.0),
        ({"lists": "ordered"}, "1,2", "1,2", 1.0),
        ({"units": "required"}, "5", r"5\text{ cm}", 0.0),
        ({"units": "required"}, r"5\text{ cm}", r"5\text{ cm}", 1.0),
        ({"units": "required"}, "90", r"90^\circ", 0.0),
        ({"tolerance": 0.01}, "3.14", r"\pi", 1.0),
        ({"tolerance": 0.01}, "3.2", r"\pi", 0.0),
        ({"tolerance": 0.02}, "100", "101", 1.0),
        ({"tolerance": 0.001}, "100", "101", 0.0),
    ],
)
def test_a_policy_decides(options, answer, gold, score):
    assert Math(**options)(f"\\boxed{{{answer}}}", Problem(answer=gold)).score == score


def test_the_last_box_counts_alone_where_the_user_says_so():
    text = r"\boxed{5} and \boxed{6}"
    assert Math()(text, Problem(answer="6")).score == 0.0
    assert Math(boxes="last")(text, Problem(answer="6")).score == 1.0


def test_the_strict_profile_takes_no_loose_statement():
    assert Math(profile="strict")("The answer is 5.", Problem(answer="5")).reason is Reason.NO_ANSWER
    assert Math(profile="strict")("#### 5", Problem(answer="5")).score == 1.0


@pytest.mark.parametrize("option", [{"percent": "half"}, {"tolerance": -1.0}, {"profile": ""}])
def test_a_wrong_option_is_refused(option):
    with pytest.raises(ValueError, match="must be"):
        Math(**option)


@pytest.mark.parametrize("answer", ["", "  ", "?", None, True, [], [["5"]], [""], "\\frac{1}{", "\\boxed{}"])
def test_an_unreadable_reference_abstains(answer):
    verdict = Math()(r"\boxed{5}", Problem(answer=answer))
    assert verdict.score is None
    assert verdict.reason is Reason.BAD_REFERENCE
    assert lint_reference(answer)


@pytest.mark.parametrize(
    "answer", ["?", "N/A", "see figure", "-", r"\text{none given}", "answers may vary", "略"]
)
def test_a_reference_that_is_none_is_not_paid_for_being_repeated(answer):
    assert Math()(rf"\boxed{{{answer}}}", Problem(answer=answer)).score is None


@pytest.mark.parametrize(
    "answer", [r"A \ltimes B", r"\bigstar x", "\x0crac{a}{b}\\perp", "2\text{ kg\\perp}", "⊕"]
)
def test_an_unreadable_reference_pays_what_is_written_the_same_and_abstains_else(answer):
    assert Math()(rf"\boxed{{{answer}}}", Problem(answer=answer)).score == 1.0
    assert Math()(r"\boxed{7}", Problem(answer=answer)).score is None


def test_a_reference_that_is_prose_decides():
    problem = Problem(answer="There exists an $x$ such that $2^x < x \\perp 1$")
    verdict = Math()(r"\boxed{7}", problem)
    assert (verdict.score, verdict.detail["decided_by"]) == (0.0, "text")
    assert lint_reference(problem.answer) == "the reference is prose: only the same words equal it"


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        (r"\frac{1587}{52}", "30.52", True),
        ("30.519", "30.52", True),
        ("30.5", "30.52", False),
        ("0.125", "0.13", True),
        ("0.125", "0.12", True),
        (r"\sqrt2-1", r"41.4\%", True),
        (r"\frac13", "0.3", False),
        ("7.4", "7", False),
        ("1653400000000", r"1.653 \times 10^{12}", True),
        ("1654000000000", r"1.653 \times 10^{12}", False),
    ],
)
def test_rounding_as_printed_accepts_what_rounds_to_the_reference(text, answer, right):
    problem = Problem(answer=answer)
    assert Math(rounding="as_printed")(rf"\boxed{{{text}}}", problem).score == float(right)
    assert Math()(rf"\boxed{{{text}}}", problem).score == 0.0
    assert "rounding='as_printed'" in repr(Math(rounding="as_printed"))


def test_numbers_are_references_too():
    assert Math()(r"\boxed{\frac12}", Problem(answer=0.5)).score == 1.0
    assert Math()(r"\boxed{7}", Problem(answer=7)).score == 1.0


def test_lint_names_the_rows():
    found = list(lint_references(["5", "", r"\frac12", "1/0", r"\text{east}"]))
    assert [f.row for f in found] == [1, 3]


def test_every_math_500_reference_is_readable(shared):
    import json

    answers = [json.loads(line)["answer"] for line in (shared / "math500" / "test.jsonl").open()]
    assert list(lint_references(answers)) == []


def test_math_verify_is_asked_in_a_worker_that_is_ended_at_its_deadline():
    verifier = MathVerify(timeout_s=30.0)
    problem = Problem(answer=r"\frac12")
    assert verifier(r"\boxed{0.5}", problem).score == 1.0
    assert verifier(r"\boxed{0.6}", problem).score == 0.0
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda t: verifier(t, problem).score, [r"\boxed{0.5}", r"\boxed{0.6}"]))
    assert verdicts == [1.0, 0.0]
    started = time.monotonic()
    hang = MathVerify(timeout_s=1.0)(r"\boxed{10^{10^{10}}}", Problem(answer="5"))
    assert hang.reason in (Reason.TIMEOUT, Reason.RESOURCE_LIMIT)
    assert hang.score == 0.0
    assert time.monotonic() - started < 5
    assert verifier(r"\boxed{0.5}", problem).score == 1.0  # a new worker took its place


@pytest.mark.parametrize(
    ("answer", "score"),
    [(["4", "5"], 1.0), (["4", "6"], 0.0), (["4", None], None), (["5", None], 1.0), ([], None)],
)
def test_the_library_is_asked_about_each_of_a_list_of_references(answer, score):
    assert MathVerify(timeout_s=30.0)("It is $5$.", Problem(answer=answer)).score == score


def test_a_forked_child_starts_a_worker_of_its_own():
    assert MathVerify(timeout_s=30.0)(r"\boxed{0.5}", Problem(answer="0.5")).score == 1.0
    pid = os.fork()
    if pid == 0:
        verdict = MathVerify(timeout_s=30.0)(r"\boxed{3}", Problem(answer="3"))
        from referee.verifiers.mathematics.second_opinion import _end_worker

        _end_worker()
        os._exit(0 if verdict.score == 1.0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert MathVerify(timeout_s=30.0)(r"\boxed{4}", Problem(answer="4")).score == 1.0
