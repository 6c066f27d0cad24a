"""What the reader's names and LaTeX commands stand for: functions, fonts, other spellings. Data."""

from __future__ import annotations

FUNCTIONS = frozenset(
    """
    sin cos tan cot sec csc sinh cosh tanh coth sech csch arcsin arccos arctan arccot arcsec arccsc asin
    acos atan arsinh arcosh artanh arcsinh arccosh arctanh asinh acosh atanh log ln lg exp sqrt cbrt gcd
    lcm max min det cis floor ceil binom abs sgn Re Im arg
    """.split()
)
NAMES = {
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

TEXT = frozenset(
    """
    text textbf textit textrm mbox mathrm hbox textnormal textsf texttt operatorname mathsf mathit
    mathtt mathop emph textsc textup textmd unit si
    """.split()
)
FONT = frozenset(
    """
    mathbf boldsymbol bm pmb mathcal mathscr mathfrak mathnormal underline uline mathord mathbin mathrel
    boxed fbox framebox phantomsection smash ensuremath num
    """.split()
)
DROP = frozenset(
    ["phantom", "hphantom", "vphantom", "hspace", "vspace", "label", "tag", "color", "kern", "hskip", "rule"]
)
DROP_FIRST = frozenset(["textcolor", "colorbox", "fcolorbox"])
ALIASES = {
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
    "bar": "overline",
    "comma": ",",
}
