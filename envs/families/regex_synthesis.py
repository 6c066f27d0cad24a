"""Writing a regular expression that tells two lists of strings apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.families.regular import Overrun, parse
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Problem, Reason, Verdict

_SHAPES: tuple[tuple[str, ...], ...] = (
    ("{a}+", "{a}*{b}", "{a}{b}*", "[{a}{b}]{{2}}"),
    ("{a}+{b}+", "{a}*{b}{a}*", "({a}{b})+", "{a}.{b}"),
    ("({a}|{b}{c})+", "[{a}{b}]*{c}", "{a}({b}|{c})*", "{c}?({a}{b})*"),
    ("({a}{b}*{c})+", "[{a}{b}]{{1,3}}{c}+", "({a}|{b})*{c}({a}|{b})*", "{a}({b}{c}?)*{a}"),
)
SPARE = 4


@dataclass(frozen=True, kw_only=True)
class RegexSynthesis(Procedural):
    """A pattern that matches every string of one list in full and none of the other.

    The pattern may have at most four characters more than the one that drew the lists, so that the
    lists cannot simply be spelled out. Matching is bounded (:mod:`referee.envs.families.regular`): literals,
    ``.``, classes ``[ab]`` ``[a-c]`` ``[^a]``, groups, ``|``, ``*``, ``+``, ``?``, ``{m,n}`` to 20.

    Accepts:
        - any pattern that tells the lists apart, with or without ``^`` and ``$``
    Rejects:
        - a pattern that misses a string or matches one too many; one that is too long
        - lookarounds, back references and whatever else is not listed above
    """

    name: ClassVar[str] = "regex_synthesis"
    levels: ClassVar[int] = 4

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a pattern, then strings that it does and does not match."""
        while True:
            a, b, c = stream.shuffled("abc")
            pattern = stream.choice(_SHAPES[level]).format(a=a, b=b, c=c)
            node = parse(pattern)
            assert node is not None
            yes: list[str] = []
            no: list[str] = []
            for _ in range(100):
                text = "".join(stream.choice("abc") for _ in range(stream.between(1, 5 + level)))
                if text not in yes and text not in no:
                    side = yes if node.matches(text) else no
                    if len(side) < 5:
                        side.append(text)
                if len(yes) == len(no) == 5:
                    break
            limit = max(len(pattern), 6) + SPARE
            if len(yes) >= 3 and len(no) == 5 and len("|".join(yes)) > limit:
                break
        return Draft(
            f"Write a regular expression of at most {limit} characters that matches all of {' '.join(yes)} "
            f"in full, and none of {' '.join(no)}. End with a line that holds only the expression.",
            f"{' '.join(yes)} / {' '.join(no)} {limit}:",
            pattern,
            {"yes": list(yes), "no": list(no), "limit": limit},
        )

    def extract(self, text: str) -> str | None:
        """Return the last line, without fences and anchors."""
        line = text.rstrip().rpartition("\n")[2].strip().strip("`").strip()
        return line.removeprefix("^").removesuffix("$") or None

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Match every string."""
        yes, no, limit = (problem.info.get(k) for k in ("yes", "no", "limit"))
        if not isinstance(yes, list) or not isinstance(no, list) or not isinstance(limit, int):
            return failure("info must hold yes, no and limit", Reason.BAD_REFERENCE)
        if len(answer) > limit:
            return Verdict(score=0.0, answer=answer[:200], detail={"length": len(answer), "limit": limit})
        node = parse(answer)
        if node is None:
            return False
        try:
            return all(node.matches(str(t)) for t in yes) and not any(node.matches(str(t)) for t in no)
        except Overrun:
            return Verdict(score=0.0, reason=Reason.RESOURCE_LIMIT, answer=answer)
