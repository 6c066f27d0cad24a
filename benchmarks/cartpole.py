"""An independent proof of the advantage and loss functions: five classic algorithms on CartPole-v1.

    python benchmarks/cartpole.py --runs 20 --episodes 1000 --json

REINFORCE, REINFORCE with a learned baseline, actor-critic, TRPO and PPO, each built from
``referee.trainers`` functions and nothing else: ``gae``, ``discounted_returns``, ``whiten``,
``policy_loss``, ``value_loss``, ``aggregate``. All have the same policy network (4-64-2, tanh), where
they have a critic the same critic (4-64-1), the same batches (10 whole episodes), the same discount,
and the same tuning budget: four settings of the one step size each has (Adam's learning rate;
TRPO's KL), five runs of 300 episodes each on seeds of their own, and the one with the greatest area
under the curve is taken.

All runs of an algorithm go on side by side: one gymnasium vector environment holds 10 episodes of
each run, and the networks of all runs are one batched matrix product. Their gradients never mix: the
loss is a sum over runs, and every run has its own normaliser, whitening and line search.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import gymnasium
import numpy as np
import torch
from torch import Tensor

from referee.trainers.objective.advantages import discounted_returns, gae, whiten
from referee.trainers.objective.kl import kl_divergence
from referee.trainers.objective.losses import aggregate, loss_normaliser, policy_loss, value_loss

GAMMA, LAM, HIDDEN, PER_BATCH, MAX_STEPS = 0.99, 0.95, 64, 10, 500
CRITIC_LR, CRITIC_STEPS, PPO_EPOCHS, CLIP = 1e-2, 5, 10, 0.2
SCALE = 1 - GAMMA  # rewards are scaled so that returns lie within 0 to 1; the scores reported are not
STEP_SIZES = (3e-3, 1e-2, 3e-2, 1e-1)
TUNING_RUNS, TUNING_EPISODES = 5, 300
Found: TypeAlias = tuple[np.ndarray[Any, Any], float, np.ndarray[Any, Any], float]
Net: TypeAlias = list[Tensor]  # two layers of R networks: weights (R, in, out), biases (R, 1, out)


@dataclass(frozen=True, slots=True)
class Episodes:
    """Ten whole episodes of each of R runs; rows of ``_BT`` tensors are run after run."""

    states_BTS: Tensor
    actions_BT: Tensor
    mask_BT: Tensor
    final_BS: Tensor  # the state that each episode ended in
    truncated_B: Tensor  # cut off at 500 steps: that state still has a value

    @property
    def lengths(self) -> Tensor:
        """The score of each episode, ``_B``: its steps."""
        return self.mask_BT.sum(1)


def network(runs: int, outputs: int, generator: torch.Generator) -> Net:
    """Return R fresh networks; the last layer starts near 0, so that the policy starts near uniform."""
    w1 = torch.randn(runs, 4, HIDDEN, generator=generator) / 2
    w2 = torch.randn(runs, HIDDEN, outputs, generator=generator) * 0.01
    zeros = torch.zeros(runs, 1, HIDDEN), torch.zeros(runs, 1, outputs)
    return [x.requires_grad_() for x in (w1, zeros[0], w2, zeros[1])]


def forward(net: Net, states: Tensor) -> Tensor:
    """Apply each run's network to its own rows: ``(R * E, ..., 4)`` to ``(R * E, ..., outputs)``."""
    w1, b1, w2, b2 = net
    x = states.reshape(len(w1), -1, 4)
    out = torch.baddbmm(b2, torch.tanh(torch.baddbmm(b1, x, w1)), w2)
    return out.reshape(*states.shape[:-1], out.shape[-1])


def log_probs(policy: Net, batch: Episodes) -> Tensor:
    """Return the log-probabilities of both actions, ``_BTA``."""
    return torch.log_softmax(forward(policy, batch.states_BTS), -1)


def chosen(logp_BTA: Tensor, batch: Episodes) -> Tensor:
    """Return the log-probability of the action that was taken, ``_BT``."""
    return logp_BTA.gather(-1, batch.actions_BT[..., None])[..., 0]


