"""Every pattern of the package takes linear time, whatever a model repeats; so does the whole verifier.

A pattern is measured on runs that are read off its own parts: each sign it mentions, each pair of
them, what each of its loops repeats, behind what stands before the loop. A run is doubled in length;
time that grows much faster than the length, past any noise, is a fault.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]  # the only reader of patterns there is
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any

import pytest
import regex

import referee.envs
import referee.verifiers
from referee.verifiers import Math, Problem

LENGTHS = (4_000, 8_000, 16_000)
SCREENED, SCREEN_S = 2_000, 0.0002  # what takes no longer on so few is not looked at again
HANGS_S = 0.5
SLOW_S = 0.01  # less than this at the greatest length is never a fault
RATIO = 2.9  # linear is 2, quadratic 4
PAIRED = 7  # so many signs of a pattern are tried in pairs
END = "\x00"
ANCHORED = frozenset({"match", "fullmatch"})
SEARCHING = frozenset({"search", "finditer", "findall", "sub", "subn", "split"})
BOTH = ("finditer", "fullmatch")

# Patterns that see so many characters at most, by where they stand. They may be quadratic inside their
# window, and must be fast on all of it.
WINDOWS = {
    "verifiers.mathematics.clauses._ROUGHLY": 200,
    "verifiers.reading.stated_values._DISPLAY": 2_000,
    "verifiers.mathematics.numerals._PERIOD": 60,
    "verifiers.mathematics.": 4_000,  # an answer, ``tree.MAX_CHARS``
    "verifiers.reading.box": 160,  # what stands beside a box
    "verifiers.reading.dress._TAIL": 120,
    "verifiers.reading.final_answer.": 2_000,  # the end of a text that has no box and no answer line
    "verifiers.reading.written_numbers._OFFERED": 24,
    "envs.families.": 300,  # an answer
    "envs.loaders": 1_000,  # a line of a data set, that no model wrote
    "envs.code_rows": 1_000,
}
WINDOW_S = 0.05
VERDICT_S = 0.5

REPRESENTATIVES = {
    sre.CATEGORY_DIGIT: "1", sre.CATEGORY_SPACE: " \n", sre.CATEGORY_WORD: "a",
    sre.CATEGORY_NOT_DIGIT: "a", sre.CATEGORY_NOT_SPACE: "a", sre.CATEGORY_NOT_WORD: " ",
}  # fmt: skip


def modules() -> Iterator[Any]:
    """Yield every module of the verifiers and environments whose libraries are installed."""
    for package in (referee.verifiers, referee.envs):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            with suppress(ImportError):
                yield importlib.import_module(found.name)


def held(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yield the patterns in a value: itself, or what tables, tuples and classes of it hold."""
    if isinstance(value, re.Pattern | regex.Pattern):
        yield value
    elif depth < 5:
        parts: Any = ()
        if isinstance(value, dict):
            parts = [*value, *value.values()]
        elif isinstance(value, tuple | list | set | frozenset):
            parts = value
        elif isinstance(value, type) and value.__module__.startswith("referee."):
            parts = list(vars(value).values())
        elif type(value).__module__.startswith("referee."):
            parts = [getattr(value, name, None) for name in getattr(value, "__dataclass_fields__", ())]
        for part in parts:
            yield from held(part, depth + 1)


