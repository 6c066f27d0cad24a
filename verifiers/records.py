"""The records that flow through referee: frozen, printable, picklable, one JSON line each.

A *verdict* says what is true of a completion, a *reward* says what we choose to pay for it.
Every record checks what it is given once, at construction, so that nothing downstream has to.

Records compare by value. They are not hashable, because a problem's ``info`` is a dictionary:
use :func:`referee.verifiers.jsonl.key` where a dictionary key is needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from numbers import Real
from typing import Any, TypeAlias

from referee.verifiers.reading.marks import Marks, as_marks
from referee.verifiers.reading.special_tokens import LAST_SIGNS, is_empty, without_special_tokens
from referee.verifiers.reading.thinking import answer_part

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_DEPTH = 100


class Reason(StrEnum):
    """Why a verdict is what it is.

    The first eight are decisions: what the completion is, or what it did, is its own doing.
    The last three are abstentions: the reference's or the machine's fault, never the completion's.
    """

    CORRECT = "correct"
    INCORRECT = "incorrect"
    UNDECIDED = "undecided"  # neither shown right nor shown wrong; a verifier may be told to abstain
    PARTIAL = "partial"
    NO_ANSWER = "no_answer"
    TIMEOUT = "timeout"
    RESOURCE_LIMIT = "resource_limit"
    SCORED = "scored"  # a learned model's number, which no rule calls right or wrong
    BAD_REFERENCE = "bad_reference"
    UNAVAILABLE = "unavailable"
    ERROR = "error"

    @property
    def abstains(self) -> bool:
        """True where the fault is the reference's or the machine's."""
        return self in _ABSTENTIONS


_ABSTENTIONS = frozenset({Reason.BAD_REFERENCE, Reason.UNAVAILABLE, Reason.ERROR})


class FinishReason(StrEnum):
    """Why sampling ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool, as the model wrote it: its name and its arguments as a JSON object.

    Arguments that came as a text which is not a JSON object stay in ``malformed``.
    """

    name: str
    arguments: dict[str, Json] = field(default_factory=dict)
    id: str = ""
    malformed: str = ""

    def __post_init__(self) -> None:
        _text("name", self.name)
        if isinstance(self.arguments, str):
            parsed = _parse_object(self.arguments)
            if parsed is None:
                _set(self, "malformed", self.arguments)
            _set(self, "arguments", parsed or {})
        else:
            _set(self, "arguments", _object("arguments", self.arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message. ``role`` is system, user, assistant or tool."""

    role: str
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        _text("role", self.role)
        _text("content", self.content)
        for call in self.tool_calls:
            if not isinstance(call, ToolCall | Mapping):
                raise TypeError(f"tool_calls must hold calls, got {type(call).__name__}")
        _set(self, "tool_calls", tuple(map(read_tool_call, self.tool_calls)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What the model is asked, and what the verifier needs to judge the answer.

    ``prompt`` is a text or chat messages (``Message`` records or plain dictionaries),
    ``answer`` the reference (any JSON value), ``info`` whatever else verifiers read (tests, a
    schema, the family), ``id`` a name for logs. ``thinking`` declares marks between which the model
    thinks, beside those that are always known (:mod:`referee.verifiers.reading.thinking`).

    >>> Problem(prompt="1+1=", answer="2").answer
    '2'
    """

    prompt: str | tuple[Message, ...] = ""
    answer: Json = None
    id: str = ""
    info: dict[str, Json] = field(default_factory=dict)
    thinking: tuple[Marks, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.prompt, str):
            _set(self, "prompt", _prompt(self.prompt))

        if type(self.answer) is not str:
            _set(self, "answer", plain("answer", self.answer))
        _text("id", self.id)
        _set(self, "info", _object("info", self.info, tagged=True))
        if self.thinking != ():
            _set(self, "thinking", as_marks(self.thinking))

    @property
    def prompt_text(self) -> str:
        """The prompt as one text: the contents of its messages, joined by blank lines."""
        if isinstance(self.prompt, str):
            return self.prompt
        return "\n\n".join(m.content for m in self.prompt if m.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the model wrote.

    ``text`` is what is judged; where only ``messages`` are given it is the last assistant
    message's content. ``token_ids`` and ``logprobs`` (natural logarithms, one for each token) are
    what the sampler drew, kept so that training sees the very tokens that were sampled.
    ``drawn_logprobs`` are those under the distribution that was drawn from, where that is another one
    (narrowed by top-k or top-p).
    """

    text: str = ""
    messages: tuple[Message, ...] = ()
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    drawn_logprobs: tuple[float, ...] | None = None
    finish_reason: FinishReason | None = None

    def __post_init__(self) -> None:
        _text("text", self.text)
        if self.messages:
            _set(self, "messages", _messages("messages", self.messages))
            if not self.text:
                _set(self, "text", _last_assistant(self.messages))
        if self.token_ids is not None:
            _set(self, "token_ids", tuple(int(t) for t in self.token_ids))
        for name in ("logprobs", "drawn_logprobs"):
            stated = getattr(self, name)
            if stated is None:
                continue
            _set(self, name, tuple(_finite(name, p) for p in stated))
            if self.token_ids is not None and len(stated) != len(self.token_ids):
                raise ValueError(
                    f"{name} must have one value for each of the {len(self.token_ids)} token_ids, "
                    f"got {len(stated)}"
                )
        if self.finish_reason is not None:
            _set(self, "finish_reason", _member(FinishReason, "finish_reason", self.finish_reason))

    @property
    def truncated(self) -> bool:
        """True where sampling ran out of tokens before the model stopped."""
        return self.finish_reason is FinishReason.LENGTH

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Every tool call in the completion's messages, in order."""
        return tuple(call for message in self.messages for call in message.tool_calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is true of a completion, and why.

    ``score`` is a finite real, or None where the verifier abstains; ``answer`` is what was
    extracted; ``detail`` is the evidence and never a timing, so that equal inputs give equal bytes.
    A score is None exactly where the reason is an abstention, and where it is left undecided by a
    verifier that was told to abstain there. Without a reason, one is derived:
    1 is correct, 0 incorrect, between them partial, any other number scored, None unavailable.

    >>> Verdict(score=0.25).reason
    <Reason.PARTIAL: 'partial'>
    """

    score: float | None
    reason: Reason = None  # type: ignore[assignment]  # derived from the score where it is left out
    answer: Json = None
    detail: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        score = self.score
        if score is not None and type(score) is not float:
            score = _finite("score", score)
            _set(self, "score", score)
        elif score is not None and not math.isfinite(score):
            raise ValueError(f"score must be a finite number or None, got {score}")
        if self.reason is None:
            _set(self, "reason", _reason_for(score))
        elif type(self.reason) is not Reason:
            _set(self, "reason", _member(Reason, "reason", self.reason))
        if (score is None) is not (self.reason in _ABSTENTIONS) and self.reason is not Reason.UNDECIDED:
            raise ValueError(
                "score must be None exactly where the reason is one of "
                f"{', '.join(sorted(_ABSTENTIONS))}; got score {score} with reason {self.reason}"
            )
        if type(self.answer) is not str:
            _set(self, "answer", plain("answer", self.answer))
        if self.detail:
            _set(self, "detail", _object("detail", self.detail))

    @property
    def abstains(self) -> bool:
        """True where there is no score, for a reason that is not the completion's fault."""
        return self.score is None


_new = object.__new__
_put_score, _put_reason, _put_answer, _put_detail = (
    Verdict.__dict__[name].__set__ for name in ("score", "reason", "answer", "detail")
)


def unchecked_verdict(score: float | None, reason: Reason, answer: Json, detail: dict[str, Json]) -> Verdict:
    """Return a verdict of parts that are right by construction: nothing is checked, nothing is copied.

    For a verifier that decides tens of thousands of pairs a second: the checks are a third of its time.
    """
    made = _new(Verdict)
    _put_score(made, score)
    _put_reason(made, reason)
    _put_answer(made, answer)
    _put_detail(made, detail)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What a rubric pays for a completion: the total, and each part's own unweighted verdict.

    ``total`` is None where the rubric abstains: trainers then leave the completion out of the loss
    and out of the baseline.
    """

    total: float | None
    parts: dict[str, Verdict] = field(default_factory=dict)
    truncated: bool = False

    def __post_init__(self) -> None:
        if self.total is not None:
            _set(self, "total", _finite("total", self.total))
        parts: dict[str, Verdict] = {}
        for name, verdict in self.parts.items():
            if not isinstance(verdict, Verdict):
                raise TypeError(f"parts[{name!r}] must be a Verdict, got {type(verdict).__name__}")
            parts[str(name)] = verdict
        _set(self, "parts", parts)

    @property
    def abstains(self) -> bool:
        """True where there is no total."""
        return self.total is None


def as_completion(completion: str | Completion) -> Completion:
    """Return a completion as a record: a plain string becomes its text."""
    return completion if isinstance(completion, Completion) else Completion(text=completion)


def text_of(completion: str | Completion) -> str:
    """Return what a completion says, of a string or a record: all of it but special tokens at its end."""
    return without_special_tokens(completion if isinstance(completion, str) else completion.text)


def answer_of(completion: str | Completion, problem: Problem) -> str:
    """Return what follows the thinking in a completion; nothing where the thinking never ends.

    >>> answer_of("<think>5?</think>It is 6.<|im_end|>", Problem())
    'It is 6.'
    """
    text = completion if isinstance(completion, str) else completion.text
    if text[-1:] in LAST_SIGNS:
        text = without_special_tokens(text)
    return answer_part(text, problem.thinking)


def has_answer(completion: str | Completion, problem: Problem) -> bool:
    """Tell whether anything follows the thinking in a completion: a text or a tool call."""
    if not is_empty(answer_of(completion, problem)):
        return True
    return not isinstance(completion, str) and bool(completion.tool_calls)


def plain(name: str, value: Any, depth: int = 0, *, tagged: bool = False) -> Json:
    """Rebuild ``value`` as plain JSON data; tuples become lists.

    With ``tagged``, infinities and NaN become ``{"t": "float", "v": "inf"}`` (or ``-inf``, ``nan``).

    Raises:
        TypeError: for anything that JSON cannot hold, named by where it stands.
        ValueError: for numbers that are not finite, and for nesting deeper than 100.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return value  # type: ignore[no-any-return]
    if kind is float:
        if not math.isfinite(value):
            if tagged:
                return {"t": "float", "v": repr(value)}
            raise ValueError(f"{name} must hold finite numbers, got {value}")
        return value  # type: ignore[no-any-return]
    if depth >= MAX_DEPTH:
        raise ValueError(f"{name} must be nested at most {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        for k in value:
            if not isinstance(k, str):
                raise TypeError(f"{name} must have text keys, got {k!r} ({type(k).__name__})")
        return {str(k): plain(name, v, depth + 1, tagged=tagged) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(name, v, depth + 1, tagged=tagged) for v in value]
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a numpy or torch scalar
        return plain(name, value.item(), depth + 1, tagged=tagged)
    raise TypeError(f"{name} must be JSON data, got {type(value).__name__}: {str(value)[:80]}")


def _set(record: object, name: str, value: object) -> None:
    object.__setattr__(record, name, value)


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, got {type(value).__name__}: {str(value)[:80]}")


def _object(name: str, value: object, *, tagged: bool = False) -> dict[str, Json]:
    if type(value) is dict:
        for k, v in value.items():
            if type(k) is not str or type(v) is not str:
                break
        else:
            return value.copy()  # what most details are
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a JSON object, got {type(value).__name__}: {str(value)[:80]}")
    return plain(name, value, tagged=tagged)  # type: ignore[return-value]


def _finite(name: str, value: object) -> float:
    if hasattr(value, "item") and not isinstance(value, Real):
        value = value.item()
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}: {str(value)[:80]}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {number}")
    return number


def _member(enum: type[StrEnum], name: str, value: object) -> StrEnum:
    try:
        return enum(value)  # type: ignore[arg-type]
    except ValueError:
        raise ValueError(f"{name} must be one of {', '.join(enum)}, got {value!r}") from None


def _parse_object(text: str) -> dict[str, Json] | None:
    try:
        return _object("arguments", json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None


def read_message(value: object) -> Message:
    """Return one message of others as a record. What a model wrote is data, so this never raises.

    A role, a name or an id that is no text is the empty text; a content is read as by
    :func:`read_content`, calls as by :func:`read_tool_call`.
    """
    value = _dumped(value)
    if isinstance(value, Message):
        return value
    if not isinstance(value, Mapping):
        return Message(role="", content=read_content(value))
    calls = value.get("tool_calls") or ()
    return Message(
        role=_text_or_empty(value.get("role")),
        content=read_content(value.get("content")),
        tool_calls=tuple(map(read_tool_call, calls if isinstance(calls, list | tuple) else [calls])),
        tool_call_id=_text_or_empty(value.get("tool_call_id")),
        name=_text_or_empty(value.get("name")),
    )


def read_content(value: object) -> str:
    """Return the text of a content: a text, blocks of text, a number as it is written; else nothing.

    >>> read_content([{"type": "text", "text": "so "}, {"type": "image_url"}, {"type": "text", "text": "4"}])
    'so 4'
    >>> read_content(4), read_content(4.0), read_content(None), read_content({"a": 1})
    ('4', '4', '', '')
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple):
        return "".join(b if isinstance(b, str) else _block(b) for b in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        try:
            return number_texts(value)[0] if math.isfinite(value) else ""
        except (ValueError, OverflowError):
            return ""
    return _block(value)


def read_tool_call(value: object) -> ToolCall:
    """Return one call of others as a record, whatever a model put in it; this never raises.

    What is no object with a name that is a text and arguments that are an object (or the JSON text of
    one) is malformed, and kept as it was written.
    """
    value = _dumped(value)
    if isinstance(value, ToolCall):
        return value
    if isinstance(value, str):
        value = _parse_object(value) or value
    function = _dumped(value.get("function", value)) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(function, Mapping):
        return ToolCall(name="", malformed=_shown(value))
    name, arguments = function.get("name"), function.get("arguments")
    call_id, malformed = _text_or_empty(value.get("id")), _text_or_empty(value.get("malformed"))
    if not isinstance(name, str):
        return ToolCall(name="", id=call_id, malformed=malformed or _shown(value))
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        arguments = {}
    try:
        return ToolCall(name=name, arguments=arguments, id=call_id, malformed=malformed)
    except (TypeError, ValueError, RecursionError):
        return ToolCall(name=name, id=call_id, malformed=malformed or _shown(arguments))


def number_texts(value: float) -> tuple[str, ...]:
    """Return how a number may be written: 4.0 is ``4`` too.

    A data frame makes floats of whole numbers where the column has a gap.

    Raises:
        ValueError: for a whole number of more digits than Python writes.

    >>> number_texts(4.0), number_texts(0.5), number_texts(4)
    (('4', '4.0'), ('0.5',), ('4',))
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value)), str(value)
    return (str(value),)


def _messages(name: str, value: object) -> tuple[Message, ...]:
    return tuple(map(read_message, _records_or_objects(name, value)))


def _prompt(value: object) -> tuple[Message, ...]:
    """Return a prompt's messages. A data set wrote them and no model, so their shape is checked."""
    messages = _records_or_objects("prompt", value)
    for m in messages:
        if isinstance(m, Mapping):
            _text("role", m.get("role", ""))
            content = m.get("content")
            if not isinstance(content, str | list | tuple | None):
                raise TypeError(f"content must be a text or a list of blocks, got {type(content).__name__}")
    return tuple(map(read_message, messages))


def _records_or_objects(name: str, value: object) -> tuple[object, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a text or messages, got {type(value).__name__}")
    messages = tuple(value)
    for m in messages:
        if not isinstance(m, Message | Mapping):
            raise TypeError(f"{name} must hold messages with role and content, got {type(m).__name__}")
    return messages


def _dumped(value: object) -> object:
    """Return a pydantic model, as clients of model endpoints give, as a dictionary."""
    dump = getattr(value, "model_dump", None)
    return dump() if callable(dump) else value


def _block(value: object) -> str:
    text = value.get("text") if isinstance(value, Mapping) else None
    return text if isinstance(text, str) else ""


def _text_or_empty(value: object) -> str:
    return value if isinstance(value, str) else ""


def _shown(value: object) -> str:
    """Return what a model wrote in place of a call, for whoever reads the record; never empty."""
    if isinstance(value, str):
        return value or '""'
    try:
        return json.dumps(value, default=str)[:2000]
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def _last_assistant(messages: Sequence[Message]) -> str:
    return next((m.content for m in reversed(messages) if m.role == "assistant"), "")


def _reason_for(score: float | None) -> Reason:
    if score is None:
        return Reason.UNAVAILABLE
    if score == 1.0:
        return Reason.CORRECT
    if score == 0.0:
        return Reason.INCORRECT
    return Reason.PARTIAL if 0.0 < score < 1.0 else Reason.SCORED
