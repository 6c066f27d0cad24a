"""The marks between which a model thinks, and how a user declares others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """A pair of texts that open and close a model's thinking, beside those that are always known.

    ``prefilled`` says that the prompt ends with the opening mark: a completion then begins inside the
    thinking, its closing mark stands alone, and a text without it never stopped thinking.
    """

    opening: str
    closing: str
    prefilled: bool = False

    def __post_init__(self) -> None:
        for name in ("opening", "closing"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{name} must be a text that is not blank, got {value!r:.80}")
        if self.opening == self.closing:
            raise ValueError(f"opening and closing must be two different marks, got {self.opening!r} twice")
        if not isinstance(self.prefilled, bool):
            raise ValueError(f"prefilled must be true or false, got {self.prefilled!r:.80}")


MarksLike: TypeAlias = "Marks | Sequence[str] | Mapping[str, object]"

_FIELDS = ("opening", "closing", "prefilled")


def as_marks(value: MarksLike | Sequence[MarksLike] | None) -> tuple[Marks, ...]:
    """Return declared thinking marks as records: none, one pair, or a list of pairs.

    A pair is :class:`Marks`, two texts, or a mapping with ``opening``, ``closing`` and ``prefilled``.

    Raises:
        ValueError: where it is none of these.

    >>> as_marks(("<plan>", "</plan>"))
    (Marks(opening='<plan>', closing='</plan>', prefilled=False),)
    """
    if value is None:
        return ()
    if isinstance(value, Marks | Mapping) or _is_pair(value):
        return (_marks(value),)
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(
            f"thinking must be an opening and a closing mark, or a list of such pairs, got {value!r:.80}"
        )
    return tuple(map(_marks, value))


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) == 2
        and all(isinstance(v, str) for v in value)
    )


def _marks(value: object) -> Marks:
    if isinstance(value, Marks):
        return value
    if isinstance(value, Mapping):
        if unknown := [k for k in value if k not in _FIELDS]:
            raise ValueError(f"thinking has no {unknown[0]!r}; it has {', '.join(_FIELDS)}")
        if missing := [k for k in _FIELDS[:2] if k not in value]:
            raise ValueError(f"thinking must have the mark {missing[0]!r}, got {dict(value)!r:.80}")
        return Marks(**{str(k): v for k, v in value.items()})
    if isinstance(value, Sequence) and _is_pair(value):
        return Marks(opening=value[0], closing=value[1])
    raise ValueError(f"thinking must hold pairs of an opening and a closing mark, got {value!r:.80}")
