"""The gradient of every loss that TRL has too, on the same batch, with completions of different lengths."""

from __future__ import annotations

import pytest
import torch

from referee.trainers.objective.kl import k3
from referee.trainers.objective.logprobs import token_logprobs
from referee.trainers.objective.losses import aggregate, log_ratio, loss_normaliser, policy_loss

trl = pytest.importorskip("trl")
LENGTHS, PROMPTS, MAX_NEW = (7, 2, 5, 3), (3, 5, 2, 4), 9
CASES = {
    "grpo": ({"loss_type": "grpo"}, {}, "sequence"),
    "dr_grpo": ({"loss_type": "dr_grpo"}, {}, "constant"),
    "dapo": ({"loss_type": "dapo"}, {}, "token"),
    "bnpo": ({"loss_type": "bnpo"}, {}, "token"),
    "clip_higher": ({"loss_type": "dapo", "epsilon_high": 0.28}, {"clip_high": 0.28}, "token"),
    "two_sided": ({"loss_type": "grpo", "delta": 1.5}, {"dual_clip": 1.5}, "sequence"),
    "gspo": (
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.02},
        {"ratio": "sequence", "clip_low": 0.02, "clip_high": 0.02},
        "sequence",
    ),
    "cispo": (
        {"loss_type": "cispo", "epsilon_high": 1.3},
        {"loss": "cispo", "clip_low": 1.0, "clip_high": 0.3},
        "token",
    ),
    "with_kl": ({"loss_type": "grpo"}, {}, "sequence"),
}


@pytest.fixture(scope="module")
def model():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=29, pad_token_id=0, bos_token_id=1, eos_token_id=2, **sizes)
    )


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<bos>": 1, "<eos>": 2} | {f"w{i}": i for i in range(3, 29)}
    inner = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )


def sequences():
    g = torch.Generator().manual_seed(1)
    prompts = [torch.randint(3, 29, (n,), generator=g) for n in PROMPTS]
    completions = [torch.randint(3, 29, (n,), generator=g) for n in LENGTHS]
    noise = [0.4 * torch.randn(n, generator=g) for n in LENGTHS]
    reference = [0.4 * torch.randn(n, generator=g) for n in LENGTHS]
    return prompts, completions, noise, reference, torch.tensor([1.2, -0.7, -0.9, 0.4])


def logprobs_of(model, prompt, completion):
    logits = model(torch.cat([prompt, completion])[None]).logits[0, len(prompt) - 1 : -1]
    return token_logprobs(logits, completion)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def theirs(model, tokenizer, options, beta, tmp_path):
    """TRL's own trainer computes its own loss; only the sampling before it is replaced by a fixed batch."""
    from datasets import Dataset

    args = trl.GRPOConfig(
        output_dir=str(tmp_path), report_to="none", use_cpu=True, bf16=False, beta=0.0, num_generations=4,
        per_device_train_batch_size=4, max_completion_length=MAX_NEW, gradient_checkpointing=False,
        disable_dropout=True, **options,
    )  # fmt: skip
    data = Dataset.from_dict({"prompt": ["w3"] * 4})
    trainer = trl.GRPOTrainer(
        model=model, reward_funcs=lambda completions, **_: [0.0] * len(completions), args=args,
        train_dataset=data, processing_class=tokenizer,
    )  # fmt: skip
    trainer.current_gradient_accumulation_steps = 1
    trainer.beta = beta
    prompts, completions, noise, reference, advantages = sequences()

    def padded(rows, side, value):
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value, padding_side=side)

    with torch.no_grad():
        now = [logprobs_of(model, p, c) for p, c in zip(prompts, completions, strict=True)]
    inputs = {
        "prompt_ids": padded(prompts, "left", 0),
        "prompt_mask": padded([torch.ones_like(p) for p in prompts], "left", 0),
        "completion_ids": padded(completions, "right", 0),
        "completion_mask": padded([torch.ones_like(c) for c in completions], "right", 0),
        "advantages": advantages,
        "old_per_token_logps": padded([n + e for n, e in zip(now, noise, strict=True)], "right", 0.0),
        "ref_per_token_logps": padded([n + e for n, e in zip(now, reference, strict=True)], "right", 0.0),
        "num_items_in_batch": torch.tensor(float(sum(LENGTHS))),
    }
    model.train()
    return gradients(model, trainer._compute_loss(model, inputs))


