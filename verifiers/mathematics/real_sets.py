"""Sets of real numbers: intervals, unions, inequalities in one variable, sets by their condition."""

from __future__ import annotations

from fractions import Fraction
from functools import cmp_to_key
from typing import NamedTuple

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.approximation import has_variables, is_zero, real_value
from referee.verifiers.mathematics.evaluate import Evaluator
from referee.verifiers.mathematics.forms import Form, Number
from referee.verifiers.mathematics.powers import fractional_power
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable

_MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!=", "=": "="}
INEQUALITIES = frozenset({"<", ">", "<=", ">=", "!="})
_MAX_PIECES = 40


class End(NamedTuple):
    """One end of an interval: infinite where ``side`` is -1 or 1, else at ``form``."""

    side: int
    form: Form | None = None
    approx: float = 0.0


class Piece(NamedTuple):
    """An interval, its ends taken in or left out."""

    low: End
    low_closed: bool
    high: End
    high_closed: bool


LEFT, RIGHT = End(-1), End(1)
REALS = (Piece(LEFT, False, RIGHT, False),)


def infinite(node: Node) -> int:
    """Return 1 for infinity, -1 for minus infinity, else 0."""
    if node == Node("const", "inf"):
        return 1
    if node.kind == "mul" and len(node.args) == 2 and node.args[1] == Node("const", "inf"):
        head = node.args[0]
        return -1 if head == Node("num", Fraction(-1)) else 0
    return 0


def is_set_like(node: Node) -> bool:
    """Tell whether a tree can only be a set of real numbers."""
    if node.kind == "rel":
        return any(s in INEQUALITIES for s in node.value)
    if node.kind == "seq":
        return any(is_set_like(a) for a in node.args)
    return node.kind in ("union", "inter", "diff", "builder") or node in (
        Node("const", "reals"),
        Node("const", "empty"),
    )


def variables(node: Node) -> set[str]:
    """Return the names of the variables in a tree."""
    if node.kind == "var":
        return {node.value}
    out: set[str] = set()
    for a in node.args:
        out |= variables(a)
    return out


