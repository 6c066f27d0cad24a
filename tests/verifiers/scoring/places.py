"""Parts that run in every place, and misbehave there on one text; worker processes import them."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence

from referee.verifiers import Completion, Item, Math, Problem, UnitTests, verifier

HOSTILE = "hostile"
_SLOW = re.compile(r"(a+)+$")


def quick(completion: Completion, problem: Problem) -> float:
    return 1.0


def loops(completion: Completion, problem: Problem) -> float:
    while HOSTILE in completion.text:
        pass
    return 1.0


def sleeps(completion: Completion, problem: Problem) -> float:
    time.sleep(1000 if HOSTILE in completion.text else 0)
    return 1.0


def keeps_the_lock(completion: Completion, problem: Problem) -> float:
    if HOSTILE in completion.text:
        _SLOW.match("a" * 64 + "b")
    return 1.0


def writes_half_a_message(completion: Completion, problem: Problem) -> float:
    if HOSTILE in completion.text:
        _write_everywhere(b"\x00\x10\x00\x00half")
        time.sleep(1000)
    return 1.0


def writes_rubbish(completion: Completion, problem: Problem) -> float:
    if HOSTILE in completion.text:
        _write_everywhere(b"\x00\x00\x00\x04none" * 1000)
    return 1.0


def _write_everywhere(text: bytes) -> None:
    for fd in range(3, 64):
        try:
            os.set_blocking(fd, False)
            os.write(fd, text)
            os.set_blocking(fd, True)
        except OSError:
            pass


def raises(completion: Completion, problem: Problem) -> float:
    if HOSTILE in completion.text:
        raise RuntimeError("broken verifier")
    return 1.0


def dies(completion: Completion, problem: Problem) -> float:
    if HOSTILE in completion.text:
        os._exit(3)
    return 1.0


def keeps_nothing(completion: Completion, problem: Problem) -> float:
    """Sleep in C for ever, as a client without a time limit does."""
    time.sleep(1000 if HOSTILE in completion.text else 0)
    return 1.0


@verifier(range=(-1.0, 0.0))
def penalty(completion: Completion, problem: Problem) -> float:
    while HOSTILE in completion.text:
        pass
    return -0.5


def starts_a_program(completion: Completion, problem: Problem) -> float:
    if HOSTILE in completion.text:
        subprocess.run([sys.executable, "-c", "while True: pass"], check=False)
    return 1.0


async def awaited(completion: Completion, problem: Problem) -> float:
    await asyncio.sleep(0)
    return 1.0


async def awaited_long(completion: Completion, problem: Problem) -> float:
    await asyncio.sleep(1000 if HOSTILE in completion.text else 0)
    return 1.0


async def awaited_blocking(completion: Completion, problem: Problem) -> float:
    while HOSTILE in completion.text:
        pass
    return 1.0


async def awaited_sleeping(completion: Completion, problem: Problem) -> float:
    time.sleep(3 if HOSTILE in completion.text else 0)
    return 1.0


class Model:
    """Scores batches; hangs where ``hangs`` is set and a batch holds the hostile text."""

    def __init__(self, *, hangs: bool = False, raises: bool = False) -> None:
        self.hangs, self.raises = hangs, raises

    def __call__(self, completion: Completion, problem: Problem) -> float:
        return self.verify_batch([Item(completion, problem)])[0]

    def verify_batch(self, items: Sequence[Item]) -> list[float]:
        hostile = any(HOSTILE in item.completion.text for item in items)
        if hostile and self.raises:
            raise ValueError("the template refuses this prompt")
        while hostile and self.hangs:
            pass
        return [1.0] * len(items)


model, hanging_model, raising_model = Model(), Model(hangs=True), Model(raises=True)


def siblings(completions: Sequence[Completion], problem: Problem) -> list[float]:
    return [1.0] * len(completions)


# What the parts decide on the hostile text; each decides 1.0 on any other.
KINDS: dict[str, tuple[object, float | None, str]] = {
    "quick": (quick, 1.0, "correct"),
    "loops": (loops, 0.0, "timeout"),
    "sleeps": (sleeps, None, "unavailable"),
    "keeps_the_lock": (keeps_the_lock, 0.0, "timeout"),
    "starts_a_program": (starts_a_program, 0.0, "timeout"),
    "raises": (raises, None, "error"),
    "dies": (dies, None, "error"),
    "math": (Math(), 1.0, "correct"),
    "unit_tests": (UnitTests(), 1.0, "correct"),
    "awaited": (awaited, 1.0, "correct"),
    "awaited_long": (awaited_long, None, "unavailable"),
    "awaited_blocking": (awaited_blocking, 0.0, "timeout"),
    "awaited_sleeping": (awaited_sleeping, None, "unavailable"),
    "model": (model, 1.0, "correct"),
    "hanging_model": (hanging_model, None, "unavailable"),
    "raising_model": (raising_model, None, "error"),
    "siblings": (siblings, 1.0, "correct"),
}
