r"""From LaTeX, plain or Unicode text to tokens.

Sizes, spaces and fonts are dropped; thousands separators are taken out of numbers; units become words.
"""

from __future__ import annotations

import re

from referee.verifiers.mathematics.formula import read_formula
from referee.verifiers.mathematics.letters import SIGN_WORDS, Token, read_chinese, read_letters
from referee.verifiers.mathematics.notation import ascii_math, join_thousands
from referee.verifiers.mathematics.tree import MAX_CHARS, MAX_DEPTH, MAX_TOKENS, TooBig, Unreadable
from referee.verifiers.mathematics.unit_notation import marked_unit
from referee.verifiers.mathematics.unit_tokens import (
    OHM,
    SIGNS,
    STARTS,
    UNIT_FRACTION,
    UPRIGHT,
    add_plain_unit,
    group_unit,
    is_value,
    per_unit,
    plain_quotient,
)
from referee.verifiers.mathematics.vocabulary import ALIASES, DROP, DROP_FIRST, FONT, FUNCTIONS, NAMES, TEXT

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
    r"|(?P<w>[\u3400-\u9fff]+)"
    r"|(?P<o>.)",
    re.S,
)
_DECIMAL_COMMA = re.compile(r"(?<![\d.,}])(\d+)\{,\}(\d+)(?!\d|\{,\})")  # 3{,}5; braces make it no list
_NOT = re.compile(r"\\not\s*(=|\\in(?![A-Za-z]))")
_BASED = re.compile(r"(?<![\w)}])\((\d+)\)_(?=\{?\d)")  # (52)_8


def tokenize(text: str, *, commas: bool = True) -> list[Token]:
    """Return the tokens of an answer.

    Raises:
        TooBig: past the bounds on length and on the number of tokens.
        Unreadable: where a brace is not closed.
    """
    if len(text) > MAX_CHARS:
        raise TooBig(f"an answer of {len(text)} characters, more than {MAX_CHARS}")
    tokens: list[Token] = []
    if "{,}" in text:
        text = _DECIMAL_COMMA.sub(_decimal_point, text)
    if "\\not" in text:
        text = _NOT.sub(lambda m: r"\ne " if m[1] == "=" else r"\notin ", text)
    if ")_" in text:
        text = _BASED.sub(r"\1_", text)
    _scan(join_thousands(ascii_math(text), commas=commas), tokens, 0)
    return tokens


def _decimal_point(m: re.Match[str]) -> str:
    thousands = len(m[2]) == 3 and len(m[1]) <= 3 and m[1][0] != "0"
    return m[0] if thousands else f"{m[1]}.{m[2]}"


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
            end_of_unit = add_plain_unit(text, m.start(), spaced, out) if out and m["v"][0] in STARTS else 0
            if not end_of_unit:
                read_letters(m["v"], spaced, out, text, m.start(), pos)
            pos = end_of_unit or pos
        elif kind == "c":
            end_of_unit = add_plain_unit(text, m.start(), spaced, out) if out and m["c"] in SIGNS else 0
            pos = end_of_unit or _command(m["c"], spaced, text, pos, out, depth)
        elif kind == "w":
            read_chinese(m["w"], spaced, out)
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
        elif m["o"] == "{" and out and UPRIGHT.match(text, m.start()) and is_value(out):
            content, end = _argument(text, m.start())
            unit = marked_unit(content)
            out.append(Token("t", unit, spaced) if unit else Token("o", "{", spaced))
            pos = end if unit else pos
        elif m["o"] == "/" and (end_of_unit := per_unit(text, m.start(), out)):
            pos = end_of_unit
        elif m["o"] == "、":
            out.append(Token("o", ",", spaced))
        elif m["o"] in "℃℉":
            out.append(Token("t", m["o"], spaced))
        elif m["o"] not in ("$", "`"):
            out.append(Token("o", m["o"], spaced))
        spaced = False
        if len(out) > MAX_TOKENS:
            raise TooBig(f"more than {MAX_TOKENS} signs")


