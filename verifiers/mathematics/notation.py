"""Unicode mathematics as LaTeX, and numbers without their thousands separators."""

from __future__ import annotations

import re
import unicodedata

_UNICODE = {
    "−": "-",
    "–": "-",
    "—": "-",
    "‐": "-",
    "‑": "-",
    "﹣": "-",
    "×": r"\times ",
    "✕": r"\times ",
    "·": r"\cdot ",
    "⋅": r"\cdot ",
    "∙": r"\cdot ",
    "•": r"\cdot ",
    "∗": "*",
    "÷": r"\div ",
    "∕": "/",
    "⁄": "/",
    "½": r"\frac{1}{2}",
    "⅓": r"\frac{1}{3}",
    "⅔": r"\frac{2}{3}",
    "¼": r"\frac{1}{4}",
    "¾": r"\frac{3}{4}",
    "⅕": r"\frac{1}{5}",
    "⅖": r"\frac{2}{5}",
    "⅗": r"\frac{3}{5}",
    "⅘": r"\frac{4}{5}",
    "⅙": r"\frac{1}{6}",
    "⅚": r"\frac{5}{6}",
    "⅛": r"\frac{1}{8}",
    "⅜": r"\frac{3}{8}",
    "⅝": r"\frac{5}{8}",
    "⅞": r"\frac{7}{8}",
    "⅐": r"\frac{1}{7}",
    "⅑": r"\frac{1}{9}",
    "⅒": r"\frac{1}{10}",
    "√": r"\sqrt ",
    "∛": r"\sqrt[3]",
    "∜": r"\sqrt[4]",
    "∞": r"\infty ",
    "°": r"^{\circ}",
    "º": r"^{\circ}",
    "˚": r"^{\circ}",
    "≤": r"\le ",
    "≥": r"\ge ",
    "⩽": r"\le ",
    "⩾": r"\ge ",
    "≦": r"\le ",
    "≧": r"\ge ",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "≡": r"\equiv ",
    "±": r"\pm ",
    "∓": r"\mp ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∈": r"\in ",
    "∉": r"\notin ",
    "∅": r"\emptyset ",
    "⌀": r"\emptyset ",
    "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}",
    "ℚ": r"\mathbb{Q}",
    "ℕ": r"\mathbb{N}",
    "ℂ": r"\mathbb{C}",
    "⌊": r"\lfloor ",
    "⌋": r"\rfloor ",
    "⌈": r"\lceil ",
    "⌉": r"\rceil ",
    "⟨": r"\langle ",
    "⟩": r"\rangle ",
    "〈": r"\langle ",
    "〉": r"\rangle ",
    "∑": r"\sum ",
    "∏": r"\prod ",
    "∫": r"\int ",
    "∠": r"\angle ",
    "△": r"\triangle ",
    "…": r"\ldots ",
    "⋯": r"\ldots ",
    "′": "'",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "∖": r"\setminus ",
    "∣": "|",
    "∧": r"\wedge ",
    "∨": r"\vee ",
    "¬": r"\neg ",
    "→": r"\to ",
    "⇒": r"\Rightarrow ",
    "⇔": r"\Leftrightarrow ",
    "↔": r"\leftrightarrow ",
    "↦": r"\mapsto ",
    "∀": r"\forall ",
    "∃": r"\exists ",
    "⊂": r"\subset ",
    "⊆": r"\subseteq ",
    "⊃": r"\supset ",
    "⊇": r"\supseteq ",
    "⊥": r"\perp ",
    "∥": r"\parallel ",
    "≅": r"\cong ",
    "∂": r"\partial ",
    "∇": r"\nabla ",
    "†": r"^{\dagger}",
    "π": r"\pi ",
    "𝜋": r"\pi ",
    "ϕ": r"\phi ",
    "€": r"\text{euro}",
    "£": r"\text{gbp}",
    "¥": r"\text{yen}",
    "₹": r"\text{rupee}",
    "∘": r"\circ ",
    "∶": ":",
    "！": "!",
    "，": ",",
    "。": ".",
    "（": "(",
    "）": ")",
    "\u200b": "",
    "\ufeff": "",
    "\u2061": "",
    "\u2062": "",
    "\u00a0": " ",
    "\u202f": " ",
    "\u2009": " ",
}

