"""reasoning-gym's tasks as families, safe where reasoning-gym is not.

Needs ``pip install reasoning-gym``. Its generators and scorers run in a worker process
(:mod:`referee.envs.reasoning_gym_worker`) that is ended when it does not answer in time, and started
again. Whose fault a scorer's failure is gets found out, not assumed: where the scorer raises, or never
returns, on a completion and takes the reference itself, the completion scores 0; where it fails on the
reference, or pays for nonsense (``game_of_life_halting`` pays for any text), the verdict abstains. Tasks that
have no reference by design (``boxnet``, ``graph_color``, ``propositional_logic``, ``rubiks_cube``,
``rush_hour``) are judged by their rules; a solution that the item shows as an example is their gold.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from referee.verifiers.combine import Composable
from referee.verifiers.errors import NotJudged
from referee.verifiers.extras import missing
from referee.verifiers.protocol import UNIT, failure
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of, plain

WORKER = Path(__file__).with_name("reasoning_gym_worker.py")
EXAMPLES = {  # where an item of a task without a reference keeps a solution
    "graph_color": "possible_answer",
    "propositional_logic": "example_answer",
    "rubiks_cube": "example_correct_answer",
}
NONSENSE = ("snow on the third of never", "0")
START_S = 120.0
PATIENCE = 6.0  # a slow machine must not pass for a bad reference


class NoAnswer(NotJudged, RuntimeError):
    """The worker did not answer in time, and was ended."""


@dataclass(frozen=True, kw_only=True)
class ReasoningGym(Composable):
    """A task of reasoning-gym as a family with one level.

    ``config`` is the task's own configuration. With ``strict`` a score below 1 is 0, since many scorers
    pay a little for any text; else it is what the task says, cut to 0 to 1. ``deadline_s`` bounds one
    scoring.
    """

    task: str
    config: Mapping[str, Json] = field(default_factory=dict)
    strict: bool = True
    deadline_s: float = 5.0
    range = UNIT
    levels = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", dict(self.config))
        if importlib.util.find_spec("reasoning_gym") is None:
            raise missing("ReasoningGym", "reasoning_gym", extra="reasoning")
        if not self.deadline_s > 0.0:
            raise ValueError(f"deadline_s must be above 0, got {self.deadline_s}")

    @property
    def name(self) -> str:
        """The family's name."""
        return f"reasoning_gym/{self.task}"

    def problem(self, seed: int, index: int, level: int = 0) -> Problem:
        """Return problem ``index`` of stream ``seed``.

        reasoning-gym seeds item i of a data set with its seed + i, so that the sets of neighbouring seeds are
        the same but for one item. Here each (seed, index) is a set of its own.

        Raises:
            ValueError: for another level than 0, and where the task cannot be made.
        """
        if level:
            raise ValueError(f"level must be 0 in {self.name}, got {level}")
        digest = blake2b(f"{self.name}/{seed}/{index}".encode(), digest_size=8).digest()
        request = {"op": "item", "seed": int.from_bytes(digest, "big") >> 33}
        try:
            item = self._ask(request, START_S)
        except (NoAnswer, RuntimeError) as e:
            raise ValueError(
                f"task must be one that reasoning-gym can make, got {self.task!r}: {e}"
            ) from None
        return Problem(
            prompt=item["question"],
            answer=item["answer"],
            id=f"{self.name}/0/{seed}/{index}",
            info={
                "family": self.name,
                "level": 0,
                "entry": plain("entry", item["entry"]),
                "shape": item["shape"],
            },
        )

    def gold(self, problem: Problem) -> str:
        """Return the task's own answer, or the solution that its item shows; empty where there is neither."""
        if problem.answer is not None:
            return str(problem.answer)
        return _example(self.task, problem.info.get("entry"))

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the task's score of what follows the thinking."""
        entry = problem.info.get("entry")
        if problem.info.get("family") != self.name or not isinstance(entry, dict):
            return failure(f"info must hold an entry of {self.name}", Reason.BAD_REFERENCE)
        answer = answer_of(completion, problem).strip()
        if not answer:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        shape = problem.info.get("shape")
        try:
            (found,) = self._scores(entry, shape, [answer])
        except NoAnswer:
            fault = self._fault(entry, shape)
            note: dict[str, Json] = {"deadline_s": self.deadline_s}
            return fault or Verdict(score=0.0, reason=Reason.TIMEOUT, answer=answer[:1000], detail=note)
        except RuntimeError as e:
            return failure(e, Reason.UNAVAILABLE)
        if "note" not in found and (fault := self._fault(entry, shape)):
            return fault
        detail: dict[str, Json] = {k: v for k, v in found.items() if k in ("note", "raised")}
        score = min(max(float(found.get("score", 0.0)), 0.0), 1.0)
        if self.strict and score < 1.0:
            detail |= {"raw_score": score} if score else {}
            score = 0.0
        return Verdict(score=score, answer=answer[:1000], detail=detail)

    def _fault(self, entry: dict[str, Json], shape: Json) -> Verdict | None:
        """Return an abstention where the scorer fails on the reference, or pays for nonsense."""
        reference = entry.get("answer")
        gold = _example(self.task, entry) if reference is None else str(reference)
        probes = [text for text in NONSENSE if not _same_number(text, gold)]
        asked = [gold, *probes] if gold or reference is not None else probes
        try:
            found = self._scores(entry, shape, asked, deadline_s=PATIENCE * self.deadline_s)
        except (NoAnswer, RuntimeError) as e:
            return failure(f"the scorer does not take its own reference: {e}", Reason.BAD_REFERENCE)
        if len(asked) > len(probes) and ("raised" in found[0] or found[0]["score"] < 1.0):
            return failure(f"the scorer does not take its own reference: {found[0]}", Reason.BAD_REFERENCE)
        for text, other in zip(probes, found[-len(probes) :], strict=True):
            if other.get("score", 0.0) >= 1.0:
                return failure(f"the scorer pays in full for {text!r}", Reason.BAD_REFERENCE)
        return None

    def _scores(
        self, entry: dict[str, Json], shape: Json, answers: list[str], *, deadline_s: float | None = None
    ) -> list[dict[str, Any]]:
        request = {"op": "score", "entry": entry, "shape": shape, "answers": answers}
        found: list[dict[str, Any]] = self._ask(request, deadline_s or self.deadline_s)
        return found

    def _ask(self, request: dict[str, Any], deadline_s: float) -> Any:
        reply = _worker().ask({"task": self.task, "config": self.config, **request}, deadline_s)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["value"]


