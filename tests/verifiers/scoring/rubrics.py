"""Verifiers that the scoring tests send to worker processes, where only a module's names arrive."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

from referee.verifiers import Completion, Item, Problem, Rubric


def judge(completion: Completion, problem: Problem) -> float:
    """Misbehave where the text says so; else score the text's length."""
    text = completion.text
    if text == "spin":
        while True:
            pass
    if text == "sleep":
        time.sleep(1000)
    if text == "die":
        os._exit(3)
    if text.startswith("wait "):
        time.sleep(float(text.split()[1]))
    if text == "raise":
        raise RuntimeError("broken verifier")
    return (len(text) % 10) / 10


def count(completion: Completion, problem: Problem) -> float:
    """Leave a line in the problem's log for each call."""
    with Path(str(problem.info["log"])).open("a") as log:
        log.write(f"{completion.text}\n")
    time.sleep(0.002)
    return 1.0


def siblings(completions: Sequence[Completion], problem: Problem) -> list[float]:
    """Score each by how many siblings it was seen with."""
    time.sleep(0.01)
    return [1 / len(completions)] * len(completions)


async def judge_slowly(completion: Completion, problem: Problem) -> float:
    """Await; one text waits for ever."""
    await asyncio.sleep(1000 if completion.text == "sleep" else 0.01)
    return 1.0


class Model:
    """A stand-in for a learned model: remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, completion: Completion, problem: Problem) -> float:
        return 0.5

    def verify_batch(self, items: Sequence[Item]) -> list[float]:
        self.sizes.append(len(items))
        return [0.5] * len(items)


JUDGE = Rubric({"judge": judge})
COUNT = Rubric({"count": count})
SIBLINGS = Rubric({"siblings": siblings})
