"""GRPO on one page: the whole algorithm over pure functions, and the trainer's own curve beside it.

    python examples/grpo_on_one_page.py

Sample a group of completions for each problem, judge them, compare each with its siblings, and move the
policy towards what was paid more. The trainer does this and much beside; on the same seed it does the same.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from referee.trainers import (
    GroupTrainer,
    Policy,
    Sampling,
    Tiny,
    Training,
    aggregate,
    group_advantages,
    loss_normaliser,
    policy_loss,
    preset,
    sample,
    seed_of,
    tiny_policy,
    token_logprobs,
)
from referee.verifiers import Problem, Rubric

RUBRIC = Rubric({"low_digits": lambda c, _: sum(x in "01234" for x in c.text) / 5}, truncation="score")
GROUPS, SIZE, TOKENS, RATE, SEED = 4, 4, 5, 1e-3, 0


def problem(i: int) -> Problem:
    """Return the i-th sum, without end."""
    a, b = divmod(i * 37 % 100, 10)
    return Problem(prompt=f"{a}+{b}=", answer=str(a + b))


def policy() -> Policy:
    """Return a small policy that has learnt nothing yet."""
    return tiny_policy(Tiny(alphabet="0123456789+=", layers=2, width=32, heads=2), seed=3)


def train(steps: int) -> list[float]:
    """Return the mean reward of each step."""
    p, curve = policy(), []
    optimizer = torch.optim.AdamW(p.model.parameters(), lr=RATE, weight_decay=0.0)
    for step in range(steps):
        # sample: so many completions of each of some problems
        positions = range(step * GROUPS, (step + 1) * GROUPS)
        problems = [problem(i) for i in positions]
        prompts = [p.encode(one.prompt) for one in problems]
        drawn = sample(
            p, prompts, group_size=SIZE, sampling=Sampling(max_new_tokens=TOKENS),
            seeds=[seed_of(SEED, "sample", i) for i in positions],
        )  # fmt: skip

        # judge
        paid = [RUBRIC.score_group(group, one) for group, one in zip(drawn, problems, strict=True)]
        rewards_NG = torch.tensor([[reward.total for reward in group] for group in paid])
        curve.append(float(rewards_NG.mean()))

        # compare with the siblings
        advantages_B = group_advantages(rewards_NG, std="sample").flatten()

        # one step on the clipped loss, every token counting the same
        rows = [(x, c.token_ids or ()) for x, group in zip(prompts, drawn, strict=True) for c in group]
        longest = max(len(x) + len(y) for x, y in rows)
        tokens_BT = torch.tensor([[*x, *y, *[p.pad_id] * (longest - len(x) - len(y))] for x, y in rows])
        mask_BT = torch.tensor(
            [[*[0] * len(x), *[1] * len(y), *[0] * (longest - len(x) - len(y))] for x, y in rows]
        )
        logits_BTV = p.model(input_ids=tokens_BT).logits
        logprobs_BT = token_logprobs(logits_BTV[:, :-1], tokens_BT[:, 1:])
        mask_BT = mask_BT[:, 1:]
        loss_BT = policy_loss(logprobs_BT, logprobs_BT.detach(), advantages_B, mask_BT)
        loss = aggregate(loss_BT, mask_BT, by="token", normaliser=loss_normaliser(mask_BT, by="token"))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(p.model.parameters(), 1.0)
        optimizer.step()
    return curve


def by_the_trainer(steps: int) -> list[float]:
    """Return the same curve from the trainer."""
    chosen = replace(
        preset("grpo_trl"),
        group_size=SIZE,
        batch_size=GROUPS * SIZE,
        max_new_tokens=TOKENS,
        learning_rate=RATE,
    )
    trainer = GroupTrainer(
        policy(), problem, RUBRIC, preset=chosen, training=Training(steps=steps, seed=SEED)
    )
    return [trainer.take_step()[0]["reward"] for _ in range(steps)]


if __name__ == "__main__":
    for step, (ours, theirs) in enumerate(zip(train(30), by_the_trainer(30), strict=True), 1):
        print(f"step {step:2}  one page {ours:.4f}  trainer {theirs:.4f}")
