"""lm-evaluation-harness: ``process_results`` of a task, and a filter.

The harness averages the values of each metric over the documents that have it: a document on which
the rubric abstains has none, and counts in ``abstained``, whose mean is the share of those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from referee.trainers.adapters.outside_rows import completion_of, problem_of
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.extras import missing
from referee.verifiers.records import Reward
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.rows import Columns


def to_lm_eval(
    rubric: Rubric,
    *,
    columns: Columns | None = None,
    metric: str = "reward",
    deadline_s: float | None = None,
    workers: int = 1,
) -> LMEvalResults:
    """Return ``rubric`` as a task's ``process_results``.

    In the task's YAML ``process_results: !function my_rewards.process_results`` and, for each of
    ``metric``, ``abstained`` and ``<metric>/<part>`` that shall be reported, an entry in
    ``metric_list`` with ``aggregation: mean``. Where a task repeats its requests, the completions of
    a document are siblings, and each metric is their mean.
    """
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    return LMEvalResults(scorer=scorer, columns=columns or Columns(), metric=metric)


@dataclass(frozen=True, kw_only=True)
class LMEvalResults:
    """A rubric as ``process_results(doc, results)``."""

    scorer: Scorer
    columns: Columns
    metric: str

    @property
    def __name__(self) -> str:
        return "process_results"

    def __call__(self, doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
        """Return the document's metrics; the reward is left out where there is none."""
        problem = problem_of(doc, self.columns)
        texts = [t for r in results for t in ([r] if isinstance(r, str) else r)]
        rewards = self.scorer.score([(completion_of(t), problem) for t in texts])
        out = {"abstained": sum(r.abstains for r in rewards) / max(1, len(rewards))}
        out |= _mean(self.metric, (r.total for r in rewards))
        for part in self.scorer.rubric.parts:
            out |= _mean(f"{self.metric}/{part}", (r.parts[part].score for r in rewards))
        return out


def to_lm_eval_filter(
    rubric: Rubric,
    *,
    columns: Columns | None = None,
    read: Callable[[Reward], str] | None = None,
    name: str = "referee",
    deadline_s: float | None = None,
    workers: int = 1,
) -> str:
    """Register a filter called ``name`` that replaces each response by what the rubric says of it.

    By default that is the reward as a text (``repr``, so that ``float`` gives it back bit for bit), and
    the text ``abstained`` where there is none; ``read`` makes something else of the reward. In the
    task's YAML: ``filter_list: [{name: rewards, filter: [{function: referee}]}]``. Returns the name. The
    harness loads a task's module more than once: an equal rubric under the same name stays registered.

    Raises:
        ImportError: where lm_eval is not installed.
        ValueError: where another filter has that name.
    """
    try:
        from lm_eval.api.filter import Filter
        from lm_eval.api.registry import register_filter
    except ImportError as e:
        raise missing("to_lm_eval_filter", "lm_eval", install="lm-eval") from e
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    where, say = columns or Columns(), read or reward_text
    if _registered.get(name) == (scorer, where, say):
        return name

    class RefereeFilter(Filter):  # type: ignore[misc]
        """Replaces responses by rewards."""

        def apply(self, resps: Iterable[Sequence[str]], docs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
            """Score the responses of each document as siblings."""
            out = []
            for responses, doc in zip(resps, docs, strict=True):
                problem = problem_of(doc, where)
                rewards = scorer.score([(completion_of(r), problem) for r in responses])
                out.append([say(r) for r in rewards])
            return out

    register_filter(name)(RefereeFilter)
    _registered[name] = (scorer, where, say)
    return name


_registered: dict[str, tuple[Scorer, Columns, Callable[[Reward], str]]] = {}


def reward_text(reward: Reward) -> str:
    """Return a reward as a text that ``float`` reads back, or ``abstained``."""
    return "abstained" if reward.total is None else repr(reward.total)


def _mean(name: str, values: Iterable[float | None]) -> dict[str, float]:
    decided = [v for v in values if v is not None]
    return {name: sum(decided) / len(decided)} if decided else {}
