"""What verl imports by `pkg://verl_rewards`."""

from conformance import RUBRIC

from referee.trainers import to_verl

compute_score = to_verl(RUBRIC, on_abstention=-7.0)
acompute_score = compute_score.acompute_score
strict_score = to_verl(RUBRIC, on_abstention="raise")
