"""Step scores as rewards for tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from referee.verifiers.records import Verdict


def step_rewards(
    verdict: Verdict, token_ids: Sequence[int], decode: Callable[[Sequence[int]], str], *, centre: float = 0.0
) -> list[float]:
    """Return a reward for each token: a step's score, less ``centre``, at the token that ends the step.

    ``verdict`` is a :class:`~referee.verifiers.learned.process.ProcessModel`'s, ``decode`` the policy's.
    The rewards add up to the sum of (score - centre) over the steps. A step's end is found in the
    text of the tokens before it, so tokens that split a character count where it is whole.

    Raises:
        ValueError: where the verdict has no steps, or the tokens' text is shorter than its spans.
    """
    scores: Any = verdict.detail.get("steps")
    spans: Any = verdict.detail.get("spans")
    if not isinstance(scores, list) or not isinstance(spans, list) or len(scores) != len(spans):
        raise ValueError("verdict must be a process model's, with steps and spans in its detail")
    rewards = [0.0] * len(token_ids)
    token, low = 0, 0
    for score, (_, end) in zip(scores, spans, strict=True):
        low, high = token, len(token_ids)
        while low < high:  # the fewest tokens whose text reaches the step's end
            middle = (low + high) // 2
            low, high = (middle + 1, high) if len(decode(token_ids[:middle])) < end else (low, middle)
        if not low or len(decode(token_ids[:low])) < end:
            raise ValueError(f"token_ids must spell the text that was judged, got {len(token_ids)} tokens")
        rewards[low - 1] += score - centre
        token = low
    return rewards
