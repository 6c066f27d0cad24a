r"""From LaTeX, plain or Unicode text to tokens.

A token is ``(kind, text, spaced)``: kind is ``n`` number, ``v`` letter, ``c`` command or named
function (without its backslash), ``t`` words, ``b`` begin or ``e`` end of an environment, ``o`` any
other sign. Sizes, spaces and fonts are dropped; thousands separators are taken out of numbers.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from referee.verifiers.mathematics.notation import ascii_math, join_thousands
from referee.verifiers.mathematics.tree import MAX_CHARS, MAX_DEPTH, MAX_TOKENS, TooBig, Unreadable
from referee.verifiers.mathematics.units import NUMBER_WORDS, is_unit_word


class Token(NamedTuple):
    """One sign of the text. ``spaced`` says that white space stood before it."""

    kind: str
    text: str
    spaced: bool = False


FUNCTIONS = frozenset(
    """
    sin cos tan cot sec csc sinh cosh tanh coth sech csch arcsin arccos arctan arccot arcsec arccsc asin
    acos atan arsinh arcosh artanh arcsinh arccosh arctanh asinh acosh atanh log ln lg exp sqrt cbrt gcd
    lcm max min det cis floor ceil binom abs sgn Re Im arg
    """.split()
)
_NAMES = {
    "infinity": "infty",
    "inf": "infty",
    "infty": "infty",
    "oo": "infty",
    "pi": "pi",
    "alpha": "alpha",
    "beta": "beta",
    "gamma": "gamma",
    "theta": "theta",
    "lambda": "lambda",
    "phi": "phi",
    "sigma": "sigma",
    "omega": "omega",
    "delta": "delta",
    "epsilon": "epsilon",
    "mod": "bmod",
    "union": "cup",
    "and": "and",
    "or": "or",
    "frac": "frac",
    "ceiling": "ceil",
    "choose": "choose",
    "times": "times",
    "cdot": "cdot",
    "Infinity": "infty",
    "Pi": "pi",
    "PI": "pi",
}

_TOKEN = re.compile(
    r"(?P<space>(?:\s|~|\\[,;:!> \n]|\\(?:quad|qquad|enspace|thinspace|displaystyle|textstyle|scriptstyle|"
    r"left|"
    r"right|"
    r"middle|[bB]igg?[lr]?|limits|nolimits|mathstrut|strut|hfill|"
    r"rm|bf|it|tt|sf|boldmath|normalsize|large|Large|small|huge|Huge|LARGE|tiny|footnotesize|nonumber|hline|"
    r"displaylimits|noindent|centering|bfseries|itshape|ensuremath)(?![A-Za-z])\.?)+)"
    r"|(?P<n>(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+(?![\dA-Za-z.]))?)"
    r"|(?P<env>\\(?:begin|end)\s*\{\s*[A-Za-z]+\*?\s*\})"
    r"|\\(?P<c>[A-Za-z]+)\*?"
    r"|(?P<esc>\\.)"
    r"|(?P<v>[A-Za-z]+)"
    r"|(?P<dots>\.{3,})"
    r"|(?P<star>\*\*)"
    r"|(?P<rel><=|>=|!=|=<|==|<>|->|=>)"
    r"|(?P<o>.)",
    re.S,
)
_NOT = re.compile(r"\\not\s*(=|\\in(?![A-Za-z]))")
_BASED = re.compile(r"(?<![\w)}])\((\d+)\)_(?=\{?\d)")  # (52)_8
_TEXT = frozenset(
    """
    text textbf textit textrm mbox mathrm hbox textnormal textsf texttt operatorname mathsf mathit
    mathtt mathop emph textsc textup textmd
    """.split()
)
_FONT = frozenset(
    """
    mathbf boldsymbol bm pmb mathcal mathscr mathfrak mathnormal underline uline mathord mathbin mathrel
    boxed fbox framebox phantomsection smash ensuremath unit
    """.split()
)
_DROP = frozenset(
    ["phantom", "hphantom", "vphantom", "hspace", "vspace", "label", "tag", "color", "kern", "hskip", "rule"]
)
_DROP_FIRST = frozenset(["textcolor", "colorbox", "fcolorbox"])
_ALIASES = {
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "flatfrac": "frac",
    "nicefrac": "frac",
    "sfrac": "frac",
    "dbinom": "binom",
    "tbinom": "binom",
    "leq": "le",
    "leqslant": "le",
    "leqq": "le",
    "geq": "ge",
    "geqslant": "ge",
    "geqq": "ge",
    "neq": "ne",
    "lt": "<",
    "gt": ">",
    "varnothing": "emptyset",
    "lbrace": "\\{",
    "rbrace": "\\}",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
    "mid": "|",
    "lbrack": "[",
    "rbrack": "]",
    "lparen": "(",
    "rparen": ")",
    "ast": "*",
    "star": "*",
    "dots": "ldots",
    "cdots": "ldots",
    "dotsc": "ldots",
    "dotsb": "ldots",
    "varphi": "phi",
    "vartheta": "theta",
    "varepsilon": "epsilon",
    "degree": "degrees",
    "degrees": "degrees",
    "smallsetminus": "setminus",
    "backslash": "setminus",
    "colon": ":",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "infin": "infty",
    "infinity": "infty",
    "longrightarrow": "to",
    "rightarrow": "to",
    "implies": "Rightarrow",
    "iff": "Leftrightarrow",
    "thickapprox": "approx",
    "simeq": "approx",
    "doteq": "approx",
    "overset": "overset",
    "mod": "bmod",
    "land": "land",
    "wedge": "land",
    "lor": "lor",
    "vee": "lor",
    "intercal": "top",
    "arcctg": "arccot",
    "tg": "tan",
    "ctg": "cot",
    "R": "reals",
    "reals": "reals",
    "bar": "overline",
    "comma": ",",
}


def tokenize(text: str, *, commas: bool = True) -> list[Token]:
    """Return the tokens of an answer.

    Raises:
        TooBig: past the bounds on length and on the number of tokens.
        Unreadable: where a brace is not closed.
    """
    if len(text) > MAX_CHARS:
        raise TooBig(f"an answer of {len(text)} characters, more than {MAX_CHARS}")
    tokens: list[Token] = []
    if "frac" in text and ("\\text" in text or "\\mathrm" in text):
        text = _FRACTION_OF_UNITS.sub(r"\\text{\1/\2}", text)
    if "\\not" in text:
        text = _NOT.sub(lambda m: r"\ne " if m[1] == "=" else r"\notin ", text)
    if ")_" in text:
        text = _BASED.sub(r"\1_", text)
    _scan(join_thousands(ascii_math(text), commas=commas), tokens, 0)
    return tokens


def _scan(text: str, out: list[Token], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TooBig("nested too deeply")
    pos, end, spaced = 0, len(text), False
    while pos < end:
        m = _TOKEN.match(text, pos)
        assert m is not None
        pos = m.end()
        kind = m.lastgroup
        if kind == "space":
            spaced = True
            continue
        if kind == "n":
            out.append(Token("n", m["n"], spaced))
        elif kind == "v":
            # a word goes on over spaces: "square units"
            _letters(m["v"], spaced, out, text, m.start(), pos)
        elif kind == "c":
            pos = _command(m["c"], spaced, text, pos, out, depth)
        elif kind == "env":
            name = m["env"][m["env"].index("{") + 1 : -1].strip()
            begin = m["env"].startswith("\\begin")
            if begin and name == "array":
                pos = _after_group(text, pos)
            out.append(Token("b" if begin else "e", name, spaced))
        elif kind == "esc":
            if m["esc"] not in ("\\/", "\\-", "\\(", "\\)", "\\[", "\\]"):
                out.append(Token("o", m["esc"], spaced))
        elif kind == "dots":
            out.append(Token("c", "ldots", spaced))
        elif kind == "star":
            out.append(Token("o", "^", spaced))
        elif kind == "rel":
            sign = {
                "<=": "le",
                ">=": "ge",
                "!=": "ne",
                "<>": "ne",
                "=<": "le",
                "->": "to",
                "=>": "Rightarrow",
            }
            out.append(Token("c", sign[m["rel"]], spaced) if m["rel"] in sign else Token("o", "=", spaced))
        elif m["o"] not in ("$", "`"):
            out.append(Token("o", m["o"], spaced))
        spaced = False
        if len(out) > MAX_TOKENS:
            raise TooBig(f"more than {MAX_TOKENS} signs")


def _command(name: str, spaced: bool, text: str, pos: int, out: list[Token], depth: int) -> int:
    name = _ALIASES.get(name, name)
    if name in _TEXT:
        content, pos = _argument(text, pos)
        _words(content, spaced, out, depth)
    elif name in _FONT:
        if name in ("mathbf", "boldsymbol", "bm"):
            content, after = _argument(text, pos)
            if content.strip() in ("i", "j", "k", "\\hat{i}", "\\hat{j}", "\\hat{k}"):
                out.append(Token("v", f"unit_{content.strip().strip('}')[-1]}", spaced))
                return after
            if re.fullmatch(r"[A-Za-z][A-Za-z .,'-]+", content):
                _words(content, spaced, out, depth)
                return after
    elif name in ("blacksquare", "square", "qed", "Box", "checkmark"):
        return pos  # the end of a proof
    elif name in _DROP or name in _DROP_FIRST:
        pos = _after_group(text, pos)
    elif name == "mathbb":
        content, pos = _argument(text, pos)
        sets = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
        out.append(Token("c", sets.get(content.strip(), "mathbb" + content.strip()[:8]), spaced))
    elif name in ("hat", "vec", "widehat", "overrightarrow", "tilde"):
        content, after = _argument(text, pos)
        inner = re.sub(r"[^A-Za-z0-9]", "", content)[:8]
        if name in ("hat", "vec") and content.strip() in ("i", "j", "k", "\\imath", "\\jmath"):
            inner = {"\\imath": "i", "\\jmath": "j"}.get(content.strip(), content.strip())
            out.append(Token("v", f"unit_{inner}", spaced))
        else:
            out.append(Token("v", f"{name}_{inner}", spaced))
        return after
    elif name in ("<", ">", "|", "[", "]", "(", ")", "*", ":", "/", "+", "-", "\\{", "\\}", ","):
        out.append(Token("o", name, spaced))
    else:
        out.append(Token("c", name, spaced))
    return pos


_PER = re.compile(r"[A-Za-z]{1,4}\s*/\s*[A-Za-z]{1,4}(?:\^?\d)?\.?")
_FRACTION_OF_UNITS = re.compile(
    r"\\[dt]?frac\s*\{\s*\\(?:text|mathrm)\s*\{([^{}]+)\}\s*\}\s*\{\s*\\(?:text|mathrm)\s*\{([^{}]+)\}\s*\}"
)


def _words(content: str, spaced: bool, out: list[Token], depth: int) -> None:
    if content.strip() == "\\$":
        out.append(Token("o", "\\$", spaced))
        return
    plain = content.replace("$", "").strip()
    bare = plain.strip(" ~().:,")
    if bare in FUNCTIONS or bare in ("and", "or", "mod"):
        out.append(Token("c", _NAMES.get(bare, bare), spaced))
        return
    unit = len(plain.strip(" ~")) == 1 and bare in set("mlshgjnwvLJNWV") and bool(out)
    if out and plain in ("C", "F") and out[-1].text in ("}", "circ", "degrees"):
        out.append(Token("t", "celsius" if plain == "C" else "fahrenheit", spaced))
        return
    unit = unit or bool(out and _PER.fullmatch(plain))
    if plain and not unit and not re.search(r"[A-Za-z]{2}|[ap]\.\s?m", plain):
        _scan(plain, out, depth + 1)  # \text{(C)}, \textbf{42}: signs, not words
        return
    if m := re.fullmatch(r"\s*(,?\s*(?:and|or)|,|;)\s+(.*\S)\s*", content, re.S):
        joint = m[1].strip(" ,;")
        out.append(Token("c", joint, True) if joint else Token("o", m[1], True))
        _words(m[2], True, out, depth + 1)
        return
    if m := re.fullmatch(r"(.*\S)\s+(and|or)\s*", content, re.S):
        _words(m[1], spaced, out, depth + 1)
        out.append(Token("c", m[2], True))
        return
    if re.search(r"\d", plain) and re.fullmatch(r"[-+\d.,/\\${} ]+\s*[A-Za-z. ]*", plain):
        _scan(plain, out, depth + 1)
        return
    if plain:
        out.append(Token("t", plain.replace("~", " "), spaced))


def _letters(run: str, spaced: bool, out: list[Token], text: str, start: int, end: int) -> None:
    """Split a run of plain letters: a name of the field's, a word, or variables side by side."""
    if len(run) == 1:
        # between two numbers an x is no variable: 1.2 x 10^3
        times = run in "xX" and out and out[-1].kind == "n" and out[-1].text != "0"
        if times and text[end:].lstrip(" ")[:1].isdigit():
            out.append(Token("c", "times", spaced))
        else:
            out.append(Token("v", run, spaced))
    elif run in _NAMES or run.lower() in ("and", "or"):
        out.append(Token("c", _NAMES.get(run) or run.lower(), spaced))
    elif run in FUNCTIONS:
        out.append(Token("c", run, spaced))
    elif run.lower() in NUMBER_WORDS or (
        is_unit_word(run) and ((spaced and out) or (out and out[-1].kind == "n") or run == "USD")
    ):
        _word(run, spaced, out)
    elif (split := _function_prefix(run)) is not None:
        out.append(Token("c", split, spaced))
        out.extend(Token("v", c) for c in run[len(split) :])
    elif _is_word(run, text, start, end) and not (run in _FACTORS and out and _joins(out[-1], text, end)):
        _word(run, spaced, out)
    else:
        out.append(Token("v", run[0], spaced))
        out.extend(Token("v", c) for c in run[1:])


