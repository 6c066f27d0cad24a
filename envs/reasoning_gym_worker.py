"""The process that reasoning-gym's generators and scorers run in: JSON lines in, JSON lines out.

reasoning-gym 0.1.25 evaluates model text in nine scorers. Here four of them (``eval`` of a list) get
``ast.literal_eval`` in its place, and the answers to five (sympy's ``parse_expr``, which evaluates too)
are held to a grammar of numbers, operators, single letters and names of functions before they are scored.
Where a scorer pays for what it should not, a check of ours stands before it (:data:`GUARDS`). An item
leaves as JSON and comes back with its shape, so that the scorer sees the tuples and the numbered keys that
it made. The process has no environment, limits on memory, processor time and files, and is ended by its
owner at a deadline.
"""

from __future__ import annotations

import ast
import copy
import importlib
import json
import os
import re
import resource
import sys
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

LITERAL = {  # the modules whose eval reads a list that the model wrote
    "string_insertion": "reasoning_gym.algorithmic.string_insertion",
    "spiral_matrix": "reasoning_gym.algorithmic.spiral_matrix",
    "binary_matrix": "reasoning_gym.algorithmic.binary_matrix",
    "n_queens": "reasoning_gym.games.n_queens",
}
_NUMBERS = re.compile(r"(?:[-+*/() 0-9]|\.(?=[0-9]))*")
_ALGEBRA = re.compile(
    r"(?:[-+*/^(),| =\n0-9]|\.(?=[0-9])|(?<![A-Za-z])(?:[A-Za-z]|sin|cos|tan|exp|log|ln|sqrt"
    r"|asin|acos|atan|sinh|cosh|tanh|sec|csc|cot|abs|Abs|pi)(?![A-Za-z]))*"
)
GRAMMARS = {
    "countdown": _NUMBERS,
    "puzzle24": _NUMBERS,
    "simple_integration": _ALGEBRA,
    "intermediate_integration": _ALGEBRA,
    "polynomial_multiplication": _ALGEBRA,
}
MAX_ANSWER = 20_000
MEMORY_BYTES = 2 << 30
CPU_S = 600


def main() -> None:
    """Serve requests until the owner closes the pipe."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a scorer prints must not be taken for an answer
    import reasoning_gym

    for module in LITERAL.values():
        importlib.import_module(module).eval = ast.literal_eval  # type: ignore[attr-defined]
    sets: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"value": _answer(reasoning_gym, sets, request)}
        except Exception as e:  # noqa: BLE001  # a scorer that raises is what this process is for
            reply = {"error": f"{type(e).__name__}: {e}"[:500]}
        out.write(json.dumps(reply) + "\n")
        out.flush()


def _answer(gym: Any, sets: dict[str, Any], request: dict[str, Any]) -> Any:
    task, config = request["task"], request["config"]
    if request["op"] == "item":
        item = gym.create_dataset(task, seed=request["seed"], size=1, **config)[0]
        entry, shape = _plain(item), shape_of(item)
        return {"question": item["question"], "answer": item["answer"], "entry": entry, "shape": shape}
    name = json.dumps([task, config])
    if name not in sets:
        sets[name] = gym.create_dataset(task, seed=0, size=1, **config)
    scorer, entry = sets[name], restored(request["entry"], request.get("shape"))
    # Some scorers write into the entry.
    return [_score(scorer, task, answer, copy.deepcopy(entry)) for answer in request["answers"]]


def _score(scorer: Any, task: str, answer: str, entry: dict[str, Any]) -> Any:
    if not allowed(task, answer):
        return {"score": 0.0, "note": "the answer is not in the grammar of the task"}
    guard = GUARDS.get(task)
    try:
        if guard is not None and not guard(answer, entry["metadata"]):
            return {"score": 0.0, "note": "the answer does not keep the rules of the puzzle"}
        return {"score": float(scorer.score_answer(answer, entry))}
    except Exception as e:  # noqa: BLE001  # told apart from a failure of the scorer by its owner
        return {"raised": f"{type(e).__name__}: {e}"[:300]}


def allowed(task: str, answer: str) -> bool:
    """Tell whether an answer may be given to a task's scorer, where that would evaluate it."""
    grammar = GRAMMARS.get(task)
    if len(answer) > MAX_ANSWER:
        return False
    return grammar is None or grammar.fullmatch(answer) is not None


