"""``referee verify``: one verdict, explained in a sentence."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from referee.commands.inputs import BadInput, above_0, finite, load_judge, parse_json
from referee.report.sentences import explain, explain_reward
from referee.verifiers.jsonl import dumps
from referee.verifiers.records import Completion, FinishReason, Json, Problem, Reward
from referee.verifiers.scoring import score


def verify(
    verifier: str,
    /,
    *,
    text: str | None = None,
    answer: Annotated[list[str] | None, Parameter(negative=())] = None,
    prompt: str = "",
    info: str = "{}",
    option: Annotated[list[str] | None, Parameter(name=["--option", "-O"], negative=())] = None,
    truncated: Annotated[bool, Parameter(negative=())] = False,
    deadline_s: float = 10.0,
    at_least: float = 1.0,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Judge one completion, and say why. Exits 0 where it passes and 1 where it does not.

    Args:
        verifier: A name (math, numeric, ...), package.module:name, file.py:name, or a rubric's YAML file.
        text: What the model wrote. Without it, standard input is read.
        answer: The reference. Given several times: any of them is accepted.
        prompt: What the model was asked.
        info: What else the verifier reads of the problem, as a JSON object.
        option: An option of the verifier, as name=value; may be repeated.
        truncated: The model ran out of tokens while writing this.
        deadline_s: Seconds that the verdict may take.
        at_least: The least score that passes.
        json: Print the record as one JSON line.
    """
    above_0("--deadline-s", deadline_s)
    finite("--at-least", at_least)
    problem = _problem(prompt, answer, info)
    judge = load_judge(verifier, option or ())
    written = sys.stdin.read() if text is None else text
    completion = Completion(text=written, finish_reason=FinishReason.LENGTH if truncated else None)
    [reward] = score(judge, [(completion, problem)], workers=1, deadline_s=deadline_s)
    single = len(judge.parts) == 1 and not verifier.endswith((".yaml", ".yml"))
    _show(reward, problem, single=single, as_json=json)
    return 0 if reward.total is not None and reward.total >= at_least else 1


def _problem(prompt: str, answer: list[str] | None, info: str) -> Problem:
    extra = parse_json("--info", info)
    if not isinstance(extra, dict):
        raise BadInput(f"--info must be a JSON object, got {info!r:.80}")
    reference: Json = None if not answer else answer[0] if len(answer) == 1 else list(answer)
    return Problem(prompt=prompt, answer=reference, info=extra)


def _show(reward: Reward, problem: Problem, *, single: bool, as_json: bool) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if single:
        ((name, verdict),) = reward.parts.items()
        console.print(dumps(verdict) if as_json else explain(name, verdict, problem))
        if reward.truncated and not as_json:
            console.print("It was cut off by the token limit, so its reward is 0 whatever it says.")
    elif as_json:
        console.print(dumps(reward))
    else:
        for line in explain_reward(reward, problem):
            console.print(line)
