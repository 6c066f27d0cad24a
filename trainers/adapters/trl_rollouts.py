"""TRL: our games and tool environments as its ``rollout_func``, tokens in and tokens out.

The policy plays whole episodes in plain chat turns, so that it needs no template for tool calls. What
it sampled is what TRL trains on; what the environment said is masked out of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from referee.envs.dialogue import dialogue_for
from referee.envs.episode import Episode, EpisodeLimits
from referee.envs.procedural import Family
from referee.envs.records import Rollout
from referee.envs.rollout import roll_out, tokens_of
from referee.envs.tools import Tool
from referee.trainers.adapters.trl_episodes import problem_in, row_of
from referee.trainers.adapters.trl_log import log_rollouts
from referee.verifiers.jsonl import dumps, loads
from referee.verifiers.records import Completion, Problem
from referee.verifiers.rubric import Rubric


def to_trl_rollouts(
    family: Family,
    *,
    rubric: Rubric | None = None,
    tools: Sequence[Tool] | None = None,
    limits: EpisodeLimits | None = None,
    turn_tokens: int | None = None,
) -> TRLRollouts:
    """Return ``family`` as ``GRPOTrainer(rollout_func=rollouts, reward_funcs=rollouts.reward)``.

    ``rows(count)`` makes the data set: each prompt carries its problem, since TRL hands a rollout
    function nothing but prompts. ``turn_tokens`` bounds each turn; all turns together, with what the
    environment says between them, are held to the trainer's ``max_completion_length``. Sampling is the
    trainer's model through transformers with its temperature, top_p and top_k.

    Raises:
        ValueError: where ``turn_tokens`` is not above 0, or the rubric needs siblings.
    """
    if turn_tokens is not None and turn_tokens < 1:
        raise ValueError(f"turn_tokens must be above 0 or None, got {turn_tokens}")
    if rubric is not None and rubric.is_group:
        raise ValueError("rubric must judge completions one by one: an episode knows only its own")
    offered = None if tools is None else tuple(tools)
    return TRLRollouts(family=family, rubric=rubric, tools=offered, limits=limits, turn_tokens=turn_tokens)


@dataclass(frozen=True, kw_only=True)
class TRLRollouts:
    """Plays an episode for each prompt that TRL hands over."""

    family: Family
    rubric: Rubric | None = None
    tools: tuple[Tool, ...] | None = None
    limits: EpisodeLimits | None = None
    turn_tokens: int | None = None

    @property
    def __name__(self) -> str:
        return self.family.name

    def rows(self, count: int, *, seed: int = 0, level: int = 0, start: int = 0) -> list[dict[str, Any]]:
        """Return ``count`` rows for ``Dataset.from_list``, whose prompts carry their problems."""
        return [self._row(self.family.problem(seed, i, level)) for i in range(start, start + count)]

    def __call__(self, prompts: Sequence[Any], trainer: Any) -> dict[str, list[Any]]:
        """Play one episode for each prompt.

        Raises:
            ValueError: where a prompt carries no problem, or the trainer samples in ways that this does
                not: vLLM, min_p, a repetition penalty.
        """
        if trainer.use_vllm or trainer.min_p or trainer.repetition_penalty != 1.0:
            raise ValueError("the trainer must sample by transformers, without min_p and repetition_penalty")
        budget = int(trainer.max_completion_length)
        limits = self.limits or EpisodeLimits()
        limits = replace(limits, tokens=min(budget, limits.tokens or budget))
        episodes = [
            Episode(self.family, _problem(p), tools=self.tools, limits=limits, rubric=self.rubric)
            for p in prompts
        ]
        tokenizer = trainer.processing_class
        dialogue = dialogue_for(tokenizer)
        longest = max(len(dialogue.prompt(e.prompt, e.tools.schemas)) for e in episodes)
        rollouts = roll_out(
            episodes,
            _sampler(trainer, tokenizer, self.turn_tokens or budget),
            dialogue,
            seeds=_seeds(trainer, len(episodes)),
            context_tokens=longest + budget,
            policy_step=int(trainer.state.global_step),
        )
        return _columns(rollouts)

    @property
    def reward(self) -> TRLRolloutsReward:
        """The reward function that goes with it."""
        return TRLRolloutsReward(name=self.family.name)

    def _row(self, problem: Problem) -> dict[str, Any]:
        row = row_of(problem, self.family.name)
        prompt = [dict(m) for m in row["prompt"]]
        prompt[-1]["problem"] = row["problem"]
        return {"prompt": prompt}


@dataclass(frozen=True, kw_only=True)
class TRLRolloutsReward:
    """A TRL reward function that pays what the episodes paid, and logs what came of them."""

    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(
        self,
        rollout: Sequence[str],
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **dataset: Any,
    ) -> list[float | None]:
        """Return what each rollout is paid: its final reward and its turns', None where it abstains."""
        return log_rollouts(self.name, [loads(Rollout, line) for line in rollout], log_extra, log_metric)


def _problem(prompt: Any) -> Problem:
    messages = prompt if isinstance(prompt, Sequence) and not isinstance(prompt, str) else ()
    carried = [m for m in messages if isinstance(m, Mapping) and m.get("problem")]
    return problem_in(carried[-1] if carried else {})


def _sampler(trainer: Any, tokenizer: Any, turn_tokens: int) -> Callable[..., list[Completion]]:
    from referee.trainers.policy.policy import Policy
    from referee.trainers.policy.sampling import Sampling, sample

    policy = Policy(model=trainer.accelerator.unwrap_model(trainer.model), tokenizer=tokenizer)
    sampling = Sampling(
        max_new_tokens=turn_tokens,
        temperature=trainer.temperature,
        top_p=trainer.top_p,
        top_k=trainer.top_k or 0,
    )

    def draw(prefixes: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Completion]:
        return [group[0] for group in sample(policy, prefixes, sampling=sampling, seeds=seeds)]

    return draw


def _seeds(trainer: Any, count: int) -> list[int]:
    """Return a seed for each episode: no two of a run share one."""
    from referee.trainers.policy.sampling import seed_of

    mode = "train" if trainer.model.training else "eval"
    where = (trainer.args.seed, mode, int(trainer.state.global_step), trainer.accelerator.process_index)
    return [seed_of("trl", *where, i) for i in range(count)]


def _columns(rollouts: Sequence[Rollout]) -> dict[str, list[Any]]:
    """Return what TRL wants to know: tokens, their log-probabilities, and which of them are the policy's."""
    out: dict[str, list[Any]] = {
        name: [] for name in ("prompt_ids", "completion_ids", "logprobs", "env_mask", "rollout")
    }
    for rollout in rollouts:
        tokens, start = tokens_of(rollout), len(rollout.prompt_ids or ())
        out["prompt_ids"].append(list(tokens.token_ids[:start]))
        out["completion_ids"].append(list(tokens.token_ids[start:]))
        out["logprobs"].append(list(tokens.logprobs[start:]))
        out["env_mask"].append([int(m) for m in tokens.mask[start:]])
        out["rollout"].append(dumps(rollout))
    return out
