"""What is true of a completion: records, verifiers, rubrics and the engine that scores with them."""

from __future__ import annotations

import importlib
from typing import Any

if __name__ != "referee.verifiers":
    raise ImportError("import referee.verifiers, not verifiers")

_HOME = {  # public name -> the module that holds it, imported when the name is first used
    "AllOf": "combine",
    "AllowedOperations": "graded",
    "AnyOf": "combine",
    "AnyVerifier": "protocol",
    "Choice": "choice",
    "Closeness": "graded",
    "Completion": "records",
    "Composable": "combine",
    "CosineLength": "length",
    "Criteria": "judges.criteria",
    "EditSimilarity": "graded",
    "Efficiency": "graded",
    "ElementCount": "graded",
    "Endpoint": "judges.endpoint",
    "Ensemble": "learned.normalise",
    "Exact": "exact",
    "FinishReason": "records",
    "GroupVerifier": "protocol",
    "Instructions": "instructions.verifier",
    "Item": "protocol",
    "JsonSchema": "json_schema",
    "Judge": "judges.pointwise",
    "LocalChat": "judges.local",
    "Math": "mathematics.verifier",
    "MathVerify": "mathematics.worker",
    "Message": "records",
    "Numeric": "numeric",
    "OutcomeModel": "learned.reward_model",
    "OverlongPenalty": "length",
    "PairwiseJudge": "judges.pairwise",
    "Part": "rubric",
    "Problem": "records",
    "ProcessModel": "learned.process",
    "Reason": "records",
    "Regex": "pattern",
    "RepetitionPenalty": "repetition",
    "Reward": "records",
    "RewardModel": "learned.reward_model",
    "Rubric": "rubric",
    "Schedule": "rubric",
    "Tags": "tags",
    "ThinkFormat": "think_format",
    "TokenF1": "graded",
    "ToolCall": "records",
    "UnitTests": "unit_tests",
    "Verdict": "records",
    "Verifier": "protocol",
    "all_of": "combine",
    "any_of": "combine",
    "audit": "probing",
    "clip": "combine",
    "evaluate": "evaluate",
    "extract_code": "reading.code_blocks",
    "first_decided": "combine",
    "gate": "combine",
    "invert": "combine",
    "minimum": "combine",
    "product": "combine",
    "route": "combine",
    "score": "scoring",
    "score_file": "scoring",
    "shape": "combine",
    "verifier": "protocol",
    "weighted_sum": "combine",
}

__all__ = list(_HOME)

# The function has its module's name: imported first, it stays the package's attribute whoever imports
# the module later.
from referee.verifiers.evaluate import evaluate as evaluate  # noqa: E402


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOME)
