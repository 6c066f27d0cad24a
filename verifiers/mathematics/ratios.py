"""Comparing ratios, clock times and residues."""

from __future__ import annotations

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.matching import NO, Match, Matching, together
from referee.verifiers.mathematics.tree import ZERO, Node
from referee.verifiers.mathematics.values import forms, progression, values


def ratios(c: Matching, a: Node, g: Node) -> Match:
    """Compare ratios, and clock times where both sides are written as times.

    A ratio with a zero part equals only the same ratio: 3:0 and 5:0 are no quotients.
    """
    if "time" in (a.kind, g.kind) or (_is_clock(a) and _is_clock(g)):
        seconds = [_clock(n) for n in (a, g)]
        return Match(seconds[0] is not None and seconds[0] == seconds[1], "structure")
    if a.kind != g.kind:
        ratio, other = (a, g) if a.kind == "ratio" else (g, a)
        if len(ratio.args) != 2 or other.kind not in ("num", "div", "mul", "fn", "pow"):
            return NO
        if not all(c.form(n).top for n in ratio.args):
            return NO
        return values(c, Node("div", None, ratio.args), other)
    if len(a.args) != len(g.args):
        return NO
    xs, ys = ([c.form(n) for n in node.args] for node in (a, g))
    if not all(x.top for x in (*xs, *ys)):
        return together(forms(c, x, y) for x, y in zip(xs, ys, strict=True))
    pairs = zip(xs[1:], ys[1:], strict=True)
    return together(forms(c, f.multiply(x, ys[0], c.work), f.multiply(y, xs[0], c.work)) for x, y in pairs)


def residues(c: Matching, a: Node, g: Node) -> Match:
    """Compare residues: 9 mod 7 is 2 mod 7."""
    if a.kind == g.kind == "mod":
        moduli = c.match(a.args[1], g.args[1])
        if not moduli.equal:
            return moduli
        values = [c.evaluator.form(n).constant for n in (a.args[0], g.args[0], g.args[1])]
        if any(type(v) is not int for v in values) or not values[2]:
            return c.match(a.args[0], g.args[0])
        x, y, m = (int(v) for v in values if v is not None)
        return Match((x - y) % m == 0, "exact rationals")
    residue, other = (a, g) if a.kind == "mod" else (g, a)
    modulus = c.form(residue.args[1])
    if c.integers and (match := progression(c, c.form(other), c.form(residue.args[0]), modulus)) is not None:
        return match
    return c.match(*(n.args[0] if n.kind == "mod" else n for n in (a, g)))


def _is_clock(node: Node) -> bool:
    """Tell whether a ratio is written as a time of day: ``9:05``, ``14:00:30``."""
    if node.kind != "ratio" or node.value != "clock":
        return False
    hour, *rest = (a.value for a in node.args)
    return bool(hour <= 24 and all(part < 60 for part in rest))


def _clock(node: Node) -> int | None:
    """Return the seconds after midnight of a time, or of ``22:30`` read by the 24-hour clock."""
    if node.kind == "time":
        return int(node.value)
    if not _is_clock(node):
        return None
    hour, minute, second = (int(a.value) for a in (*node.args, ZERO)[:3])
    return hour * 3600 + minute * 60 + second
