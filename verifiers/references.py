"""Reading a problem's reference: what counts as one, what a list of them means, and the abstention
where there is none.

A list of references means *any of them*. The completion is right if a reference that can be read
matches; where none matches and one could not be read, nothing can be said, so the verdict abstains.
``list_means="all"`` is for sets: every value must be given. Verifiers of structured values (schemas,
calls, unit tests) and families of problems take a list as the value that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, get_args

from referee.verifiers.records import Json, Reason, Verdict, number_texts

ListMeans: TypeAlias = Literal["any", "all"]


def judged(answer: Json, judge: Callable[[Json], Verdict]) -> Verdict:
    """Return ``judge``'s verdict on a reference, or on any of a list of them.

    >>> def judge(reference):
    ...     readable = isinstance(reference, int)
    ...     return Verdict(score=float(reference == 4)) if readable else bad_reference("no number")
    >>> judged([3, 4], judge).score, judged([3, 5], judge).score, judged([3, "x"], judge).score
    (1.0, 0.0, None)
    """
    return any_of(answer, judge) if isinstance(answer, list) else judge(answer)


def any_of(references: Sequence[Json], judge: Callable[[Json], Verdict]) -> Verdict:
    """Return the best verdict over ``references``.

    It is an abstention where none is right and one cannot be read, or there is none.
    """
    if not references:
        return bad_reference("the list of references is empty")
    best = unread = None
    for reference in references:
        verdict = (
            bad_reference(f"a list of references must hold texts or numbers, got {reference!r:.80}")
            if isinstance(reference, list | dict)
            else judge(reference)
        )
        if verdict.score is None:
            unread = unread or verdict
        elif best is None or best.score is None or verdict.score > best.score:
            best = verdict
        if best is not None and best.score == 1.0:
            return best
    found = unread or best
    assert found is not None
    return found


def check_list_means(verifier: str, value: str, *, all_needs: str = "") -> None:
    """Raise ValueError where ``value`` is no meaning, or one that ``verifier`` cannot have.

    ``all_needs`` says why ``"all"`` makes no sense for it.
    """
    if value not in get_args(ListMeans):
        raise ValueError(f"list_means must be one of {', '.join(get_args(ListMeans))}, got {value!r}")
    if value == "all" and all_needs:
        raise ValueError(f"list_means must be 'any' for {verifier}, {all_needs}")


def accepted(reference: Json) -> tuple[str, ...]:
    """Return how one reference may be written, as texts; empty where it is none.

    A number is taken as its text, a whole one with and without ``.0``. Blank texts, booleans and other
    JSON values are no reference.

    >>> accepted("Paris"), accepted(4.0), accepted(" ")
    (('Paris',), ('4', '4.0'), ())
    """
    if isinstance(reference, str):
        return (reference,) if reference.strip() else ()
    if isinstance(reference, bool) or not isinstance(reference, int | float):
        return ()
    try:
        return number_texts(reference)
    except ValueError:  # more digits than Python writes
        return ()


def bad_reference(message: str) -> Verdict:
    """Return the abstention for a reference that cannot be used."""
    return Verdict(score=None, reason=Reason.BAD_REFERENCE, detail={"error": message[:1000]})