@torch.no_grad()
def collect(policy: Net, env: Any, generator: torch.Generator, seed: int) -> Episodes:
    """Play one episode in each environment; what an environment does after its end is not kept."""
    observation, _ = env.reset(seed=seed)
    states, actions, masks = [], [], []
    open_B = np.ones(env.num_envs, dtype=bool)
    truncated_B = np.zeros(env.num_envs, dtype=bool)
    final_BS = np.zeros((env.num_envs, 4), dtype=np.float32)
    for _ in range(MAX_STEPS):
        state = torch.from_numpy(observation)
        logits = forward(policy, state)
        right = torch.sigmoid(logits[:, 1] - logits[:, 0])
        action = (torch.rand(env.num_envs, generator=generator) < right).long()
        states.append(state)
        actions.append(action)
        masks.append(torch.from_numpy(open_B.copy()))
        observation, _, terminated, truncated, _ = env.step(action.numpy())
        ends = open_B & (terminated | truncated)
        final_BS[ends] = observation[ends]
        truncated_B |= ends & truncated & ~terminated
        open_B &= ~ends
        if not open_B.any():
            break
    return Episodes(
        torch.stack(states, 1),
        torch.stack(actions, 1),
        torch.stack(masks, 1),
        torch.from_numpy(final_BS),
        torch.from_numpy(truncated_B),
    )


