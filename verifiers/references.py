"""Reading a problem's reference: what counts as one, and the abstention where it is none."""

from __future__ import annotations

from referee.verifiers.records import Problem, Reason, Verdict


def accepted(problem: Problem) -> tuple[str, ...]:
    """Return the accepted answers as texts: the answer, or each of a list; empty where there is none.

    A number is taken as its text. Blank texts, booleans and other JSON values are no reference.

    >>> accepted(Problem(answer=["Paris", "paris, France"]))
    ('Paris', 'paris, France')
    """
    answer = problem.answer
    if type(answer) is str:
        return (answer,) if answer.strip() else ()
    found = []
    for value in answer if isinstance(answer, list) else [answer]:
        if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
            return ()
        found.append(str(value))
    return tuple(found)


def bad_reference(message: str) -> Verdict:
    """Return the abstention for a reference that cannot be used."""
    return Verdict(score=None, reason=Reason.BAD_REFERENCE, detail={"error": message[:1000]})
