"""What ``--external_plugins`` names: a rubric that a tiny model can earn from its first step."""

from __future__ import annotations

from swift.rewards import orms

from referee.trainers import to_ms_swift
from referee.verifiers.protocol import verifier
from referee.verifiers.rubric import Rubric


@verifier()
def letters(completion, problem):
    """The share of letters in the text; it abstains where there is no reference."""
    if not problem.answer:
        return None
    return sum(c.isalpha() for c in completion.text) / max(1, len(completion.text))


orms["referee"] = to_ms_swift(Rubric({"letters": letters}), on_abstention="mean")
