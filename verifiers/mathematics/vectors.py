"""Comparing tuples, vectors and matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.counts import counted
from referee.verifiers.mathematics.forms import Form
from referee.verifiers.mathematics.matching import NO, Match, Matching, together
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.tree import Node, Unreadable
from referee.verifiers.mathematics.values import forms, numbers

Vector: TypeAlias = "tuple[tuple[int, int], tuple[str, str] | None, list[Node | Form]]"


def arrays(c: Matching, a: Node, g: Node) -> Match | None:
    """Compare where one of two is a tuple or a matrix; None where neither is."""
    left, right = vector_of(c, a), vector_of(c, g)
    if left is None and right is None:
        return None
    c.integers = frozenset()  # one letter in several entries is one integer
    if left is not None and right is not None:
        return _vectors(c, left, right)
    vector, other = (g, a) if left is None else (a, g)
    count = counted(vector.args) if vector.kind == "mul" else None
    if count is None or is_array(other):
        return NO
    return numbers(c, count, other) if vector is a else numbers(c, other, count)


def _vectors(c: Matching, a: Vector, g: Vector) -> Match:
    """Compare two vectors or matrices, entry by entry."""
    (a_shape, a_brackets, xs), (g_shape, g_brackets, ys) = a, g
    if len(xs) != len(ys):
        return NO
    if a_brackets and g_brackets:
        if a_brackets != g_brackets and (
            len(xs) == 2 or (a_brackets[0] != a_brackets[1] and "(" in a_brackets and "]" in a_brackets)
        ):
            return NO
    elif a_brackets or g_brackets:
        shape = g_shape if a_brackets else a_shape
        brackets = a_brackets or g_brackets
        if 1 not in shape or brackets not in (("(", ")"), ("[", "]")):
            return NO
    elif a_shape != g_shape:
        return NO
    return together(_entries(c, x, y) for x, y in zip(xs, ys, strict=True))


def _entries(c: Matching, x: Node | Form, y: Node | Form) -> Match:
    if isinstance(x, Node) and isinstance(y, Node):
        return c.match(x, y)
    return forms(c, _entry(c, x), _entry(c, y))


def vector_of(c: Matching, node: Node) -> Vector | None:
    """Read a tuple, a matrix or a sum of them as (shape, brackets, entries)."""
    kind, value, args = node
    if kind == "group":
        if value == ("[", "]") and all(a.kind == "group" and len(a.args) == len(args[0].args) for a in args):
            return (len(args), len(args[0].args)), None, [x for a in args for x in a.args]
        return (len(args), 1), value, list(args)
    if kind == "matrix":
        return value, None, list(args)
    if kind == "mul" and sum(is_array(a) for a in args) == 1:
        inner = vector_of(c, next(a for a in args if is_array(a)))
        if inner is None:
            return None
        shape, _, entries = inner
        factor = f.rational(1)
        for a in args:
            if not is_array(a):
                factor = f.multiply(factor, c.evaluator.form(a), c.work)
        return shape, None, [f.multiply(_entry(c, e), factor, c.work) for e in entries]
    if kind == "mul" and all(a.kind == "matrix" for a in args):
        return _product(c, args)
    if kind == "pow" and args[1] == Node("var", "T") and is_array(args[0]):
        return _transposed(c, args[0])
    if kind == "div" and is_array(args[0]):
        vector = vector_of(c, args[0])
        if vector is None:
            return None
        bottom = c.evaluator.form(args[1])
        return vector[0], None, [f.divide(_entry(c, e), bottom, c.work) for e in vector[2]]
    if kind == "add" and all(is_array(a) for a in args):
        parts = [v for a in args if (v := vector_of(c, a)) is not None]
        if len({p[0] for p in parts}) != 1 or len(parts) != len(args):
            raise Unreadable("a sum of matrices of different shapes")
        total = [_entry(c, e) for e in parts[0][2]]
        for _, _, entries in parts[1:]:
            total = [f.add(t, _entry(c, e), c.work) for t, e in zip(total, entries, strict=True)]
        return parts[0][0], None, list(total)
    names = {v for v in variables(node) if v.startswith("unit_")}
    if names and names <= {"unit_i", "unit_j", "unit_k"}:
        return _unit_vector(c, node, names)
    return None


def _product(c: Matching, matrices: Sequence[Node]) -> Vector:
    (rows, inner), entries = matrices[0].value, [_entry(c, e) for e in matrices[0].args]
    for matrix in matrices[1:]:
        height, columns = matrix.value
        if height != inner:
            raise Unreadable("a product of matrices of shapes that do not fit")
        c.work.spend(rows * inner * columns)
        right = [_entry(c, e) for e in matrix.args]
        total = [f.rational(0)] * (rows * columns)
        for i in range(rows):
            for j in range(columns):
                for k in range(inner):
                    term = f.multiply(entries[i * inner + k], right[k * columns + j], c.work)
                    total[i * columns + j] = f.add(total[i * columns + j], term, c.work)
        entries, inner = total, columns
    return (rows, inner), None, list(entries)


def _transposed(c: Matching, node: Node) -> Vector | None:
    vector = vector_of(c, node)
    if vector is None:
        return None
    (rows, columns), _, entries = vector
    if node.kind == "group":  # (1, 2, 3) with a T is the column that a tuple stands for
        return vector
    return (columns, rows), None, [entries[i * columns + j] for j in range(columns) for i in range(rows)]


def _unit_vector(c: Matching, node: Node, names: set[str]) -> Vector:
    form = c.evaluator.form(node)
    size = 3 if "unit_k" in names else 2
    out: list[Node | Form] = [f.rational(0)] * size
    for mono, k in form.top.items():
        units = [(n, e) for n, e in mono if n.kind == "variable" and str(n.of).startswith("unit_")]
        if len(units) != 1 or units[0][1] != 1:
            raise Unreadable("a product of unit vectors")
        i = "ijk".index(str(units[0][0].of)[-1])
        rest = Form({tuple(p for p in mono if p not in units): k}, form.bottom)
        out[i] = f.add(_entry(c, out[i]), rest, c.work)
    return (size, 1), None, out


def _entry(c: Matching, entry: Node | Form) -> Form:
    return c.evaluator.form(entry) if isinstance(entry, Node) else entry


def is_array(node: Node) -> bool:
    """Tell whether a tree is a tuple or a matrix, or is made with one."""
    if node.kind in ("div", "pow"):
        return is_array(node.args[0])
    return node.kind in ("matrix", "group") or (node.kind in ("mul", "add") and any(map(is_array, node.args)))
