"""Which presets can be trained in groups, with or without a critic."""

from __future__ import annotations

from referee.trainers.objective.presets import Preset


def check(preset: Preset, *, critic: bool = False) -> None:
    """Raise ValueError where a preset cannot be trained in groups, or not with (without) a critic."""
    if preset.advantage == "gae" and not critic:
        raise ValueError(f"preset must not need a critic, got {preset.name!r}: use referee.trainers.loop.ppo")
    if preset.advantage != "gae" and critic:
        raise ValueError(
            f"preset must have the advantage gae, got {preset.name!r}: use referee.trainers.loop.grpo"
        )
    if preset.step_part and preset.advantage not in ("group", "gae"):
        raise ValueError(
            f"step_part must be empty with the advantage {preset.advantage}, got {preset.step_part!r}"
        )
    if preset.score_clip is not None and not preset.score_clip > 0:
        raise ValueError(f"score_clip must be above 0, got {preset.score_clip}")
    if (preset.score_norm != "none" or preset.score_clip is not None) and (
        preset.advantage == "gdpo" or preset.credit == "turn"
    ):
        raise ValueError(
            "score_norm and score_clip must be unset where parts or turns are compared apart, got "
            f"{preset.score_norm!r} and {preset.score_clip} with the preset {preset.name!r}"
        )
    if preset.batch_size % preset.group_size or preset.batch_size < preset.group_size:
        raise ValueError(
            f"batch_size must be a multiple of group_size {preset.group_size}, got {preset.batch_size}"
        )
    if preset.credit == "turn" and (
        preset.advantage in ("gdpo", "gae")
        or (preset.kl_coef and preset.kl_in == "reward")
        or preset.overlong_tokens
    ):
        raise ValueError(
            "credit must be episode with a critic, parts that are normalised apart, a KL penalty in the "
            f"reward or one for length, got 'turn' with the preset {preset.name!r}"
        )
    if preset.temperature <= 0:
        raise ValueError(f"temperature must be above 0 in training, got {preset.temperature}")
