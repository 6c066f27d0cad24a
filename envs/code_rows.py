"""Problems from rows of code data sets, with tests that :mod:`referee.verifiers.code_tests` reads.

==================  ==========================================================================
``apps``            APPS, TACO: ``question``, ``input_output``, perhaps ``starter_code``, ``solutions``
``livecodebench``   ``question_content``, ``public_test_cases``, ``private_test_cases``, ``starter_code``
``code_contests``   ``description``, ``public_tests``, ``private_tests``, ``generated_tests``
``evalplus``        ``prompt``, ``entry_point``, ``canonical_solution``, ``base_input``, ``plus_input``
``leetcode``        ``problem_description``, ``prompt``, ``completion``, ``entry_point``, ``test``
``bigcodebench``    ``complete_prompt``, ``instruct_prompt``, ``canonical_solution``, ``test``
``kodcode``         ``question``, ``solution``, ``test``
``classeval``       ``skeleton``, ``class_name``, ``test``, ``solution_code``, ``import_statement``
``open_r1``         ``prompt``, ``verification_info`` with ``test_cases``
==================  ==========================================================================

A row's own limits become ``time_limit_s`` and ``memory_bytes``. ``info["solution"]`` is a solution of the row
in Python where it has one. Nothing of a row is executed, and nothing is unpickled.
"""

from __future__ import annotations

import base64
import json
import pickletools
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from referee.verifiers.records import Json, Problem

CodeRow = Mapping[str, Any]

_MAX_TESTS = 1 << 28  # bytes, unpacked
_PYTHON3 = 3  # of code_contests' languages
_PLAIN_PICKLE = frozenset(
    [
        "PROTO",
        "FRAME",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "MEMOIZE",
        "BINPUT",
        "LONG_BINPUT",
        "STOP",
    ]
)
_SECONDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:s|sec|secs|seconds?)?\.?\s*", re.I)
_BYTES = re.compile(
    r"\s*(\d+(?:\.\d+)?)\s*(bytes?|k(?:ilo)?b(?:ytes)?|m(?:ega)?b(?:ytes)?|g(?:iga)?b(?:ytes)?)\s*", re.I
)
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def apps(row: CodeRow) -> Problem:
    """Read a row of APPS or TACO."""
    info: dict[str, Json] = {"input_output": _object(row, "input_output")}
    if isinstance(info["input_output"], dict) and not info["input_output"].get("fn_name"):
        info["input_output"].pop("fn_name", None)
    info |= _limits(row.get("time_limit"), row.get("memory_limit"))
    solutions = _parsed(row.get("solutions"))
    if isinstance(solutions, list) and solutions:
        info["solution"] = str(solutions[0])
    return Problem(
        prompt=_with_starter(_text(row, "question"), row.get("starter_code")),
        id=_id("apps", row.get("problem_id")),
        info={"format": "apps", **info},
    )


def livecodebench(row: CodeRow) -> Problem:
    """Read a row of LiveCodeBench, with its compressed private tests."""
    public, private = _parsed(row["public_test_cases"]), _private(row.get("private_test_cases"))
    if not isinstance(public, list) or not isinstance(private, list):
        raise ValueError("public_test_cases and private_test_cases must be lists")
    cases: list[Json] = [*({**c, "public": True} for c in public), *private]
    info: dict[str, Json] = {"format": "livecodebench", "cases": cases}
    name = (_parsed(row.get("metadata")) or {}).get("func_name")
    if name:
        info["entry_point"] = str(name)
    return Problem(
        prompt=_with_starter(_text(row, "question_content"), row.get("starter_code")),
        id=_id("livecodebench", row.get("question_id")),
        info=info,
    )


def code_contests(row: CodeRow) -> Problem:
    """Read a row of CodeContests."""
    if row.get("input_file") or row.get("output_file"):
        raise ValueError("its programs read and write files, which cases cannot say")
    cases: list[Json] = []
    for name in ("public_tests", "private_tests", "generated_tests"):
        tests = row.get(name) or {}
        for given, wanted in zip(tests.get("input") or (), tests.get("output") or (), strict=True):
            case: dict[str, Json] = {"stdin": given, "stdout": wanted}
            cases.append({**case, "public": True} if name == "public_tests" else case)
    info: dict[str, Json] = {"format": "code_contests", "cases": cases}
    limit = row.get("time_limit")
    if isinstance(limit, Mapping):
        limit = (limit.get("seconds") or 0) + (limit.get("nanos") or 0) / 1e9
    info |= _limits(limit, row.get("memory_limit_bytes"))
    solutions = row.get("solutions") or {}
    for language, code in zip(solutions.get("language") or (), solutions.get("solution") or (), strict=True):
        if language in (_PYTHON3, "PYTHON3"):
            info["solution"] = code
            break
    return Problem(prompt=_text(row, "description"), id=_id("code_contests", row.get("name")), info=info)