class _Worker:
    """A worker process, started when it is first asked and ended when it does not answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = os.getpid()

    def ask(self, request: dict[str, Any], deadline_s: float) -> dict[str, Any]:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            process = self._process
            assert process is not None
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
                return dict(json.loads(self._line(deadline_s)))
            except (OSError, ValueError):
                self.end()
                raise NoAnswer(f"no answer within {deadline_s} s") from None

    def end(self) -> None:
        if self._process is not None and os.getpid() == self._pid:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        self._process = None

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            bufsize=0,
        )
        assert self._process.stdin is not None
        # Importing the package takes seconds, which are not the first answer's.
        self._process.stdin.write(b'{"op": "item", "task": "basic_arithmetic", "config": {}, "seed": 0}\n')
        self._line(START_S)

    def _line(self, deadline_s: float) -> bytes:
        """Read one line; ValueError where none comes in time, or the worker has died."""
        assert self._process is not None
        assert self._process.stdout is not None
        end, out = time.monotonic() + deadline_s, b""
        while not out.endswith(b"\n"):
            ready = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))[0]
            chunk = os.read(self._process.stdout.fileno(), 1 << 16) if ready else b""
            if not chunk:
                raise ValueError("no answer")
            out += chunk
        return out


_workers: dict[int, _Worker] = {}


def _worker() -> _Worker:
    return _workers.setdefault(os.getpid(), _Worker())


@atexit.register
def _end() -> None:
    if (worker := _workers.get(os.getpid())) is not None:
        worker.end()


def _example(task: str, entry: Json) -> str:
    """Return the solution that an item of a task without a reference shows; empty where it shows none."""
    metadata = entry.get("metadata") if isinstance(entry, dict) else None
    example = metadata.get(EXAMPLES.get(task, "")) if isinstance(metadata, dict) else None
    if example is None:
        return ""
    return example if isinstance(example, str) else json.dumps(example)


def _same_number(a: str, b: str) -> bool:
    try:
        return float(a) == float(b)
    except ValueError:
        return a.strip() == b.strip()
