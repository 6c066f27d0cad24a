"""What a verdict costs beside the least that any verifier must do, and beside math-verify, in one run.

All in one process and one thread, in processor time. The sides take turns on chunks of the same rows;
caches are emptied before each pass, so that nothing is remembered from one to the next; what is
reported are medians over passes.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from functools import _lru_cache_wrapper
from statistics import median
from typing import Any

from mathematics_sets import Row
from mathematics_systems import judge_of

from referee.verifiers import Math, Problem, Reason, Verdict

Judge = Callable[[str, Problem], Any]
CHUNK = 50


def floor(text: str, problem: Problem) -> Verdict:
    """Do the least: find the last box, strip what it holds, compare, and write a verdict down."""
    start = text.rfind("\\boxed{") + 7
    answer = text[start : text.find("}", start)].strip()
    if answer == problem.answer:
        return Verdict(score=1.0, reason=Reason.CORRECT, answer=answer)
    return Verdict(score=0.0, reason=Reason.INCORRECT, answer=answer)


def with_boxes(rows: list[Row]) -> list[Row]:
    """Give GSM8K's solutions a box in place of the mark before their answer."""
    out = []
    for row in rows:
        text, mark, answer = row["completion"].rpartition("A: ")
        out.append({**row, "completion": f"{text}The answer is $\\boxed{{{answer}}}$." if mark else answer})
    return out


def forget() -> None:
    """Empty every cache of ours."""
    for name, module in list(sys.modules.items()):
        if name.startswith("referee."):
            for value in vars(module).values():
                if isinstance(value, _lru_cache_wrapper):
                    value.cache_clear()


def seconds(judge: Judge, chunk: list[tuple[str, Problem]]) -> float:
    """Return the processor time that a chunk takes."""
    gc.collect()
    gc.disable()
    started = time.process_time()
    for text, problem in chunk:
        judge(text, problem)
    took = time.process_time() - started
    gc.enable()
    return took


def compared(rows: list[Row], judges: dict[str, Judge], passes: int) -> dict[str, float]:
    """Return each side's microseconds a row: the median over passes of its mean."""
    items = [(r["completion"], Problem(answer=r["gold"])) for r in rows]
    chunks = [items[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
    means: dict[str, list[float]] = {name: [] for name in judges}
    for _ in range(passes):
        forget()
        sums = dict.fromkeys(judges, 0.0)
        for chunk in chunks:
            for name, judge in judges.items():
                sums[name] += seconds(judge, chunk)
        for name, total in sums.items():
            means[name].append(1e6 * total / len(items))
    return {name: median(values) for name, values in means.items()}


def speed(gsm8k: list[Row], solutions: list[Row], full: bool, peer: bool) -> dict[str, Any]:
    """Return microseconds a row and their ratios, on GSM8K's and on MATH-500's solutions.

    The peer is so much slower that it sees fewer rows of GSM8K; both sides of its ratio see the same.
    """
    ours = Math()
    passes = 9 if full else 5
    out: dict[str, Any] = {}
    boxed = compared(with_boxes(gsm8k), {"ours": ours, "floor": floor}, passes)
    out["GSM8K, boxed"] = {**boxed, "ours / floor": boxed["ours"] / boxed["floor"]}
    out["GSM8K, as written"] = compared(gsm8k, {"ours": ours}, passes)
    if not peer:
        return out
    verify = judge_of("math-verify")
    verify(r"\boxed{2}", "2")
    judges: dict[str, Judge] = {"ours": ours, "math-verify": lambda text, p: verify(text, p.answer)}
    few = with_boxes(gsm8k)[:: 1 if full else len(gsm8k) // 400]
    for name, rows in {"GSM8K, boxed, with the peer": few, "MATH-500 solutions": solutions}.items():
        out[name] = compared(rows, judges, 3 if full else 1)
        out[name]["math-verify / ours"] = out[name]["math-verify"] / out[name]["ours"]
    peer_s = out["GSM8K, boxed, with the peer"]["math-verify"]  # of every so many rows, ours of them all
    out["GSM8K, boxed"]["math-verify / ours"] = peer_s / boxed["ours"]
    return out
