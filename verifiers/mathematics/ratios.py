"""Comparing ratios, clock times and residues."""

from __future__ import annotations

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.matching import NO, Match, Matching, rank
from referee.verifiers.mathematics.tree import Node
from referee.verifiers.mathematics.values import forms, values


def ratios(c: Matching, a: Node, g: Node) -> Match:
    """Compare ratios, and clock times."""
    if a.kind == "time" or g.kind == "time":
        seconds = [_clock(n) for n in (a, g)]
        return Match(seconds[0] is not None and seconds[0] == seconds[1], "structure")
    if a.kind == g.kind:
        if len(a.args) != len(g.args):
            return NO
        xs = [c.evaluator.form(n) for n in a.args]
        ys = [c.evaluator.form(n) for n in g.args]
        tier = "exact rationals"
        for x, y in zip(xs[1:], ys[1:], strict=True):
            match = forms(c, f.multiply(x, ys[0], c.work), f.multiply(y, xs[0], c.work))
            if not match.equal:
                return match
            tier = max(tier, match.tier, key=rank)
        return Match(True, tier)
    ratio, other = (a, g) if a.kind == "ratio" else (g, a)
    if len(ratio.args) != 2 or other.kind not in ("num", "div", "mul", "fn", "pow"):
        return NO
    quotient = Node("div", None, ratio.args)
    return values(c, quotient, other)


def residues(c: Matching, a: Node, g: Node) -> Match:
    """Compare residues: 9 mod 7 is 2 mod 7."""
    if a.kind == g.kind == "mod":
        moduli = c.same(a.args[1], g.args[1])
        if not moduli.equal:
            return moduli
        values = [c.evaluator.form(n).constant for n in (a.args[0], g.args[0], g.args[1])]
        if any(type(v) is not int for v in values) or not values[2]:
            return c.same(a.args[0], g.args[0])
        x, y, m = (int(v) for v in values if v is not None)
        return Match((x - y) % m == 0, "exact rationals")
    return c.same(*(n.args[0] if n.kind == "mod" else n for n in (a, g)))


def _clock(node: Node) -> int | None:
    """Return the seconds after midnight of a time, or of ``22:30`` read by the 24-hour clock."""
    if node.kind == "time":
        return int(node.value)
    if node.kind != "ratio" or len(node.args) != 2 or any(a.kind != "num" for a in node.args):
        return None
    hour, minute = (a.value for a in node.args)
    return int(hour) * 3600 + int(minute) * 60 if hour in range(24) and minute in range(60) else None
