r"""Preference data: pairs, rankings, and the formats that they come in.

TRL's explicit format is ``{prompt, chosen, rejected}``, its implicit one ``{chosen, rejected}`` with the
prompt inside both; either in texts or in chat messages, with an optional ``margin``. Whole chats beside a
prompt (as UltraFeedback's binarised set has them) are read as implicit. hh-rlhf is implicit, in texts of
``\n\nHuman: ... \n\nAssistant: ...`` turns. A ranking is ``{prompt, ranking}``, the best first. RewardBench
adds ``subset`` and ``id``; RewardBench 2 has lists of chosen and rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, Message, Problem

_ASSISTANT = "\n\nAssistant:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Completions of one problem, the best first; a pair is a ranking of two.

    ``margin`` is how much better each should be than the next (Touvron et al. 2023, equation 2).
    """

    problem: Problem
    completions: tuple[str, ...]
    margin: float = 0.0
    subset: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "completions", tuple(self.completions))
        if len(self.completions) < 2:
            raise ValueError(f"completions must be at least two, got {len(self.completions)}")

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All K(K-1)/2 pairs of (better, worse), as indices of completions."""
        return list(combinations(range(len(self.completions)), 2))

    @property
    def items(self) -> list[Item]:
        """The completions as items that a verifier takes."""
        return [Item(Completion(text=c), self.problem) for c in self.completions]


def rankings(rows: Iterable[Mapping[str, Any]]) -> list[Ranking]:
    """Read rows of any of the formats above.

    Raises:
        ValueError: where a row is of none of them, by its number.
    """
    read = []
    for number, row in enumerate(rows):
        try:
            read.append(_ranking(row))
        except (ValueError, TypeError, KeyError) as e:
            raise ValueError(f"row {number}: {e}") from None
    return read


def benchmark_pairs(rows: Iterable[Mapping[str, Any]]) -> list[Ranking]:
    """Read RewardBench rows; of lists, the best is compared with each rejected one."""
    pairs = []
    for row in rows:
        chosen, rejected = _listed(row["chosen"]), _listed(row["rejected"])
        for worse in rejected:
            pairs.append(
                Ranking(
                    problem=Problem(prompt=row["prompt"], id=str(row.get("id", ""))),
                    completions=(chosen[0], worse),
                    subset=str(row.get("subset", "")),
                )
            )
    return pairs


def batches_of_rankings(
    read: Sequence[Ranking], *, completions: int, order: Sequence[int]
) -> Iterator[list[Ranking]]:
    """Yield batches of whole rankings, in ``order``, of about ``completions`` completions each.

    A ranking's pairs share completions: dealt over several batches, each completion would be trained
    on K-1 times an epoch, and the model overfits (Ouyang et al. 2022, section 3.5).
    """
    batch: list[Ranking] = []
    for i in order:
        if batch and sum(len(r.completions) for r in batch) + len(read[i].completions) > completions:
            yield batch
            batch = []
        batch.append(read[i])
    if batch:
        yield batch


def split_conversations(chosen: str, rejected: str) -> tuple[str, str, str]:
    r"""Return the common prompt, and the two completions, of two conversations written as texts.

    The prompt ends with the last assistant turn's name that both share, where there is one.

    >>> split_conversations("\n\nHuman: a\n\nAssistant: yes", "\n\nHuman: a\n\nAssistant: you")
    ('\n\nHuman: a\n\nAssistant:', ' yes', ' you')
    """
    common = next((i for i, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), None)
    common = min(len(chosen), len(rejected)) if common is None else common
    turn = chosen.rfind(_ASSISTANT, 0, common)
    cut = turn + len(_ASSISTANT) if turn >= 0 else common
    return chosen[:cut], chosen[cut:], rejected[cut:]


def _ranking(row: Mapping[str, Any]) -> Ranking:
    margin = float(row.get("margin") or 0.0)
    subset = str(row.get("subset", ""))
    if "ranking" in row:
        problem = Problem(prompt=row["prompt"])
        return Ranking(
            problem=problem, completions=tuple(map(_text, row["ranking"])), margin=margin, subset=subset
        )
    if "chosen" not in row or "rejected" not in row:
        raise ValueError(f"a row must have chosen and rejected, or a ranking; got {', '.join(row)}")
    chosen, rejected = row["chosen"], row["rejected"]
    whole = all(isinstance(x, list) and len(x) > 1 for x in (chosen, rejected))
    if row.get("prompt") is not None and not whole:
        problem = Problem(prompt=row["prompt"])
        return Ranking(
            problem=problem, completions=(_text(chosen), _text(rejected)), margin=margin, subset=subset
        )
    if isinstance(chosen, str):
        prompt, better, worse = split_conversations(chosen, rejected)
        return Ranking(
            problem=Problem(prompt=prompt), completions=(better, worse), margin=margin, subset=subset
        )
    problem = Problem(prompt=chosen[:-1])
    if problem != Problem(prompt=rejected[:-1]):
        raise ValueError("chosen and rejected must share all messages but the last")
    return Ranking(
        problem=problem, completions=(_text(chosen[-1:]), _text(rejected[-1:])), margin=margin, subset=subset
    )


def _text(completion: Any) -> str:
    """Return a completion's text: a text, or one assistant message."""
    if isinstance(completion, str):
        return completion
    messages = Problem(prompt=completion).prompt
    if isinstance(messages, str) or len(messages) != 1 or not isinstance(messages[0], Message):
        raise ValueError("a completion must be a text or one message")
    return messages[0].content


def _listed(value: Any) -> list[str]:
    return (
        list(map(_text, value)) if isinstance(value, list) and isinstance(value[0], str) else [_text(value)]
    )
