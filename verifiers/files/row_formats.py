"""The shapes of rows that other tools write: each is told by its columns, and read as rows of ours.

====================  ===========================================================================
OpenAI batch output   ``custom_id`` and ``response.body`` (chat, completions or responses); vLLM's too
OpenAI responses      ``choices``, as the server sent them
vLLM outputs          ``outputs``, records with ``text`` and ``finish_reason``
lm-evaluation-harness samples: ``doc``, ``target``, ``resps``
inspect_ai samples    ``input``, ``target``, ``output`` with ``choices``
verl rollout dump     ``input``, ``output``, ``gts``
chat messages         ``messages`` (or ``conversations``, from and value) that end with the model's
one column            any of ``responses``, ``response``, ``generations``, ... with usual names beside it
====================  ===========================================================================

A row becomes ``prompt``, ``completion``, ``answer`` and ``id`` beside the columns that it has. A request that
failed has no completion: a :class:`Failed` stands there, which abstains, since no model wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from referee.verifiers.files.finish import read_finish

_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """Stands for a completion that was never written: the server's failure, in its words."""

    why: str


@dataclass(frozen=True, slots=True)
class RowFormat:
    """A shape of rows: its name, how it is told, and how a row of it is read.

    ``read`` raises KeyError, TypeError, ValueError or LookupError where a row is none of the shape.
    """

    name: str
    has: Callable[[_Row], bool]
    read: Callable[[_Row], dict[str, Any]]


def recognised(row: Any) -> RowFormat | None:
    """Return the format of a row; None where it is none of those known."""
    if not isinstance(row, Mapping):
        return None
    return next((form for form in FORMATS if form.has(row)), None)


def problem_row(row: _Row) -> dict[str, Any]:
    """Return what a row of any known format says of its problem; its completion is empty, or its own."""
    form = None if "completion" in row else recognised(row)
    try:
        ours = form.read(row) if form is not None else {}
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        ours = {}  # it need hold no completions
    return {"completion": "", **row, **{k: v for k, v in ours.items() if k != "completion"}}


def _batch(row: _Row) -> dict[str, Any]:
    return {"id": row["custom_id"], "completion": _batch_completions(row)}


def _batch_completions(row: _Row) -> Any:
    response, error = row.get("response"), row.get("error")
    if not isinstance(response, Mapping):
        return Failed(f"the request failed: {_said(error)}")
    body, status = response.get("body"), response.get("status_code", 200)
    if status != 200 or not isinstance(body, Mapping) or error:
        inner = body.get("error") if isinstance(body, Mapping) else body
        return Failed(f"the request failed with status {status}: {_said(error or inner)}")
    return _answer_of_server(body)


def _answer_of_server(body: _Row) -> Any:
    """Return what a server's answer holds: choices, or the output of the responses' interface."""
    if isinstance(body.get("choices"), list):
        return [_choice(choice) for choice in body["choices"]] or Failed("the answer has no choices")
    texts = [
        str(part.get("text") or "")
        for item in body["output"]
        if item.get("type") == "message"
        for part in item.get("content") or ()
        if part.get("type") == "output_text"
    ]
    cut = body.get("status") == "incomplete"
    return {"text": "".join(texts), "finish_reason": "length" if cut else "stop"}


def _choice(choice: _Row) -> dict[str, Any]:
    reason = read_finish(choice.get("finish_reason") or choice.get("stop_reason"))
    record: dict[str, Any] = {"finish_reason": reason} if reason else {}
    if isinstance(choice.get("message"), Mapping):
        return record | {"messages": [choice["message"]]}
    return record | {"text": choice["text"]}


def _server(row: _Row) -> dict[str, Any]:
    return {"completion": _answer_of_server(row)}


def _vllm(row: _Row) -> dict[str, Any]:
    name = {"id": row["request_id"]} if row.get("request_id") is not None else {}
    return name | {"completion": [_choice(output) for output in row["outputs"]]}


def _lm_eval(row: _Row) -> dict[str, Any]:
    texts = _flat(row["resps"])
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("resps must hold texts; log-likelihoods are nothing to score")
    return {
        "id": row.get("doc_id", ""),
        "prompt": _lm_eval_prompt(row),
        "completion": texts,
        "answer": row.get("target"),
    }


def _lm_eval_prompt(row: _Row) -> str:
    given = row.get("arguments")
    while isinstance(given, Mapping | list) and given:
        given = next(iter(given.values())) if isinstance(given, Mapping) else given[0]
    if isinstance(given, str):
        return given
    doc = row["doc"]
    return next((doc[n] for n in _PROMPTS if isinstance(doc.get(n), str)), "")


