"""What is true of a completion: records, verifiers, rubrics and the engine that scores with them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if __name__ != "referee.verifiers":
    raise ImportError("import referee.verifiers, not verifiers")

if TYPE_CHECKING:  # for readers of types; a test holds it equal to the table below
    from referee.verifiers.choice import Choice as Choice
    from referee.verifiers.combine import AllOf as AllOf
    from referee.verifiers.combine import AnyOf as AnyOf
    from referee.verifiers.combine import Composable as Composable
    from referee.verifiers.combine import all_of as all_of
    from referee.verifiers.combine import any_of as any_of
    from referee.verifiers.combine import clip as clip
    from referee.verifiers.combine import first_decided as first_decided
    from referee.verifiers.combine import gate as gate
    from referee.verifiers.combine import invert as invert
    from referee.verifiers.combine import minimum as minimum
    from referee.verifiers.combine import product as product
    from referee.verifiers.combine import route as route
    from referee.verifiers.combine import shape as shape
    from referee.verifiers.combine import weighted_sum as weighted_sum
    from referee.verifiers.exact import Exact as Exact
    from referee.verifiers.graded import AllowedOperations as AllowedOperations
    from referee.verifiers.graded import Closeness as Closeness
    from referee.verifiers.graded import EditSimilarity as EditSimilarity
    from referee.verifiers.graded import Efficiency as Efficiency
    from referee.verifiers.graded import ElementCount as ElementCount
    from referee.verifiers.graded import TokenF1 as TokenF1
    from referee.verifiers.graded import elements as elements
    from referee.verifiers.instructions.verifier import Instructions as Instructions
    from referee.verifiers.json_schema import JsonSchema as JsonSchema
    from referee.verifiers.judges.criteria import Criteria as Criteria
    from referee.verifiers.judges.criteria import criteria_from as criteria_from
    from referee.verifiers.judges.endpoint import Endpoint as Endpoint
    from referee.verifiers.judges.local import LocalChat as LocalChat
    from referee.verifiers.judges.pairwise import PairwiseJudge as PairwiseJudge
    from referee.verifiers.judges.pointwise import Judge as Judge
    from referee.verifiers.learned.normalise import Centred as Centred
    from referee.verifiers.learned.normalise import Ensemble as Ensemble
    from referee.verifiers.learned.normalise import Moments as Moments
    from referee.verifiers.learned.normalise import Squashed as Squashed
    from referee.verifiers.learned.normalise import standardise as standardise
    from referee.verifiers.learned.normalise import whiten as whiten
    from referee.verifiers.learned.process import ProcessModel as ProcessModel
    from referee.verifiers.learned.reward_model import OutcomeModel as OutcomeModel
    from referee.verifiers.learned.reward_model import RewardModel as RewardModel
    from referee.verifiers.learned.steps import aggregate_steps as aggregate_steps
    from referee.verifiers.learned.steps import first_wrong as first_wrong
    from referee.verifiers.learned.steps import split_steps as split_steps
    from referee.verifiers.length import CosineLength as CosineLength
    from referee.verifiers.length import OverlongPenalty as OverlongPenalty
    from referee.verifiers.mathematics.math_verifier import Math as Math
    from referee.verifiers.mathematics.second_opinion import MathVerify as MathVerify
    from referee.verifiers.numeric import Numeric as Numeric
    from referee.verifiers.pattern import Regex as Regex
    from referee.verifiers.probing import audit as audit
    from referee.verifiers.protocol import AnyVerifier as AnyVerifier
    from referee.verifiers.protocol import GroupVerifier as GroupVerifier
    from referee.verifiers.protocol import Item as Item
    from referee.verifiers.protocol import Verifier as Verifier
    from referee.verifiers.protocol import verifier as verifier
    from referee.verifiers.reading.code_blocks import extract_code as extract_code
    from referee.verifiers.reading.marks import Marks as Marks
    from referee.verifiers.reading.strategies import extract as extract
    from referee.verifiers.reading.thinking import answer_part as answer_part
    from referee.verifiers.records import Completion as Completion
    from referee.verifiers.records import FinishReason as FinishReason
    from referee.verifiers.records import Message as Message
    from referee.verifiers.records import Problem as Problem
    from referee.verifiers.records import Reason as Reason
    from referee.verifiers.records import Reward as Reward
    from referee.verifiers.records import ToolCall as ToolCall
    from referee.verifiers.records import Verdict as Verdict
    from referee.verifiers.records import answer_of as answer_of
    from referee.verifiers.repetition import RepetitionPenalty as RepetitionPenalty
    from referee.verifiers.rubric import Part as Part
    from referee.verifiers.rubric import Rubric as Rubric
    from referee.verifiers.rubric import Schedule as Schedule
    from referee.verifiers.rubric_file import load_rubric as load_rubric
    from referee.verifiers.scoring import Columns as Columns
    from referee.verifiers.scoring import Scored as Scored
    from referee.verifiers.scoring import Summary as Summary
    from referee.verifiers.scoring import read_scored as read_scored
    from referee.verifiers.scoring import score as score
    from referee.verifiers.scoring import score_file as score_file
    from referee.verifiers.scoring.asking import evaluate as evaluate
    from referee.verifiers.tags import Tags as Tags
    from referee.verifiers.think_format import ThinkFormat as ThinkFormat
    from referee.verifiers.tool_use.calls_verifier import ToolCalls as ToolCalls
    from referee.verifiers.tool_use.state_verifier import ToolState as ToolState
    from referee.verifiers.unit_tests import UnitTests as UnitTests

_HOME = {  # public name -> the module that holds it, imported when the name is first used
    "AllOf": "combine",
    "AllowedOperations": "graded",
    "AnyOf": "combine",
    "AnyVerifier": "protocol",
    "Centred": "learned.normalise",
    "Choice": "choice",
    "Closeness": "graded",
    "Columns": "scoring",
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
    "Marks": "reading.marks",
    "Math": "mathematics.math_verifier",
    "MathVerify": "mathematics.second_opinion",
    "Message": "records",
    "Moments": "learned.normalise",
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
    "Scored": "scoring",
    "Squashed": "learned.normalise",
    "Summary": "scoring",
    "Tags": "tags",
    "ThinkFormat": "think_format",
    "TokenF1": "graded",
    "ToolCall": "records",
    "UnitTests": "unit_tests",
    "ToolCalls": "tool_use.calls_verifier",
    "ToolState": "tool_use.state_verifier",
    "Verdict": "records",
    "Verifier": "protocol",
    "aggregate_steps": "learned.steps",
    "all_of": "combine",
    "answer_of": "records",
    "answer_part": "reading.thinking",
    "any_of": "combine",
    "audit": "probing",
    "clip": "combine",
    "criteria_from": "judges.criteria",
    "elements": "graded",
    "evaluate": "scoring.asking",
    "extract": "reading.strategies",
    "extract_code": "reading.code_blocks",
    "first_decided": "combine",
    "first_wrong": "learned.steps",
    "gate": "combine",
    "invert": "combine",
    "load_rubric": "rubric_file",
    "minimum": "combine",
    "product": "combine",
    "read_scored": "scoring",
    "route": "combine",
    "score": "scoring",
    "score_file": "scoring",
    "shape": "combine",
    "split_steps": "learned.steps",
    "standardise": "learned.normalise",
    "verifier": "protocol",
    "weighted_sum": "combine",
    "whiten": "learned.normalise",
}

__all__ = list(_HOME)

if not TYPE_CHECKING:  # a module with this function would have every name there is, and all of no type

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        except ModuleNotFoundError as e:
            from referee.verifiers.extras import missing_in

            if (why := missing_in(e, name)) is not None:
                raise why from e
            raise
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(_HOME)
