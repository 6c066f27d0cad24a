"""Derivatives of normal forms; an unknown function is no constant."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.forms import Atom, Form, Poly
from referee.verifiers.mathematics.powers import fractional_power
from referee.verifiers.mathematics.tree import Node, Unreadable

if TYPE_CHECKING:
    from referee.verifiers.mathematics.evaluate import Evaluator

_D = Node("var", "d")
# letters that are called like functions or like coordinates, which may depend on anything
_DEPENDENT = frozenset("f g h u v w x y z r s F G H U V W X Y Z \\phi \\psi \\theta".split())


def differential(node: Node) -> Atom | None:
    """Return the variable of ``d/dx``."""
    if node.kind != "div" or node.args[0] != _D or node.args[1].kind != "mul":
        return None
    below = node.args[1].args
    named = len(below) == 2 and below[0] == _D and below[1].kind == "var"
    return f.variable(below[1].value) if named else None


def quotient_of_differentials(node: Node) -> bool:
    """Tell whether an expression is ``dy/dx``, whose d is no factor."""
    return node.kind == "div" and all(
        a.kind == "mul" and (a.args[0] == _D or (a.args[0].kind == "pow" and a.args[0].args[0] == _D))
        for a in node.args
    )


def derivative(to: Evaluator, by: Atom, factors: tuple[Node, ...]) -> Form:
    """Return the derivative of an expression by a variable.

    Letters that may be functions of it make a derivative that is like no other expression.
    """
    body = to.form(factors[0] if len(factors) == 1 else Node("mul", None, factors))
    letters = {
        str(a.of).partition("_")[0].rstrip("'")
        for p in (body.top, body.bottom)
        for a in f.atoms_within(p, to.work)
        if a.kind == "variable" and a != by
    }
    if letters & _DEPENDENT:
        return f.atom_form(to.work.atom("derivative", body, f.atom_form(by)))
    top = _of_sum(to, by, body.top)
    if body.bottom == f.UNIT:
        return top
    below, work = Form(body.bottom), to.work
    change = f.multiply(Form(body.top), _of_sum(to, by, body.bottom), work)
    cleared = f.add(f.multiply(top, below, work), change, work, -1)
    return f.divide(cleared, f.multiply(below, below, work), work)


def _of_form(to: Evaluator, by: Atom, x: Form) -> Form:
    if x.bottom != f.UNIT:
        raise Unreadable("the derivative of a function of a quotient")
    return _of_sum(to, by, x.top)


def _of_sum(to: Evaluator, by: Atom, poly: Poly) -> Form:
    work, out = to.work, f.rational(0)
    for mono, c in poly.items():
        for atom, e in mono:
            rate = _of_atom(to, by, atom)
            if rate.top:
                lowered = f.multiply_polys({mono: c}, {((atom, -1),): 1}, work)
                part = f.multiply(Form(lowered), f.rational(Fraction(e)), work)
                out = f.add(out, f.multiply(part, rate, work), work)
    return out


def _of_atom(to: Evaluator, by: Atom, atom: Atom) -> Form:
    """Return the derivative of one atom; of a root, that of what stands under it."""
    if atom == by:
        return f.rational(1)
    args = to.work.atoms.get(atom, ())
    if not any(by in f.atoms_within(p, to.work) for x in args for p in (x.top, x.bottom)):
        return f.rational(0)
    work, x, one = to.work, args[0], f.rational(1)
    inner = _of_form(to, by, x)
    if atom.kind == "root":
        return inner
    if atom.kind in ("E", "exp"):
        return f.multiply(f.atom_form(atom), inner, work)
    square = f.multiply(x, x, work)
    if atom.kind == "ln":
        return f.divide(inner, x, work)
    if atom.kind in ("arctan", "arccot"):
        rate = f.divide(inner, f.add(one, square, work), work)
        return rate if atom.kind == "arctan" else f.negate(rate)
    if atom.kind in ("arcsin", "arccos"):
        rate = f.divide(inner, fractional_power(f.add(one, square, work, -1), Fraction(1, 2), work), work)
        return rate if atom.kind == "arcsin" else f.negate(rate)
    raise Unreadable(f"the derivative of {atom.kind}")
