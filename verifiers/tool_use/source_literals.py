"""Values and calls as source code writes them, read without running anything: ``f(a=1, b=["x", true])``.

One small grammar serves Python, JavaScript and Java: numbers (``5L``, ``3.0f``, ``12n``), texts in either
quote, ``True`` and ``true``, ``None``, ``null`` and ``undefined``, lists, tuples, dictionaries (their keys
with or without quotes), ``new int[]{1, 2}``, ``Arrays.asList(1, 2)``, ``new HashMap<>() {{ put("a", 1);
}}``. What is none of these (a variable, a nested call) is kept as the text that it is. Size and depth are
bounded, and time is linear.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from referee.verifiers.errors import UnreadableText
from referee.verifiers.records import Json

MAX_CHARACTERS = 50_000
MAX_NESTING = 40
_SPACE = re.compile(r"\s*+")
_NUMBER = re.compile(
    r"([-+]?(?:\d[\d_]{0,400}+(?:\.\d{0,400}+)?|\.\d{1,400}+)(?:[eE][-+]?\d{1,9}+)?)([LlFfDdn]?)(?![\w.])"
)
_STRING = re.compile(
    r"""(?s)(?<!\\)[rbuRBU]{0,2}(?:'''((?:[^\\']|\\.|'(?!''))*+)'''|\"{3}((?:[^\\"]|\\.|"(?!""))*+)\"{3}"""
    r"""|"((?:[^"\\\n]|\\.)*+)"|'((?:[^'\\\n]|\\.)*+)'|`((?:[^`\\]|\\.)*+)`)"""
)
_NAME = re.compile(r"[^\W\d][\w$]*+(?:\s*+\.\s*+[^\W\d][\w$-]*+)*+")
_KEY = re.compile(r"([^\W\d][\w$-]{0,200}+)\s{0,200}+[:=](?!=)")
_ESCAPE = re.compile(r"\\(?:(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U(00[01][0-9a-fA-F]{5}))|(\n)|(.))", re.S)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}
_WORDS: dict[str, Json] = {
    "True": True, "true": True, "False": False, "false": False,
    "None": None, "null": None, "undefined": None,
}  # fmt: skip
_NEW_LIST = re.compile(
    r"new\s++(?:\w++\s*+\[\s*+\]\s*+\{|(?:java\.util\.)?(?:ArrayList|LinkedList|HashSet)\s*+(?:<[^<>()]{0,80}>)?\s*+\(\s*+"
    r"(?:(?:Arrays\.asList|List\.of)\s*+\()?)"
)
_LIST_OF = re.compile(r"(?:Arrays\.asList|(?:List|Set)\.of)\s*+\(")
_NEW_MAP = re.compile(
    r"new\s++(?:java\.util\.)?(?:Linked)?(?:HashMap|Hashtable|TreeMap)\s*+(?:<[^()]{0,80}>)?\s*+\(\s*+\)\s*+"
)
_PUT = re.compile(r"(?:put|add)\s*+\(")
_WORDS_BESIDE = re.compile(r"\w\s++\w")
_EXPRESSION = re.compile(r"new\b|lambda\b|function\b|async\b|\(")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


class NotSource(UnreadableText, ValueError):
    """A text is no value or call in this grammar, or passes its bounds."""


class Bare(str):
    """What stands without quotes and is no value of its own: a variable, an expression, a nested call."""

    __slots__ = ()


class SourceCall(NamedTuple):
    """A call: its dotted name, its arguments by place, and those by name."""

    name: str
    places: tuple[Json, ...]
    named: dict[str, Json]


def read_value(text: str) -> Json:
    """Return the value that all of a text is.

    >>> read_value("new ArrayList<>(Arrays.asList(1, 2))"), read_value("{a: 'x', 'b': 5L}")
    ([1, 2], {'a': 'x', 'b': 5})

    Raises:
        NotSource: where the text is none, or passes the bounds.
    """
    source = _Source(text)
    value = source.value(0)
    source.end()
    return value