def written(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the use and the text of each pattern that stands in a call, as in ``re.sub("a", ...)``."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("re", "regex")
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            yield node.lineno, node.func.attr, node.args[0].value


def ways(name: str, sources: Iterable[str]) -> set[str]:
    """Return how a name's pattern is used, ``match`` or ``sub``, as far as the sources show it."""
    return {way for source in sources for way in re.findall(rf"\b{name}\.(\w+)", source)}


def measured(how: set[str]) -> tuple[str, ...]:
    """Return what is measured of a pattern: where it is only ever anchored, not its search."""
    if how & SEARCHING or not how & ANCHORED:
        return ("finditer", *sorted(how & ANCHORED if how & SEARCHING else {"fullmatch"}))
    return tuple(sorted(how & ANCHORED))


def all_patterns() -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Return the package's patterns, each once, and what to measure of it, by where it stands."""
    out: dict[tuple[str, int], tuple[str, Any, set[str]]] = {}
    sources = {m.__name__: Path(m.__file__).read_text() for m in modules() if m.__file__}
    for module in modules():
        here = module.__name__.removeprefix("referee.")
        source = sources[module.__name__]
        for name, value in vars(module).items():
            for pattern in held(value):
                if isinstance(pattern.pattern, str):
                    public = not name.startswith("_")
                    users = [s for s in sources.values() if s is source or (public and f" {name}" in s)]
                    entry = (f"{here}.{name}", pattern, set[str]())
                    out.setdefault((pattern.pattern, pattern.flags), entry)[2].update(ways(name, users))
        known = {text for text, _ in out}
        for line, way, text in written(source):
            if text not in known:
                with suppress(re.error):
                    out.setdefault((text, 0), (f"{here}.{line}", re.compile(text), set()))[2].add(way)
    return {f"{place}#{i}": (p, measured(how)) for i, (place, p, how) in enumerate(out.values())}


def sample(items: Any) -> list[str]:
    """Return a few texts that a part of a pattern takes, or nearly."""
    texts = [""]
    for op, value in items:
        ends = sample_of(op, value)[:4] or [""]
        texts = [a + b for a, b in product(texts, ends)][:6]
    return texts


def sample_of(op: Any, value: Any) -> list[str]:
    if op is sre.LITERAL:
        return [chr(value)]
    if op is sre.NOT_LITERAL:
        return ["b" if value == ord("a") else "a"]
    if op is sre.ANY:
        return ["a", " "]
    if op is sre.IN:
        return members(value)
    if op is sre.BRANCH:
        return [text for branch in value[1] for text in sample(branch)[:2]]
    if op is sre.SUBPATTERN:
        return sample(value[3])
    if op is sre.ATOMIC_GROUP:
        return sample(value)
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        return [text * max(value[0], 1) for text in sample(value[2])]
    return [""]


def members(parts: Any) -> list[str]:
    """Return characters of a class such as ``[a-z$]``; of a negated one, some that it takes."""
    if parts[0][0] is sre.NEGATE:
        taken = set("".join(members(parts[1:])))
        return [c for c in ("a", " ", "1", "\n", "$") if c not in taken][:2]
    out: list[str] = []
    for op, value in parts:
        if op is sre.LITERAL:
            out.append(chr(value))
        elif op is sre.RANGE:
            out.append(chr(value[0]))
        elif op is sre.CATEGORY:
            out.extend(REPRESENTATIVES.get(value, ""))
    return out


def loops(items: Any, before: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield, for each loop of a pattern, what stands before it and what it repeats."""
    for op, value in items:
        inner: list[Any] = []
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            inner = [value[2]]
            if value[1] > 20:
                yield before, sample(value[2])
        elif op is sre.BRANCH:
            inner = value[1]
        elif op is sre.SUBPATTERN:
            inner = [value[3]]
        elif op is sre.ATOMIC_GROUP:
            inner = [value]
        elif op in (sre.ASSERT, sre.ASSERT_NOT):
            inner = [value[1]]
        for part in inner:
            yield from loops(part, before)
        before += sample_of(op, value)[0]


def signs(items: Any) -> Iterator[str]:
    """Yield each character that a pattern mentions."""
    for op, value in items:
        if op in (sre.LITERAL, sre.NOT_LITERAL):
            yield chr(value)
        elif op is sre.IN:
            yield from members(value if value[0][0] is not sre.NEGATE else value[1:])
        elif op is sre.BRANCH:
            for branch in value[1]:
                yield from signs(branch)
        elif op is sre.SUBPATTERN:
            yield from signs(value[3])
        elif op is sre.ATOMIC_GROUP:
            yield from signs(value)
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            yield from signs(value[2])
        elif op in (sre.ASSERT, sre.ASSERT_NOT):
            yield from signs(value[1])


def pumps(pattern: Any) -> list[tuple[str, str, str]]:
    """Return runs that a pattern may be slow on, each as head, what is repeated, and tail."""
    try:
        tree = sre_parser.parse(pattern.pattern, pattern.flags & ~regex.V0)
    except (re.error, ValueError):  # of ``regex`` and in its own notation
        return [("", sign, END) for sign in sorted(set(pattern.pattern) | set(" \n"))]
    mentioned = sorted({*signs(tree), " "}, key=lambda c: (c.isalnum(), c))
    runs = {("", sign) for sign in mentioned}
    runs |= {("", a + b) for a, b in product(mentioned[:PAIRED], repeat=2)}
    for before, bodies in list(loops(tree))[:40]:
        runs.add(("", before))
        for body in bodies[:4]:
            runs |= {(before, body), ("", before + body), (before, body + " ")}
    return [(head, pump, END) for head, pump in sorted(runs) if pump]


def seconds(pattern: Any, how: str, text: str) -> float:
    """Return the processor time of all matches in a text, or of one at its beginning."""
    started = time.thread_time()
    if how in ANCHORED:
        getattr(pattern, how)(text)
    else:
        for _ in pattern.finditer(text):
            pass
    return time.thread_time() - started


def run(pump: tuple[str, str, str], length: int) -> str:
    head, body, tail = pump
    return head + body * (length // len(body)) + tail


def fault(pattern: Any, hows: tuple[str, ...], cpu_limit: Any, too_long: type[Exception]) -> str:
    """Return what a pattern is slow on, and how slow; nothing where it is linear."""
    for pump, how in product(pumps(pattern), hows):
        try:
            with cpu_limit(HANGS_S):
                first = seconds(pattern, how, run(pump, SCREENED))
                if first < SCREEN_S or seconds(pattern, how, run(pump, 2 * SCREENED)) < 2.5 * first:
                    continue
                times = [min(seconds(pattern, how, run(pump, n)) for _ in range(3)) for n in LENGTHS]
        except too_long:
            return f"{how} of {pump!r} takes over {HANGS_S} s"
        if times[-1] > SLOW_S and times[-1] > RATIO * times[-2] and times[-2] > RATIO * times[-3]:
            return f"{how} of {pump!r}: {', '.join(f'{1000 * t:.1f} ms' for t in times)} at {LENGTHS}"
    return ""


def fault_inside(
    window: int, pattern: Any, hows: tuple[str, ...], cpu_limit: Any, too_long: type[Exception]
) -> str:
    """Return on which text of a window's length a pattern takes long; nothing where it never does."""
    for pump, how in product(pumps(pattern), hows):
        try:
            with cpu_limit(HANGS_S):
                took = min(seconds(pattern, how, run(pump, window)) for _ in range(2))
        except too_long:
            took = HANGS_S
        if took > WINDOW_S:
            return f"{how} of {pump!r}: {1000 * took:.0f} ms at {window} characters"
    return ""


PATTERNS = all_patterns()
FOLDERS = sorted({place.rsplit(".", 1)[0] for place in PATTERNS})


def test_the_patterns_are_found():
    assert len(PATTERNS) > 150
    assert {"verifiers.mathematics.reader", "verifiers.reading.dress", "envs.loaders"} <= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_pattern_of_a_module_is_linear(folder, cpu_limit, too_long):
    """The attacker would write a run of a sign on which a pattern never ends."""
    faults = {}
    for place, entry in PATTERNS.items():
        if place.rsplit(".", 1)[0] != folder:
            continue
        window = next((n for prefix, n in WINDOWS.items() if place.startswith(prefix)), None)
        if window is None:
            what = fault(*entry, cpu_limit, too_long)
        else:
            what = fault_inside(window, *entry, cpu_limit, too_long)
        if what:
            faults[f"{place} {entry[0].pattern[:80]}"] = what
    assert faults == {}


@pytest.mark.parametrize(
    "planted",
    [
        r"(?:\$\$?|`+|\s)+$",  # two ways through each sign: exponential
        r"(a+)+b",
        r"(?:\w|\d)*;",
        r"\s+$",  # again from every place of the run: quadratic
        r"<b>.*?</b>",
        r"\\boxed\{[^}]*\}",
        r"x*y*x*y*z",
    ],
)
def test_a_planted_pattern_that_is_not_linear_is_found(planted, cpu_limit, too_long):
    assert fault(re.compile(planted), BOTH, cpu_limit, too_long)


@pytest.mark.parametrize("planted", [r"(?:[$`]|\s)++", r"\d+", r"[^\n]*", r"\bthe answer is\b"])
def test_a_planted_pattern_that_is_linear_is_not(planted, cpu_limit, too_long):
    assert fault(re.compile(planted), BOTH, cpu_limit, too_long) == ""


UNITS = [
    *"$`\\*_{}[]()<>|=+-^/.,:;!?&%#~'\" \n\t5x",
    "\\boxed{", "\\boxed{5}", "}", "\\text{", "\\frac", "\\sqrt{", "\\left(", "\\begin{cases}", "\\\\",
    "the answer is ", "Answer: ", "#### ", "<answer>", "</answer>", "<think>", "</think>", "**", "```",
    "wait, ", "not ", " or ", " and ", "答案", "1,", "1 ", "x=", "\\pm ", "=1", "$5$", "\\(", "\\[", "½",
    "actually ", "correct ", "if ", "12:", "5 cm ", "\\mathrm{m}", "0.", "1/",
]  # fmt: skip
FRAMES = [
    r"\boxed{\text{%s}}",
    r"\boxed{\text{a%sb}}",
    "%s",
    "%s\x00",
    r"\boxed{5}%s6",
    r"\boxed{%s}",
    "the answer is %s5",
    "Answer: 5%s6",
    "5 %s.",
]


def slowest(units: Iterable[str], lengths: Iterable[int], cpu_limit: Any) -> tuple[float, str, int]:
    """Return the processor time of the slowest verdict on runs of the units, in which frame, how long."""
    worst = (0.0, "", 0)
    for frame, unit, length in product(FRAMES, units, lengths):
        text = frame % (unit * (length // len(unit)))
        started = time.thread_time()
        with cpu_limit(4 * VERDICT_S):
            Math()(text, Problem(answer="5"))
        worst = max(worst, (time.thread_time() - started, frame, length))
    return worst


@pytest.mark.parametrize("unit", UNITS)
def test_the_whole_verifier_is_linear(unit, cpu_limit):
    """The attacker would make the reading of an answer begin again at every place of a run."""
    assert slowest([unit], (4_500, 18_000), cpu_limit)[0] < VERDICT_S


@pytest.mark.slow
@pytest.mark.parametrize("first", UNITS)
def test_the_whole_verifier_is_linear_on_long_runs_and_on_runs_of_two_units(first, cpu_limit):
    """What one unit alone does not set off, two in turn may."""
    assert slowest([first], (1_000, 72_000, 100_000), cpu_limit)[0] < VERDICT_S
    for second in UNITS:
        worst = slowest([first + second], (6_000,), cpu_limit)
        assert worst[0] < VERDICT_S, (second, worst)


LONG = {
    "spaces_between_formulas": "x $5$" + " " * 900 + "$5$" + " " * 900 + "z $6$",
    "spaces_behind_a_cue": r"\boxed{5} so the final answer" + " " * 4_000 + "z",
    "lines_behind_a_box": r"\boxed{5} " + "\n" * 4_000 + "z",
    "statements_behind_a_box": r"\boxed{5} " + "wait, the answer is " * 300 + "z",
    "refusals_behind_a_box": r"\boxed{5} " + "no," * 3_000 + "z",
    "spaces_behind_an_answer_line": "Answer: approximately a1a" + " " * 4_000 + "z",
    "digits": "the answer is " + "1" * 4_000 + "z",
    "digits_of_a_formula": r"\boxed{H" + "1" * 60 + "!}",
    "letters": "it is " + "a" * 4_000 + "1",
    "decimals_that_go_on": r"\boxed{0." + "1" * 2_400 + r"2\ldots}",
    "lines_in_words": r"\boxed{\text{" + "\n" * 3_900 + "x}}",
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_run_inside_a_text_takes_no_time(text, cpu_limit):
    with cpu_limit(VERDICT_S):
        Math()(text, Problem(answer="7"))