def makes_24(answer: str, metadata: dict[str, Any]) -> bool:
    """Tell whether an expression uses the puzzle's numbers, each once, and is exactly 24.

    >>> makes_24("6 * (5 - 1) * 1", {"numbers": [6, 5, 1, 1]}), makes_24("6*4*1*1", {"numbers": [6, 5, 1, 1]})
    (True, False)
    """
    used: list[int] = []
    try:
        value = _value(ast.parse(answer.strip(), mode="eval").body, used)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return False
    return value == 24 and Counter(used) == Counter(metadata["numbers"])


def _value(node: ast.expr, used: list[int]) -> Fraction:
    match node:
        case ast.Constant(value=int(number)) if len(used) < 8:
            used.append(number)
            return Fraction(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, used)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _value(left, used) + _value(right, used)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _value(left, used) - _value(right, used)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _value(left, used) * _value(right, used)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _value(left, used) / _value(right, used)
    raise ValueError("not an expression of whole numbers")


_STEPS = {"L": (0, -1), "R": (0, 1), "U": (-1, 0), "D": (1, 0)}


def fills_goals(answer: str, metadata: dict[str, Any]) -> bool:
    r"""Tell whether a string of moves, each of which can be made, ends with every box on a goal.

    The scorer lets moves into walls go by, so that one long walk would solve many boards.

    >>> board = {"gamestr": "+++++\n+*@X+\n+++++"}
    >>> fills_goals("R", board), fills_goals("RR", board), fills_goals("go R", board)
    (True, False, False)
    """
    board = metadata["gamestr"].replace(" ", "").strip().split("\n")
    cells = {(y, x): c for y, row in enumerate(board) for x, c in enumerate(row)}
    free = {at for at, c in cells.items() if c != "+"}
    boxes = {at for at, c in cells.items() if c in "@$"}
    goals = {at for at, c in cells.items() if c in "X%$"}
    y, x = next(at for at, c in cells.items() if c in "*%")
    for move in answer.strip():
        dy, dx = _STEPS.get(move, (0, 0))
        to, beyond = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
        if to == (y, x) or to not in free or (to in boxes and (beyond not in free or beyond in boxes)):
            return False
        if to in boxes:
            boxes = (boxes - {to}) | {beyond}
        y, x = to
    return boxes <= goals


GUARDS: dict[str, Callable[[str, dict[str, Any]], bool]] = {"puzzle24": makes_24, "sokoban": fills_goals}


def shape_of(value: Any) -> Any:
    """Return what JSON does not keep of a value: tuples, and keys that are whole numbers; or None.

    >>> shape_of({"grid": ((1, 2), (3, 4)), "name": "x"})
    {'of': {'grid': {'tuple': True, 'of': {'tuple': True, 'of': None}}}}
    """
    if isinstance(value, dict):
        inner = {str(k): s for k, v in value.items() if (s := shape_of(v)) is not None}
        whole = bool(value) and all(type(k) is int for k in value)
        return {"whole_keys": True, "of": inner} if whole else {"of": inner} if inner else None
    if not isinstance(value, list | tuple):
        return None
    shapes = [shape_of(v) for v in value]
    same = all(s == shapes[0] for s in shapes)
    of = (shapes[0] if shapes else None) if same else shapes
    return (
        {"tuple": isinstance(value, tuple), "of": of} if of is not None or isinstance(value, tuple) else None
    )


def restored(value: Any, shape: Any) -> Any:
    """Return a value as it was before it was made JSON."""
    if not isinstance(shape, dict):
        return value
    of = shape.get("of")
    if isinstance(value, dict):
        inner = of if isinstance(of, dict) else {}
        whole = shape.get("whole_keys")
        return {int(k) if whole else k: restored(v, inner.get(k)) for k, v in value.items()}
    if not isinstance(value, list):
        return value
    each = of if isinstance(of, list) and len(of) == len(value) else [of] * len(value)
    items = [restored(v, s) for v, s in zip(value, each, strict=True)]
    return tuple(items) if shape.get("tuple") else items


def _plain(item: Any) -> Any:
    """Return an item as JSON data; what is none becomes text, as scorers of such items expect."""
    return json.loads(json.dumps(item, default=str))


if __name__ == "__main__":
    main()