def evalplus(row: CodeRow) -> Problem:
    """Read a row of evalplus' own files: what its solution returns for each input is what is expected."""
    prompt, name = _text(row, "prompt"), _text(row, "entry_point")
    solution = prompt + str(row["canonical_solution"])
    inputs = [*(row.get("base_input") or ()), *(row.get("plus_input") or ())]
    if not inputs or not all(isinstance(args, list) for args in inputs):
        raise ValueError("base_input and plus_input must be lists of arguments")
    tests = _EVALPLUS.format(
        solution=solution, name=name, inputs=repr(inputs), tolerance=repr(float(row.get("atol") or 0))
    )
    info: dict[str, Json] = {"format": "evalplus", "tests": tests, "entry_point": name, "solution": solution}
    return Problem(prompt=prompt, id=str(row.get("task_id") or ""), info=info)


_EVALPLUS = """\
import copy as _copy, math as _math

def _same(got, wanted, tolerance):
    if isinstance(wanted, float) or isinstance(got, float) or tolerance:
        if isinstance(wanted, (int, float)) and isinstance(got, (int, float)):
            close = _math.isclose(got, wanted, rel_tol=1e-07, abs_tol=tolerance)
            return got == wanted or close or (got != got and wanted != wanted)
    if isinstance(wanted, (list, tuple)) and isinstance(got, (list, tuple)):
        return len(got) == len(wanted) and all(_same(g, w, tolerance) for g, w in zip(got, wanted))
    return got == wanted

def _reference():
    space = {{}}
    exec(compile({solution!r}, "reference", "exec"), space)
    return space[{name!r}]

def check(candidate):
    reference = _reference()
    for args in {inputs}:
        wanted = reference(*_copy.deepcopy(args))
        assert _same(candidate(*_copy.deepcopy(args)), wanted, {tolerance})
"""


def leetcode(row: CodeRow) -> Problem:
    """Read a row of LeetCodeDataset: its ``prompt`` is what the code builds on."""
    setup = str(row.get("prompt") or "")
    info: dict[str, Json] = {"format": "leetcode", "tests": _text(row, "test"), "setup": setup}
    info["entry_point"] = _text(row, "entry_point").removeprefix("Solution().")
    if row.get("completion"):
        info["solution"] = f"{setup}\n{row['completion']}"
    return Problem(
        prompt=_with_starter(_text(row, "problem_description"), row.get("starter_code"), above=setup),
        id=_id("leetcode", row.get("task_id")),
        info=info,
    )


def bigcodebench(row: CodeRow) -> Problem:
    """Read a row of BigCodeBench; the packages in ``libs`` must be preloaded."""
    begun = str(row.get("code_prompt") or row["complete_prompt"])
    info: dict[str, Json] = {
        "format": "bigcodebench",
        "tests": _text(row, "test"),
        "entry_point": _text(row, "entry_point"),
        "solution": begun + str(row["canonical_solution"]),
    }
    return Problem(
        prompt=str(row.get("instruct_prompt") or row["complete_prompt"]),
        id=str(row.get("task_id") or ""),
        info=info,
    )


def kodcode(row: CodeRow) -> Problem:
    """Read a row of KodCode, whose tests import from ``solution``."""
    info: dict[str, Json] = {
        "format": "kodcode",
        "tests": _text(row, "test"),
        "solution": _text(row, "solution"),
    }
    told = _parsed(row.get("test_info"))
    if isinstance(told, list) and told and isinstance(told[0], Mapping) and told[0].get("function_name"):
        info["entry_point"] = str(told[0]["function_name"])
    return Problem(prompt=_text(row, "question"), id=_id("kodcode", row.get("question_id")), info=info)


def classeval(row: CodeRow) -> Problem:
    """Read a row of ClassEval: the solution is a class."""
    imports = row.get("import_statement") or []
    info: dict[str, Json] = {
        "format": "classeval",
        "tests": _text(row, "test"),
        "entry_point": _text(row, "class_name"),
        "import_statement": "\n".join(imports) if isinstance(imports, list) else str(imports),
        "solution": _text(row, "solution_code"),
    }
    if not info["import_statement"]:
        del info["import_statement"]
    return Problem(prompt=_text(row, "skeleton"), id=str(row.get("task_id") or ""), info=info)


def open_r1(row: CodeRow) -> Problem:
    """Read a row of verifiable coding problems: ``verification_info`` holds the tests."""
    told = _object(row, "verification_info")
    info: dict[str, Json] = {"format": "open_r1", "cases": told.get("test_cases")}
    if told.get("language"):
        info["language"] = str(told["language"]).lower()
    if row.get("gold_standard_solution"):
        info["solution"] = str(row["gold_standard_solution"])
    return Problem(prompt=_text(row, "prompt"), id=_id("open_r1", row.get("problem_id")), info=info)


