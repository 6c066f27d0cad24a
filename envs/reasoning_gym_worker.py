"""The process that reasoning-gym's generators and scorers run in: JSON lines in, JSON lines out.

reasoning-gym 0.1.25 evaluates model text in nine scorers. Here four of them (``eval`` of a list) get
``ast.literal_eval`` in its place, and the answers to five (sympy's ``parse_expr``, which evaluates too)
are held to a grammar of numbers, operators, single letters and names of functions before they are scored.
The process has no environment, limits on memory, processor time and files, and is ended by its owner at
a deadline.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import resource
import sys
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
        return {"question": item["question"], "answer": item["answer"], "entry": _plain(item)}
    name = json.dumps([task, config])
    if name not in sets:
        sets[name] = gym.create_dataset(task, seed=0, size=1, **config)
    scorer, entry = sets[name], request["entry"]
    return [_score(scorer, task, answer, entry) for answer in request["answers"]]


def _score(scorer: Any, task: str, answer: str, entry: dict[str, Any]) -> Any:
    if not allowed(task, answer):
        return {"score": 0.0, "note": "the answer is not in the grammar of the task"}
    try:
        return {"score": float(scorer.score_answer(answer, entry))}
    except Exception as e:  # noqa: BLE001  # told apart from a failure of the scorer by its owner
        return {"raised": f"{type(e).__name__}: {e}"[:300]}


def allowed(task: str, answer: str) -> bool:
    """Tell whether an answer may be given to a task's scorer, where that would evaluate it."""
    grammar = GRAMMARS.get(task)
    if len(answer) > MAX_ANSWER:
        return False
    return grammar is None or grammar.fullmatch(answer) is not None


def _plain(item: Any) -> Any:
    """Return an item as JSON data; what is none becomes text, as scorers of such items expect."""
    return json.loads(json.dumps(item, default=str))


if __name__ == "__main__":
    main()
