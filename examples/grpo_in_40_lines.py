"""GRPO in forty lines: a tiny policy learns sums from a verifier, on a CPU.

python examples/grpo_in_40_lines.py [steps]
"""

import sys
from dataclasses import replace

from referee.trainers import (
    SFT,
    GroupTrainer,
    Sampling,
    Tiny,
    Training,
    fine_tune,
    measure,
    preset,
    tiny_policy,
)
from referee.verifiers import Problem, Rubric


def right(completion, problem):
    """What is true: the completion is the sum."""
    return completion.text == problem.answer


def main(steps: int = 100, warm: int = 150) -> tuple[float, float]:
    sums = [Problem(prompt=f"{a}+{b}=", answer=str(a + b)) for a in range(20) for b in range(20)]
    heldout, problems = sums[::4], [p for i, p in enumerate(sums) if i % 4]
    rubric = Rubric({"right": right})
    greedy = Sampling(max_new_tokens=4, temperature=0.0)

    policy = tiny_policy(Tiny(alphabet="0123456789+=", layers=2, width=64, heads=4))
    fine_tune(
        policy, [(p, p.answer) for p in problems], options=SFT(steps=warm, batch_size=64, learning_rate=2e-3)
    )
    before, _ = measure(policy, heldout, rubric, sampling=greedy)

    algorithm = replace(preset("dr_grpo"), batch_size=128, group_size=8, learning_rate=2e-4, max_new_tokens=4)
    GroupTrainer(
        policy,
        problems,
        rubric,
        preset=algorithm,
        training=Training(steps=steps),
        on_step=lambda figures: print(f"step {figures['step']:.0f}: reward {figures.get('reward', 0):.3f}"),
    ).train()
    after, _ = measure(policy, heldout, rubric, sampling=greedy)
    print(f"held-out pass@1: {before} before, {after} after")
    return before.pass_at_1, after.pass_at_1


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
