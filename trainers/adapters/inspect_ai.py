"""inspect_ai: a scorer.

An abstention becomes ``Score.unscored``: it is kept in the log with its reason and left out of the
metrics, which count it as an unscored sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from referee.trainers.adapters.abstention import reason, utf8, verdicts, why
from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.extras import missing
from referee.verifiers.records import Reward
from referee.verifiers.rubric import Rubric


def to_inspect(
    rubric: Rubric,
    *,
    name: str = "referee",
    metrics: Sequence[Any] = (),
    deadline_s: float | None = None,
    workers: int = 1,
) -> Any:
    """Return ``rubric`` as an inspect_ai scorer, for ``Task(scorer=to_inspect(rubric))``.

    The target is the problem's answer (its texts as a list, where there are several), the sample's
    metadata the problem's info. A model that stopped at its token limit counts as truncated. The
    metrics are the mean and its standard error, unless others are given.

    Raises:
        ValueError: where the rubric needs siblings: a scorer sees one sample.
        ImportError: where inspect_ai is not installed.
    """
    try:
        from inspect_ai.scorer import mean, scorer, stderr
    except ImportError as e:
        raise missing("to_inspect", "inspect_ai", install="inspect-ai") from e
    engine = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    engine.require_single("inspect_ai")

    @scorer(metrics=list(metrics) or [mean(), stderr()], name=name)  # type: ignore[untyped-decorator]
    def referee() -> Any:
        async def score(state: Any, target: Any) -> Any:
            texts = list(target)
            answer = texts[0] if len(texts) == 1 else texts
            problem = problem_from(state.input_text, answer, state.metadata, state.sample_id)
            stop = state.output.stop_reason if state.output.choices else ""
            cut = stop in ("max_tokens", "model_length")
            completion = completion_of(state.output.completion, truncated=cut)
            (reward,) = await engine.ascore([(completion, problem)])
            return _score(reward)

        return score

    return referee()


def _score(reward: Reward) -> Any:
    from inspect_ai.scorer import Score

    answer = next((v.answer for v in reward.parts.values() if v.answer is not None), None)
    said = None if answer is None else str(utf8(answer))
    if reward.total is None:
        return Score.unscored(answer=said, explanation=why(reward), metadata=verdicts(reward))
    return Score(value=reward.total, answer=said, explanation=reason(reward), metadata=verdicts(reward))
