"""Step labels: the formats that they come in, and Monte-Carlo labels from rollouts and a verifier."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from referee.trainers.policy.policy import Policy
from referee.trainers.policy.sampling import Sampling, sample, seed_of
from referee.verifiers.protocol import AnyVerifier, Item
from referee.verifiers.records import Completion, Problem
from referee.verifiers.scoring.asking import evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A solution's steps, and for each the chance that it is right: 0 to 1, or None where unknown."""

    problem: Problem
    steps: tuple[str, ...]
    labels: tuple[float | None, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        object.__setattr__(self, "labels", tuple(None if x is None else float(x) for x in self.labels))
        if len(self.steps) != len(self.labels):
            raise ValueError(
                f"labels must have one value for each of {len(self.steps)} steps, got {len(self.labels)}"
            )
        if any(x is not None and not 0.0 <= x <= 1.0 for x in self.labels):
            raise ValueError(f"labels must be from 0 to 1, got {self.labels}")


def stepwise(rows: Iterable[Mapping[str, Any]]) -> list[Solution]:
    """Read TRL's stepwise format: ``{prompt, completions: [step], labels: [bool]}``."""
    return [
        Solution(
            problem=Problem(prompt=r["prompt"]), steps=tuple(r["completions"]), labels=tuple(r["labels"])
        )
        for r in rows
    ]


def prm800k(rows: Iterable[Mapping[str, Any]], *, neutral: float | None = 1.0) -> list[Solution]:
    """Read PRM800K (Lightman et al. 2023): ratings -1, 0 and 1 of each step's completions.

    The solution that the labeller followed is read whole; a step's other completions make solutions
    that end with them. ``neutral`` is the label of a rating of 0: 1 as in the paper, 0, or None to
    leave it out. (TRL's converted data set has 0.)
    """
    label: dict[Any, float | None] = {1: 1.0, 0: neutral, -1: 0.0}
    found = []
    for row in rows:
        question = row["question"]
        problem = Problem(prompt=question["problem"], answer=question.get("ground_truth_answer"))
        texts: list[str] = []
        labels: list[float | None] = []
        for step in row["label"]["steps"]:
            given, chosen = step.get("completions") or [], step.get("chosen_completion")
            for i, one in enumerate(given):
                if i != chosen and one.get("rating") is not None:
                    before: list[float | None] = [None] * len(texts)
                    labelled = (*before, label[one["rating"]])
                    found.append(Solution(problem=problem, steps=(*texts, one["text"]), labels=labelled))
            human = step.get("human_completion")
            if chosen is not None:
                texts.append(given[chosen]["text"])
                labels.append(label.get(given[chosen].get("rating")))
            elif human:
                texts.append(human if isinstance(human, str) else human["text"])
                labels.append(1.0)
            else:
                break
        if texts:
            found.append(Solution(problem=problem, steps=tuple(texts), labels=tuple(labels)))
    return found


def math_shepherd(rows: Iterable[Mapping[str, Any]], *, mark: str = "ки") -> list[Solution]:
    """Read Math-Shepherd (Wang et al. 2024): ``input`` with a mark after each step, + or - in ``label``.

    Raises:
        ValueError: where the two do not have equally many steps, by the row's number.
    """
    found = []
    for number, row in enumerate(rows):
        pieces = row["input"].split(mark)
        at = pieces[0].find("Step 1:")
        if at < 0:
            raise ValueError(f"row {number}: input must have 'Step 1:' after the question")
        steps = [pieces[0][at:].strip(), *(p.strip() for p in pieces[1:-1])]
        ends = [line.rstrip()[-1:] for line in row["label"].split("\n")]
        labels = tuple(float(s == "+") for s in ends if s in ("+", "-"))
        if len(labels) != len(steps):
            raise ValueError(f"row {number}: input has {len(steps)} steps and label {len(labels)}")
        problem = Problem(prompt=pieces[0][:at].rstrip())
        found.append(Solution(problem=problem, steps=tuple(steps), labels=labels))
    return found


class Completer(Protocol):
    """Continues solutions: several continuations for each prefix."""

    def __call__(self, prefixes: Sequence[tuple[Problem, str]], samples: int, /) -> list[list[str]]:
        """Return ``samples`` continuations of each prefix."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCompleter:
    """A policy as a completer: it reads the prompt and the steps so far, and goes on."""

    policy: Policy
    sampling: Sampling
    seed: int = 0

    def __call__(self, prefixes: Sequence[tuple[Problem, str]], samples: int) -> list[list[str]]:
        """Sample; what a prefix gets depends on the prefix and the seed alone."""
        prompts = [
            self.policy.encode(problem.prompt)
            + [int(i) for i in self.policy.tokenizer(text, add_special_tokens=False)["input_ids"]]
            for problem, text in prefixes
        ]
        seeds = [seed_of(self.seed, "rollout", p.prompt_text, text) for p, text in prefixes]
        groups = sample(self.policy, prompts, group_size=samples, sampling=self.sampling, seeds=seeds)
        return [[c.text for c in group] for group in groups]


def monte_carlo_labels(
    completer: Completer,
    solutions: Sequence[tuple[Problem, Sequence[str]]],
    verifier: AnyVerifier,
    *,
    samples: int = 8,
    separator: str = "\n",
    hard: bool = False,
) -> list[Solution]:
    """Label each step by what comes of it: no human is asked (Math-Shepherd, section 3).

    A step's label is the mean score, by the verifier, of ``samples`` continuations of the solution up
    to it (soft estimation), or 1 where any scores 1 and else 0 (``hard``). The last step is judged as
    it stands. Continuations on which the verifier abstains count neither way; a step without others
    has label None. Equal prefixes are continued once.
    """
    prefixes: dict[tuple[str, str], tuple[Problem, str]] = {}
    for problem, steps in solutions:
        for end in range(1, len(steps)):
            text = separator.join(steps[:end]) + separator
            prefixes.setdefault((problem.prompt_text, text), (problem, text))
    continued = completer(list(prefixes.values()), samples)
    items, owner = [], []
    for (key, (problem, head)), texts in zip(prefixes.items(), continued, strict=True):
        items += [Item(Completion(text=head + text), problem) for text in texts]
        owner += [key] * len(texts)
    items += [Item(Completion(text=separator.join(steps)), problem) for problem, steps in solutions]
    verdicts = evaluate(verifier, items)
    values: dict[tuple[str, str], list[float]] = {}
    for key, verdict in zip(owner, verdicts, strict=False):
        if verdict.score is not None:
            values.setdefault(key, []).append(verdict.score)
    out = []
    for (problem, steps), whole in zip(solutions, verdicts[len(owner) :], strict=True):
        labels: list[float | None] = []
        for end in range(1, len(steps)):
            seen = values.get((problem.prompt_text, separator.join(steps[:end]) + separator))
            if not seen:
                labels.append(None)
            else:
                labels.append(float(max(seen) >= 1.0) if hard else math.fsum(seen) / len(seen))
        out.append(Solution(problem=problem, steps=tuple(steps), labels=(*labels, whole.score)))
    return out


def until_first_wrong(solutions: Iterable[Solution], threshold: float = 0.5) -> list[Solution]:
    """Return solutions with the labels after the first wrong step taken out: what follows it is moot."""
    cut = []
    for s in solutions:
        wrong = next((i for i, x in enumerate(s.labels) if x is not None and x < threshold), len(s.labels))
        cut.append(replace(s, labels=tuple(x if i <= wrong else None for i, x in enumerate(s.labels))))
    return cut
