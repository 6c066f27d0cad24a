"""Knights, who always tell the truth, and knaves, who always lie: who is who?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Json, Problem, Reason, Verdict

_SAID = re.compile(r"\b([A-F])\b\s*(?:=|:|is\s+an?\b|is\b)?\s*(knight|knave)\b", re.IGNORECASE)
_FILLER = re.compile(r"[\s,.;]|and", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class KnightsAndKnaves(Procedural):
    """What each speaker is. Statements are drawn until exactly one assignment fits them all.

    Levels: 2, 3, 4, 5 and 6 speakers.

    Accepts:
        - ``A is a knight, B is a knave``, ``A=knight B=knave``
        - ``knight knave``: the kinds alone, in the order of the names
    Rejects:
        - a speaker left out or named twice; a sentence around the answer
    """

    name: ClassVar[str] = "knights_and_knaves"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw statements until the solution is unique."""
        count = level + 2
        while True:
            claims = [_claim(stream, i, count) for i in range(count)]
            fits = [kinds for kinds in product((True, False), repeat=count) if _fits(claims, kinds)]
            if len(fits) == 1:
                return _draft(claims, fits[0])

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Read who is said to be what, and test every statement."""
        claims = problem.info.get("claims")
        if not isinstance(claims, list):
            return failure("info must hold the claims", Reason.BAD_REFERENCE)
        if len(answer) > 300:
            return False
        said = [(name.upper(), kind.lower() == "knight") for name, kind in _SAID.findall(answer)]
        if said:
            if _FILLER.sub("", _SAID.sub("", answer)):
                return False
            if sorted(name for name, _ in said) != list("ABCDEF"[: len(claims)]):
                return False
            kinds = [kind for _, kind in sorted(said)]
        else:
            parts = answer.lower().replace(",", " ").split()
            if len(parts) != len(claims) or not set(parts) <= {"knight", "knave"}:
                return False
            kinds = [part == "knight" for part in parts]
        return _fits(claims, kinds)


def _claim(stream: Stream, speaker: int, count: int) -> list[Json]:
    others = [i for i in range(count) if i != speaker]
    kind = stream.choice(("knight", "knave", "same", "number"))
    if kind == "number":
        return [kind, stream.between(1, count)]
    if kind == "same" and count > 2:
        return [kind, *stream.sample(others, 2)]
    return ["knight" if kind == "same" else kind, stream.choice(others)]


def _true(claim: Sequence[Json], kinds: Sequence[bool]) -> bool:
    kind, rest = claim[0], [n for n in claim[1:] if isinstance(n, int)]
    if kind == "number":
        return sum(kinds) == rest[0]
    if kind == "same":
        return kinds[rest[0]] == kinds[rest[1]]
    return kinds[rest[0]] is (kind == "knight")


def _fits(claims: Sequence[Json], kinds: Sequence[bool]) -> bool:
    return all(_true(c, kinds) is k for c, k in zip(claims, kinds, strict=True) if isinstance(c, list))


def _draft(claims: list[list[Json]], kinds: Sequence[bool]) -> Draft:
    lines, short = [], []
    for name, claim in zip("ABCDEF", claims, strict=False):
        named = ["ABCDEF"[n] for n in claim[1:] if isinstance(n, int) and n < 6]
        if claim[0] == "number":
            lines.append(f'{name} says: "Exactly {claim[1]} of us are knights."')
            short.append(f"{name}:{claim[1]}")
        elif claim[0] == "same":
            lines.append(f'{name} says: "{named[0]} and {named[1]} are of the same kind."')
            short.append(f"{name}:{named[0]}={named[1]}")
        else:
            lines.append(f'{name} says: "{named[0]} is a {claim[0]}."')
            short.append(f"{name}:{named[0]}{'+' if claim[0] == 'knight' else '-'}")
    solution = ", ".join(f"{n}={'knight' if k else 'knave'}" for n, k in zip("ABCDEF", kinds, strict=False))
    data: list[Json] = [list(c) for c in claims]
    return Draft(
        "Knights always tell the truth and knaves always lie. "
        + " ".join(lines)
        + " Who is what? End with a line such as A=knight, B=knave.",
        " ".join(short) + ":",
        solution,
        {"claims": data},
    )
