"""From trees to normal forms: what each operation and function means."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

from referee.verifiers.mathematics import derivatives, series, trigonometry, whole_numbers
from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.approximation import sign_of
from referee.verifiers.mathematics.counts import counted, counted_in_scripts
from referee.verifiers.mathematics.factoring import factor
from referee.verifiers.mathematics.forms import Atom, Form, Work
from referee.verifiers.mathematics.powers import fractional_power, integer_power
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable

_HALF = Fraction(1, 2)
_DOTS = Node("const", "dots")


class Evaluator:
    """Builds normal forms under one budget."""

    def __init__(self, work: Work | None = None) -> None:
        self.work = work or Work()
        self.bound: dict[Node, Form] = {}

    def form(self, node: Node) -> Form:
        """Return the normal form of an expression.

        Raises:
            Unreadable: where it is no number or has no value (0/0, infinity minus infinity).
            TooBig: where it would pass a bound.
        """
        if self.bound and node in self.bound:
            return self.bound[node]
        kind, value, args = node
        work = self.work
        if kind == "num":
            return f.rational(value)
        if kind == "var":
            return f.atom_form(f.variable(value))
        if kind == "const":
            return self._constant(value)
        if kind == "add":
            if len(args) >= 4 and args[-2] == _DOTS:
                return series.continued(self, args)
            total = self.form(args[0])
            for a in args[1:]:
                total = f.add(total, self.form(a), work)
            return total
        if kind == "mul":
            if (count := counted(args)) is not None:
                return self.form(count)
            if (name := derivatives.differential(args[0])) is not None:
                return derivatives.derivative(self, name, args[1:])
            total = self.form(args[0])
            for a in args[1:]:
                total = f.multiply(total, self.form(a), work)
            return total
        if kind == "div":
            if derivatives.quotient_of_differentials(node):
                return f.atom_form(work.atom("derivative", *self._names(args)))
            return f.divide(self.form(args[0]), self.form(args[1]), work)
        if kind == "pow":
            if (count := counted_in_scripts(node)) is not None:
                return self.form(count)
            return self.power(self.form(args[0]), self.form(args[1]))
        if kind == "deg":
            return f.multiply(self.form(args[0]), Form({((f.PI, 1),): Fraction(1, 180)}), work)
        if kind == "pct":
            return f.divide(self.form(args[0]), f.rational(100), work)
        if kind == "unit":
            return self.form(args[-1])  # of what may be a product too, the product
        if kind == "fn":
            return self._function(value, args)
        raise Unreadable(f"a {kind} where a number was expected")

    def _names(self, args: tuple[Node, ...]) -> list[Form]:
        """Return what differentials are of, so that equal quotients of them are one atom."""
        return [self.form(Node("mul", None, a.args)) for a in args]

    def _constant(self, name: str) -> Form:
        if name == "pi":
            return f.atom_form(f.PI)
        if name == "i":
            return f.atom_form(f.IMAGINARY)
        if name == "e":
            return f.atom_form(f.EULER)
        if name == "dots":
            return f.atom_form(f.variable("..."))
        raise Unreadable(f"{name} where a number was expected")

    # Powers, exponentials, logarithms

    def power(self, base: Form, exponent: Form) -> Form:
        """Return ``base`` to ``exponent``."""
        constant = exponent.constant
        if constant is not None:
            if type(constant) is int:
                if constant == 0 and not base.top:
                    raise Unreadable("0 to the power 0")
                if constant < 0 and not base.top:
                    raise Unreadable("a division by zero")
                return integer_power(base, constant, self.work)
            return fractional_power(base, Fraction(constant), self.work)
        if not base.top:
            raise Unreadable("zero to a power that is no number")
        if base.constant == 1:
            return base
        return self.exp(f.multiply(exponent, self.ln(base), self.work))

    def exp(self, x: Form) -> Form:
        """Return e to ``x``, one factor for each term."""
        if x.bottom != {(): 1}:
            return f.atom_form(self.work.atom("exp", x))
        out = f.rational(1)
        for mono, c in x.top.items():
            if len(mono) == 1 and mono[0][0].kind == "log prime" and mono[0][1] == 1:
                prime = int(mono[0][0].of)
                factor = (
                    fractional_power(f.rational(prime), Fraction(c), self.work)
                    if type(c) is not int
                    else (integer_power(f.rational(prime), c, self.work))
                )
            elif mono == ((f.IMAGINARY, 1), (f.PI, 1)):
                factor = f.add(
                    trigonometry.cos_turn(self, Fraction(c)),
                    f.multiply(f.atom_form(f.IMAGINARY), trigonometry.cos_turn(self, _HALF - c), self.work),
                    self.work,
                )
            elif mono == ():
                factor = f.atom_form(f.EULER, c)
            elif len(mono) == 1 and mono[0][1] == 1 and mono[0][0].kind == "ln":
                factor = self.power(self.work.atoms[mono[0][0]][0], f.rational(c))
            elif (whole := _half_turns(mono)) is not None:
                k, settled = f.settle({self.work.atom("alternating", whole): c})
                factor = Form({settled: k})
            else:
                inner = Form({mono: 1})
                factor = f.atom_form(self.work.atom("E", inner), c)
            out = f.multiply(out, factor, self.work)
        return out

    def ln(self, x: Form) -> Form:
        """Return the natural logarithm; products are taken apart."""
        if not x.top:
            raise Unreadable("the logarithm of zero")
        if x.bottom != {(): 1}:
            return f.add(self.ln(Form(x.top)), self.ln(Form(x.bottom)), self.work, -1)
        if len(x.top) > 1:
            return f.atom_form(self.work.atom("ln", x))
        ((mono, c),) = x.top.items()
        out = f.rational(0)
        if c < 0:
            out = Form({((f.IMAGINARY, 1), (f.PI, 1)): 1})
        for prime, k in factor(abs(Fraction(c))).items():
            out = f.add(out, Form({((Atom("log prime", prime), 1),): k}), self.work)
        for name, e in mono:
            if name.kind == "prime":
                part = f.atom_form(Atom("log prime", name.of))
            elif name == f.IMAGINARY:
                part = Form({((f.IMAGINARY, 1), (f.PI, 1)): _HALF})
            elif name == f.EULER:
                part = f.rational(1)
            elif name.kind == "E":
                part = self.work.atoms[name][0]
            elif name.kind == "alternating":
                turn = Form({((f.IMAGINARY, 1), (f.PI, 1)): 1})
                part = f.multiply(turn, self.work.atoms[name][0], self.work)
            elif name.kind == "root":
                part = f.atom_form(self.work.atom("ln", self.work.atoms[name][0]))
            else:
                part = f.atom_form(self.work.atom("ln", f.atom_form(name)))
            out = f.add(out, f.multiply(part, f.rational(e), self.work), self.work)
        return out

    def _function(self, name: str, args: tuple[Node, ...]) -> Form:
        work = self.work
        if name == "det":
            return self._determinant(args[0])
        if name in ("sum", "prod"):
            return series.series(self, name, args)
        if name == "integral":
            return series.integral(self, args)
        if name in ("factorial", "factorial2"):
            return whole_numbers.factorial_of(self, name, self.form(args[0]))
        xs = [self.form(a) for a in args]
        if name in ("gcd", "lcm", "max", "min", "mod"):
            return whole_numbers.of_rationals(self, name, xs)
        if name == "binom" and len(xs) == 2:
            return whole_numbers.binomial(self, xs[0], xs[1])
        if name == "permutations" and len(xs) == 2:
            return f.multiply(
                whole_numbers.binomial(self, xs[0], xs[1]),
                whole_numbers.factorial_of(self, "factorial", xs[1]),
                work,
            )
        if name == "root":
            return self._root(*xs)
        if name == "log":
            return f.divide(self.ln(xs[0]), self.ln(xs[1]), work)
        if len(xs) != 1:
            raise Unreadable(f"{name} of {len(xs)} arguments")
        x = xs[0]
        if name in ("sin", "cos", "tan", "cot", "sec", "csc", "cis"):
            return trigonometry.trigonometric(self, name, x)
        if name in ("sinh", "cosh", "tanh", "coth", "sech", "csch"):
            return trigonometry.hyperbolic(self, name, x)
        if name == "Gamma":
            return whole_numbers.gamma(self, x)
        if name == "exp":
            return self.exp(x)
        if name == "ln":
            return self.ln(x)
        if name == "lg":
            return f.divide(self.ln(x), self.ln(f.rational(10)), work)
        if name in ("floor", "ceil"):
            return whole_numbers.rounded(self, name, x)
        if name == "abs":
            return self.absolute(x)
        if name == "cbrt":
            return self._root(x, f.rational(3))
        if name in ("arsinh", "arcosh", "artanh"):
            name = "arc" + name[2:]
        elif name[0] == "a" and name[:3] != "arc" and name != "arg":
            name = "arc" + name[1:]
        return trigonometry.inverse(self, name, x)

    def _root(self, x: Form, degree: Form) -> Form:
        n = degree.constant
        if type(n) is not int or n == 0:
            if n is None:
                return self.power(x, f.divide(f.rational(1), degree, self.work))
            raise Unreadable("a root of degree zero or of a fraction")
        constant = x.constant
        if n == 1:
            return x
        if n % 2 == 0 and constant is None and len(x.top) > 1 and sign_of(x, self.work) == -1:
            if n != 2:
                raise Unreadable("an even root of a negative number")
            return f.multiply(
                f.atom_form(f.IMAGINARY), fractional_power(f.negate(x), Fraction(1, n), self.work), self.work
            )
        if n % 2 == 1 and constant is None and len(x.top) > 1 and sign_of(x, self.work) == -1:
            return f.negate(fractional_power(f.negate(x), Fraction(1, n), self.work))
        return fractional_power(x, Fraction(1, n), self.work)

    def absolute(self, x: Form) -> Form:
        """Return the absolute value."""
        sign = sign_of(x, self.work)
        if sign is not None:
            return f.negate(x) if sign < 0 else x
        if x.bottom != {(): 1}:
            return f.divide(self.absolute(Form(x.top)), self.absolute(Form(x.bottom)), self.work)
        if not any(n.kind == "variable" or n in self.work.atoms for mono in x.top for n, _ in mono):
            real = Form({m: c for m, c in x.top.items() if not any(n == f.IMAGINARY for n, _ in m)})
            imaginary = Form(
                {
                    tuple(p for p in m if p[0] != f.IMAGINARY): c
                    for m, c in x.top.items()
                    if any(n == f.IMAGINARY for n, _ in m)
                }
            )
            square = f.add(
                f.multiply(real, real, self.work), f.multiply(imaginary, imaginary, self.work), self.work
            )
            return fractional_power(square, _HALF, self.work)
        if len(x.top) == 1:
            ((mono, c),) = x.top.items()
            out = f.rational(abs(Fraction(c)))
            for name, e in mono:
                if name.kind == "alternating":
                    continue
                part = f.atom_form(name)
                if name.kind == "variable" and type(e) is int and e % 2:
                    part = f.multiply(
                        f.atom_form(name, e - 1) if e != 1 else f.rational(1),
                        f.atom_form(self.work.atom("abs", part)),
                        self.work,
                    )
                else:
                    part = f.atom_form(name, e)
                out = f.multiply(out, part, self.work)
            return out
        lead = x.top[max(x.top)]
        return f.atom_form(self.work.atom("abs", f.negate(x) if lead < 0 else x))

    def _determinant(self, node: Node) -> Form:
        if node.kind != "matrix":
            return self.absolute(self.form(node))
        rows, columns = node.value
        if rows != columns:
            raise Unreadable("the determinant of a matrix that is not square")
        if rows > 4:
            raise TooBig("a determinant of more than 4 rows")
        entries = [self.form(a) for a in node.args]
        total = f.rational(0)
        for order in permutations(range(rows)):
            term = f.rational(_parity(order))
            for i, j in enumerate(order):
                term = f.multiply(term, entries[i * rows + j], self.work)
            total = f.add(total, term, self.work)
        return total


_WHOLE_NAMES = frozenset("nmk")  # letters that stand for whole numbers, also with an index


def _half_turns(mono: f.Mono) -> Form | None:
    """Return n of the exponent i pi n where n is a whole number by its name."""
    rest = tuple((a, e) for a, e in mono if a not in (f.IMAGINARY, f.PI))
    if len(rest) != len(mono) - 2 or mono[0][1] != 1 or (f.PI, 1) not in mono or not rest:
        return None
    for atom, e in rest:
        if atom.kind != "variable" or str(atom.of).partition("_")[0] not in _WHOLE_NAMES:
            return None
        if type(e) is not int or e < 0:
            return None
    return Form({rest: 1})


def _parity(order: tuple[int, ...]) -> int:
    swaps = sum(a > b for i, a in enumerate(order) for b in order[i + 1 :])
    return -1 if swaps % 2 else 1
