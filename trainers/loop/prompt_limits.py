"""The longest prompt: what a run leaves out, and what the model has no room for, said before it samples."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from referee.trainers.loop.problem_source import Problems
from referee.trainers.policy.policy import Policy
from referee.verifiers.errors import UserMistake
from referee.verifiers.records import Problem

_LOOKED_AT = 16  # problems of a function


class PromptTooLong(UserMistake, ValueError):
    """A prompt that is longer than a run takes."""


def fitting(
    problems: Problems, policy: Policy, max_new_tokens: int, max_prompt_tokens: int | None = None
) -> Problems:
    """Return the problems whose prompts are short enough; a function's are looked at as they come.

    Raises:
        PromptTooLong: where none is left.

    Warns:
        UserWarning: of how many are left out, and where a prompt with its completion outruns the context.
    """
    if not isinstance(problems, Sequence):
        if callable(problems):
            _warn(policy, [_length(policy, problems(i)) for i in range(_LOOKED_AT)], max_new_tokens)
        return problems
    if max_prompt_tokens is None and policy.context is None:
        return problems
    lengths = [_length(policy, problem) for problem in problems]
    if max_prompt_tokens is not None:
        kept = [p for p, n in zip(problems, lengths, strict=True) if n <= max_prompt_tokens]
        if not kept:
            raise PromptTooLong(
                f"max_prompt_tokens must leave a problem, got {max_prompt_tokens}: "
                f"the shortest of {len(problems)} prompts has {min(lengths)} tokens"
            )
        if len(kept) < len(problems):
            warnings.warn(
                f"max_prompt_tokens {max_prompt_tokens} leaves out {len(problems) - len(kept)} of "
                f"{len(problems)} problems",
                stacklevel=4,
            )
        problems, lengths = kept, [n for n in lengths if n <= max_prompt_tokens]
    _warn(policy, lengths, max_new_tokens)
    return problems


def check_prompts(problems: Sequence[Problem], policy: Policy, *, max_prompt_tokens: int | None) -> None:
    """Refuse a problem of a source whose prompt is too long.

    Raises:
        PromptTooLong: naming it.
    """
    if max_prompt_tokens is None:
        return
    for problem in problems:
        if (found := _length(policy, problem)) > max_prompt_tokens:
            raise PromptTooLong(
                f"prompt of problem {(problem.id or problem.prompt_text[:40])!r} must have at most "
                f"max_prompt_tokens {max_prompt_tokens} tokens, got {found}"
            )


def _warn(policy: Policy, lengths: Sequence[int], max_new_tokens: int) -> None:
    longest, room = max(lengths, default=0), policy.context
    if room is not None and longest + max_new_tokens > room:
        warnings.warn(
            f"max_new_tokens {max_new_tokens} behind a prompt of {longest} tokens outruns the context "
            f"of {room}: what is written beyond it is noise; lower max_new_tokens, or set max_prompt_tokens",
            stacklevel=5,
        )


def _length(policy: Policy, problem: Problem) -> int:
    return len(policy.encode(problem.prompt))
