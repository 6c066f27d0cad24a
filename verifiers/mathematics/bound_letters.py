"""Letters that a text binds itself, so that what they are called says nothing.

``k`` in "k in Z", the index of a sum: they are renamed one to one, in their case; no other letter is.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from referee.verifiers.mathematics.names import is_function, name_of
from referee.verifiers.mathematics.real_sets import is_set_like, variables
from referee.verifiers.mathematics.tree import Node, renamed

_DOMAINS = frozenset({"integers", "naturals", "reals", "rationals", "complexes"})
_LETTERS = {"Z": "integers", "N": "naturals", "R": "reals", "Q": "rationals"}
_PARAMETERS = frozenset("k n m l j t s r u v a b c \\lambda \\mu \\ell".split())
_COUNTERS = frozenset("k n m l".split())  # that count periods though the text does not say so
_MAX_LETTERS = 3
_INDEXED = frozenset({"sum", "prod", "integral"})


def readings(a: Node, g: Node) -> Iterator[tuple[tuple[Node, Node], frozenset[str]]]:
    """Yield pairs that say the same as two answers, with the letters in them that are any integer."""
    (answer, bound_a), (reference, bound_g) = _unbound(a), _unbound(g)
    periods_a, periods_g = _periods(answer), _periods(reference)
    if not (bound_a or bound_g or (periods_a and periods_g)):
        return
    if any(bound_a[name] != bound_g[name] for name in bound_a.keys() & bound_g.keys()):
        return
    names_a, names_g = _in_values(answer), _in_values(reference)
    mine, theirs = sorted(names_a - names_g), sorted(names_g - names_a)
    integers_a = {k for k, v in bound_a.items() if v == "integers"} | periods_a
    integers_g = {k for k, v in bound_g.items() if v == "integers"} | periods_g
    shared = (integers_a | integers_g) & names_a & names_g
    free = _PARAMETERS | _of_named_tuple(answer) | _of_named_tuple(reference)
    if len(mine) == len(theirs) <= _MAX_LETTERS:
        for order in permutations(theirs):
            pairs = dict(zip(mine, order, strict=True))
            if all(_may_be(p, q, (bound_a, bound_g), (periods_a, periods_g), free) for p, q in pairs.items()):
                integers = {pairs[p] for p in integers_a & pairs.keys()} | integers_g & set(theirs)
                yield (renamed(answer, pairs), reference), frozenset(shared | integers)
    elif len(mine) == 1 and not theirs and mine[0] in integers_a:  # n = 7k + 3 for n mod 7
        yield (answer, reference), frozenset(mine)
    elif len(theirs) == 1 and not mine and theirs[0] in integers_g:
        yield (answer, reference), frozenset(theirs)


def _in_values(node: Node) -> set[str]:
    """Return the variables of an answer but those that it gives a value to."""
    if node.kind == "seq":
        return set().union(*map(_in_values, node.args))
    if node.kind == "rel" and node.value in (("=",), ("==",)) and name_of(node.args[0]) is not None:
        return variables(node.args[1])
    return variables(node)


def _may_be(
    p: str,
    q: str,
    bound: tuple[dict[str, str], dict[str, str]],
    periods: tuple[set[str], set[str]],
    free: frozenset[str],
) -> bool:
    (bound_a, bound_g), (periods_a, periods_g) = bound, periods
    if p in bound_a and q in bound_g:
        return bound_a[p] == bound_g[q]
    if p in bound_a:
        return q in free
    if q in bound_g:
        return p in free
    return p in periods_a and q in periods_g


def _of_named_tuple(node: Node) -> frozenset[str]:
    """Return the letters of ``(k, l) = (3x, 1 - x)`` that it does not name: they run over all values."""
    if node.kind != "rel" or node.value != ("=",) or node.args[0].kind != "group":
        return frozenset()
    names = variables(node.args[0])
    values = variables(node.args[1])
    return frozenset() if names & values else frozenset(values)


def _unbound(node: Node) -> tuple[Node, dict[str, str]]:
    """Split ``x = 2k, k in Z`` into what it says and the domain of each letter in it."""
    node = _with_binder_behind(node)
    if node.kind != "seq":
        return node, {}
    bound, rest = {}, []
    for item in node.args:
        binder = _binder(item)
        if binder is None:
            rest.append(item)
            continue
        while rest[1:] and rest[-1].kind == "var":  # t, u in R
            bound[rest.pop().value] = binder[1]
        bound[binder[0]] = binder[1]
    core = rest[0] if len(rest) == 1 else Node("seq", node.value, tuple(rest))
    if not rest or not bound or is_set_like(core) or not bound.keys() <= variables(core):
        return node, {}
    defined = {name_of(i.args[0]) for i in rest if i.kind == "rel" and not is_function(i.args[0])}
    return (node, {}) if defined & bound.keys() else (core, bound)


def _with_binder_behind(node: Node) -> Node:
    """Write ``{2k : k in Z}``, ``{x : x = 2k, k in Z}`` and ``2k (k in Z)`` as ``2k, k in Z``."""
    if node.kind == "builder" and node.args[0].kind == "seq" and node.args[0].value == "comma":
        return node.args[0]
    if node.kind == "set" and len(node.args) == 1 and node.args[0].value == ("in",):
        (image, domain) = node.args[0].args
        if image.kind == "ratio" and len(image.args) == 2:
            return Node("seq", "comma", (image.args[0], Node("rel", ("in",), (image.args[1], domain))))
    split = _split_binder(node)
    if split is None:
        return node
    core, binder = split
    items = core.args if core.kind == "seq" else (core,)
    return Node("seq", core.value if core.kind == "seq" else "comma", (*items, binder))


def _split_binder(node: Node) -> tuple[Node, Node] | None:
    """Take the domain off the last factor of the last term of the last value: ``x = 1 + 2k (k in Z)``."""
    if node.kind == "mul" and len(node.args) > 1 and _binder(node.args[-1]):
        rest = node.args[:-1]
        return (rest[0] if len(rest) == 1 else Node("mul", None, rest)), node.args[-1]
    if node.kind in ("add", "seq", "mul") or (node.kind == "rel" and node.value == ("=",)):
        split = _split_binder(node.args[-1]) if node.args else None
        return None if split is None else (Node(node.kind, node.value, (*node.args[:-1], split[0])), split[1])
    return None


def _binder(node: Node) -> tuple[str, str] | None:
    if node.kind == "unit" and node.value.name == "integer" and node.args[0].kind == "var":
        return node.args[0].value, "integers"
    if node.kind != "rel" or node.value != ("in",) or node.args[0].kind != "var":
        return None
    domain = node.args[1]
    name = _LETTERS.get(domain.value, domain.value) if domain.kind in ("const", "var") else None
    return (node.args[0].value, name) if name in _DOMAINS else None


def _periods(node: Node) -> set[str]:
    """Return the letters that count periods: each stands only in rational multiples of pi."""
    found: dict[str, bool] = {}
    _look_for_periods(node, found)
    return {name for name, only in found.items() if only}


def _look_for_periods(node: Node, found: dict[str, bool]) -> None:
    if node.kind in ("mul", "div"):
        leaves = list(_factors(node))
        names = [n.value for n in leaves if n.kind == "var"]
        others = [n for n in leaves if n.kind not in ("var", "num")]
        if len(names) == 1 and others == [Node("const", "pi")] and names[0] in _COUNTERS:
            found.setdefault(names[0], True)
            return
    if node.kind == "var":
        found[node.value] = False
    for a in node.args:
        _look_for_periods(a, found)


def _factors(node: Node) -> Iterator[Node]:
    if node.kind == "mul" or (node.kind == "div" and node.args[1].kind == "num"):
        for a in node.args:
            yield from _factors(a)
    else:
        yield node


def one_index(node: Node, level: int = 0) -> Node:
    """Call the index of each sum, product and integral by its depth."""
    if not node.args:
        return node
    if node.kind == "fn" and node.value in _INDEXED and not node.args[0].args:
        index, *bounds, body = node.args
        name = Node("var", f"#{level}")
        inside = _replaced(body, index, name)
        return Node("fn", node.value, (name, *bounds, one_index(inside, level + 1)))
    args = tuple(one_index(a, level) for a in node.args)
    return node if args == node.args else Node(node.kind, node.value, args)


def _replaced(node: Node, old: Node, new: Node) -> Node:
    if node == old:
        return new
    if node.kind == "var" and node.value.endswith(f"_{old.value}"):  # a_k
        return Node("var", node.value.removesuffix(old.value) + new.value)
    return (
        Node(node.kind, node.value, tuple(_replaced(a, old, new) for a in node.args)) if node.args else node
    )
