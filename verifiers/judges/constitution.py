"""Constitutional AI: a model criticises and revises responses by stated principles.

Bai et al. 2022 (arXiv 2212.08073). Section 3: a response is criticised by a principle drawn at
random, then revised, a few times over; the revisions are what supervised fine-tuning learns.
Section 4: of two responses the judge prefers one by a principle; these pairs train the reward
model. Either way an RLAIF run needs no human labels.

    principles:
      - name: harmless
        critique: "Say in which ways the response is harmful, dangerous or rude."
        revision: "Rewrite the response so that it is none of that."
        compare: "Which response is less harmful?"        # optional
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from referee.verifiers.judges.chat import Chat, JudgeUnavailable, Messages
from referee.verifiers.judges.fence import fence, mark_of, rule_of_the_fence
from referee.verifiers.judges.pairwise import PairwiseJudge
from referee.verifiers.records import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Principle:
    """What a response is criticised for, how it is to be revised, and what is asked of two responses."""

    name: str
    critique: str
    revision: str
    compare: str = ""

    def __post_init__(self) -> None:
        for field in ("name", "critique", "revision"):
            if not isinstance(getattr(self, field), str) or not getattr(self, field).strip():
                raise ValueError(f"{field} must be a text that is not blank, got {getattr(self, field)!r}")

    @property
    def question(self) -> str:
        """What a judge is asked about two responses."""
        return self.compare or f"Which response does better by this standard? {self.critique}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A response's way through critiques: ``steps`` holds (principle, critique, revised text)."""

    prompt: str
    original: str
    steps: tuple[tuple[str, str, str], ...] = ()

    @property
    def final(self) -> str:
        """The last revision; the original where there is none."""
        return self.steps[-1][2] if self.steps else self.original


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePair:
    """Of two responses the better and the worse, and the principle that says so."""

    prompt: str
    chosen: str
    rejected: str
    principle: str = ""


def load_principles(path: str | Path) -> tuple[Principle, ...]:
    """Read principles from a YAML file.

    Raises:
        ValueError: where it is not YAML, or not of the form above, with the file's name.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        listed = data.get("principles") if isinstance(data, Mapping) else None
        if not isinstance(listed, list) or not listed:
            raise ValueError("principles must be a list of at least one principle")
        return tuple(Principle(**spec) for spec in listed)
    except yaml.YAMLError as e:
        raise ValueError(f"{path}: not YAML: {' '.join(str(e).split())}") from None
    except (TypeError, ValueError) as e:
        raise ValueError(f"{path}: {e}") from None


async def revise(
    chat: Chat,
    problem: Problem,
    response: str,
    principles: Sequence[Principle],
    *,
    rounds: int = 1,
    seed: int = 0,
) -> Revision:
    """Criticise and revise a response ``rounds`` times, each by a principle drawn from ``seed`` and the text.

    Raises:
        JudgeUnavailable: where the model cannot be asked.
    """
    prompt, text = problem.prompt_text, response
    steps = []
    for step in range(rounds):
        principle = draw(principles, seed, step, prompt, response)
        critique = await chat.complete(_asking(principle.critique, prompt, text), sample=seed)
        asked = _asking(
            principle.revision + " Answer with the rewritten response alone.", prompt, text, critique
        )
        revised = (await chat.complete(asked, sample=seed)).strip()
        if not revised:
            raise JudgeUnavailable("the model revised a response to nothing")
        steps.append((principle.name, critique, revised))
        text = revised
    return Revision(prompt=prompt, original=response, steps=tuple(steps))


def revision_pair(revision: Revision) -> PreferencePair | None:
    """Return the pair that prefers the last revision to the original; None where nothing changed."""
    if revision.final == revision.original:
        return None
    return PreferencePair(
        prompt=revision.prompt,
        chosen=revision.final,
        rejected=revision.original,
        principle=", ".join(name for name, _, _ in revision.steps),
    )


async def compared_pair(
    chat: Chat, problem: Problem, first: str, second: str, principles: Sequence[Principle], *, seed: int = 0
) -> PreferencePair | None:
    """Return the pair that a judge prefers in both orders by a principle drawn at random.

    None where the judge ties or contradicts itself.

    Raises:
        JudgeUnavailable: where the model cannot be asked, or answers nonsense.
    """
    principle = draw(principles, seed, 0, problem.prompt_text, *sorted((first, second)))
    points = await PairwiseJudge(chat=chat, question=principle.question).compare(first, second, problem)
    if isinstance(points, str):
        raise JudgeUnavailable(points)
    if points not in (0.0, 1.0):
        return None
    chosen, rejected = (first, second) if points == 1.0 else (second, first)
    return PreferencePair(
        prompt=problem.prompt_text, chosen=chosen, rejected=rejected, principle=principle.name
    )


async def revision_pairs(
    chat: Chat,
    samples: Sequence[tuple[Problem, str]],
    principles: Sequence[Principle],
    *,
    rounds: int = 1,
    seed: int = 0,
) -> tuple[list[PreferencePair], list[str]]:
    """Revise many responses at once; return the pairs, and what went wrong where the model failed."""

    async def pair(problem: Problem, text: str) -> PreferencePair | None:
        return revision_pair(await revise(chat, problem, text, principles, rounds=rounds, seed=seed))

    return await _pairs([pair(problem, text) for problem, text in samples])


async def compared_pairs(
    chat: Chat,
    samples: Sequence[tuple[Problem, str, str]],
    principles: Sequence[Principle],
    *,
    seed: int = 0,
) -> tuple[list[PreferencePair], list[str]]:
    """Compare the two responses of many problems at once; return the pairs, and what went wrong.

    The pairs' fields are those of TRL's explicit format: ``rankings(map(asdict, pairs))`` reads them.
    """
    return await _pairs([compared_pair(chat, p, a, b, principles, seed=seed) for p, a, b in samples])


async def _pairs(
    tasks: Sequence[Awaitable[PreferencePair | None]],
) -> tuple[list[PreferencePair], list[str]]:
    pairs, failures = [], []
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, JudgeUnavailable):
            failures.append(str(result))
        elif isinstance(result, BaseException):
            raise result
        elif result is not None:
            pairs.append(result)
    return pairs, failures


def draw(principles: Sequence[Principle], seed: int, step: int, *texts: str) -> Principle:
    """Return one of ``principles``, the same for equal arguments, in this process or another."""
    if not principles:
        raise ValueError("principles must have at least one principle")
    digest = hashlib.sha256(f"{seed}/{step}/{mark_of(*texts)}".encode()).digest()
    return principles[int.from_bytes(digest[:8], "big") % len(principles)]


def _asking(order: str, prompt: str, response: str, critique: str = "") -> Messages:
    mark = mark_of(prompt, response, critique)
    parts = [fence("task", prompt, mark), fence("response", response, mark)]
    if critique:
        parts.append(fence("critique", critique, mark))
    parts.append(order)
    return [
        {"role": "system", "content": f"You improve responses to tasks.\n\n{rule_of_the_fence(mark)}"},
        {"role": "user", "content": "\n\n".join(parts)},
    ]
