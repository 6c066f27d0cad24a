r"""Tool calls of BFCL: accepted answers pass, wrong ones fail, and how often its own checker agrees.

    python benchmarks/tool_calls.py --data FOLDER [--peer PYTHON] [--show N] [--json]

FOLDER is ``bfcl_eval/data`` of the package ``bfcl-eval`` (``pip install --no-deps bfcl-eval``). PYTHON is an
interpreter that has it: its checker is then asked about every call too. For each row the accepted
answers are written in each of the usual forms, and 23 kinds of one fault are made in them
(:mod:`tool_call_mutations`). Java and JavaScript values are given as JSON, and as source code to both
checkers. A row whose reference contradicts its tools, on which ours abstains, is named and left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from tool_call_mutations import mutations, right_calls

from referee.verifiers import Problem, ToolCalls

LANGUAGES = {"simple_java": "java", "simple_javascript": "javascript"}
WITH_ANSWERS = (
    "simple_python", "simple_java", "simple_javascript", "multiple", "parallel", "parallel_multiple",
    "live_simple", "live_multiple", "live_parallel", "live_parallel_multiple",
)  # fmt: skip
NO_CALL = ("irrelevance", "live_irrelevance")
PEER = """
import json, sys, types
config = types.ModuleType("bfcl_eval.constants.model_config")
class Model:
    underscore_to_dot = False
config.MODEL_CONFIG_MAPPING = {"x": Model}
sys.modules["bfcl_eval.constants.model_config"] = config
from bfcl_eval.constants.enums import Language
from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker
for line in sys.stdin:
    row, calls = json.loads(line)
    made = [{c["name"]: c["arguments"]} for c in calls]
    language = Language[row["language"].upper()]
    try:
        valid = ast_checker(row["tools"], made, row["calls"], language, row["category"], "x")["valid"]
    except Exception as e:
        valid = type(e).__name__
    print(json.dumps(valid))
"""


def rows(data: Path) -> Iterator[dict[str, Any]]:
    """Yield BFCL's single-turn rows: the tools, the accepted calls, the category."""
    for category in (*WITH_ANSWERS, *NO_CALL):
        name = f"BFCL_v4_{category}.json"
        questions = [json.loads(line) for line in (data / name).open()]
        answered = category in WITH_ANSWERS
        truths = [json.loads(line) for line in (data / "possible_answer" / name).open()] if answered else []
        known = {truth["id"]: truth["ground_truth"] for truth in truths}
        for question in questions:
            yield {
                "id": question["id"],
                "category": category,
                "language": LANGUAGES.get(category, "python"),
                "tools": question["function"],
                "calls": known[question["id"]] if answered else [],
            }


def problem(row: dict[str, Any]) -> Problem:
    """Return a row as a problem."""
    return Problem(prompt="call", info={k: row[k] for k in ("tools", "calls", "language")})


def forms(calls: list[dict[str, Any]]) -> dict[str, str]:
    """Return calls as text, in the forms that models use."""
    bare = [{"name": c["name"], "parameters": c["arguments"]} for c in calls]
    python = ", ".join(
        f"{c['name']}({', '.join(f'{k}={v!r}' for k, v in c['arguments'].items())})" for c in calls
    )
    return {
        "Hermes": "\n".join(f"<tool_call>\n{json.dumps(c)}\n</tool_call>" for c in calls),
        "Mistral": f"[TOOL_CALLS]{json.dumps(calls)}",
        "Llama 3": "<|python_tag|>" + "; ".join(json.dumps(c) for c in bare),
        "functionary": "\n".join(
            f"<function={c['name']}>{json.dumps(c['arguments'])}</function>" for c in calls
        ),
        "JSON": json.dumps(calls, indent=1),
        "fence": f"I call:\n```json\n{json.dumps(calls)}\n```",
        "Python": f"[{python}]",
    }


def source(value: Any, kind: str, item_kind: str, *, java: bool) -> str:
    """Return a value as source code of Java or JavaScript, as BFCL's checker wants all values there."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not java:
        return json.dumps(value)
    if isinstance(value, dict):
        puts = " ".join(f"put({json.dumps(k)}, {json.dumps(v)});" for k, v in value.items())
        return f"new HashMap<String, Object>() {{{{ {puts} }}}}"
    if isinstance(value, list):
        items = ", ".join(
            json.dumps(v) if isinstance(v, str) else source(v, item_kind, "", java=True) for v in value
        )
        return (
            f"new ArrayList<>(Arrays.asList({items}))" if kind == "ArrayList" else f"new Object[]{{{items}}}"
        )
    return f"{value}{ {'long': 'L', 'float': 'f'}.get(kind, '') }"


def in_source(row: dict[str, Any], calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return calls of Java or JavaScript with their values as source code, typed by the row's tools."""
    types = {t["name"]: t["parameters"]["properties"] for t in row["tools"]}

    def one(call: dict[str, Any], name: str, value: Any) -> str:
        schema = types.get(call["name"], {}).get(name, {})
        item = schema.get("items", {}).get("type", "")
        return source(value, schema.get("type", "any"), item, java=row["language"] == "java")

    return [{**c, "arguments": {k: one(c, k, v) for k, v in c["arguments"].items()}} for c in calls]