def _word(run: str, spaced: bool, out: list[Token]) -> None:
    if out and out[-1].kind == "t" and spaced:
        out[-1] = Token("t", f"{out[-1].text} {run}", out[-1].spaced)
    else:
        out.append(Token("t", run, spaced))


_THREE = frozenset(
    "the are for all not yes odd per day men can has was its any but way ways The Yes Odd Not All".split()
)


def _function_prefix(run: str) -> str | None:
    for size in (6, 4, 3, 2):
        if run[:size] in FUNCTIONS and len(run) - size == 1 and (size > 2 or run[:2] == "ln"):
            return run[:size]
    return None


_FACTORS = frozenset(["an", "as", "at", "by", "am", "if", "it"])  # also products of variables: v + at


def _joins(before: Token, text: str, end: int) -> bool:
    return text[end : end + 1] in ("^", "_") or (
        before.kind == "o" and before.text in ("+", "-", "=", "*", "/")
    )


def _is_word(run: str, text: str, start: int, end: int) -> bool:
    if len(run) == 2:
        return run in (
            "is",
            "in",
            "an",
            "of",
            "to",
            "no",
            "so",
            "No",
            "It",
            "it",
            "am",
            "pm",
            "AM",
            "PM",
            "as",
            "at",
            "by",
            "if",
        )
    if not (run.islower() or run.istitle() or (run.isupper() and len(run) > 4)):
        return False
    if not re.search("[aeiouy]", run.lower()) or (
        len(run) <= 4 and "".join(sorted(run)) == run and run[-1] in "cdxyz"
    ):
        return False
    if len(run) == 3 and run not in _THREE and not re.search(r"(?:\d|[a-z]{3})\s+$", text[:start]):
        return False
    before, after = text[start - 1 : start], text[end : end + 1]
    return (
        before not in ("^", "_", "{", ")", "(") and not before.isdigit() and after not in ("^", "_", "(", "{")
    )


def _after_group(text: str, pos: int) -> int:
    while pos < len(text) and text[pos] == " ":
        pos += 1
    if pos < len(text) and text[pos] == "{":
        return _argument(text, pos)[1]
    return pos


def _argument(text: str, pos: int) -> tuple[str, int]:
    while pos < len(text) and text[pos] == " ":
        pos += 1
    if pos >= len(text):
        raise Unreadable("a command lacks its argument")
    if text[pos] != "{":
        if text[pos] == "\\" and (m := re.compile(r"\\[A-Za-z]+").match(text, pos)):
            return m[0], m.end()
        return text[pos], pos + 1
    level, start = 0, pos
    while pos < len(text):
        c = text[pos]
        if c == "\\":
            pos += 2
            continue
        level += (c == "{") - (c == "}")
        pos += 1
        if level == 0:
            return text[start + 1 : pos - 1], pos
    raise Unreadable("a brace is not closed")
