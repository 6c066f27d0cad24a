"""The same, with OpenRLHF's own word for no reward."""

from conformance import RUBRIC

from referee.trainers import to_openrlhf

reward_func = to_openrlhf(RUBRIC, on_abstention="raise", special_tokens=("</s>",))
