"""The shapes of the HTTP service's requests and answers, as pydantic models: they are its OpenAPI."""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

# What stands in a cell is described here and not checked: it is its item's, never a 422 for all of them.
_MESSAGE = {
    "title": "ChatMessage",
    "type": "object",
    "description": "a chat message; what else it carries (tool calls) is kept",
    "properties": {"role": {"type": "string"}, "content": {"description": "a text, or blocks of text"}},
    "required": ["role"],
}
_CHAT = [{"type": "string"}, {"type": "array", "items": _MESSAGE}, {"type": "null"}]
_RECORD = {"type": "object", "description": "a completion record", "properties": {"text": {"type": "string"}}}
Written: TypeAlias = Annotated[Any, WithJsonSchema({"anyOf": [*_CHAT, _RECORD]})]
Asked: TypeAlias = Annotated[Any, WithJsonSchema({"anyOf": _CHAT})]
Info: TypeAlias = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string"}, {"type": "null"}]})
]
Id: TypeAlias = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]})
]


class ScoreItem(BaseModel):
    """A completion and the problem it answers. Items of equal problems are siblings."""

    model_config = ConfigDict(extra="forbid")

    completion: Written
    answer: Any = Field(default=None, description="the reference; any of a list of them")
    prompt: Asked = ""
    info: Info = Field(default=None, description="an object, or the JSON text of one")
    id: Id = ""
    truncated: bool = Field(default=False, description="the completion ran out of tokens")


class ScoreRequest(BaseModel):
    """A batch to score."""

    model_config = ConfigDict(extra="forbid")

    items: list[ScoreItem]


class PartAnswer(BaseModel):
    """One part's unweighted verdict; its score is null where it abstains."""

    score: float | None
    reason: str
    answer: JsonValue = None
    error: str = ""


class RewardAnswer(BaseModel):
    """The reward, null where the rubric abstains; ``why`` then says why."""

    reward: float | None
    abstained: bool
    truncated: bool
    why: str = ""
    parts: dict[str, PartAnswer]


class ScoreAnswer(BaseModel):
    """One reward for each item, in order."""

    rewards: list[RewardAnswer]


class OpenRLHFRequest(BaseModel):
    """What OpenRLHF's trainer posts."""

    query: list[str | None]
    prompts: list[str | None] | None = None
    labels: list[Any] | None = None


class OpenRLHFAnswer(BaseModel):
    """What OpenRLHF's trainer reads."""

    rewards: list[float]
    scores: list[float]
    extra_logs: dict[str, list[float]]


class LlamaFactoryRequest(BaseModel):
    """What LLaMA-Factory's PPO trainer posts."""

    model: str = "model"
    messages: list[str | None]


class LlamaFactoryAnswer(BaseModel):
    """What LLaMA-Factory's PPO trainer reads."""

    scores: list[float]


class ErrorAnswer(BaseModel):
    """Why a request was not answered, in a sentence."""

    detail: str
