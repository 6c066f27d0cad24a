"""The tests of a program, as they are read from ``problem.info`` in the common spellings.

What a data set means is never guessed: a key that is missing, unknown or there twice is an error that
names the keys that there are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from referee.verifiers.outputs import MATCHES
from referee.verifiers.reading.code_blocks import LANGUAGES

_STDIN = ("stdin", "input", "inputs")
_STDOUT = ("stdout", "output", "outputs", "expected_output", "expected")
_ARGS = ("args", "arguments", "input", "inputs")
_EXPECTED = ("expected", "expected_output", "output", "outputs")
_SHARED = ("public", "is_public", "weight")
_REMARKS = ("testtype", "type", "fn_name", "id", "name", "explanation", "note")  # they change nothing
_SPELLINGS = {"test": "tests", "test_list": "tests", "test_cases": "cases", "fn_name": "entry_point"}
_OPTIONS = (
    "entry_point", "setup", "import_statement", "checker", "match", "tolerance", "language", "time_limit_s",
    "memory_bytes",
)  # fmt: skip
_FORMS = ("tests", "cases", "calls")
_KNOWN = (*_FORMS, *_OPTIONS, *_SPELLINGS, "input_output", "inputs", "outputs")
_FUNCTIONAL = ("functional", "function_call", "call_based")
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioCase:
    """What a program reads, and what it must write."""

    stdin: str
    stdout: str
    public: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCase:
    """What a function is called with, and what it may return: any of ``expected``."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    expected: tuple[Any, ...]
    public: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTests:
    """The tests of one problem: ``source``, ``cases`` or ``calls``, and what belongs to them.

    ``imports`` are those that the problem names: the tests too build on them.

    ``time_limit_s`` (seconds) and ``memory_bytes`` are None where the problem states none.
    """

    language: str = "python"
    entry_point: str = ""
    setup: str = ""
    imports: str = ""
    source: str = ""
    cases: tuple[StdioCase, ...] = ()
    calls: tuple[CallCase, ...] = ()
    checker: str = ""
    match: str = ""
    tolerance: float | None = None
    time_limit_s: float | None = None
    memory_bytes: int | None = None


def read_code_tests(info: Mapping[str, Any]) -> CodeTests:
    """Read the tests that ``info`` holds.

    Raises:
        ValueError: where they cannot be read; it says which keys there are.

    >>> read_code_tests({"cases": [{"input": "2 3", "output": "5"}]}).cases[0].stdout
    '5'
    """
    found = _spelled(info)
    entry_point = _text_of(found, "entry_point")
    language = one_of("language", found.get("language", "python"), LANGUAGES)
    forms = [f for f in _FORMS if found.get(f)]
    if len(forms) != 1:
        raise ValueError(
            f"it must hold one of tests, cases and calls, got {', '.join(forms) or 'none'}; {_keys(info)}"
        )
    cases, calls, source = [], [], ""
    if forms[0] == "tests":
        source = _lines("tests", found["tests"])
    elif forms[0] == "calls":
        calls = [_call(c) for c in _list("calls", found["calls"])]
    else:
        for case in _list("cases", found["cases"]):
            name = _function_of(case)
            if name:
                entry_point = entry_point or name
                calls.append(_functional(case))
            else:
                cases.append(_case(case))
    if cases and calls:
        raise ValueError("cases must all call a function, or all be programs")
    if (calls or source) and language != "python":
        raise ValueError(f"{forms[0]} need python; {language} is judged by cases")
    if calls and not entry_point:
        raise ValueError(f"calls need an entry_point; {_keys(info)}")
    return CodeTests(
        language=language,
        entry_point=entry_point,
        setup=_text_of(found, "setup"),
        imports=_lines("import_statement", found.get("import_statement", "")),
        source=source,
        cases=tuple(cases),
        calls=tuple(calls),
        checker=_text_of(found, "checker"),
        match=one_of("match", found["match"], MATCHES) if "match" in found else "",
        tolerance=_number(found, "tolerance", least=0.0),
        time_limit_s=_number(found, "time_limit_s"),
        memory_bytes=_whole(_number(found, "memory_bytes")),
    )


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return a value that must be one of those allowed; ValueError where it is not."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return str(value)


