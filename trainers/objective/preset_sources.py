"""Where each number of each preset stands: the section, table or equation, or that it is ours.

A test holds that nothing in a preset differs from :class:`~.presets.Preset`'s own defaults without a line
here.
"""

from __future__ import annotations

from collections.abc import Mapping

_OURS = "ours: the source states none"

SOURCES: Mapping[str, Mapping[str, str]] = {
    "grpo": {
        "kl_coef": "section 4.2: the KL coefficient is 0.04",
        "group_size": "section 4.2: 64 outputs for each question",
        "batch_size": "section 4.2: the training batch size is 1,024",
        "updates": "section 4.2: a single update after each exploration stage (the default)",
        "learning_rate": "section 4.2: the policy model's is 1e-6 (the default)",
        "max_new_tokens": "section 4.2: the maximum length is 1,024 (the default)",
        "aggregation": "equation 3: the mean over each output, then over outputs (the default)",
        "std": "section 4.1.2 says the standard deviation, not which; over n (the default)",
        "advantage_eps": "TRL's; " + _OURS,
    },
    "grpo_r1": {
        "clip_low": "training details of R1-Zero: the clip ratio is 10",
        "clip_high": "training details of R1-Zero: the clip ratio is 10",
        "kl_coef": "training details of R1-Zero: the KL coefficient is 0.001",
        "learning_rate": "training details of R1-Zero: 3e-6",
        "group_size": "training details of R1-Zero: 16 outputs for each question",
        "batch_size": "training details of R1-Zero: 8,192 outputs a rollout",
        "updates": "training details of R1-Zero: split into 16 mini-batches, one inner epoch",
        "max_new_tokens": "training details of R1-Zero: 32,768, later 65,536",
    },
    "grpo_trl": {
        "std": "grpo_trainer.py: torch.std, which divides by n - 1",
        "aggregation": "loss_type is dapo",
        "batch_size": "per_device_train_batch_size is 8",
        "max_new_tokens": "max_completion_length is 512",
    },
    "dr_grpo": {
        "std": "section 3.1: the division by the standard deviation goes",
        "aggregation": "section 3.1: the division by the length goes; their code divides by the limit",
        "batch_size": "the authors' script: 128 questions x 8",
        "updates": "the authors' script: train_batch_size is 128",
        "max_new_tokens": "the authors' script: generate_max_length is 3,000",
        "group_size": "the authors' script: num_samples is 8 (the default)",
    },
    "dapo": {
        "clip_high": "section 4.1: epsilon high is 0.28",
        "aggregation": "equation 12: every token counts the same",
        "group_size": "section 4.1: 16 responses for each prompt",
        "batch_size": "section 4.1: 512 prompts",
        "updates": "section 4.1: mini-batches of 512, 16 gradient updates for each rollout step",
        "max_new_tokens": "section 4.1: 20,480 tokens",
        "overlong_tokens": "section 4.1: a soft punish cache of 4,096 tokens; equation 13",
        "refill_groups": "section 3.2: dynamic sampling",
        "learning_rate": "section 4.1: a constant 1e-6, after 20 rollout steps of warm-up (the default)",
    },
    "dapo_trl": {
        "clip_high": "epsilon_high is 0.28",
        "aggregation": "loss_type is dapo",
        "std": "grpo_trainer.py: torch.std, which divides by n - 1",
        "group_size": "num_generations is 16",
        "batch_size": "per_device_train_batch_size is 512",
        "max_new_tokens": "max_completion_length is 20,480",
        "overlong_tokens": "get_soft_overlong_punishment with a cache of 4,096",
        "mask_truncated": "mask_truncated_completions is set",
    },
    "gspo": {
        "ratio": "equation 7",
        "clip_low": "section 5.1: 3e-4",
        "clip_high": "section 5.1: 4e-4",
        "updates": "section 5.1: a rollout batch is split into four mini-batches",
        "batch_size": _OURS,
    },
    "cispo": {
        "loss": "equations 4 and 5",
        "clip_low": "section 3.1: no lower bound",
        "clip_high": "arXiv 2510.13786: a cap of 5; the paper tunes it and does not say to what",
        "aggregation": "equation 4: over all tokens of the group",
        "updates": "section 3.1: 16 rounds of off-policy updates for each generation batch",
        "batch_size": _OURS,
    },
    "maxrl": {
        "advantage": "(r - mean) / mean, the estimator of the truncated log-likelihood",
        "aggregation": _OURS,
        "batch_size": _OURS,
    },
    "rloo": {
        "advantage": "section 2.3 of the paper, equation 8",
        "loss": "section 2.3 of the paper: plain REINFORCE on the whole sequence",
        "aggregation": "section 2.3 of the paper: the log-probability of the whole sequence",
        "kl_coef": "RLOOConfig: beta is 0.05",
        "kl_in": "equation 2 of the paper; RLOOTrainer takes it off the reward",
        "kl_estimator": "RLOOTrainer: the difference of log-probabilities",
        "group_size": "RLOOConfig: num_generations is 2",
        "batch_size": "RLOOConfig: per_device_train_batch_size is 8",
        "max_new_tokens": "RLOOConfig: max_completion_length is 512",
    },
    "reinforce": {
        "advantage": "Williams 1992, section 4",
        "loss": "Williams 1992, equation 11",
        "aggregation": "the log-probability of the whole sequence",
    },
    "reinforce_pp": {
        "advantage": "the paper: rewards to go, normalised over the batch",
        "baseline": "the paper: REINFORCE++ without a group baseline",
        "aggregation": "the authors' code: the mean over tokens",
        "kl_coef": "the authors' script: 0.01",
        "kl_in": "the paper: a penalty for each token in its reward",
        "kl_estimator": "the paper: the log-ratio",
        "group_size": "the paper: one response for each prompt",
        "batch_size": "the authors' script: a train_batch_size of 128",
        "advantage_eps": "the authors' code: 1e-8",
    },
    "ppo": {
        "advantage": "Schulman et al. 2017, equation 11",
        "aggregation": "TRL's last PPOTrainer: the mean over tokens",
        "learning_rate": "TRL's first PPOConfig: 1.41e-5, rounded",
        "group_size": "one response for each query",
        "mini_batch_size": _OURS,
        "update_epochs": "TRL: num_ppo_epochs is 4; Ziegler et al. 2019 as well",
        "kl_coef": "Ziegler et al. 2019, TRL's first PPOConfig: init_kl_coef is 0.2",
        "kl_in": "Ziegler et al. 2019, equation 2",
        "kl_estimator": "Ziegler et al. 2019, equation 2",
        "adaptive_kl": "Ziegler et al. 2019, section 2.2",
        "stop_kl": _OURS,
        "whiten_advantages": "Ziegler et al. 2019's code",
    },
}
"""By preset and option."""