for _name in [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Phi",
    "Psi",
    "Omega",
]:
    _letter = unicodedata.lookup(
        f"GREEK {'CAPITAL' if _name[0].isupper() else 'SMALL'} LETTER "
        f"{_name.upper().replace('LAMBDA', 'LAMDA')}"
    )
    _UNICODE[_letter] = f"\\{_name} "

_TABLE = {ord(k): v for k, v in _UNICODE.items()}

_SUPER = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")

_SUB = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋ₙ]+")

_LOWER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ₀₁₂₃₄₅₆₇₈₉₊₋ₙ", "0123456789+-n0123456789+-n")

_OVERLINE = re.compile("((?:\\d\u0305)+)")

# Separators that can stand only between thousands, at any depth.
_GLUE = re.compile(
    r"(?<=\d)(?:,?(?:\\!|\\,|\\;|\\:|\\ |~|\{,\})\s*)+,?\s*(?=\d{3}(?!\d))|(?<=\d)\{,\}(?=\d{3}(?!\d))"
)

_SPACED = re.compile(r"(?<![\d.,/^_])[1-9]\d{0,2}(?: \d{3})+(?![\d/]| ?[/^]|\\)")

_COMMAS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,]|, ?\d)")

_LAKHS = re.compile(r"(?<![\d.,])[1-9]\d?(?:,\d{2})+,\d{3}(?![\d,])")

_EUROPE = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:(?:\.\d{3}){2,}(?:,\d+)?|\.\d{3},\d{1,2})(?![\d.,])")

_APOSTROPHE = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:['_]\d{3})+(?!\d)")


def ascii_math(text: str) -> str:
    """Write Unicode mathematics as LaTeX; plain ASCII passes through."""
    if text.isascii():
        return text
    text = _OVERLINE.sub(lambda m: r"\overline{" + m[1].replace("\u0305", "") + "}", text)
    text = _SUPER.sub(lambda m: "^{" + m[0].translate(_LOWER) + "}", text)
    text = _SUB.sub(lambda m: "_{" + m[0].translate(_LOWER) + "}", text)
    text = text.translate(_TABLE)
    if text.isascii():
        return text
    # full-width digits, mathematical letters; what has no such form stays itself, and is unlike any ASCII
    return "".join(c if c.isascii() else _fold(c) for c in text).translate(_TABLE)


def _fold(char: str) -> str:
    digit = unicodedata.digit(char, None) if unicodedata.category(char) == "Nd" else None
    if digit is not None:
        return str(digit)
    folded = unicodedata.normalize("NFKC", char)
    return folded if len(folded) == 1 else char


def _depth(text: str, upto: int) -> int:
    head = text[:upto].replace("\\left", "").replace("\\lvert", "")
    return (head.count("(") + head.count("[") + head.count("\\{")) - (
        head.count(")") + head.count("]") + head.count("\\}")
    )


def join_thousands(text: str, *, commas: bool = True) -> str:
    """Take thousands separators out of numbers. With ``commas`` off, plain commas separate items."""
    if "," in text or "\\" in text or "~" in text:
        text = _GLUE.sub("", text)
    if " " in text:
        text = _SPACED.sub(lambda m: m[0].replace(" ", ""), text)
    if "'" in text or "_" in text:
        text = _APOSTROPHE.sub(lambda m: m[0].replace("'", "").replace("_", ""), text)
    if text.count(".") > 1 or ("." in text and "," in text):
        text = _EUROPE.sub(lambda m: m[0].replace(".", "").replace(",", "."), text)
    if commas and "," in text:
        for pattern in (_COMMAS, _LAKHS):
            text = pattern.sub(lambda m: m[0] if _depth(m.string, m.start()) else m[0].replace(",", ""), text)
    return text