def measure(data: Path, peer: str | None, show: int) -> dict[str, Any]:
    """Judge every row's accepted and wrong calls; ask the peer about the same ones."""
    verify, counts, kinds, cases = ToolCalls(), Counter[str](), {}, []
    spent, left_out = 0.0, []
    for row in rows(data):
        task = problem(row)
        if not row["calls"]:
            counts["no call wanted"] += 1
            counts["no call wanted, paid"] += (
                verify("None of these functions can do that.", task).score == 1.0
            )
            call = [{"name": row["tools"][0]["name"], "arguments": {}}] if row["tools"] else []
            counts["no call wanted, one made and refused"] += all(
                verify(text, task).score == 0.0 for text in forms(call).values()
            ) if call else 1  # fmt: skip
            continue
        if (verdict := verify("[]", task)).abstains:
            left_out.append(f"{row['id']}: {verdict.detail['error']}")
            continue
        right = right_calls(row)
        cases.append((row, "right", right))
        counts["forms"] += len(forms(right))
        for name, text in forms(right).items():
            started = time.perf_counter()
            paid = verify(text, task).score == 1.0
            spent += time.perf_counter() - started
            counts["forms, paid"] += paid
            if not paid:
                counts[f"not paid: {name}"] += 1
        cases.extend((row, kind, calls) for kind, calls in mutations(row))
    asked = [(row, in_source(row, c) if row["language"] != "python" else c) for row, _, c in cases]
    answers = ask(peer, asked) if peer else [None] * len(cases)
    apart = []
    for (row, kind, calls), (_, written), theirs in zip(cases, asked, answers, strict=True):
        # Kinds of JSON values are lost where all are source code: there the JSON is judged.
        given = written if kind == "right" else calls
        paid = verify(forms(given)["JSON"] if given else "no call", problem(row)).score == 1.0
        entry = kinds.setdefault(kind, Counter())
        entry["n"] += 1
        entry["paid"] += paid
        if peer:
            entry["peer pays"] += theirs is True
            entry["agree"] += paid is (theirs is True)
        if paid is not (kind == "right") or (peer and paid is not (theirs is True)):
            apart.append({"id": row["id"], "kind": kind, "ours": paid, "peer": theirs, "calls": calls})
    right, wrong = kinds["right"], sum((c for k, c in kinds.items() if k != "right"), Counter())
    return {
        "rows": right["n"],
        "accepted answers that pass": round(right["paid"] / right["n"], 4),
        "all forms that pass": round(counts["forms, paid"] / counts["forms"], 4),
        "mutations": wrong["n"],
        "mutations refused": round(1 - wrong["paid"] / wrong["n"], 5),
        **({"agreement, right": round(right["agree"] / right["n"], 4)} if peer else {}),
        **({"agreement, mutations": round(wrong["agree"] / wrong["n"], 4)} if peer else {}),
        **(
            {"mutations that the peer refuses": round(1 - wrong["peer pays"] / wrong["n"], 5)} if peer else {}
        ),
        "microseconds a verdict": round(1e6 * spent / counts["forms"]),
        "left out: the row contradicts itself": left_out,
        "counts": dict(counts),
        "kinds": {k: dict(v) for k, v in kinds.items()},
        "apart": apart if show < 0 else apart[:show],
        "apart by kind": dict(Counter(f"{a['kind']}; ours {a['ours']}, peer {a['peer']}" for a in apart)),
    }


def ask(python: str, cases: list[tuple[dict[str, Any], Any]]) -> list[Any]:
    """Return what BFCL's own checker says of each case: true, false, or the error that it raised."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([python, "-c", PEER], input=lines, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"--peer must be a Python that has bfcl-eval, got {python!r}: {done.stderr[-300:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="bfcl_eval/data")
    parser.add_argument("--peer", help="a Python interpreter with bfcl-eval")
    parser.add_argument("--show", type=int, default=0, help="so many cases apart; -1 for all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (options.data / "possible_answer").is_dir():
        parser.error(f"--data must be bfcl_eval/data, with a folder possible_answer, got {options.data}")
    found = measure(options.data, options.peer, options.show)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for key, value in found.items():
        if isinstance(value, dict | list):
            print(f"{key}:")
            for line in value.items() if isinstance(value, dict) else value:
                print("   ", *line) if isinstance(line, tuple) else print("   ", json.dumps(line))
        else:
            print(f"{key}: {value}")


if __name__ == "__main__":
    main()
