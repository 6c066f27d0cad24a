"""1,000 completions with their problems, and the rewards that a rubric gives them: the conformance file.

    python tests/trainers/adapters/conformance.py    writes it again, from a fixed seed

Every adapter must return these rewards bit for bit. Among them: right and wrong answers, no
answers, graded scores that no short decimal can write, negative ones, and abstentions of each kind.
The fault of an abstention lies in the answer's text, so that it reaches sides that carry nothing
else.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
from dataclasses import dataclass
from pathlib import Path

from referee.verifiers.combine import Composable
from referee.verifiers.exact import Exact
from referee.verifiers.protocol import Item, verifier
from referee.verifiers.records import Completion, Problem, Reward, Verdict
from referee.verifiers.rubric import Rubric
from referee.verifiers.tags import Tags

COUNT = 1000
FILE = Path(__file__).resolve().parents[2] / "data" / "adapters_conformance.jsonl"


@dataclass(frozen=True)
class Case:
    id: str
    prompt: str
    completion: str
    answer: str


@verifier(range=(-1.0, 1.0))
def digest(completion, problem):
    """A number of 53 random bits that depends on the text alone; some answers find the machine down."""
    if problem.answer == "unreachable":
        raise ConnectionError("the judge cannot be reached")
    if problem.answer == "unavailable":
        return None
    bits = int.from_bytes(hashlib.sha256(completion.text.encode()).digest()[:8], "big") >> 11
    return bits / 2**52 - 1.0


@dataclass(frozen=True)
class Siblings(Composable):
    """A group verifier: the share of the siblings that say something else."""

    def __call__(self, completions, problem):
        texts = [c.text for c in completions]
        return [Verdict(score=sum(t != u for u in texts) / len(texts)) for t in texts]


RUBRIC = Rubric(
    {
        "exact": Exact(extract=("tag:answer", "last_line")),
        "format": (Tags(names=("think", "answer"), partial=True), 0.3),
        "digest": (digest, 0.1),
    }
)
GROUP_RUBRIC = Rubric({"exact": Exact(), "differs": (Siblings(), 0.5)})


def cases() -> list[Case]:
    """Return the file's cases."""
    return [Case(*map(row.__getitem__, ("id", "prompt", "completion", "answer"))) for row in rows()]


def rows() -> list[dict]:
    """Return the file's lines: a case and its reward, null where the rubric abstains."""
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def drawn(count: int = COUNT, seed: int = 9) -> list[Case]:
    """Draw the cases that the file holds."""
    rng = random.Random(seed)
    return [_case(rng, i) for i in range(count)]


def _case(rng: random.Random, i: int) -> Case:
    a, b = rng.randrange(100), rng.randrange(100)
    said = a + b if rng.random() < 0.5 else a + b + rng.randrange(1, 9)
    note = "".join(rng.choice("abc déf√漢😀 {}\\\"'") for _ in range(rng.randrange(20)))
    completion = rng.choice(
        [
            f"<think>{note}</think><answer>{said}</answer>",
            f"<think>{note}</think>\n<answer> {said} </answer>\n",
            f"{note}\n{said}",
            f"<answer>{said}</answer>",
            f"<think>{note}",
            note,
            "",
        ]
    )
    fault = rng.random()
    answer = {0: "", 1: "unreachable", 2: "unavailable"}.get(int(fault * 30), str(a + b))
    return Case(f"case-{i}", f"What is {a} + {b}?", completion, answer)


def expected(rubric: Rubric = RUBRIC, some: list[Case] | None = None) -> list[Reward]:
    """Return what the rubric itself says, called with nothing between."""
    items = [
        Item(Completion(text=c.completion), Problem(prompt=c.prompt, answer=c.answer, id=c.id), i)
        for i, c in enumerate(cases() if some is None else some)
    ]
    return rubric.score_items(items)


def bits(scores) -> list[bytes | None]:
    """Return scores as the bytes of their doubles, so that equal means bit-identical."""
    return [None if s is None else struct.pack(">d", s) for s in scores]


def totals(rewards) -> list[float | None]:
    return [r.total for r in rewards]


def filled(rewards, value: float) -> list[float]:
    """Return the totals with ``value`` where there is none."""
    return [value if r.total is None else r.total for r in rewards]


def write(path: Path) -> None:
    """Write the conformance file: a case and its reward on each line."""
    some = drawn()
    with path.open("w", encoding="utf-8") as file:
        for case, reward in zip(some, expected(some=some), strict=True):
            file.write(json.dumps({**case.__dict__, "reward": reward.total}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(FILE)