def _spelled(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``info`` holds under our own names. Others' keys are left alone, but for near misses."""
    found: dict[str, Any] = {}
    for key, value in info.items():
        if key not in _KNOWN:
            if near := get_close_matches(key, _KNOWN, n=1, cutoff=0.8):
                raise ValueError(f"{key} is no key of it: was {near[0]} meant? {_keys(info)}")
            continue
        name = _SPELLINGS.get(key, key)
        if value is None or (value == "" and name == "entry_point"):
            continue
        if name in found:
            raise ValueError(f"{name} is there twice, also as {key}; {_keys(info)}")
        found[name] = value
    pairs = found.pop("input_output", None)
    if isinstance(pairs, str):
        pairs = json.loads(pairs)
    if pairs is not None:
        if not isinstance(pairs, Mapping):
            raise ValueError("input_output must be an object with inputs and outputs")
        return _spelled({**found, **pairs})
    if "inputs" in found or "outputs" in found:
        return _zipped(found, info)
    return found


def _zipped(found: dict[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    """Return parallel lists of inputs and outputs as cases."""
    inputs, outputs = found.pop("inputs", None), found.pop("outputs", None)
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise ValueError(f"inputs and outputs must be lists of one length; {_keys(info)}")
    if "cases" in found or "calls" in found:
        raise ValueError(f"cases are there twice, also as inputs and outputs; {_keys(info)}")
    kind = {"type": "functional"} if "entry_point" in found else {}
    cases = [{"input": i, "output": o, **kind} for i, o in zip(inputs, outputs, strict=True)]
    return {**found, "cases": cases}


def _function_of(case: Any) -> str:
    """Return the function that a case calls, or something where it only says that it calls one."""
    if not isinstance(case, Mapping):
        return ""
    kind = case.get("testtype") or case.get("type")
    return str(case.get("fn_name") or (kind if kind in _FUNCTIONAL else ""))


def _case(case: Any) -> StdioCase:
    case = _object("a case", case)
    _no_others("a case", case, (*_STDIN, *_STDOUT))
    stdin, stdout = _only(case, _STDIN, needed=False), _only(case, _STDOUT)
    return StdioCase(stdin=_lines("stdin", stdin or ""), stdout=_lines("stdout", stdout), **_marks(case))


def _call(call: Any) -> CallCase:
    """Read a call: ``[arguments, expected]``, or an object."""
    if isinstance(call, list | tuple):
        if len(call) != 2:
            raise ValueError(
                f"a call must be a pair of arguments and what is expected, got {len(call)} items"
            )
        call = {"args": call[0], "expected": call[1]}
    call = _object("a call", call)
    _no_others("a call", call, (*_ARGS, *_EXPECTED, "kwargs"))
    args = _only(call, _ARGS, needed="kwargs" not in call)
    expected = _only(call, _EXPECTED)
    kwargs = _object("kwargs", call.get("kwargs") or {})
    if not isinstance(args if args is not None else [], list | tuple):
        raise ValueError(f"the arguments of a call must be a list, got {type(args).__name__}: {args!r:.60}")
    return CallCase(
        args=tuple(_value(a) for a in args or ()),
        kwargs={k: _value(v) for k, v in kwargs.items()},
        expected=(_value(expected),),
        **_marks(call),
    )


def _functional(case: Mapping[str, Any]) -> CallCase:
    """Read a case that calls a function: its input is a list of arguments, or one JSON value on each line.

    Some of these data sets wrap what is expected in a list of one, and some do not.
    """
    _no_others("a case", case, (*_STDIN, *_STDOUT))
    given, expected = _only(case, _STDIN), _only(case, _STDOUT)
    as_text = isinstance(given, str)
    if as_text:
        given = [json.loads(line) for line in given.split("\n") if line.strip()]
        expected = json.loads(expected) if isinstance(expected, str) else expected
    if not isinstance(given, list):
        raise ValueError(f"the arguments of a call must be a list, got {type(given).__name__}: {given!r:.60}")
    value = _value(expected)
    either = (value, value[0]) if not as_text and isinstance(value, list) and len(value) == 1 else (value,)
    return CallCase(args=tuple(_value(a) for a in given), kwargs={}, expected=either, **_marks(case))


def _marks(test: Mapping[str, Any]) -> dict[str, Any]:
    weight = test.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
        raise ValueError(f"weight must be a number of at least 0, got {weight!r}")
    public = _only(test, ("public", "is_public"), needed=False)
    return {"public": bool(public), "weight": float(weight)}


def _only(test: Mapping[str, Any], names: Sequence[str], *, needed: bool = True) -> Any:
    """Return the value of the one key of ``names`` that a test has."""
    there = [n for n in names if n in test]
    if len(there) > 1:
        raise ValueError(f"{' and '.join(there)} say the same thing; {_keys(test)}")
    if needed and not there:
        raise ValueError(f"a test must have {' or '.join(names)}; {_keys(test)}")
    return test[there[0]] if there else None


def _no_others(what: str, test: Mapping[str, Any], names: Sequence[str]) -> None:
    unknown = [k for k in test if k not in (*names, *_SHARED, *_REMARKS)]
    if unknown:
        raise ValueError(f"{what} has no key {unknown[0]}; {_keys(test)}")


def _keys(of: Mapping[str, Any]) -> str:
    return f"its keys are {', '.join(sorted(of)) or 'none'}"


def _list(name: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        value = json.loads(value)
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, got {type(value).__name__}")
    return value


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, got {type(value).__name__}: {value!r:.60}")
    return value


def _lines(name: str, value: Any) -> str:
    """Return a text; some data sets hold a list of lines."""
    if isinstance(value, list):
        return "\n".join(str(line) for line in value)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {type(value).__name__}: {value!r:.60}")
    return value


def _text_of(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {type(value).__name__}: {value!r:.60}")
    return value


def _number(found: Mapping[str, Any], name: str, *, least: float | None = None) -> float | None:
    value = found.get(name)
    if value is None:
        return None
    good = isinstance(value, int | float) and not isinstance(value, bool) and value < math.inf
    if not good or (value < least if least is not None else value <= 0):
        raise ValueError(f"{name} must be a {'positive ' if least is None else ''}number, got {value!r}")
    return float(value)


def _whole(value: float | None) -> int | None:
    return None if value is None else max(1, int(value))


def _value(value: Any) -> Any:
    """Return a value with its infinities and NaNs, which JSON holds as tagged text."""
    if isinstance(value, list):
        return [_value(v) for v in value]
    if isinstance(value, dict):
        if value.keys() == {"t", "v"} and value["t"] == "float" and value["v"] in _NOT_FINITE:
            return _NOT_FINITE[value["v"]]
        return {k: _value(v) for k, v in value.items()}
    return value
