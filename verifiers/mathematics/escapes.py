r"""Escapes that a data set's way through JSON or Python has damaged, put right once, in one place.

``\frac`` written in a text that is then unescaped begins with a form feed, ``\text`` with a tab; escaped
twice it is ``\\frac``. The damage is sure where what follows completes the name of a command.
"""

from __future__ import annotations

import re

_COMMANDS = frozenset(
    [
        "alpha",
        "angle",
        "approx",
        "ast",
        "bar",
        "begin",
        "beta",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "binom",
        "bmod",
        "boxed",
        "bot",
        "bullet",
        "bf",
        "cap",
        "cdot",
        "cdots",
        "circ",
        "cong",
        "cos",
        "cot",
        "cup",
        "csc",
        "cases",
        "dbinom",
        "ddot",
        "deg",
        "delta",
        "Delta",
        "det",
        "dfrac",
        "displaystyle",
        "div",
        "dot",
        "dots",
        "downarrow",
        "ell",
        "emptyset",
        "end",
        "epsilon",
        "equiv",
        "eta",
        "exists",
        "exp",
        "emph",
        "fbox",
        "forall",
        "flat",
        "frac",
        "frown",
        "gamma",
        "Gamma",
        "gcd",
        "ge",
        "geq",
        "geqslant",
        "gt",
        "hat",
        "hbox",
        "iff",
        "in",
        "inf",
        "infty",
        "int",
        "iota",
        "kappa",
        "lambda",
        "Lambda",
        "langle",
        "lceil",
        "ldots",
        "le",
        "left",
        "leftarrow",
        "leq",
        "leqslant",
        "lfloor",
        "lim",
        "ln",
        "log",
        "lt",
        "lvert",
        "mathbb",
        "mathbf",
        "mathcal",
        "mathit",
        "mathrm",
        "max",
        "mbox",
        "mid",
        "min",
        "mod",
        "mp",
        "mu",
        "nabla",
        "ne",
        "neg",
        "neq",
        "nexists",
        "ni",
        "nmid",
        "nolimits",
        "nonumber",
        "not",
        "notin",
        "nu",
        "omega",
        "Omega",
        "operatorname",
        "overline",
        "overrightarrow",
        "parallel",
        "partial",
        "perp",
        "phi",
        "Phi",
        "pi",
        "Pi",
        "pm",
        "pmod",
        "prime",
        "prod",
        "psi",
        "Psi",
        "qquad",
        "quad",
        "rangle",
        "rbrace",
        "rbrack",
        "rceil",
        "rfloor",
        "rho",
        "right",
        "rightarrow",
        "Rightarrow",
        "rightharpoonup",
        "rm",
        "root",
        "rvert",
        "sec",
        "setminus",
        "sigma",
        "Sigma",
        "sim",
        "sin",
        "sqrt",
        "subset",
        "subseteq",
        "sum",
        "sup",
        "supset",
        "tan",
        "tanh",
        "tau",
        "tbinom",
        "text",
        "textbf",
        "textcirc",
        "textdegree",
        "textit",
        "textrm",
        "tfrac",
        "therefore",
        "theta",
        "Theta",
        "tilde",
        "times",
        "to",
        "top",
        "triangle",
        "triangleq",
        "underline",
        "underbrace",
        "uparrow",
        "upsilon",
        "varepsilon",
        "varnothing",
        "varphi",
        "varrho",
        "vartheta",
        "vdots",
        "vec",
        "vee",
        "vert",
        "wedge",
        "widehat",
        "widetilde",
        "xi",
        "Xi",
        "zeta",
    ]
)
_BEGINNERS = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
_CONTROLLED = re.compile(r"([\x07-\x0d])([A-Za-z]+)")
_DOUBLED = re.compile(r"(?<!\\)\\\\(?:([A-Za-z]+)|(?=[{}%$]))")
_ODD = re.compile(r"(?<!\\)\\(?:\\\\)*(?!\\)")
_TEXT_NAME = re.compile(r"\\text([a-z]{2,})(?![A-Za-z])|\\text\{\s*\\?(circ|prime)\s*\}")
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})(?![0-9a-fA-F])")
_RAISED = re.compile(r"<(sup|sub)>([^<>]{0,80})</\1>")


def repaired(text: str) -> str:
    r"""Return a reference with its damaged escapes put right; a text without any is returned as it is.

    >>> repaired("\x0crac{1}{2}"), repaired("3\text{ cm}"), repaired(r"\\frac{1}{2}"), repaired("90^")
    ('\\frac{1}{2}', '3\\text{ cm}', '\\frac{1}{2}', '90^\\circ')
    """
    if not any(c < " " for c in text) and not any(sign in text for sign in ("\\", "^", "<s")):
        return text
    text = _CONTROLLED.sub(_uncontrolled, text)
    if "\\" in text:
        text = single_backslashes(text)
        text = _TEXT_NAME.sub(_untexted, text)
        text = _UNICODE.sub(lambda m: chr(int(m[1], 16)), text)
    if "<s" in text:
        text = _RAISED.sub(lambda m: ("^" if m[1] == "sup" else "_") + "{" + m[2] + "}", text)
    return _with_degree(text)


def single_backslashes(text: str) -> str:
    r"""Return a text whose commands have two backslashes each with one; rows of a matrix keep theirs.

    >>> single_backslashes(r"\\left(3, \\frac12\\right)"), single_backslashes(r"a \\ b")
    ('\\left(3, \\frac12\\right)', 'a \\\\ b')
    """
    if "\\\\" not in text or not any(_is_command(m[1]) for m in _DOUBLED.finditer(text)):
        return text
    if not _ODD.search(text):  # each is doubled, also those that end a row
        return text.replace("\\\\", "\\")
    return _DOUBLED.sub(lambda m: m[0][1:] if _is_command(m[1]) else m[0], text)


def mended_answer(text: str) -> str:
    """Return an answer whose damage is sure: doubled backslashes, and control signs that no text has."""
    if any(c in text for c in "\a\b\f\v"):
        text = _CONTROLLED.sub(lambda m: m[0] if m[1] in "\n\r\t" else _uncontrolled(m), text)
    return single_backslashes(text)


def _is_command(name: str | None) -> bool:
    return name is None or (len(name) > 2 and name in _COMMANDS) or name in ("pi", "pm", "ge", "le", "ne")


def _uncontrolled(m: re.Match[str]) -> str:
    name = _BEGINNERS[m[1]] + m[2]
    if name in _COMMANDS or _stem(name) or m[1] in "\a\b\f\v":
        return "\\" + name
    return m[0]


def _stem(name: str) -> bool:
    """Tell whether a name is ``text`` before the name of another command: ``textprime``."""
    return name.startswith("text") and name[4:] in _COMMANDS


def _untexted(m: re.Match[str]) -> str:
    name = m[1] or m[2]
    if m[2] or (name in _COMMANDS and "text" + name not in _COMMANDS) or name == "circ":
        return "\\" + name
    return m[0]


def _with_degree(text: str) -> str:
    """Write out the degree sign that was lost behind a ``^`` with nothing raised."""
    bare = text.rstrip(" $\n\t")
    if bare.endswith("^"):
        return bare + "\\circ" + "$" * text[len(bare) :].count("$")
    return text
