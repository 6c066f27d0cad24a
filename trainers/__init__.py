"""What to do about rewards: built-in trainers, and adapters to other people's."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from referee.trainers import earlier_paths

if __name__ != "referee.trainers":
    raise ImportError("import referee.trainers, not trainers")

earlier_paths.install()

if TYPE_CHECKING:  # for readers of types; a test holds it equal to the table below
    from referee.trainers.adapters.abstention import Abstained as Abstained
    from referee.trainers.adapters.atropos import atropos_scores as atropos_scores
    from referee.trainers.adapters.atropos import to_atropos as to_atropos
    from referee.trainers.adapters.from_others import from_trl as from_trl
    from referee.trainers.adapters.from_others import from_verifiers as from_verifiers
    from referee.trainers.adapters.from_others import from_verl as from_verl
    from referee.trainers.adapters.gym import to_gem as to_gem
    from referee.trainers.adapters.gym import to_gymnasium as to_gymnasium
    from referee.trainers.adapters.hf_evaluate import to_evaluate as to_evaluate
    from referee.trainers.adapters.inspect_ai import to_inspect as to_inspect
    from referee.trainers.adapters.lm_eval import to_lm_eval as to_lm_eval
    from referee.trainers.adapters.lm_eval import to_lm_eval_filter as to_lm_eval_filter
    from referee.trainers.adapters.ms_swift import to_ms_swift as to_ms_swift
    from referee.trainers.adapters.nemo_gym import to_nemo_gym as to_nemo_gym
    from referee.trainers.adapters.openenv import to_openenv as to_openenv
    from referee.trainers.adapters.openrlhf import to_openrlhf as to_openrlhf
    from referee.trainers.adapters.prime_verifiers import to_verifiers as to_verifiers
    from referee.trainers.adapters.prime_verifiers import to_verifiers_classic as to_verifiers_classic
    from referee.trainers.adapters.ray_data import to_ray_data as to_ray_data
    from referee.trainers.adapters.scorer import Scorer as Scorer
    from referee.trainers.adapters.service import ServiceLimits as ServiceLimits
    from referee.trainers.adapters.service import to_service as to_service
    from referee.trainers.adapters.skyrl_gym import to_skyrl_gym as to_skyrl_gym
    from referee.trainers.adapters.tinker import to_tinker as to_tinker
    from referee.trainers.adapters.trl import to_trl as to_trl
    from referee.trainers.adapters.trl import to_trl_environment as to_trl_environment
    from referee.trainers.adapters.trl_episodes import to_trl_episodes as to_trl_episodes
    from referee.trainers.adapters.trl_rollouts import to_trl_rollouts as to_trl_rollouts
    from referee.trainers.adapters.verl import to_verl as to_verl
    from referee.trainers.loop.grpo import GroupTrainer as GroupTrainer
    from referee.trainers.loop.heldout import HeldOut as HeldOut
    from referee.trainers.loop.heldout import measure as measure
    from referee.trainers.loop.ppo import PPOTrainer as PPOTrainer
    from referee.trainers.loop.problem_source import CurriculumSource as CurriculumSource
    from referee.trainers.loop.run_options import Training as Training
    from referee.trainers.loop.sft import SFT as SFT
    from referee.trainers.loop.sft import Demonstration as Demonstration
    from referee.trainers.loop.sft import fine_tune as fine_tune
    from referee.trainers.objective.advantages import gae as gae
    from referee.trainers.objective.advantages import group_advantages as group_advantages
    from referee.trainers.objective.advantages import rloo_advantages as rloo_advantages
    from referee.trainers.objective.credit import credit as credit
    from referee.trainers.objective.kl import AdaptiveKL as AdaptiveKL
    from referee.trainers.objective.kl import FixedKL as FixedKL
    from referee.trainers.objective.kl import kl_estimate as kl_estimate
    from referee.trainers.objective.logprobs import token_logprobs as token_logprobs
    from referee.trainers.objective.losses import aggregate as aggregate
    from referee.trainers.objective.losses import loss_normaliser as loss_normaliser
    from referee.trainers.objective.losses import loss_weights as loss_weights
    from referee.trainers.objective.losses import policy_loss as policy_loss
    from referee.trainers.objective.presets import PRESETS as PRESETS
    from referee.trainers.objective.presets import Preset as Preset
    from referee.trainers.objective.presets import preset as preset
    from referee.trainers.policy.policy import LoRA as LoRA
    from referee.trainers.policy.policy import Policy as Policy
    from referee.trainers.policy.policy import Tiny as Tiny
    from referee.trainers.policy.policy import load_policy as load_policy
    from referee.trainers.policy.policy import tiny_policy as tiny_policy
    from referee.trainers.policy.sampling import Sampling as Sampling
    from referee.trainers.policy.sampling import sample as sample
    from referee.trainers.policy.sampling import seed_of as seed_of
    from referee.trainers.recipes.recipe import Recipe as Recipe
    from referee.trainers.recipes.recipe import load_recipe as load_recipe
    from referee.trainers.recipes.recipe_run import carry_out as carry_out
    from referee.trainers.record.monitors import Alarm as Alarm
    from referee.trainers.record.monitors import alarms as alarms
    from referee.trainers.record.run_record import Run as Run
    from referee.trainers.reward_models.preference_eval import evaluate_pairs as evaluate_pairs
    from referee.trainers.reward_models.preferences import Ranking as Ranking
    from referee.trainers.reward_models.preferences import rankings as rankings
    from referee.trainers.reward_models.process_data import monte_carlo_labels as monte_carlo_labels
    from referee.trainers.reward_models.process_model import ProcessTraining as ProcessTraining
    from referee.trainers.reward_models.process_model import load_step_classifier as load_step_classifier
    from referee.trainers.reward_models.process_model import train_process_model as train_process_model
    from referee.trainers.reward_models.reward_training import RewardTraining as RewardTraining
    from referee.trainers.reward_models.reward_training import load_backbone as load_backbone
    from referee.trainers.reward_models.reward_training import train_outcome_model as train_outcome_model
    from referee.trainers.reward_models.reward_training import train_reward_model as train_reward_model
    from referee.trainers.reward_models.reward_training import trl_reward_trainer as trl_reward_trainer

_HOME = {  # public name -> the module that holds it, imported when the name is first used
    "Abstained": "adapters.abstention",
    "AdaptiveKL": "objective.kl",
    "Alarm": "record.monitors",
    "CurriculumSource": "loop.problem_source",
    "Demonstration": "loop.sft",
    "FixedKL": "objective.kl",
    "GroupTrainer": "loop.grpo",
    "HeldOut": "loop.heldout",
    "LoRA": "policy.policy",
    "PPOTrainer": "loop.ppo",
    "PRESETS": "objective.presets",
    "Policy": "policy.policy",
    "Preset": "objective.presets",
    "ProcessTraining": "reward_models.process_model",
    "Ranking": "reward_models.preferences",
    "Recipe": "recipes.recipe",
    "RewardTraining": "reward_models.reward_training",
    "Run": "record.run_record",
    "SFT": "loop.sft",
    "Sampling": "policy.sampling",
    "Scorer": "adapters.scorer",
    "ServiceLimits": "adapters.service",
    "Tiny": "policy.policy",
    "Training": "loop.run_options",
    "aggregate": "objective.losses",
    "alarms": "record.monitors",
    "atropos_scores": "adapters.atropos",
    "carry_out": "recipes.recipe_run",
    "evaluate_pairs": "reward_models.preference_eval",
    "fine_tune": "loop.sft",
    "from_trl": "adapters.from_others",
    "from_verifiers": "adapters.from_others",
    "from_verl": "adapters.from_others",
    "gae": "objective.advantages",
    "group_advantages": "objective.advantages",
    "kl_estimate": "objective.kl",
    "load_backbone": "reward_models.reward_training",
    "load_policy": "policy.policy",
    "load_recipe": "recipes.recipe",
    "load_step_classifier": "reward_models.process_model",
    "loss_normaliser": "objective.losses",
    "loss_weights": "objective.losses",
    "measure": "loop.heldout",
    "monte_carlo_labels": "reward_models.process_data",
    "policy_loss": "objective.losses",
    "preset": "objective.presets",
    "rankings": "reward_models.preferences",
    "rloo_advantages": "objective.advantages",
    "sample": "policy.sampling",
    "seed_of": "policy.sampling",
    "credit": "objective.credit",
    "tiny_policy": "policy.policy",
    "to_atropos": "adapters.atropos",
    "to_evaluate": "adapters.hf_evaluate",
    "to_gem": "adapters.gym",
    "to_gymnasium": "adapters.gym",
    "to_inspect": "adapters.inspect_ai",
    "to_lm_eval": "adapters.lm_eval",
    "to_lm_eval_filter": "adapters.lm_eval",
    "to_ms_swift": "adapters.ms_swift",
    "to_nemo_gym": "adapters.nemo_gym",
    "to_openenv": "adapters.openenv",
    "to_openrlhf": "adapters.openrlhf",
    "to_ray_data": "adapters.ray_data",
    "to_service": "adapters.service",
    "to_skyrl_gym": "adapters.skyrl_gym",
    "to_tinker": "adapters.tinker",
    "to_trl": "adapters.trl",
    "to_trl_environment": "adapters.trl",
    "to_trl_episodes": "adapters.trl_episodes",
    "to_trl_rollouts": "adapters.trl_rollouts",
    "to_verifiers": "adapters.prime_verifiers",
    "to_verifiers_classic": "adapters.prime_verifiers",
    "to_verl": "adapters.verl",
    "token_logprobs": "objective.logprobs",
    "train_outcome_model": "reward_models.reward_training",
    "train_process_model": "reward_models.process_model",
    "train_reward_model": "reward_models.reward_training",
    "trl_reward_trainer": "reward_models.reward_training",
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
