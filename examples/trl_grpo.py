"""Train with TRL's GRPO on a rubric: the same object that scores files and serves other trainers.

    python examples/trl_grpo.py                          # a tiny model made here, on a CPU, in seconds
    python examples/trl_grpo.py --model Qwen/Qwen2.5-0.5B-Instruct --steps 500

The task: sums of two digits, asked so that a model over characters can learn them. An abstention of
the rubric reaches TRL as None, which leaves the completion out.
"""

from __future__ import annotations

import argparse

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from referee import Rubric
from referee.trainers import to_trl
from referee.verifiers import Exact, verifier


@verifier()
def digits(completion, problem):
    """The share of characters that are digits: a first step that a small model can take."""
    return sum(c.isdigit() for c in completion.text) / max(1, len(completion.text))


RUBRIC = Rubric({"exact": Exact(), "digits": (digits, 0.2)})
ROWS = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a in range(10) for b in range(10)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", help="a causal language model; without it a tiny one is made")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--group-size", type=int, default=8)
    parser.add_argument("--out", default="runs/trl_grpo")
    arguments = parser.parse_args()
    trainer = make_trainer(arguments.model, arguments.steps, arguments.group_size, arguments.out)
    trainer.train()
    for entry in trainer.state.log_history:
        if "reward" in entry:
            parts = {k: round(v, 3) for k, v in entry.items() if k.startswith("referee/")}
            print(f"step {entry['step']:4d}  reward {entry['reward']:.3f}  {parts}")


def make_trainer(model: str | None, steps: int, group_size: int, out: str) -> GRPOTrainer:
    config = GRPOConfig(
        output_dir=out,
        max_steps=steps,
        per_device_train_batch_size=4 * group_size,
        num_generations=group_size,
        max_completion_length=3 if model is None else 64,
        learning_rate=5e-3 if model is None else 1e-6,
        beta=0.0,
        logging_steps=max(1, steps // 10),
        report_to=[],
        save_strategy="no",
        use_cpu=model is None,
        bf16=model is not None,
    )
    reward = to_trl(RUBRIC)  # columns prompt and answer; see Columns for other names
    rows = Dataset.from_list(ROWS)
    if model is not None:
        return GRPOTrainer(model=model, reward_funcs=reward, args=config, train_dataset=rows)
    from referee.trainers import Tiny, tiny_policy

    tiny = tiny_policy(Tiny(alphabet="0123456789+= ", layers=2, width=64, heads=2), seed=0)
    return GRPOTrainer(
        model=tiny.model,
        processing_class=tiny.tokenizer,
        reward_funcs=reward,
        args=config,
        train_dataset=rows,
    )


if __name__ == "__main__":
    main()
