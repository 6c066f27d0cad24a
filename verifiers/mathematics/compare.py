"""Deciding whether two answers are the same: by structure down to numbers, then by normal forms."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.approximation import Zero, is_zero, real_value
from referee.verifiers.mathematics.cases import same_cases
from referee.verifiers.mathematics.common_units import in_one_unit
from referee.verifiers.mathematics.evaluate import Evaluator, counted
from referee.verifiers.mathematics.forms import Atom, Form, Number, Work
from referee.verifiers.mathematics.leniency import Leniency
from referee.verifiers.mathematics.names import drawn, name_of, same_name, same_words
from referee.verifiers.mathematics.real_sets import INEQUALITIES, Sets, infinite, is_set_like, variables
from referee.verifiers.mathematics.tree import UNNAMED, Node, TooBig, Unreadable, neg, rearranged

Vector: TypeAlias = "tuple[tuple[int, int], tuple[str, str] | None, list[Node | Form]]"
_MAX_UNORDERED = 40
_MAX_SIGNS = 4  # of plus-minus in one answer


class Match(NamedTuple):
    """Whether two answers are equal, and the tier that decided."""

    equal: bool
    tier: str


_NO = Match(False, "structure")
_RANK = ["exact rationals", "structure", "normal form", "root separation", "numeric"]
_FLIP = {">": "<", ">=": "<="}


class Comparer:
    """Compares one answer with one reference, under one budget of work."""

    def __init__(self, policy: Leniency) -> None:
        self.policy = policy
        self.evaluator = Evaluator(Work())
        self.work = self.evaluator.work
        self.sets = Sets(self.evaluator)
        self.known: dict[int, tuple[Node, Form]] = {}  # the forms of items that are compared many times

    def same(self, a: Node, g: Node) -> Match:
        """Compare an answer with a reference.

        Raises:
            TooBig: where deciding would pass a bound.
        """
        if a == g:
            return self._meaningful(g)
        try:
            return self._same(a, g)
        except Unreadable:
            return Match(rearranged(a) == rearranged(g), "structure")

    def _meaningful(self, node: Node) -> Match:
        """What equals itself: anything but an expression without a value."""
        return Match(True, "structure")

    def _same(self, a: Node, g: Node) -> Match:
        if a.kind == "text" or g.kind == "text":
            return Match(a.kind == g.kind and same_words(a.value, g.value), "text")
        if "cases" in (a.kind, g.kind) and "rel" not in (a.kind, g.kind):
            return Match(same_cases(self, a, g), "structure")
        if "statement" in (a.kind, g.kind) and "rel" not in (a.kind, g.kind):
            return Match(rearranged(a) == rearranged(g), "structure")
        a, g = self._plus_minus(a), self._plus_minus(g)
        if is_set_like(a) or is_set_like(g):
            return self._as_sets(a, g)
        if "rel" in (a.kind, g.kind):
            return self._relations(a, g)
        if a.kind == "set" and len(a.args) == 1 and g.kind not in ("set", "seq"):
            a = a.args[0]
        if g.kind == "set" and len(g.args) == 1 and a.kind not in ("set", "seq"):
            g = g.args[0]
        if "seq" in (a.kind, g.kind):
            return self._lists(a, g)
        if "set" in (a.kind, g.kind):
            return self._finite_sets(a, g)
        if "ratio" in (a.kind, g.kind) or "time" in (a.kind, g.kind):
            return self._ratios(a, g)
        if "mod" in (a.kind, g.kind):
            return self._residues(a, g)
        a_vector, g_vector = self._vector(a), self._vector(g)
        if a_vector is not None or g_vector is not None:
            if a_vector is None or g_vector is None:
                vector, other = (g, a) if a_vector is None else (a, g)
                count = counted(vector.args) if vector.kind == "mul" else None
                if count is None or is_array(other):
                    return _NO
                return self._numbers(count, other) if vector is a else self._numbers(other, count)
            return self._vectors(a_vector, g_vector)
        return self._numbers(a, g)

    # Numbers, with what stands around them

    def _numbers(self, a: Node, g: Node) -> Match:
        side = infinite(a), infinite(g)
        if side != (0, 0):
            return Match(side[0] == side[1], "structure")
        if (points := drawn(a, g)) is not None:
            return Match(points, "structure")
        if a.kind == "const" and g.kind == "const" and a.value not in ("pi", "e", "i"):
            return Match(a.value == g.value, "structure")
        if "unit" in (a.kind, g.kind):
            return self._measures(a, g)
        if "pct" in (a.kind, g.kind):
            return self._percents(a, g)
        if "deg" in (a.kind, g.kind):
            return self._degrees(a, g)
        return self._values(a, g)

    def _values(self, a: Node, g: Node, scale: Fraction | int = 1) -> Match:
        """Compare two plain expressions: rationals first, else by their normal forms."""
        if a.kind == "num" and g.kind == "num":
            return Match(self._near(a.value * scale, g.value), "exact rationals")
        left, right = self._form(a), self._form(g)
        if scale != 1:
            left = f.multiply(left, f.rational(scale), self.work)
        return self._forms(left, right)

    def _form(self, node: Node) -> Form:
        kept = self.known.get(id(node))
        if kept is None:
            kept = self.known[id(node)] = node, self.evaluator.form(node)
        return kept[1]

    def _near(self, a: Fraction, g: Fraction) -> bool:
        if a == g:
            return True
        return self.policy.tolerance > 0 and abs(a - g) <= Fraction(self.policy.tolerance) * abs(g)

    def _forms(self, left: Form, right: Form) -> Match:
        p, q = left.constant, right.constant
        if p is not None and q is not None:
            return Match(self._near(Fraction(p), Fraction(q)), "exact rationals")
        zero: Zero = is_zero(f.add(left, right, self.work, -1), self.work)
        if not zero.zero and self.policy.tolerance > 0:
            x, y = real_value(left, self.work), real_value(right, self.work)
            if x is not None and y is not None and abs(x - y) <= self.policy.tolerance * abs(y):
                return Match(True, "numeric")
        return Match(*zero)

    def _measures(self, a: Node, g: Node) -> Match:
        pair = in_one_unit(a, g)
        if pair is None:
            return _NO
        if self.policy.units == "required":
            names = [n.value for n in (a, g) if n.kind == "unit"]
            known = len(names) == 2 and all(n.dims is not None for n in names)
            if not known and (len(names) < 2 or names[0].name != names[1].name):
                return _NO
        left, right, scale = pair
        return self._values(left, right, scale) if scale != 1 else self._numbers(left, right)

    def _percents(self, a: Node, g: Node) -> Match:
        a_in, g_in = (n.args[0] if n.kind == "pct" else n for n in (a, g))
        if a.kind == g.kind:
            return self._values(a_in, g_in)
        hundredth = Fraction(1, 100)
        if self.policy.percent != "number":
            as_fraction = self._values(a_in, g_in, hundredth if a.kind == "pct" else 100)
            if as_fraction.equal or self.policy.percent == "fraction":
                return as_fraction
        return self._values(a_in, g_in)

    def _degrees(self, a: Node, g: Node) -> Match:
        if a.kind == g.kind:
            return self._values(a.args[0], g.args[0])
        if self.policy.units == "optional":
            bare = self._values(*_without("deg", a, g))
            if bare.equal:
                return bare
        return self._values(a, g)

    # Lists and sets

    def _plus_minus(self, node: Node) -> Node:
        """Write plus-minus out as a list of both values."""
        if node.kind == "rel":
            return node
        if node.kind in ("seq", "set"):
            items: list[Node] = []
            for a in node.args:
                both = self._plus_minus(a)
                items.extend(
                    both.args if both.kind == "seq" and both.value == "comma" and a.kind != "seq" else (both,)
                )
            return node if len(items) == len(node.args) else Node(node.kind, node.value, tuple(items))
        if not _signed(node):
            return node
        return Node("seq", "comma", (_choose(node, 1), _choose(node, -1)))

    def _items(self, node: Node) -> tuple[Node, ...]:
        """Return the items of a list, assignments of one variable as their values."""
        if node.kind not in ("seq", "set"):
            return (node,)
        items = node.args
        if items and items[0].kind == "rel" and node.kind == "seq":
            # "x = 1, 2": the first item names what all of them are
            rest = [self._value_of(i) if i.kind == "rel" else (None, i) for i in items]
            names = {r[0] for r in rest if r is not None and r[0] is not None}
            if all(r is not None for r in rest) and len(names) == 1:
                values = Node("seq", node.value, tuple(r[1] for r in rest if r is not None))
                return self._plus_minus(values).args
        return items

    def _lists(self, a: Node, g: Node) -> Match:
        if {a.kind, g.kind} & {"group", "matrix"}:
            sequence, other = (a, g) if a.kind == "seq" else (g, a)
            parts = self._items(sequence)
            if other.kind == "group" and other.value != ("(", ")"):
                return _NO
            if other.kind == "matrix" and 1 not in other.value:
                return _NO
            if (
                len(parts) > 1
                and sequence.value in ("comma", "and")
                and not any(p.kind == "group" for p in parts)
            ):
                named = [self._value_of(p) for p in parts]
                if all(p.kind == "rel" for p in parts) and all(n is not None for n in named):
                    pairs = sorted((n for n in named if n is not None), key=lambda n: n[0] or "")
                    parts = tuple(n[1] for n in pairs)
                return self._ordered(*((parts, other.args) if a.kind == "seq" else (other.args, parts)))
        left, right = self._distinct(a), self._distinct(g)
        if len(left) == 1 and len(right) == 1:
            return self.same(left[0], right[0])
        if self.policy.lists == "ordered" and a.kind == g.kind == "seq":
            return self._ordered(left, right)
        return self._unordered(left, right)

    def _distinct(self, node: Node) -> tuple[Node, ...]:
        """Return the items; alternatives that are the same ("1/2 or 0.5") count once."""
        items = self._items(node)
        if not (node.kind == "seq" and node.value in ("or", "and")) and node.kind != "set":
            return items
        out: list[Node] = []
        for item in items[:_MAX_UNORDERED]:
            if not any(self.same(item, kept).equal for kept in out):
                out.append(item)
        return (*out, *items[_MAX_UNORDERED:])

    def _finite_sets(self, a: Node, g: Node) -> Match:
        if a.kind != "set" or g.kind != "set":
            return _NO
        return self._unordered(self._distinct(a), self._distinct(g))

    def _ordered(self, left: Sequence[Node], right: Sequence[Node]) -> Match:
        if len(left) != len(right):
            return _NO
        tier = "structure"
        for a, g in zip(left, right, strict=True):
            match = self.same(a, g)
            if not match.equal:
                return match
            tier = max(tier, match.tier, key=_rank)
        return Match(True, tier)

    def _unordered(self, left: Sequence[Node], right: Sequence[Node]) -> Match:
        if len(left) != len(right):
            return _NO
        if len(left) > _MAX_UNORDERED:
            return self._ordered(left, right)
        rest, tier = list(left), "structure"
        for g in right:
            self.work.spend(4 * len(rest))
            for i, a in enumerate(rest):
                match = self.same(a, g) if (a.kind == "set") is (g.kind == "set") else _NO
                if match.equal:
                    del rest[i]
                    tier = max(tier, match.tier, key=_rank)
                    break
            else:
                return _NO
        return Match(True, tier)

    # Relations

    def _value_of(self, node: Node) -> tuple[str | None, Node] | None:
        """Split ``x = 2 + 3 = 5`` into its name and its value; None where it gives no single value."""
        if node.kind != "rel":
            return None, node
        signs, sides = list(node.value), list(node.args)
        if signs == ["in"]:
            name = name_of(sides[0])
            return None if name is None else (name, sides[1])
        if signs == ["=="] and sides[1].kind == "mod":
            name = name_of(sides[0])
            return None if name is None else (name, sides[1])
        if any(s not in ("=", "~") for s in signs):
            return None
        name = None
        if (first := name_of(sides[0])) is not None:
            name = first
            sides, signs = sides[1:], signs[1:]
            while len(sides) > 1 and name_of(sides[0]) is not None and name_of(sides[0]) != "e":
                sides, signs = sides[1:], signs[1:]
        elif len(sides) == 2 and name_of(sides[1]) is not None and sides[0].kind != "const":
            return name_of(sides[1]), sides[0]
        value = sides[0]
        for sign, side in zip(signs, sides[1:], strict=True):
            if sign == "~":
                if not self._close(value, side):
                    return None
                break
            if not self.same(side, value).equal:
                return None
        if name is not None and name in variables(value):
            return None
        return name, value

    def _close(self, a: Node, b: Node) -> bool:
        """Tell whether one value rounds to the other."""
        x, y = (real_value(self.evaluator.form(_bare(n)), self.work) for n in (a, b))
        return x is not None and y is not None and abs(x - y) <= 0.02 * max(abs(x), abs(y))

    def _relations(self, a: Node, g: Node) -> Match:
        if a.kind == g.kind == "rel":
            return self._equations(a, g)
        rel, other = (a, g) if a.kind == "rel" else (g, a)
        if other.kind == "rel":
            return _NO
        split = self._value_of(rel)
        if split is None or (
            split[0] is None and other.kind not in ("num", "div", "add", "mul", "pow", "fn", "unit", "const")
        ):
            return self._approximately(rel, other, a) if rel is a else _NO
        if rel is g and split[0] in ("x y", "y x", "x y z"):
            return _NO  # a curve, and no name for its right side
        match = self.same(split[1], other) if rel is a else self.same(other, split[1])
        if not match.equal and rel is a and "~" in rel.value:
            return self._approximately(rel, other, a)
        return match

    def _approximately(self, rel: Node, other: Node, a: Node) -> Match:
        """``20000/pi ~ 6366.2`` gives either side, where they round to each other."""
        if "~" not in rel.value or len(rel.args) < 2:
            return _NO
        last, before = rel.args[-1], rel.args[-2]
        if name_of(before) is None and not self._close(before, last):
            return _NO
        return self.same(last, other)

    def _equations(self, a: Node, g: Node) -> Match:
        left, right = self._value_of(a), self._value_of(g)
        if left is not None and right is not None and left[0] is not None and right[0] is not None:
            if same_name(left[0], right[0]):
                match = self.same(left[1], right[1])
                if match.equal or " " not in left[0] + right[0]:
                    return match
            if not (variables(left[1]) or variables(right[1])):
                return _NO
        if a.value == g.value == ("==",):
            return self._ordered(a.args, g.args)
        if a.value != ("=",) or g.value != ("=",):
            return _NO
        p, q = (
            f.add(self.evaluator.form(n.args[0]), self.evaluator.form(n.args[1]), self.work, -1)
            for n in (a, g)
        )
        return self._proportional(p, q)

    def _proportional(self, p: Form, q: Form, positive: bool = False) -> Match:
        if not p.top or not q.top:
            return Match(not p.top and not q.top, "normal form")
        if not positive:
            p, q = _cleared(p), _cleared(q)
        lead = max(q.top)
        if lead not in p.top:
            return Match(False, "normal form")
        ratio = Fraction(p.top[lead]) / q.top[lead]
        if positive and ratio < 0:
            return Match(False, "normal form")
        scaled = f.multiply(Form(q.top), f.rational(ratio), self.work)
        return Match(*is_zero(f.add(Form(p.top), scaled, self.work, -1), self.work))

    # Sets of real numbers

    def _as_sets(self, a: Node, g: Node) -> Match:
        if a.kind == g.kind == "rel" and len(a.value) == len(g.value) == 1 and len(variables(g)) > 1:
            return self._inequalities(a, g)
        left, right = self._set_name(a), self._set_name(g)
        if left and right and left != right and {UNNAMED} not in (left, right):
            return _NO
        sides = []
        for node in (a, g):
            if node.kind == "rel" and node.value == ("in",):
                node = node.args[1]
            if node.kind == "seq" and not is_set_like(node):
                return _NO
            sides.append(self.sets.of(node))
        return Match(self.sets.equal(sides[0], sides[1]), "normal form")

    def _set_name(self, node: Node) -> frozenset[str]:
        if node.kind == "builder":
            return frozenset()
        return frozenset(v for v in variables(node))

    def _inequalities(self, a: Node, g: Node) -> Match:
        out = []
        for node in (a, g):
            sign = node.value[0]
            left, right = node.args
            if sign in _FLIP:
                sign, left, right = _FLIP[sign], right, left
            if sign not in INEQUALITIES:
                return _NO
            out.append((sign, f.add(self.evaluator.form(left), self.evaluator.form(right), self.work, -1)))
        if out[0][0] != out[1][0]:
            return _NO
        return self._proportional(out[0][1], out[1][1], positive=out[0][0] != "!=")

    # Ratios, times, residues, vectors

    def _ratios(self, a: Node, g: Node) -> Match:
        if a.kind == "time" or g.kind == "time":
            seconds = [_clock(n) for n in (a, g)]
            return Match(seconds[0] is not None and seconds[0] == seconds[1], "structure")
        if a.kind == g.kind:
            if len(a.args) != len(g.args):
                return _NO
            xs = [self.evaluator.form(n) for n in a.args]
            ys = [self.evaluator.form(n) for n in g.args]
            tier = "exact rationals"
            for x, y in zip(xs[1:], ys[1:], strict=True):
                match = self._forms(f.multiply(x, ys[0], self.work), f.multiply(y, xs[0], self.work))
                if not match.equal:
                    return match
                tier = max(tier, match.tier, key=_rank)
            return Match(True, tier)
        ratio, other = (a, g) if a.kind == "ratio" else (g, a)
        if len(ratio.args) != 2 or other.kind not in ("num", "div", "mul", "fn", "pow"):
            return _NO
        quotient = Node("div", None, ratio.args)
        return self._values(quotient, other)

    def _residues(self, a: Node, g: Node) -> Match:
        if a.kind == g.kind == "mod":
            moduli = self.same(a.args[1], g.args[1])
            if not moduli.equal:
                return moduli
            values = [self.evaluator.form(n).constant for n in (a.args[0], g.args[0], g.args[1])]
            if any(type(v) is not int for v in values) or not values[2]:
                return self.same(a.args[0], g.args[0])
            x, y, m = (int(v) for v in values if v is not None)
            return Match((x - y) % m == 0, "exact rationals")
        return self.same(*(n.args[0] if n.kind == "mod" else n for n in (a, g)))

    def _vector(self, node: Node) -> Vector | None:
        """Read a tuple, a matrix or a sum of them as (shape, brackets, entries)."""
        kind, value, args = node
        if kind == "group":
            if value == ("[", "]") and all(
                a.kind == "group" and len(a.args) == len(args[0].args) for a in args
            ):
                return (len(args), len(args[0].args)), None, [x for a in args for x in a.args]
            return (len(args), 1), value, list(args)
        if kind == "matrix":
            return value, None, list(args)
        if kind == "mul" and sum(is_array(a) for a in args) == 1:
            inner = self._vector(next(a for a in args if is_array(a)))
            if inner is None:
                return None
            shape, _, entries = inner
            factor = f.rational(1)
            for a in args:
                if not is_array(a):
                    factor = f.multiply(factor, self.evaluator.form(a), self.work)
            return shape, None, [f.multiply(self._entry(e), factor, self.work) for e in entries]
        if kind == "pow" and args[1] == Node("var", "T") and is_array(args[0]):
            return self._transposed(args[0])
        if kind == "div" and is_array(args[0]):
            vector = self._vector(args[0])
            if vector is None:
                return None
            bottom = self.evaluator.form(args[1])
            return vector[0], None, [f.divide(self._entry(e), bottom, self.work) for e in vector[2]]
        if kind == "add" and all(is_array(a) for a in args):
            parts = [v for a in args if (v := self._vector(a)) is not None]
            if len({p[0] for p in parts}) != 1 or len(parts) != len(args):
                raise Unreadable("a sum of matrices of different shapes")
            total = [self._entry(e) for e in parts[0][2]]
            for _, _, entries in parts[1:]:
                total = [f.add(t, self._entry(e), self.work) for t, e in zip(total, entries, strict=True)]
            return parts[0][0], None, list(total)
        names = {v for v in variables(node) if v.startswith("unit_")}
        if names and names <= {"unit_i", "unit_j", "unit_k"}:
            return self._unit_vector(node, names)
        return None

    def _transposed(self, node: Node) -> Vector | None:
        vector = self._vector(node)
        if vector is None:
            return None
        (rows, columns), _, entries = vector
        if node.kind == "group":  # (1, 2, 3) with a T is the column that a tuple stands for
            return vector
        return (columns, rows), None, [entries[i * columns + j] for j in range(columns) for i in range(rows)]

    def _unit_vector(self, node: Node, names: set[str]) -> Vector:
        form = self.evaluator.form(node)
        size = 3 if "unit_k" in names else 2
        out: list[Node | Form] = [f.rational(0)] * size
        for mono, c in form.top.items():
            units = [(n, e) for n, e in mono if n.kind == "variable" and str(n.of).startswith("unit_")]
            if len(units) != 1 or units[0][1] != 1:
                raise Unreadable("a product of unit vectors")
            i = "ijk".index(str(units[0][0].of)[-1])
            rest = Form({tuple(p for p in mono if p not in units): c}, form.bottom)
            out[i] = f.add(self._entry(out[i]), rest, self.work)
        return (size, 1), None, out

    def _entry(self, entry: Node | Form) -> Form:
        return self.evaluator.form(entry) if isinstance(entry, Node) else entry

    def _vectors(
        self,
        a: Vector,
        g: Vector,
    ) -> Match:
        (a_shape, a_brackets, xs), (g_shape, g_brackets, ys) = a, g
        if len(xs) != len(ys):
            return _NO
        if a_brackets and g_brackets:
            if a_brackets != g_brackets and (
                len(xs) == 2 or (a_brackets[0] != a_brackets[1] and "(" in a_brackets and "]" in a_brackets)
            ):
                return _NO
        elif a_brackets or g_brackets:
            shape = g_shape if a_brackets else a_shape
            brackets = a_brackets or g_brackets
            if 1 not in shape or brackets not in (("(", ")"), ("[", "]")):
                return _NO
        elif a_shape != g_shape:
            return _NO
        tier = "structure"
        for x, y in zip(xs, ys, strict=True):
            if isinstance(x, Node) and isinstance(y, Node):
                match = self.same(x, y)
            else:
                match = self._forms(self._entry(x), self._entry(y))
            if not match.equal:
                return match
            tier = max(tier, match.tier, key=_rank)
        return Match(True, tier)


def _rank(tier: str) -> int:
    return _RANK.index(tier) if tier in _RANK else 0


def _without(kind: str, a: Node, g: Node) -> tuple[Node, Node]:
    return (a.args[0] if a.kind == kind else a), (g.args[0] if g.kind == kind else g)


def _clock(node: Node) -> int | None:
    """Return the seconds after midnight of a time, or of ``22:30`` read by the 24-hour clock."""
    if node.kind == "time":
        return int(node.value)
    if node.kind != "ratio" or len(node.args) != 2 or any(a.kind != "num" for a in node.args):
        return None
    hour, minute = (a.value for a in node.args)
    return int(hour) * 3600 + int(minute) * 60 if hour in range(24) and minute in range(60) else None


def _bare(node: Node) -> Node:
    return node.args[0] if node.kind in ("unit", "deg", "pct") else node


def is_array(node: Node) -> bool:
    if node.kind in ("div", "pow"):
        return is_array(node.args[0])
    return node.kind in ("matrix", "group") or (node.kind in ("mul", "add") and any(map(is_array, node.args)))


def _signed(node: Node) -> int:
    return (node.kind == "pm") + sum(_signed(a) for a in node.args)


def _choose(node: Node, sign: int) -> Node:
    if node.kind == "pm":
        inner = _choose(node.args[0], sign)
        return inner if (sign > 0) == (node.value == "+") else neg(inner)
    if not node.args:
        return node
    return Node(node.kind, node.value, tuple(_choose(a, sign) for a in node.args))


def _cleared(x: Form) -> Form:
    """Multiply an equation's side by the variables that it is divided by, so that y - 1/x becomes xy - 1."""
    lowest: dict[Atom, Number] = {}
    for mono in x.top:
        for name, e in mono:
            if name.kind == "variable" and e < 0:
                lowest[name] = min(lowest.get(name, 0), e)
    if not lowest:
        return Form(x.top)
    by = tuple(sorted((name, -e) for name, e in lowest.items()))
    return Form({f.multiply_monos(mono, by)[1]: c for mono, c in x.top.items()})


__all__ = ["Comparer", "Match", "TooBig"]
