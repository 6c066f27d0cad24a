"""Numbers of choices written with a letter: ``C(10, 3)``, ``P(10, 3)``, ``C_5^2``, ``C_n^k``."""

from __future__ import annotations

from referee.verifiers.mathematics.tree import Node, num


def counted(args: tuple[Node, ...]) -> Node | None:
    """Read ``C(10, 3)`` and ``P(10, 3)`` at the head of a product as counts, where they can be."""
    head, group = args[0].value, args[1]
    if (
        args[0].kind != "var"
        or head not in ("C", "P")
        or group.kind != "group"
        or group.value != ("(", ")")
        or len(group.args) != 2
    ):
        return None
    if not (_can_be_counted(*group.args) or (head == "C" and _are_whole_by_name(group.args))):
        return None
    count = Node("fn", "binom" if head == "C" else "permutations", group.args)
    return Node("mul", None, (count, *args[2:])) if len(args) > 2 else count


def counted_in_scripts(node: Node) -> Node | None:
    """Read ``C_5^2`` and ``C_n^k`` as a binomial coefficient; ``C_1^2`` is the square of a constant."""
    base, low = node.args
    name = str(base.value) if base.kind == "var" else ""
    if name[:2] != "C_":
        return None
    top = num(int(name[2:])) if name[2:].isdecimal() and len(name) < 8 else Node("var", name[2:])
    known = _can_be_counted(top, low) or (top.kind == "var" and _are_whole_by_name((top, low)))
    return Node("fn", "binom", (top, low)) if known else None


def _can_be_counted(top: Node, low: Node) -> bool:
    if top.kind != "num" or low.kind != "num":
        return False
    return bool(top.value >= low.value >= 0 and top.value.denominator == low.value.denominator == 1)


def _are_whole_by_name(args: tuple[Node, ...]) -> bool:
    """Tell whether the letters, and there is one, are those that count: ``n``, ``k``, ``2n``."""
    names = set[str]().union(*map(_letters, args))
    return bool(names) and names <= _COUNTING


def _letters(node: Node) -> set[str]:
    if node.kind == "var":
        return {str(node.value)}
    return set[str]().union(*map(_letters, node.args))


_COUNTING = frozenset("nmkrpqjNMK")
