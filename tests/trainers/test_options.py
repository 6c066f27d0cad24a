"""Options: each choice is written once, each field says what it is, and a wrong choice is refused by name."""

from __future__ import annotations

import ast
import inspect
import math
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import SFT
from referee.trainers.objective import options
from referee.trainers.objective.options import check_options, one_of
from referee.trainers.objective.presets import Preset, preset

TRAINERS = Path(options.__file__).resolve().parent


@pytest.mark.parametrize("record", [Preset, Training, SFT])
def test_every_option_is_documented_under_its_field(record) -> None:
    (tree,) = ast.parse(inspect.getsource(record)).body
    documented = {
        field.target.id
        for field, below in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
        and len(below.value.value) > 5
    }
    assert documented == {f.name for f in fields(record)}


def test_no_list_of_choices_is_written_a_second_time() -> None:
    """A new loss is named in one place: every other file of the trainers reads it from there."""
    lists = {
        name: value.__args__
        for name, value in vars(options).items()
        if "Literal[" in str(value) and name[0].isupper()
    }
    assert len(lists) > 12
    for path in TRAINERS.glob("*.py"):
        if path.name == "options.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
                pytest.fail(f"{path.name}: {ast.unparse(node)}")
            if isinstance(node, ast.Tuple) and all(isinstance(e, ast.Constant) for e in node.elts):
                written = tuple(e.value for e in node.elts)
                assert not (len(written) > 2 and written in lists.values()), f"{path.name}: {written}"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: replace(preset("grpo"), loss="ppo"), "loss must be one of clip, cispo, reinforce, got 'ppo'"),
        (lambda: replace(preset("ppo"), critic="both"), "critic must be one of head, model, got 'both'"),
        (lambda: replace(preset("ppo"), score_norm=1), "score_norm must be one of none, scale, whiten, got 1"),
        (lambda: Training(off_policy="drop"), "off_policy must be one of none, truncate, mask, got 'drop'"),
        (lambda: SFT(schedule="step"), "schedule must be one of constant, linear, cosine, wsd, got 'step'"),
        (lambda: one_of("by", "mean", options.Aggregation), "by must be one of token, sequence, constant, sum, got 'mean'"),
    ],
)  # fmt: skip
def test_a_choice_that_is_none_is_refused_at_construction(make, said) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        make()


def test_right_choices_pass() -> None:
    for record in (Training(), SFT(), preset("grpo")):
        check_options(record)


def test_the_choices_are_read_without_torch() -> None:
    code = "import sys, referee.trainers.objective.options, referee.trainers.objective.presets; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


MADE = {Preset: lambda: preset("ppo"), Training: Training, SFT: SFT}
FLOATS = [(r, f.name) for r in MADE for f in fields(r) if "float" in str(f.type)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("record", "name"), FLOATS, ids=[f"{r.__name__}.{n}" for r, n in FLOATS])
def test_every_number_is_finite(record, name, value) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a finite number, got "):
        replace(MADE[record](), **{name: value})


@pytest.mark.parametrize(
    ("record", "name", "value"),
    [
        *((SFT, n, -1) for n in ("steps", "learning_rate", "warmup_steps", "weight_decay", "max_grad_norm")),
        *((SFT, n, 0) for n in ("batch_size", "micro_batch_tokens")),
        *((Preset, n, 0) for n in ("group_size", "batch_size", "mini_batch_size", "max_new_tokens")),
        *((Preset, n, 0) for n in ("updates", "update_epochs", "kl_horizon")),
        *((Preset, n, -0.1) for n in ("learning_rate", "temperature", "clip_low", "clip_high", "value_clip")),
        *((Preset, n, 1.1) for n in ("gamma", "lam")),
        *((Training, n, 1.0) for n in ("beta1", "beta2")),
        *((Training, n, -1) for n in ("steps", "top_k", "weight_decay", "max_grad_norm", "off_policy_low")),
        *((Training, n, 1.5) for n in ("top_p", "reference_decay")),
        *((Training, n, 0) for n in ("top_p", "rows", "scoring_workers", "deadline_s")),
        (Training, "off_policy_high", -1.0),
    ],
)
def test_a_number_that_nothing_can_run_with_is_refused_by_its_name(record, name, value) -> None:
    with pytest.raises(ValueError, match=f"{name} must be "):
        replace(MADE[record](), **{name: value})
