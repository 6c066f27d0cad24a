"""What goes round: the group trainer, PPO, fine-tuning, rollouts, problems and held-out measures."""
