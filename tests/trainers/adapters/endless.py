"""Verifiers, some of which misbehave, where worker processes can import them."""

from __future__ import annotations

import asyncio
import os

from referee.verifiers.rubric import Rubric


def endless(completion, problem):
    while completion.text == "hang":
        pass
    if completion.text == "die":
        os._exit(3)
    return 1.0


async def sleepy(completion, problem):
    await asyncio.sleep(60 if completion.text == "sleep" else 0)
    return 1.0


def polite(completion, problem):
    return "please" in completion.text


ENDLESS = Rubric({"endless": endless})
SLEEPY = Rubric({"sleepy": sleepy})
POLITE = Rubric({"polite": polite})
