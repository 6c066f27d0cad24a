"""Presets: the published numbers, pinned."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import pytest

from referee.trainers.objective.preset_sources import SOURCES
from referee.trainers.objective.presets import PRESETS, Preset, preset

PINNED = {
    "grpo": {
        "advantage": "group", "std": "population", "advantage_eps": 1e-4, "loss": "clip", "ratio": "token",
        "clip_low": 0.2, "clip_high": 0.2, "aggregation": "sequence", "kl_coef": 0.04, "kl_estimator": "k3",
        "kl_in": "loss", "learning_rate": 1e-6, "group_size": 64, "batch_size": 1024, "updates": 1,
        "max_new_tokens": 1024, "update_epochs": 1,
    },
    "grpo_r1": {
        "clip_low": 10.0, "clip_high": 10.0, "kl_coef": 0.001, "learning_rate": 3e-6, "group_size": 16,
        "batch_size": 8192, "updates": 16,
    },
    "dr_grpo": {
        "advantage": "group", "std": "none", "aggregation": "constant", "kl_coef": 0.0, "group_size": 8,
        "batch_size": 1024, "updates": 8, "max_new_tokens": 3000, "learning_rate": 1e-6,
    },
    "dapo": {
        "std": "population", "clip_low": 0.2, "clip_high": 0.28, "aggregation": "token", "kl_coef": 0.0,
        "group_size": 16, "refill_groups": True, "overlong_tokens": 4096, "max_new_tokens": 20_480,
        "batch_size": 8192, "updates": 16, "mask_truncated": False,
    },
    "dapo_trl": {"clip_high": 0.28, "mask_truncated": True, "refill_groups": False, "batch_size": 512},
    "gspo": {
        "ratio": "sequence", "clip_low": 3e-4, "clip_high": 4e-4, "aggregation": "sequence", "updates": 4,
    },
    "cispo": {"loss": "cispo", "clip_low": 1.0, "clip_high": 4.0, "aggregation": "token", "updates": 16},
    "maxrl": {"advantage": "maxrl", "kl_coef": 0.0},
    "rloo": {
        "advantage": "rloo", "loss": "reinforce", "kl_in": "reward", "kl_coef": 0.05, "aggregation": "sum",
    },
    "reinforce": {
        "advantage": "reinforce", "baseline": "batch", "loss": "reinforce", "aggregation": "sum",
    },
    "reinforce_pp": {"advantage": "reinforce_pp", "baseline": "none", "loss": "clip", "kl_in": "reward"},
    "ppo": {
        "advantage": "gae", "learning_rate": 1.4e-5, "batch_size": 16, "mini_batch_size": 4,
        "update_epochs": 4, "gamma": 1.0, "lam": 0.95, "clip_low": 0.2, "clip_high": 0.2, "value_clip": 0.2,
        "kl_coef": 0.2, "kl_in": "reward", "kl_estimator": "k1", "stop_kl": 0.1,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PINNED)
def test_a_preset_has_its_published_numbers(name) -> None:
    values = asdict(preset(name))
    assert {k: values[k] for k in PINNED[name]} == PINNED[name]
    assert values["source"]


def test_grpo_trl_has_the_defaults_of_trls_own_config() -> None:
    trl = pytest.importorskip("trl")
    config = trl.GRPOConfig(output_dir="unused", report_to="none", bf16=False)
    ours = preset("grpo_trl")
    assert (config.loss_type, ours.aggregation) == ("dapo", "token")
    assert (config.scale_rewards, ours.std, ours.advantage_eps) == ("group", "sample", 1e-4)
    assert ours.kl_coef == config.beta == 0.0
    assert ours.clip_low == ours.clip_high == config.epsilon
    assert config.epsilon_high is None or config.epsilon_high == config.epsilon
    assert ours.learning_rate == config.learning_rate
    assert ours.group_size == config.num_generations
    assert ours.max_new_tokens == config.max_completion_length
    assert ours.temperature == config.temperature
    assert ours.update_epochs == config.num_iterations


def test_every_preset_is_found_by_its_name_and_an_unknown_one_is_named() -> None:
    assert set(PRESETS) == {*PINNED, "grpo_trl"}
    assert all(preset(name).name == name for name in PRESETS)
    with pytest.raises(ValueError, match=r"preset must be one of grpo, grpo_r1, grpo_trl, .*, got 'grop'"):
        preset("grop")


def test_a_low_temperature_and_a_group_of_one_are_warned_of() -> None:
    assert preset("grpo").warnings() == ()
    assert preset("ppo").warnings() == ()
    assert (
        "temperature should be at least 0.7, got 0.5"
        in replace(preset("grpo"), temperature=0.5).warnings()[0]
    )
    assert "group_size should be at least 2, got 1" in replace(preset("rloo"), group_size=1).warnings()[0]


def test_every_number_of_a_preset_says_where_it_stands() -> None:
    assert set(SOURCES) == set(PRESETS)
    for name, p in PRESETS.items():
        own = {f.name for f in fields(Preset) if f.name not in ("name", "source")}
        away = {f for f in own if getattr(p, f) != next(g.default for g in fields(Preset) if g.name == f)}
        assert away <= set(SOURCES[name]), f"{name}: {sorted(away - set(SOURCES[name]))}"
        assert set(SOURCES[name]) <= own


@pytest.mark.parametrize("batch", [32, 64, 100, 8192])
def test_the_mini_batch_follows_from_the_batch(batch) -> None:
    p = replace(preset("gspo"), batch_size=batch)
    assert p.steps_a_batch == 4
    assert p.step_size == -(-batch // 4)
    assert replace(p, mini_batch_size=batch).steps_a_batch == 1
    assert replace(p, update_epochs=3).steps_a_batch == 12


def test_steps_that_a_loss_without_a_ratio_does_not_correct_for_are_warned_of() -> None:
    (said,) = replace(preset("rloo"), updates=2).warnings()
    assert "2 optimiser steps, and the loss reinforce has no ratio" in said