def read_calls(text: str) -> list[SourceCall]:
    """Return the calls that all of a text is: one, or several in brackets, behind commas or on lines.

    >>> read_calls("[f(a=1), g.h('x', b=[True])]")[1]
    SourceCall(name='g.h', places=('x',), named={'b': [True]})

    Raises:
        NotSource: where the text is none, or passes the bounds.
    """
    source = _Source(text)
    source.skip()
    closing = "]" if source.take("[") else ")" if source.take("(") else ""
    calls = [source.call(0)]
    while True:
        separated = source.take(",") or source.take(";")
        source.skip()
        if (closing and source.text.startswith(closing, source.at)) or source.at == len(source.text):
            break
        if closing and not separated:
            raise NotSource("a call must be followed by a comma")
        calls.append(source.call(0))
    if closing and not source.take(closing):
        raise NotSource(f"the list of calls must end with {closing}")
    source.end()
    return calls


class _Source:
    """A text, and the place up to which it is read."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_CHARACTERS:
            raise NotSource(f"longer than {MAX_CHARACTERS} characters")
        self.text, self.at = text, 0

    def skip(self) -> None:
        m = _SPACE.match(self.text, self.at)
        assert m is not None
        self.at = m.end()

    def take(self, sign: str) -> bool:
        """Skip spaces, and the sign where it stands next."""
        self.skip()
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self.skip()
        if (m := pattern.match(self.text, self.at)) is not None:
            self.at = m.end()
        return m

    def end(self) -> None:
        self.take(";")
        self.skip()
        if self.at < len(self.text):
            raise NotSource(f"nothing may follow, got {self.text[self.at : self.at + 20]!r}")

    def call(self, depth: int) -> SourceCall:
        name = self.match(_NAME)
        if name is None or not self.take("("):
            raise NotSource("a call must be a name and arguments in brackets")
        places: list[Json] = []
        named: dict[str, Json] = {}
        while not self.take(")"):
            key = self._named()
            if key is None and named:
                raise NotSource("an argument by place must not follow one by name")
            value = self.value(depth + 1)
            if key is None:
                places.append(value)
            elif key in named:
                raise NotSource(f"{key} is given twice")
            else:
                named[key] = value
            self.separator(")")
        return SourceCall(re.sub(r"\s+", "", name[0]), tuple(places), named)

    def _named(self) -> str | None:
        start = self.at
        key = self.match(_KEY)
        if key is not None and key[0].endswith("="):
            return key[1]
        self.at = start
        return None

    def separator(self, closing: str) -> None:
        if not self.take(","):
            self.skip()
            if not self.text.startswith(closing, self.at):
                raise NotSource(
                    f"a comma or {closing} must stand before {self.text[self.at : self.at + 20]!r}"
                )

    def value(self, depth: int) -> Json:
        if depth > MAX_NESTING:
            raise NotSource(f"nested deeper than {MAX_NESTING}")
        self.skip()
        start = self.at
        for read in (self._list, self._map, self._scalar):
            found = read(depth)
            if found is None:
                continue
            self.skip()
            if self.text[self.at : self.at + 1] in ("", ",", ")", "]", "}", ";", ":"):
                return found[0]
            break
        self.at = start
        return self._bare()

    def _list(self, depth: int) -> tuple[Json] | None:
        new = self.match(_NEW_LIST) or self.match(_LIST_OF)
        if new is not None:
            opening = new[0].rstrip()[-1]
            items = self._items(_BRACKETS[opening], depth)
            if new[0].count("(") > 1 and not self.take(")"):
                raise NotSource("a list must be closed")
            adding = self.take("{") and self.take("{")
            return ([pair[0] for pair in self._puts(1, depth)] if adding else items,)
        for opening in "[(":
            if self.take(opening):
                items = self._items(_BRACKETS[opening], depth)
                alone = opening == "(" and len(items) == 1 and self.text[self.at - 2] != ","
                return (items[0] if alone else items,)
        return None

    def _items(self, closing: str, depth: int) -> list[Json]:
        items: list[Json] = []
        while not self.take(closing):
            items.append(self.value(depth + 1))
            self.separator(closing)
        return items

    def _map(self, depth: int) -> tuple[Json] | None:
        if self.match(_NEW_MAP) is not None:
            if not self.take("{"):
                return ({},)
            inner = self.take("{")
            return ({str(k): v for k, v in self._puts(2, depth, inner=inner)},)
        if not self.take("{"):
            return None
        made: dict[str, Json] = {}
        while not self.take("}"):
            key = self.match(_KEY)
            name = key[1] if key is not None else self.value(depth + 1)
            if key is None and not self.take(":"):
                raise NotSource("a key must be followed by a colon")
            if isinstance(name, list | dict) or str(name) in made:
                raise NotSource("a key must be a text, given once")
            made[str(name)] = self.value(depth + 1)
            self.separator("}")
        return (made,)

    def _puts(self, count: int, depth: int, *, inner: bool = True) -> list[list[Json]]:
        """Read ``put(a, b);`` or ``add(a);`` up to the closing braces."""
        out: list[list[Json]] = []
        while not self.take("}"):
            if self.match(_PUT) is None:
                raise NotSource("put(...) or add(...) must stand in the braces")
            out.append(self._items(")", depth))
            if len(out[-1]) != count:
                raise NotSource(f"{count} values must stand in put(...) or add(...)")
            self.take(";")
        if inner and not self.take("}"):
            raise NotSource("the braces must be closed")
        return out

    def _scalar(self, depth: int) -> tuple[Json] | None:
        if (number := self.match(_NUMBER)) is not None:
            return (_number(number[1], number[2]),)
        parts: list[str] = []
        while (string := self.match(_STRING)) is not None:
            content = next(g for g in string.groups() if g is not None)
            raw = "r" in string[0][:2].lower().split('"')[0].split("'")[0]
            parts.append(content if raw else _unescaped(content))
        if parts:
            return ("".join(parts),)
        start = self.at
        name = self.match(_NAME)
        if name is not None and name[0] in _WORDS:
            return (_WORDS[name[0]],)
        self.at = start
        return None

    def _bare(self) -> Json:
        """Read a variable or an expression up to the comma or bracket that ends it."""
        start, open_brackets = self.at, []
        while self.at < len(self.text):
            if (string := _STRING.match(self.text, self.at)) is not None:
                self.at = string.end()
                continue
            sign = self.text[self.at]
            if sign in _BRACKETS:
                open_brackets.append(_BRACKETS[sign])
            elif open_brackets and sign == open_brackets[-1]:
                open_brackets.pop()
            elif sign in ",)]}" and not open_brackets:
                break
            self.at += 1
        text = self.text[start : self.at].strip()
        if not text or open_brackets:
            raise NotSource("a value is missing or not closed")
        if _WORDS_BESIDE.search(_STRING.sub("", text)) and not _EXPRESSION.match(text):
            raise NotSource("a text must stand in quotes")
        return Bare(text)


def _number(digits: str, suffix: str) -> Json:
    plain = digits.replace("_", "")
    if len(plain) > 400:
        raise NotSource("a number of more than 400 characters")
    if suffix.lower() not in ("f", "d") and re.fullmatch(r"[-+]?\d+", plain):
        return int(plain)
    value = float(plain)
    if value in (float("inf"), float("-inf")):
        raise NotSource("a number that is too large")
    return value


def _unescaped(content: str) -> str:
    def one(m: re.Match[str]) -> str:
        if point := m[1] or m[2] or m[3]:
            return chr(min(int(point, 16), 0x10FFFF))
        return "" if m[4] else _ESCAPED.get(m[5], m[5])

    return _ESCAPE.sub(one, content) if "\\" in content else content