def _inspect(row: _Row) -> dict[str, Any]:
    output, target = row.get("output"), row.get("target")
    choices = output.get("choices") if isinstance(output, Mapping) else None
    if choices:
        completion: Any = [_choice(choice) for choice in choices]
    else:
        completion = Failed(f"the sample failed: {_said(row.get('error'))}")
    return {
        "id": row.get("id", ""),
        "prompt": _inspect_prompt(row["input"]),
        "completion": completion,
        "answer": target[0] if isinstance(target, list) and len(target) == 1 else target,
    }


def _inspect_prompt(given: Any) -> Any:
    return given if isinstance(given, str) else [_message(m) for m in given]


def _verl(row: _Row) -> dict[str, Any]:
    return {"prompt": row["input"], "completion": row["output"], "answer": row["gts"]}


def _chat(row: _Row) -> dict[str, Any]:
    """The last message is the completion, and those before it the prompt."""
    messages = [_message(m) for m in row.get("messages") or row["conversations"]]
    if not messages or messages[-1].get("role") != "assistant":
        raise ValueError("the messages must end with the assistant's")
    last = messages[-1]
    record: dict[str, Any] = {"messages": [{k: v for k, v in last.items() if k != "finish_reason"}]}
    if reason := read_finish(last.get("finish_reason")):
        record["finish_reason"] = reason
    return {"prompt": messages[:-1], "completion": record} | _beside(row, prompt=False)


_SHARE_GPT = {"human": "user", "user": "user", "gpt": "assistant", "system": "system", "tool": "tool"}


def _message(message: _Row) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise ValueError(f"a message must be an object, got {type(message).__name__}")
    if "from" in message:
        who = message["from"]
        return {"role": _SHARE_GPT.get(who, who), "content": message["value"]}
    return {k: v for k, v in message.items() if k in ("role", "content", "finish_reason", "tool_calls")}


_COMPLETIONS = (
    "completions", "responses", "response", "generations", "generation", "generated_text", "model_output",
    "predictions", "prediction", "samples", "outputs", "output", "resps",
)  # fmt: skip
_ANSWERS = ("answer", "target", "reference", "ground_truth", "gold", "solution", "label")
_PROMPTS = ("prompt", "question", "problem", "input", "instruction", "query")


def _only_column(row: _Row) -> str | None:
    found = [name for name in _COMPLETIONS if row.get(name) is not None]
    return found[0] if len(found) == 1 else None


def _beside(row: _Row, *, prompt: bool = True) -> dict[str, Any]:
    out = {}
    for ours, names in (("answer", _ANSWERS), ("prompt", _PROMPTS if prompt else ())):
        name = next((name for name in names if row.get(name) is not None), None)
        if name is not None:
            out[ours] = row[name]
    return out


def _one_column(row: _Row) -> dict[str, Any]:
    name = _only_column(row)
    if name is None:
        raise ValueError(f"one column of {', '.join(_COMPLETIONS)} must hold the completions")
    return {"completion": row[name]} | _beside(row)


def _flat(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    return [text for part in value for text in (_flat(part) if isinstance(part, list) else [part])]


def _said(error: Any) -> str:
    if isinstance(error, Mapping):
        error = error.get("message") or dict(error)
    return str(error)[:300] if error else "no reason is given"


def _with(*names: str) -> Callable[[_Row], bool]:
    return lambda row: all(name in row for name in names)


def _is_chat(row: _Row) -> bool:
    return isinstance(row.get("messages") or row.get("conversations"), list)


FORMATS = (  # the most telling first
    RowFormat("OpenAI batch output", _with("custom_id", "response"), _batch),
    RowFormat("lm-evaluation-harness samples", _with("doc", "target", "resps"), _lm_eval),
    RowFormat(
        "inspect_ai samples",
        lambda row: all(n in row for n in ("input", "target")) and isinstance(row.get("output"), Mapping),
        _inspect,
    ),
    RowFormat("a verl rollout dump", _with("input", "output", "gts"), _verl),
    RowFormat(
        "vLLM outputs",
        lambda row: (
            isinstance(row.get("outputs"), list)
            and bool(row["outputs"])
            and all(isinstance(o, Mapping) and "text" in o for o in row["outputs"])
        ),
        _vllm,
    ),
    RowFormat("OpenAI responses", lambda row: isinstance(row.get("choices"), list), _server),
    RowFormat("chat messages", _is_chat, _chat),
    RowFormat("one column of completions", lambda row: _only_column(row) is not None, _one_column),
)
