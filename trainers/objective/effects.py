"""Which of a preset's options change nothing beside its others: none may be set in silence."""

from __future__ import annotations

from referee.trainers.objective.presets import Preset

_SAME_POLICY = (
    "every optimiser step is on the policy that sampled, so the ratio is 1; set updates, mini_batch_size or "
    "update_epochs for more of them"
)
_CRITIC = "only the advantage gae has a critic"


def without_effect(preset: Preset) -> dict[str, str]:
    """Return the options that no training step depends on, whatever their values, each with the reason.

    What stays equal only by chance of the data (a clip that nothing reaches) is not among them.

    >>> from referee.trainers import preset
    >>> without_effect(preset("rloo"))["lam"]
    'only the advantage gae has a critic'
    """
    p, out = preset, {}
    moved = p.steps_a_batch > 1
    ratio = "the loss reinforce has no ratio" if p.loss == "reinforce" else "" if moved else _SAME_POLICY
    for name in ("ratio", "clip_low", "clip_high"):
        out[name] = ratio
    out["loss"] = "" if moved else _SAME_POLICY
    out["dual_clip"] = ratio or ("" if p.loss == "clip" else f"the loss {p.loss} has no such bound")
    out["updates"] = "mini_batch_size decides" if p.mini_batch_size is not None else ""
    out |= _of_advantage(p) | _of_kl(p) | _of_critic(p, moved=moved)
    out["stop_kl"] = (
        "" if moved else "a batch gives one optimiser step, and none follows that could be left out"
    )
    out["refill_groups"] = "" if p.group_size > 1 else "a group of one has nothing to compare"
    out["step_coef"] = "" if p.step_part else "there is no step_part"
    out["step_centre"] = out["step_coef"] or ("" if p.advantage == "gae" else "the steps are normalised")
    return {name: why for name, why in out.items() if why}


def _of_advantage(p: Preset) -> dict[str, str]:
    rule = f"the advantage {p.advantage}"
    by_group = p.advantage in ("group", "gdpo")
    divides = (by_group and p.std != "none") or p.advantage == "reinforce_pp"
    charged = p.overlong_tokens or (p.kl_coef and p.kl_in == "reward")  # on the scale that there is then
    whitened = not charged and (
        p.advantage == "reinforce_pp"
        or (p.advantage == "group" and p.std != "none")
        or (p.advantage == "maxrl" and p.score_norm == "scale")
    )
    discounts = (
        p.advantage == "gae"
        or p.credit == "turn"
        or (p.advantage == "reinforce_pp" and bool(p.kl_coef) and p.kl_in == "reward")
    )
    return {
        "std": "" if by_group else f"{rule} divides by no group's std",
        "advantage_eps": "" if divides else f"{rule} divides by no std",
        "baseline": _of_baseline(p),
        "gamma": "" if discounts else "rewards are paid once, at the end",
        "score_norm": f"{rule} brings rewards to a scale of its own" if whitened else "",
    }


def _of_baseline(p: Preset) -> str:
    if p.advantage == "reinforce_pp":
        return "reinforce_pp takes the mean of the batch off in any case" if p.baseline == "batch" else ""
    return "" if p.advantage == "reinforce" else f"the advantage {p.advantage} has a baseline of its own"


def _of_kl(p: Preset) -> dict[str, str]:
    free = "" if p.kl_coef else "kl_coef is 0"
    adaptive = free or ("" if p.adaptive_kl else "adaptive_kl is off")
    return {
        "kl_estimator": free,
        "kl_in": free,
        "adaptive_kl": free,
        "kl_target": adaptive,
        "kl_horizon": adaptive,
    }


def _of_critic(p: Preset, *, moved: bool) -> dict[str, str]:
    names = ("lam", "value_coef", "critic", "bootstrap_truncated", "whiten_rewards", "whiten_advantages")
    if p.advantage != "gae":
        return dict.fromkeys((*names, "value_clip"), _CRITIC)
    return (
        {} if moved else {"value_clip": "a batch gives one optimiser step, before which no value has moved"}
    )