def _command(name: str, spaced: bool, text: str, pos: int, out: list[Token], depth: int) -> int:
    name = ALIASES.get(name, name)
    if name in TEXT:
        content, pos = _argument(text, pos)
        if (ohm := OHM.match(text, pos)) is not None and len(content.strip()) == 1:
            content, pos = content + ohm[0], ohm.end()  # the prefix of \mathrm{k}\Omega
        unit = group_unit(content, name, spaced, text[pos : pos + 1], out) if out else ""
        if unit:
            out.append(Token("t", unit, spaced))
        else:
            _words(content, spaced, out, depth)
    elif name == "frac" and out and (end := _quotient(text, pos, spaced, out)):
        return end
    elif name in ("SI", "qty", "ang", "ce"):
        return _package(name, spaced, text, pos, out, depth)
    elif name in FONT:
        if name in ("mathbf", "boldsymbol", "bm"):
            content, after = _argument(text, pos)
            if content.strip() in ("i", "j", "k", "\\hat{i}", "\\hat{j}", "\\hat{k}"):
                out.append(Token("v", f"unit_{content.strip().strip('}')[-1]}", spaced))
                return after
            if content in _SETS and out and out[-1].text in ("in", "notin"):
                out.append(Token("c", _SETS[content], spaced))
                return after
            if re.fullmatch(r"[A-Za-z][A-Za-z .,'-]+", content):
                _words(content, spaced, out, depth)
                return after
    elif name in ("blacksquare", "square", "qed", "Box", "checkmark"):
        return pos  # the end of a proof
    elif name in DROP or name in DROP_FIRST:
        pos = _after_group(text, pos)
    elif name == "mathbb":
        content, pos = _argument(text, pos)
        out.append(Token("c", _SETS.get(content.strip(), "mathbb" + content.strip()[:8]), spaced))
    elif name in ("hat", "vec", "widehat", "overrightarrow", "tilde"):
        content, after = _argument(text, pos)
        inner = re.sub(r"[\\{}\s]", "", content)
        if name in ("hat", "vec") and content.strip() in ("i", "j", "k", "\\imath", "\\jmath"):
            inner = {"\\imath": "i", "\\jmath": "j"}.get(content.strip(), content.strip())
            out.append(Token("v", f"unit_{inner}", spaced))
        else:
            name = {"overrightarrow": "vec", "widehat": "hat"}.get(name, name)
            out.append(Token("v", f"{name}_{inner}", spaced))
        return after
    elif name in ("<", ">", "|", "[", "]", "(", ")", "*", ":", "/", "+", "-", "\\{", "\\}", ","):
        out.append(Token("o", name, spaced))
    else:
        out.append(Token("c", name, spaced))
    return pos


_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}


def _quotient(text: str, pos: int, spaced: bool, out: list[Token]) -> int:
    """Add a fraction of units behind a number; return where it ends, 0 if it is none."""
    if UNIT_FRACTION.match(text, pos) and is_value(out):
        end = _argument(text, _argument(text, pos)[1])[1]
        unit = marked_unit("\\frac" + text[pos:end])
        out.extend([Token("t", unit, spaced)] if unit else [])
        return end if unit else 0
    end = plain_quotient(text, pos, out) if out[-1].kind == "n" else 0
    out.extend([Token("u", "\\frac" + text[pos:end])] if end else [])
    return end


def _package(name: str, spaced: bool, text: str, pos: int, out: list[Token], depth: int) -> int:
    """Read the commands of siunitx and mhchem."""
    content, pos = _argument(text, pos)
    if name == "ce":
        equation = "".join(content.split())
        out.append(Token("v", read_formula(content) or f"ce{{{equation}}}", spaced))
        return pos
    _scan(content, out, depth + 1)
    if name == "ang":
        out.append(Token("c", "degrees"))
        return pos
    content, pos = _argument(text, pos)
    unit = marked_unit(content)
    if not unit:
        raise Unreadable("a quantity whose unit is none")
    out.append(Token("t", unit, True))
    return pos


def _words(content: str, spaced: bool, out: list[Token], depth: int) -> None:
    if content.strip() == "\\$":
        out.append(Token("o", "\\$", spaced))
        return
    plain = content.replace("$", "").strip()
    bare = plain.strip(" ~().:,")
    if bare in FUNCTIONS or bare in ("and", "or", "mod"):
        out.append(Token("c", NAMES.get(bare, bare), spaced))
        return
    if bare.lower() in SIGN_WORDS:
        out.append(Token("o", SIGN_WORDS[bare.lower()], spaced))
        return
    if formula := read_formula(content):
        out.append(Token("v", formula, spaced))
        return
    if plain and not re.search(r"[A-Za-z]{2}|[ap]\.\s?m", plain):
        _scan(plain, out, depth + 1)  # \text{(C)}, \textbf{42}: signs, not words
        return
    if (m := _QUANTITY.fullmatch(plain)) and (unit := marked_unit(m[2])) and not (out and is_value(out)):
        _scan(m[1], out, depth + 1)
        out.append(Token("t", unit, True))
        return
    if m := re.fullmatch(r"\s*+(,?\s*+(?:and|or)|,|;)\s++(.*\S)\s*+", content, re.S):
        joint = m[1].strip(" ,;")
        out.append(Token("c", joint, True) if joint else Token("o", m[1], True))
        _words(m[2], True, out, depth + 1)
        return
    if m := re.fullmatch(r"(.*\S)\s+(and|or)\s*", content, re.S):
        _words(m[1], spaced, out, depth + 1)
        out.append(Token("c", m[2], True))
        return
    if re.search(r"\d", plain) and (
        re.fullmatch(r"[-+\d.,/\\${} ]++\s*+[A-Za-z. ]*+", plain) or (out and _MEASURES.fullmatch(plain))
    ):
        _scan(plain, out, depth + 1)
        return
    if plain:
        out.append(Token("t", plain.replace("~", " "), spaced))


_QUANTITY = re.compile(r"([-+]?\d[\d.,]*)(?![\d.,])\s*(\S.*)")  # 12 N m
_MEASURES = re.compile(r"[A-Za-z]+,?\s(?:and\s)?\d+\s?[A-Za-z]+")  # hours and 8 minutes


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