def by_run(runs: int, f: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply a function to each run's rows and stack what it returns."""
    return torch.stack([f(*parts) for parts in zip(*(x.chunk(runs) for x in tensors), strict=True)])


def whitened(x_BT: Tensor, mask_BT: Tensor, runs: int) -> Tensor:
    """Whiten over each run's batch."""
    return by_run(runs, whiten, x_BT, mask_BT).reshape(x_BT.shape)


def mean_loss(loss_BT: Tensor, mask_BT: Tensor, runs: int) -> Tensor:
    """Return each run's mean over its steps, ``_R``."""
    return by_run(
        runs,
        lambda loss, mask: aggregate(loss, mask, by="token", normaliser=loss_normaliser(mask, by="token")),
        loss_BT,
        mask_BT,
    )


class Learner:
    """R runs of one algorithm."""

    lam: float | None = LAM  # None: no critic

    def __init__(self, step_size_R: Tensor, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.runs, self.step_size_R = (runs := len(step_size_R)), step_size_R
        self.policy, self.critic = network(runs, 2, generator), network(runs, 1, generator)
        self.actor_optimiser = torch.optim.Adam(self.policy, lr=1.0)
        self.critic_optimiser = torch.optim.Adam(self.critic, lr=CRITIC_LR)

    def learn(self, batch: Episodes) -> None:
        """Take one batch's update of critic and policy."""
        rewards_BT = SCALE * batch.mask_BT.float()
        if self.lam is None:
            advantages_BT = discounted_returns(rewards_BT, batch.mask_BT, gamma=GAMMA)
        else:
            advantages_BT, returns_BT = self._judge(batch, rewards_BT)
            self._fit(batch, returns_BT)
            advantages_BT = whitened(advantages_BT, batch.mask_BT, self.runs)
        self.improve(batch, advantages_BT)

    def improve(self, batch: Episodes, advantages_BT: Tensor) -> None:
        """Move the policy: one step of plain policy gradient."""
        logp_BT = chosen(log_probs(self.policy, batch), batch)
        loss_BT = policy_loss(logp_BT, logp_BT.detach(), advantages_BT, batch.mask_BT, loss="reinforce")
        self._step(mean_loss(loss_BT, batch.mask_BT, self.runs))

    def _step(self, loss_R: Tensor) -> None:
        self.actor_optimiser.zero_grad()
        loss_R.sum().backward()
        before = [p.detach().clone() for p in self.policy]
        self.actor_optimiser.step()
        with torch.no_grad():  # Adam's step is proportional to its rate, and every run has its own
            for p, start in zip(self.policy, before, strict=True):
                p.copy_(torch.lerp(start, p, self.step_size_R[:, None, None]))

    @torch.no_grad()
    def _judge(self, batch: Episodes, rewards_BT: Tensor) -> tuple[Tensor, Tensor]:
        assert self.lam is not None
        return gae(
            rewards_BT,
            forward(self.critic, batch.states_BTS)[..., 0],
            batch.mask_BT,
            gamma=GAMMA,
            lam=self.lam,
            bootstrap_B=forward(self.critic, batch.final_BS)[..., 0] * batch.truncated_B,
        )

    def _fit(self, batch: Episodes, returns_BT: Tensor) -> None:
        for _ in range(CRITIC_STEPS):
            values_BT = forward(self.critic, batch.states_BTS)[..., 0]
            loss_R = mean_loss(value_loss(values_BT, returns_BT, clip=None), batch.mask_BT, self.runs)
            self.critic_optimiser.zero_grad()
            loss_R.sum().backward()
            self.critic_optimiser.step()


class Reinforce(Learner):
    """Rewards to go, no baseline (Williams 1992)."""

    lam = None


class ReinforceBaseline(Learner):
    """Rewards to go less a learned baseline: GAE at lambda 1, whitened."""

    lam = 1.0


class ActorCritic(Learner):
    """One policy-gradient step a batch on GAE advantages, whitened."""


class PPO(Learner):
    """Ten passes over each batch with the clipped surrogate (Schulman et al. 2017)."""

    def improve(self, batch: Episodes, advantages_BT: Tensor) -> None:
        """Move the policy for ten epochs."""
        old_BT = chosen(log_probs(self.policy, batch), batch).detach()
        for _ in range(PPO_EPOCHS):
            logp_BT = chosen(log_probs(self.policy, batch), batch)
            loss_BT = policy_loss(
                logp_BT, old_BT, advantages_BT, batch.mask_BT, clip_low=CLIP, clip_high=CLIP
            )
            self._step(mean_loss(loss_BT, batch.mask_BT, self.runs))


class TRPO(Learner):
    """The natural gradient by conjugate gradients, then a line search on KL and surrogate.

    x = F^-1 g, step = sqrt(2 delta / x F x) x, halved until KL <= delta and the surrogate improves
    (Schulman et al. 2015, appendix C). The step size is delta. F is block diagonal over runs, so one
    Hessian-vector product of the summed KL serves all of them; it is measured on every fifth state.
    """

    cg_steps, damping, halvings = 10, 1e-2, 10

    def improve(self, batch: Episodes, advantages_BT: Tensor) -> None:
        """Take one natural-gradient step in each run that has an improving one."""
        old_BTA = log_probs(self.policy, batch).detach()
        old_BT = chosen(old_BTA, batch)

        def surrogate() -> Tensor:
            logp_BT = chosen(log_probs(self.policy, batch), batch)
            # Without a clip the ratio-weighted objective is PPO's with an infinite range.
            loss_BT = policy_loss(
                logp_BT, old_BT, advantages_BT, batch.mask_BT, clip_low=math.inf, clip_high=math.inf
            )
            return mean_loss(loss_BT, batch.mask_BT, self.runs)

        def divergence(every: int = 1) -> Tensor:
            new_BTA = torch.log_softmax(forward(self.policy, batch.states_BTS[:, ::every]), -1)
            kl_BT = kl_divergence(old_BTA[:, ::every], new_BTA)
            return mean_loss(kl_BT, batch.mask_BT[:, ::every], self.runs)

        before_R = surrogate()
        gradient_RP = -self._flat(torch.autograd.grad(before_R.sum(), self.policy))
        slope_RP = self._flat(torch.autograd.grad(divergence(5).sum(), self.policy, create_graph=True))

        def fisher(v_RP: Tensor) -> Tensor:
            product = torch.autograd.grad((slope_RP * v_RP).sum(), self.policy, retain_graph=True)
            return self._flat(product) + self.damping * v_RP

        x_RP = conjugate_gradients(fisher, gradient_RP, self.cg_steps)
        curvature_R1 = (x_RP * fisher(x_RP)).sum(-1, keepdim=True).clamp(min=1e-12)
        size_R1 = (2 * self.step_size_R[:, None] / curvature_R1).sqrt()
        self._search(x_RP * size_R1, before_R.detach(), surrogate, divergence)

    @torch.no_grad()
    def _search(
        self,
        step_RP: Tensor,
        before_R: Tensor,
        surrogate: Callable[[], Tensor],
        divergence: Callable[[], Tensor],
    ) -> None:
        start_RP = self._flat(self.policy)
        best_RP, open_R = start_RP.clone(), torch.ones(self.runs, dtype=torch.bool)
        for halving in range(self.halvings):
            self._set(start_RP + step_RP * 0.5**halving)
            good_R = open_R & (surrogate() < before_R) & (divergence() <= self.step_size_R)
            best_RP[good_R] = (start_RP + step_RP * 0.5**halving)[good_R]
            open_R &= ~good_R
            if not open_R.any():
                break
        self._set(best_RP)

    def _flat(self, tensors: Any) -> Tensor:
        return torch.cat([t.reshape(self.runs, -1) for t in tensors], 1)

    @torch.no_grad()
    def _set(self, flat_RP: Tensor) -> None:
        sizes = [p[0].numel() for p in self.policy]
        for p, part in zip(self.policy, flat_RP.split(sizes, 1), strict=True):
            p.copy_(part.reshape(p.shape))


def conjugate_gradients(product: Callable[[Tensor], Tensor], b_RP: Tensor, steps: int) -> Tensor:
    """Solve F x = b in every run at once."""
    x, r, p = torch.zeros_like(b_RP), b_RP.clone(), b_RP.clone()
    rr = (r * r).sum(-1, keepdim=True)
    for _ in range(steps):
        fp = product(p)
        alpha = rr / (p * fp).sum(-1, keepdim=True).clamp(min=1e-12)
        x, r = x + alpha * p, r - alpha * fp
        new = (r * r).sum(-1, keepdim=True)
        p, rr = r + new / rr.clamp(min=1e-12) * p, new
    return x


ALGORITHMS: dict[str, type[Learner]] = {
    "REINFORCE": Reinforce,
    "REINFORCE, baseline": ReinforceBaseline,
    "actor-critic": ActorCritic,
    "TRPO": TRPO,
    "PPO": PPO,
}


def scores(
    algorithm: type[Learner], step_sizes: list[float], *, episodes: int, seed: int
) -> np.ndarray[Any, Any]:
    """Train a run with each step size, and return the score of every episode, ``(runs, episodes)``."""
    runs = len(step_sizes)
    learner = algorithm(torch.tensor(step_sizes), seed)
    env = gymnasium.make_vec(
        "CartPole-v1", num_envs=runs * PER_BATCH, vectorization_mode="vector_entry_point"
    )
    generator = torch.Generator().manual_seed(seed + 1)
    curve = []
    for number in range(math.ceil(episodes / PER_BATCH)):
        batch = collect(learner.policy, env, generator, seed * 100_003 + number)
        curve.append(batch.lengths.reshape(runs, PER_BATCH).numpy())
        learner.learn(batch)
    return np.concatenate(curve, 1)[:, :episodes]


def tuned_scores(algorithm: type[Learner], runs: int, episodes: int, seed: int) -> Found:
    """Return the area under the curve of each step size, the best one, its scores, and the seconds."""
    started = time.perf_counter()
    tried = scores(
        algorithm,
        [s for s in STEP_SIZES for _ in range(TUNING_RUNS)],
        episodes=min(TUNING_EPISODES, episodes),
        seed=seed + 1000,
    )
    areas = tried.mean(1).reshape(len(STEP_SIZES), -1).mean(1)
    best = STEP_SIZES[int(areas.argmax())]
    found = scores(algorithm, [best] * runs, episodes=episodes, seed=seed)
    return areas, best, found, time.perf_counter() - started


def kept(path: Path | None, compute: Callable[[], Found]) -> Found:
    """Return what a file keeps, or compute it and keep it there."""
    if path is not None and path.exists():
        with np.load(path) as found:
            return found["areas"], float(found["best"]), found["scores"], float(found["seconds"])
    areas, best, curves, seconds = compute()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, areas=areas, best=best, scores=curves, seconds=seconds)
    return areas, best, curves, seconds


def interval(values: np.ndarray[Any, Any]) -> list[float]:
    """Return the 95 % bootstrap interval of a mean over runs."""
    draws = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(1)
    return [round(float(q), 1) for q in np.quantile(draws, (0.025, 0.975))]


def summary(curves: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return the area under the curve (the mean of all episodes) and the mean of the last 100, over runs."""
    area, final = curves.mean(1), curves[:, -100:].mean(1)
    return {
        "auc": round(float(area.mean()), 1),
        "auc_95": interval(area),
        "auc_std_over_runs": round(float(area.std(ddof=1)), 1),
        "final": round(float(final.mean()), 1),
        "final_95": interval(final),
        "final_std_over_runs": round(float(final.std(ddof=1)), 1),
    }


def draw(curves: dict[str, np.ndarray[Any, Any]], path: Path) -> None:
    """Draw the mean over runs, smoothed over 50 episodes, with the 10th to 90th percentile of runs."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cartpole"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for name, values in curves.items():
        window = min(50, values.shape[1])
        smooth = np.apply_along_axis(np.convolve, 1, values, np.ones(window) / window, "valid")
        x = np.arange(window, values.shape[1] + 1)
        (line,) = axes.plot(x, smooth.mean(0), label=name)
        axes.fill_between(x, *np.quantile(smooth, (0.1, 0.9), axis=0), color=line.get_color(), alpha=0.12)
    axes.set(xlabel="episode", ylabel="score (steps, 500 at most)", ylim=(0, 510))
    axes.set_title(f"CartPole-v1, {len(next(iter(curves.values())))} runs each")
    axes.legend(loc="lower right")
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def main() -> None:
    """Tune, run, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None, help="write cartpole.json and cartpole.svg here")
    parser.add_argument(
        "--keep", type=Path, default=None, help="keep each algorithm's curves here, and go on from them"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    if options.runs < 2 or options.episodes < 100:
        parser.error(
            f"runs must be at least 2 and episodes at least 100, got {options.runs} and {options.episodes}"
        )
    torch.set_num_threads(1)
    curves, results = {}, {}
    for name, algorithm in ALGORITHMS.items():
        tried, best, curves[name], seconds = kept(
            options.keep and options.keep / f"{name}.{options.runs}x{options.episodes}.{options.seed}.npz",
            partial(tuned_scores, algorithm, options.runs, options.episodes, options.seed),
        )
        results[name] = {
            **summary(curves[name]),
            "step_size": best,
            "tuning_auc": {str(k): round(float(v), 1) for k, v in zip(STEP_SIZES, tried, strict=True)},
            "seconds": round(seconds, 1),
        }
        r = results[name]
        print(
            f"{name:20} area under the curve {r['auc']:5.1f} {r['auc_95']}   last 100 {r['final']:5.1f} "
            f"{r['final_95']}   step size {best}   {seconds:.0f} s",
            flush=True,
        )
    report = {
        "benchmark": "cartpole",
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()} CPU, one thread; Python {platform.python_version()}, "
        f"torch {torch.__version__}, gymnasium {gymnasium.__version__}",
        "command": shlex.join(["python", *sys.argv]),
        "runs": options.runs,
        "episodes": options.episodes,
        "order_by_auc": sorted(results, key=lambda n: -results[n]["auc"]),
        "algorithms": results,
    }
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "cartpole.json").write_text(json.dumps(report, indent=1) + "\n")
        draw(curves, options.out / "cartpole.svg")
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
