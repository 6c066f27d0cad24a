"""PPO: the group trainer with a critic.

What differs from the rest of the family (:mod:`referee.trainers.loop.grpo`) is the advantage, ``gae``:

    reward     -kl_coef log(pi / ref) on each token, the rubric's total on the last one  (Ziegler et al. 2019)
               + a process model's step scores on the tokens that end the steps (``step_part``)
    advantage  GAE on the critic's values, whitened; the returns are the critic's targets
    loss       the clipped surrogate + value_coef times the clipped value loss - entropy_coef times entropy
    update     update_epochs passes of mini-batches, stopping early where the policy has moved by stop_kl

A completion ends its episode, also where it ran out of tokens: the rubric's stated policy pays for
that. With ``bootstrap_truncated`` what was cut off is worth the critic's value of where it stopped.
Completions on which the rubric abstained are in no mean, no whitening and no loss.
"""

from __future__ import annotations

from referee.trainers.loop.critic import Critic
from referee.trainers.loop.grpo import GroupTrainer


class PPOTrainer(GroupTrainer):
    """Trains a policy and a critic; the arguments are those of the group trainer.

    The preset's ``critic`` is ``head`` (a value head on the policy) or ``model`` (a body of its own, or
    an adapter of its own where the policy has adapters).
    """

    HAS_CRITIC = True

    @property
    def critic(self) -> Critic:
        """The critic that is trained."""
        assert self.learner.critic is not None
        return self.learner.critic
