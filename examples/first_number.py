"""A verifier of ten lines: is the first number that is written the right one?"""

from __future__ import annotations

import re

from referee.verifiers import Completion, Problem, Reason, Verdict


def first_number(completion: Completion, problem: Problem) -> Verdict:
    """Compare the first whole number in the completion with the reference."""
    found = re.search(r"[0-9]{1,9}", completion.text)
    if found is None:
        return Verdict(score=0.0, reason=Reason.NO_ANSWER)
    return Verdict(score=float(int(found[0]) == int(str(problem.answer))), answer=found[0])
