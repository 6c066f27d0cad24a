"""Verifiers, some of which misbehave, where worker processes can import them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time

from referee.trainers import Scorer
from referee.verifiers.records import Completion, Problem
from referee.verifiers.rubric import Rubric


def endless(completion, problem):
    while completion.text == "hang":
        pass
    if completion.text == "die":
        os._exit(3)
    return 1.0


def slow(completion, problem):
    time.sleep(0.02)
    return len(completion.text) / 10


async def sleepy(completion, problem):
    await asyncio.sleep(60 if completion.text == "sleep" else 0)
    return 1.0


def polite(completion, problem):
    return "please" in completion.text


ENDLESS = Rubric({"endless": endless})
SLEEPY = Rubric({"sleepy": sleepy})
SLOW = Rubric({"slow": slow})
POLITE = Rubric({"polite": polite})


def score_in_a_daemon(pipe):
    """What a process like those of TRL's rollout workers does; Python allows it no children."""
    scorer = Scorer(rubric=ENDLESS, deadline_s=0.5)
    problem = Problem(prompt="p", answer="4")
    rewards = scorer.score([(Completion(text=t), problem) for t in ("a", "hang", "b")])
    pipe.send(([r.total for r in rewards], multiprocessing.current_process().daemon))
    scorer.close()