class Sets:
    """Reads trees as sets of real numbers."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.work = evaluator.work

    def end(self, node: Node) -> End:
        """Read one end of an interval."""
        side = infinite(node)
        return End(side) if side else self.at(self.evaluator.form(node))

    def at(self, form: Form) -> End:
        """Return the end at a real number."""
        value = real_value(form, self.work)
        if value is None:
            raise Unreadable("an end of an interval that is no real number")
        return End(0, form, value)

    def order(self, a: End, b: End) -> int:
        """Compare two ends: exactly where their values are close."""
        if a.side or b.side:
            return (a.side > b.side) - (a.side < b.side)
        assert a.form is not None
        assert b.form is not None
        if (
            abs(a.approx - b.approx) <= 1e-7 * max(1.0, abs(a.approx))
            and is_zero(f.add(a.form, b.form, self.work, -1), self.work).zero
        ):
            return 0
        return 1 if a.approx > b.approx else -1

    def of(self, node: Node) -> tuple[Piece, ...]:
        """Return the set that a tree describes, as sorted pieces that do not touch.

        Raises:
            Unreadable: where it is no set of real numbers.
        """
        kind, value, args = node
        if kind == "const" and value == "reals":
            return REALS
        if kind == "const" and value == "empty":
            return ()
        if kind == "group" and len(args) == 2:
            piece = Piece(self.end(args[0]), value[0] == "[", self.end(args[1]), value[1] == "]")
            if self.order(piece.low, piece.high) > 0:
                raise Unreadable("an interval whose ends stand the wrong way round")
            return self.merge([piece])
        if kind == "set":
            return self.merge([self._point(a) for a in args])
        if kind in ("union", "inter", "diff"):
            left, right = self.of(args[0]), self.of(args[1])
            if kind == "union":
                return self.merge([*left, *right])
            return self.intersect(left, right if kind == "inter" else self.complement(right))
        if kind == "builder":
            if not variables(args[0]) <= {value}:
                raise Unreadable("a set with a condition on another variable")
            return self.of(args[0])
        if kind == "seq":
            if args[0].kind == "rel" and args[0].value == ("!=",):  # x != 2, 3
                name = args[0].args[0]
                args = tuple(a if a.kind == "rel" else Node("rel", ("!=",), (name, a)) for a in args)
            if value == "comma" and not all(a.kind == "rel" for a in args):
                raise Unreadable("a list of sets")
            parts = [self.of(a) for a in args]
            if value == "or":
                return self.merge([p for part in parts for p in part])
            common = parts[0]
            for part in parts[1:]:
                common = self.intersect(common, part)
            if value == "comma" and not common:
                return self.merge([p for part in parts for p in part])
            return common
        if kind == "rel":
            return self.relation(node)
        raise Unreadable(f"a {kind} where a set was expected")

    def _point(self, node: Node) -> Piece:
        end = self.end(node)
        if end.side:
            raise Unreadable("infinity as an element")
        return Piece(end, True, end, True)

    def relation(self, node: Node) -> tuple[Piece, ...]:
        """Return the set that a chain of relations describes."""
        signs, sides = node.value, node.args
        if signs == ("in",) and sides[0].kind == "var":
            return self.of(sides[1])
        out: tuple[Piece, ...] = REALS
        for sign, left, right in zip(signs, sides, sides[1:], strict=False):
            if sign not in _MIRROR:
                raise Unreadable(f"the relation {sign}")
            if infinite(left) or infinite(right):
                continue  # -oo < x says nothing
            if not (variables(left) or variables(right)):
                raise Unreadable("a relation between numbers, which describes no set")
            out = self.intersect(
                out,
                self.solve(sign, f.add(self.evaluator.form(left), self.evaluator.form(right), self.work, -1)),
            )
        return out

    def solve(self, sign: str, difference: Form) -> tuple[Piece, ...]:
        """Solve ``difference sign 0`` where it is linear, quadratic or an absolute value in one variable."""
        if difference.bottom != {(): 1}:
            raise Unreadable("an inequality with a variable under a fraction")
        coefficients: dict[int, Form] = {}
        inner: Form | None = None
        names: set[f.Atom] = set()
        for mono, c in difference.top.items():
            named = [(n, e) for n, e in mono if n.kind in ("variable", "abs")]
            rest = Form({tuple(p for p in mono if p not in named): c})
            if len(named) > 1 or has_variables(rest, self.work):
                raise Unreadable("an inequality of a kind that this reader does not solve")
            degree = 0
            if named:
                name, e = named[0]
                if type(e) is not int or e not in (1, 2):
                    raise Unreadable("an inequality of a higher degree")
                degree = int(e)
                names.add(name)
                if name.kind == "abs":
                    inner = self.work.atoms[name][0]
            coefficients[degree] = f.add(coefficients.get(degree, f.rational(0)), rest, self.work)
        if len(names) > 1 or (inner is not None and 2 in coefficients):
            raise Unreadable("an inequality in more than one variable")
        constant = coefficients.get(0, f.rational(0))
        if not names:
            end = self.at(constant)
            holds = _holds(sign, self.order(end, self.at(f.rational(0))))
            return REALS if holds else ()
        if 2 in coefficients:
            return self._quadratic(sign, coefficients)
        slope = coefficients[1]
        flip = self.at(slope).approx < 0
        root = f.divide(f.negate(constant), slope, self.work)
        sign = _MIRROR[sign] if flip else sign
        if inner is None:
            return self._ray(sign, self.at(root))
        below = f.add(inner, root, self.work, -1)
        above = f.add(inner, root, self.work)
        if self.at(root).approx < 0:
            return REALS if sign in (">", ">=", "!=") else ()
        if sign in ("<", "<="):
            return self.intersect(self.solve(sign, below), self.solve(_MIRROR[sign], above))
        if sign == "!=":
            return self.intersect(self.solve(sign, below), self.solve(sign, above))
        return self.merge([*self.solve(sign, below), *self.solve(_MIRROR[sign], above)])

    def _quadratic(self, sign: str, c: dict[int, Form]) -> tuple[Piece, ...]:
        a, b, k = (c.get(n, f.rational(0)).constant for n in (2, 1, 0))
        if a is None or b is None or k is None or a == 0:
            raise Unreadable("a quadratic inequality with coefficients that are not rational")
        if a < 0:
            a, b, k, sign = -a, -b, -k, _MIRROR[sign]
        disc: Number = b * b - 4 * a * k
        if disc < 0:
            return REALS if sign in (">", ">=", "!=") else ()
        root = fractional_power(f.rational(disc), Fraction(1, 2), self.work) if disc else f.rational(0)
        half = f.rational(Fraction(1) / (2 * a))
        low = self.at(f.multiply(f.add(f.rational(-b), root, self.work, -1), half, self.work))
        high = self.at(f.multiply(f.add(f.rational(-b), root, self.work), half, self.work))
        closed = sign in ("<=", ">=", "=")
        inside = self.merge([Piece(low, closed, high, closed)])
        if sign in ("<", "<="):
            return inside
        points = self.merge([Piece(low, True, low, True), Piece(high, True, high, True)])
        if sign in ("=", "!="):
            return points if sign == "=" else self.complement(points)
        return self.merge([Piece(LEFT, False, low, closed), Piece(high, closed, RIGHT, False)])

    def _ray(self, sign: str, end: End) -> tuple[Piece, ...]:
        if sign in ("<", "<="):
            return (Piece(LEFT, False, end, sign == "<="),)
        if sign in (">", ">="):
            return (Piece(end, sign == ">=", RIGHT, False),)
        point = (Piece(end, True, end, True),)
        return point if sign == "=" else self.complement(point)

    def complement(self, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
        """Return all reals outside."""
        out, low, closed = [], LEFT, False
        for p in pieces:
            out.append(Piece(low, closed, p.low, not p.low_closed and p.low.side == 0))
            low, closed = p.high, not p.high_closed and p.high.side == 0
        if low.side != 1:
            out.append(Piece(low, closed, RIGHT, False))
        return self.merge(out)

    def intersect(self, a: tuple[Piece, ...], b: tuple[Piece, ...]) -> tuple[Piece, ...]:
        """Return what two sets share."""
        out = []
        for p in a:
            for q in b:
                lower, upper = self.order(p.low, q.low), self.order(p.high, q.high)
                low = p if lower > 0 else q
                high = p if upper < 0 else q
                out.append(
                    Piece(
                        low.low,
                        (p.low_closed and q.low_closed) if lower == 0 else low.low_closed,
                        high.high,
                        (p.high_closed and q.high_closed) if upper == 0 else high.high_closed,
                    )
                )
        return self.merge(out)

    def merge(self, pieces: list[Piece]) -> tuple[Piece, ...]:
        """Sort pieces, drop the empty ones, and join those that touch."""
        if len(pieces) > _MAX_PIECES:
            raise TooBig("a set of too many pieces")
        real = []
        for p in pieces:
            width = self.order(p.low, p.high)
            if width < 0 or (width == 0 and p.low_closed and p.high_closed and p.low.side == 0):
                real.append(p)
        real.sort(key=cmp_to_key(self._before))
        out: list[Piece] = []
        for p in real:
            if out:
                last = out[-1]
                gap = self.order(p.low, last.high)
                if gap < 0 or (gap == 0 and (p.low_closed or last.high_closed)):
                    reach = self.order(p.high, last.high)
                    if reach > 0:
                        out[-1] = last._replace(high=p.high, high_closed=p.high_closed)
                    elif reach == 0:
                        out[-1] = last._replace(high_closed=p.high_closed or last.high_closed)
                    continue
            out.append(p)
        return tuple(out)

    def _before(self, a: Piece, b: Piece) -> int:
        return self.order(a.low, b.low) or (b.low_closed - a.low_closed)

    def equal(self, a: tuple[Piece, ...], b: tuple[Piece, ...]) -> bool:
        """Tell whether two sets are the same."""
        return len(a) == len(b) and all(
            p.low_closed == q.low_closed
            and p.high_closed == q.high_closed
            and self.order(p.low, q.low) == 0
            and self.order(p.high, q.high) == 0
            for p, q in zip(a, b, strict=True)
        )


def _holds(sign: str, order: int) -> bool:
    return {
        "<": order < 0,
        "<=": order <= 0,
        ">": order > 0,
        ">=": order >= 0,
        "!=": order != 0,
        "=": order == 0,
    }[sign]
