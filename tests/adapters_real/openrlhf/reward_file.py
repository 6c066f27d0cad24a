"""The file that OpenRLHF's --reward.remote_url names."""

from conformance import RUBRIC

from referee.trainers import to_openrlhf

reward_func = to_openrlhf(RUBRIC, on_abstention=-7.0, special_tokens=("</s>",))
