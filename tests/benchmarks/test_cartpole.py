"""The CartPole benchmark: its solver, its runs that do not mix, and that what it drives learns."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

FILE = Path(__file__).parents[2] / "benchmarks" / "cartpole.py"


@pytest.fixture(scope="module")
def cartpole():
    spec = importlib.util.spec_from_file_location("cartpole_benchmark", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_conjugate_gradients_solve_every_runs_own_system(cartpole) -> None:
    g = torch.Generator().manual_seed(0)
    root = torch.randn(3, 6, 6, generator=g, dtype=torch.float64)
    matrix, b = (
        root @ root.mT + torch.eye(6, dtype=torch.float64),
        torch.randn(3, 6, generator=g, dtype=torch.float64),
    )
    x = cartpole.conjugate_gradients(lambda v: (matrix @ v[..., None])[..., 0], b, 30)
    assert torch.allclose((matrix @ x[..., None])[..., 0], b, atol=1e-8)


@pytest.mark.parametrize("name", ["REINFORCE", "REINFORCE, baseline", "actor-critic", "TRPO", "PPO"])
def test_each_run_has_its_own_step_size_and_its_own_gradient(cartpole, name) -> None:
    """A run whose step size is 0 stands still beside one that moves, and changes nothing for it."""
    import gymnasium

    env = gymnasium.make_vec("CartPole-v1", num_envs=20, vectorization_mode="vector_entry_point")
    moved = []
    for sizes in ([1e-2, 0.0], [1e-2, 1e-2]):
        learner = cartpole.ALGORITHMS[name](torch.tensor(sizes), 0)
        before = [p.clone() for p in learner.policy]
        batch = cartpole.collect(learner.policy, env, torch.Generator().manual_seed(1), 2)
        learner.learn(batch)
        moved.append([(p - b).abs().flatten(1).amax(1) for p, b in zip(learner.policy, before, strict=True)])
    assert all(m[1] == 0 for m in moved[0])
    assert any(m[0] > 0 for m in moved[0])
    assert all(torch.allclose(a[0], b[0], rtol=1e-4, atol=1e-7) for a, b in zip(*moved, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["REINFORCE", "REINFORCE, baseline", "actor-critic", "TRPO", "PPO"])
def test_it_learns_and_its_report_is_one_json_object(cartpole, name, monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(cartpole, "ALGORITHMS", {name: cartpole.ALGORITHMS[name]})
    monkeypatch.setattr(
        sys, "argv", ["cartpole.py", "--runs", "3", "--episodes", "200", "--json", "--out", str(tmp_path)]
    )
    cartpole.main()
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    result = report["algorithms"][name]
    assert result["final"] > 60  # a random policy keeps the pole up for about 22 steps
    assert result["auc_95"][0] <= result["auc"] <= result["auc_95"][1]
    assert (tmp_path / "cartpole.svg").stat().st_size > 1000
    assert np.isfinite(result["auc"])
