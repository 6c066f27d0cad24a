"""The shapes of the HTTP service's requests and answers, as pydantic models: they are its OpenAPI."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class ChatMessage(BaseModel):
    """A chat message; what else it carries (tool calls) is kept."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[dict[str, Any]] | None = ""


class ScoreItem(BaseModel):
    """A completion and the problem it answers. Items of equal problems are siblings."""

    model_config = ConfigDict(extra="forbid")

    completion: str | list[ChatMessage]
    answer: JsonValue = Field(default=None, description="the reference")
    prompt: str | list[ChatMessage] = ""
    info: dict[str, JsonValue] = Field(default_factory=dict)
    id: str = ""
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

    query: list[str]
    prompts: list[str] | None = None
    labels: list[JsonValue] | None = None


class OpenRLHFAnswer(BaseModel):
    """What OpenRLHF's trainer reads."""

    rewards: list[float]
    scores: list[float]
    extra_logs: dict[str, list[float]]


class LlamaFactoryRequest(BaseModel):
    """What LLaMA-Factory's PPO trainer posts."""

    model: str = "model"
    messages: list[str]


class LlamaFactoryAnswer(BaseModel):
    """What LLaMA-Factory's PPO trainer reads."""

    scores: list[float]


class ErrorAnswer(BaseModel):
    """Why a request was not answered, in a sentence."""

    detail: str