def our_gradient(model, options, by, beta):
    """One row at a time, without any padding, each divided by the whole batch's normaliser."""
    prompts, completions, noise, reference, advantages = sequences()
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    normaliser, total = loss_normaliser(mask, by=by, max_new_tokens=MAX_NEW), 0.0
    for p, c, e, r, a in zip(prompts, completions, noise, reference, advantages, strict=True):
        new = logprobs_of(model, p, c)[None]
        ones = torch.ones_like(new)
        old = new.detach() + e
        loss = policy_loss(new, old, a[None], ones, **options)
        if beta:  # TRL's bias correction multiplies k3 by the importance ratio
            loss = loss + beta * log_ratio(new, old, ones).exp() * k3(new, new.detach() + r)
        total = total + aggregate(loss, ones, by=by, normaliser=normaliser)
    return gradients(model, total)


@pytest.mark.parametrize("name", CASES)
def test_our_gradient_is_trls(model, tokenizer, name, tmp_path) -> None:
    options, mine, by = CASES[name]
    beta = 0.1 if name == "with_kl" else 0.0
    a, b = theirs(model, tokenizer, options, beta, tmp_path), our_gradient(model, mine, by, beta)
    assert a.norm() > 1e-3
    assert ((a - b).norm() / a.norm()).item() < 1e-5


def test_the_aggregations_differ_on_this_batch_so_that_parity_can_fail(model) -> None:
    grads = [our_gradient(model, {}, by, 0.0) for by in ("sequence", "constant", "token")]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert ((grads[i] - grads[j]).norm() / grads[i].norm()).item() > 0.05


@pytest.mark.parametrize("beta", [0.0, 0.2])
def test_a_step_of_adapters_has_the_gradient_of_trl(tmp_path, monkeypatch, beta):
    """Adapters that were trained before, with the KL to where they began, which has moved on since."""
    import copy
    from dataclasses import replace

    from datasets import Dataset

    from referee.trainers import GroupTrainer, LoRA, Tiny, Training, preset, tiny_policy
    from referee.trainers.policy.policy import add_adapters
    from referee.verifiers import Problem, Rubric

    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    policy = add_adapters(
        tiny_policy(Tiny(alphabet="0123456789+=", layers=2, width=32, heads=2), seed=3, dtype="float64"),
        LoRA(rank=2, alpha=8),
    )
    torch.manual_seed(0)
    for name, p in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.1)
    problems = [Problem(prompt=f"{a}+1=", answer=str(a + 1)) for a in range(4)]
    theirs_model = copy.deepcopy(policy.model)
    ours = GroupTrainer(
        policy,
        problems,
        Rubric({"digits": lambda c, _: sum(x in "12345" for x in c.text) / 9}, truncation="score"),
        preset=replace(
            preset("grpo_trl"), batch_size=16, group_size=4, max_new_tokens=5, kl_coef=beta, kl_estimator="k3"
        ),
        training=Training(steps=1),
    )
    groups = ours.rollout(range(4))
    flat = [r for g in groups for r in g.rollouts]

    def given(prompts, _):
        return {
            "prompt_ids": [policy.encode(p) for p in prompts],
            "completion_ids": [list(r.completion.token_ids) for r in flat],
            "logprobs": None,
        }

    peer = trl.GRPOTrainer(
        model=theirs_model,
        processing_class=policy.tokenizer,
        reward_funcs=lambda completions, **_: [r.reward.total for r in flat],
        train_dataset=Dataset.from_list([{"prompt": p.prompt} for p in problems]),
        args=trl.GRPOConfig(
            output_dir=str(tmp_path), per_device_train_batch_size=16, num_generations=4, max_completion_length=5,
            beta=beta, use_bias_correction_kl=False, report_to="none", bf16=False, use_cpu=True,
            gradient_checkpointing=False,
        ),
        rollout_func=given,
    )  # fmt: skip
    models = (policy.model, peer.model)
    if beta:  # the references stay, and both policies move on by the same
        for model in models:
            with torch.no_grad():
                for name, p in model.named_parameters():
                    if "lora_B.default" in name:
                        p.mul_(1.5)
    peer.current_gradient_accumulation_steps = 1
    peer.model.train()
    inputs = peer._generate_and_score_completions([{"prompt": r.problem.prompt} for r in flat])
    peer._compute_loss(peer.model, inputs).backward()
    batch, _ = ours.pack(groups)
    ours.learner.model.train()
    ours.backward(batch)
    found = []
    for model in models:
        named = {n: p.grad for n, p in model.named_parameters() if ".default." in n and p.grad is not None}
        found.append(torch.cat([named[n].flatten() for n in sorted(named)]))
    assert found[0].norm() > 1e-3
    assert ((found[0] - found[1]).norm() / found[1].norm()).item() < 1e-5
