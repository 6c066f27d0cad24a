"""No silent option: each one that is set away from a preset moves the weights, or is warned of by name."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import pytest
import torch

from referee.trainers import GroupTrainer, PPOTrainer, Tiny, Training, preset, tiny_policy
from referee.trainers.objective.effects import without_effect
from referee.trainers.objective.preset_check import check
from referee.trainers.objective.presets import PRESETS, Preset
from referee.verifiers import Problem, Rubric

SMALL = Tiny(alphabet="0123456789+=", layers=1, width=16, heads=2)
PROBLEMS = [Problem(prompt=f"{a}+{b}=", answer=str(a + b)) for a in range(6) for b in range(6)]

# What is sampled, and how much of it: each changes the batch itself, and has tests of its own.
OF_THE_BATCH = {
    "name", "source", "group_size", "batch_size", "temperature", "max_new_tokens", "refill_groups",
    "mask_truncated", "credit", "step_part", "advantage", "learning_rate",
}  # fmt: skip
AWAY = {
    "std": ["none", "population", "sample", "batch"],
    "advantage_eps": [0.5],
    "baseline": ["none", "group", "batch"],
    "loss": ["clip", "cispo", "reinforce"],
    "ratio": ["token", "sequence"],
    "clip_low": [1e-4, 0.5],
    "clip_high": [1e-3, 0.5],
    "dual_clip": [1.0 + 1e-3 + 1e-6],
    "aggregation": ["token", "sequence", "constant", "sum"],
    "kl_coef": [0.3],
    "kl_estimator": ["k1", "k2", "k3"],
    "kl_in": ["loss", "reward"],
    "updates": [2, 3],
    "mini_batch_size": [3],
    "update_epochs": [2],
    "overlong_tokens": [5],
    "gamma": [0.5],
    "lam": [0.3],
    "value_clip": [1e-3],
    "value_coef": [0.7],
    "entropy_coef": [0.2],
    "critic": ["head", "model"],
    "bootstrap_truncated": [True],
    "whiten_rewards": [True],
    "whiten_advantages": [True, False],
    "adaptive_kl": [True, False],
    "kl_target": [1e-4],
    "kl_horizon": [7],
    "stop_kl": [1e-6],
    "score_norm": ["scale", "whiten"],
    "score_clip": [0.3],
    "step_coef": [3.0],
    "step_centre": [0.4],
}  # fmt: skip


def paid(completion, problem):
    return sum(c in "12345" for c in completion.text) / 5


def trained(chosen):
    """Return the weights after three steps on groups that are the same whatever the options."""
    cls = PPOTrainer if chosen.advantage == "gae" else GroupTrainer
    policy = tiny_policy(SMALL, seed=3, dtype="float64")
    t = cls(
        policy, PROBLEMS, Rubric({"paid": paid}, truncation="score"), preset=chosen,
        training=Training(off_policy="truncate", off_policy_high=1e6),  # the groups are an older policy's
    )  # fmt: skip
    for groups in groups_of(chosen.group_size):
        # a controller steers by what the policy itself samples
        batch, _ = t.pack(t.collect()[0] if chosen.adaptive_kl and chosen.kl_coef else groups)
        t.update(batch)
        t.step += 1
    return torch.cat([p.detach().flatten() for p in policy.model.parameters()])


@cache
def groups_of(size):
    chosen = replace(preset("grpo_trl"), batch_size=8, group_size=size, max_new_tokens=10)
    policy = tiny_policy(SMALL, seed=3, dtype="float64")
    rubric = Rubric({"paid": paid}, truncation="score")
    t = GroupTrainer(policy, PROBLEMS, rubric, preset=chosen, training=Training())
    return [t.collect()[0] for _ in range(3)]


def small(name):
    p = preset(name)
    return replace(
        p, batch_size=8, group_size=min(p.group_size, 4), max_new_tokens=10, learning_rate=3e-2,
        updates=min(p.updates, 4), clip_low=min(p.clip_low, 0.1), clip_high=min(p.clip_high, 0.1),
        mask_truncated=False, overlong_tokens=min(p.overlong_tokens, 2), advantage_eps=0.0,
    )  # fmt: skip


def test_the_table_has_every_option_of_a_preset():
    assert {f.name for f in fields(Preset)} == OF_THE_BATCH | set(AWAY)


@pytest.mark.filterwarnings("ignore:.*has no effect", "ignore:a batch gives", "ignore:group_size")
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_an_option_moves_the_weights_or_is_named(name):
    base = small(name)
    plain = cache(trained)
    silent, wrongly_named = [], []
    for option, values in AWAY.items():
        found = [moves(base, option, v, plain) for v in values if v != getattr(base, option)]
        moved = [m for m, _ in found if m is not None]
        if not any(moved) and not all(n for m, n in found if m is not None):
            silent.append(option)
        if any(m and n for m, n in found):
            wrongly_named.append(option)
    assert not silent
    assert not wrongly_named


def moves(base, option, value, plain):
    """Tell whether an option set to a value moves the weights (None: it is refused), and whether it is named."""
    try:
        if option == "dual_clip":
            base = replace(base, clip_high=1e-3)
        chosen = replace(base, **{option: value})
        check(chosen, critic=chosen.advantage == "gae")
    except ValueError:
        return None, True
    named = any(w.startswith(f"{option} has no effect") for w in chosen.warnings())
    return not torch.allclose(trained(chosen), plain(base), rtol=1e-9, atol=1e-9), named


def test_what_a_preset_merely_inherits_is_not_spoken_of():
    assert all(not p.warnings() for p in PRESETS.values())
    assert all(without_effect(p) for p in PRESETS.values())


def test_options_of_a_run_that_do_nothing_are_named():
    t = Training(reference="average", reference_decay=0.5, off_policy_high=3.0, max_refills=9)
    said = t.warnings(preset("dr_grpo"))
    assert [s.split()[0] for s in said] == ["reference", "reference_decay", "off_policy_high", "max_refills"]
    assert not replace(t, track_kl=True, off_policy="mask").warnings(preset("dapo"))
    with pytest.warns(UserWarning, match="lam has no effect: only the advantage gae has a critic"):
        GroupTrainer(
            tiny_policy(SMALL), PROBLEMS, Rubric({"paid": paid}),
            preset=replace(preset("grpo"), lam=0.3), training=Training(),
        )  # fmt: skip