CODE_LAYOUTS: dict[str, Callable[[CodeRow], Problem]] = {
    f.__name__: f
    for f in (
        apps, livecodebench, code_contests, evalplus, leetcode, bigcodebench, kodcode, classeval, open_r1,
    )
}  # fmt: skip
CODE_COLUMNS: tuple[tuple[str, frozenset[str]], ...] = (
    ("livecodebench", frozenset({"question_content", "public_test_cases"})),
    ("apps", frozenset({"question", "input_output"})),
    ("code_contests", frozenset({"description", "public_tests"})),
    ("evalplus", frozenset({"entry_point", "canonical_solution", "base_input"})),
    ("leetcode", frozenset({"problem_description", "entry_point", "test"})),
    ("bigcodebench", frozenset({"complete_prompt", "test", "entry_point"})),
    ("classeval", frozenset({"skeleton", "class_name", "test"})),
    ("kodcode", frozenset({"question", "solution", "test"})),
    ("open_r1", frozenset({"prompt", "verification_info"})),
)


def tests_of_ground_truth(value: Any) -> dict[str, Json]:
    """Return the tests that a ``ground_truth`` holds, as PRIME writes them; nothing where it holds none."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    if isinstance(value, Mapping) and {"inputs", "outputs"} <= value.keys():
        kept = {k: v for k, v in value.items() if k in ("inputs", "outputs", "fn_name") and v is not None}
        return {"input_output": kept}
    if isinstance(value, list) and value:
        if all(isinstance(v, Mapping) and {"input", "output"} <= v.keys() for v in value):
            return {"cases": [dict(v) for v in value]}
        if all(isinstance(v, str) and v.lstrip().startswith("assert ") for v in value):
            return {"tests": list(value)}
    return {}


def _private(value: Any) -> Any:
    """Read private tests: a list, its JSON text, or that text pickled, compressed and in base 64."""
    if not isinstance(value, str):
        return value or []
    try:
        return json.loads(value)
    except ValueError:
        pass
    try:
        unpacked = zlib.decompressobj()
        packed = unpacked.decompress(base64.b64decode(value, validate=True), _MAX_TESTS)
        if unpacked.unconsumed_tail:
            raise ValueError(f"private_test_cases hold more than {_MAX_TESTS:,} bytes")
        return json.loads(_pickled_text(packed))
    except (zlib.error, ValueError) as e:
        raise ValueError(f"private_test_cases cannot be unpacked: {e}") from None


def _pickled_text(packed: bytes) -> str:
    """Return the one text that a pickle holds, by reading its operations: none of them is carried out."""
    texts = []
    for operation, argument, _ in pickletools.genops(packed):
        if operation.name not in _PLAIN_PICKLE:
            raise ValueError(f"a pickle of a text was expected, got the operation {operation.name}")
        if isinstance(argument, str):
            texts.append(argument)
    if len(texts) != 1:
        raise ValueError(f"a pickle of one text was expected, got {len(texts)}")
    return texts[0]


def _limits(seconds: Any, memory: Any) -> dict[str, Json]:
    """Return a row's limits, numbers or texts such as ``2 seconds`` and ``256 megabytes``."""
    found: dict[str, Json] = {}
    if isinstance(seconds, str):
        told = _SECONDS.fullmatch(seconds)
        seconds = float(told[1]) if told else None
    if isinstance(memory, str):
        size = _BYTES.fullmatch(memory)
        memory = int(float(size[1]) * _UNITS[size[2][0].lower()]) if size else None
    if _is_positive(seconds):
        found["time_limit_s"] = float(seconds)
    if _is_positive(memory):
        found["memory_bytes"] = int(memory)
    return found


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _with_starter(question: str, starter: Any, above: str = "") -> str:
    """Return a question with the code that the answer starts from, and what that builds on."""
    code = "\n".join(part.strip("\n") for part in (above, str(starter or "")) if part.strip())
    return f"{question.rstrip()}\n\n```python\n{code}\n```" if code else question


def _parsed(value: Any) -> Any:
    """Return what a cell holds: some data sets store JSON as text, and some of them nothing."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    return json.loads(value)


def _object(row: CodeRow, name: str) -> dict[str, Json]:
    value = _parsed(row[name])
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be an object, or the JSON text of one, got {type(value).__name__}")
    return dict(value)


def _text(row: CodeRow, name: str) -> str:
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text that is not blank, got {value!r:.60}")
    return value


def _id(layout: str, value: Any) -> str:
    return "" if value in (None, "") else f"{layout}/{value}"


def stubs(problem: Problem) -> Iterator[str]:
    """Yield programs that do nothing: tests that one of them passes test nothing.

    >>> list(stubs(Problem(info={"entry_point": "f", "calls": [[[1], 2]]})))
    ['def f(*args, **kwargs): return None']
    """
    name = str(problem.info.get("entry_point") or "")
    pairs = problem.info.get("input_output")
    if not name and isinstance(pairs, Mapping):
        name = str(pairs.get("fn_name") or "")
    yield f"def {name}(*args, **kwargs): return None" if name.isidentifier() else "pass"
