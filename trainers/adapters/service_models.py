"""The shapes of the HTTP service's requests and answers, as pydantic models: they are its OpenAPI."""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

# What a model wrote is described here and not checked: it is its item's, never a 422 for all of them.
_MESSAGE = {
    "title": "ChatMessage",
    "type": "object",
    "description": "a chat message; what else it carries (tool calls) is kept",
    "properties": {"role": {"type": "string"}, "content": {"description": "a text, or blocks of text"}},
    "required": ["role"],
}
ChatMessages: TypeAlias = list[Annotated[dict[str, Any], WithJsonSchema(_MESSAGE)]]


class ScoreItem(BaseModel):
    """A completion and the problem it answers. Items of equal problems are siblings."""

    model_config = ConfigDict(extra="forbid")

    completion: str | ChatMessages | None
    answer: Any = Field(default=None, description="the reference; any of a list of them")
    prompt: str | ChatMessages | None = ""
    info: dict[str, Any] | str | None = Field(default=None, description="an object, or the JSON text of one")
    id: str | int | None = ""
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
