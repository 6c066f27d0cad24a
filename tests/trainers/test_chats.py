"""Chats: which token ends a turn, what reaches the template, what of special tokens is judged, stop texts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from referee.envs.chat_template import end_of_turn
from referee.envs.dialogue import ChatDialogue, dialogue_for
from referee.trainers import GroupTrainer, Policy, Sampling, Tiny, Training, preset, sample, tiny_policy
from referee.trainers.loop.prompt_limits import PromptTooLong
from referee.trainers.loop.rollouts import SingleTurn
from referee.trainers.loop.sft import demonstration_row
from referee.trainers.policy.policy import load_policy
from referee.trainers.recipes.recipe import recipe_from
from referee.verifiers import Message, Problem, Rubric

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is false %}<think></think>{% endif %}"
    "{% endif %}"
)
LLAMA = "{% for m in messages %}<h>{{ m.role }}</h>{{ m.content }}<|eot|>{% endfor %}{% if add_generation_prompt %}<h>assistant</h>{% endif %}"
SILENT = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|eot|>", "<h>", "</h>", "<|call|>"]
LETTERS = "0123456789 \nabcdefghijklmnopqrstuvwxyz<>/+=:"


def policy_of(template, *, stated=None, **options):
    """Return a tiny policy whose tokenizer has special tokens beside its own, and a chat template."""
    policy = tiny_policy(Tiny(alphabet=LETTERS, layers=1, width=16, heads=2), seed=3)
    tokenizer = policy.tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    tokenizer.chat_template = template
    policy.model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    policy.model.generation_config = SimpleNamespace(eos_token_id=stated)
    return Policy(model=policy.model, tokenizer=tokenizer, **options)


def token(policy, text):
    return policy.tokenizer.convert_tokens_to_ids(text)


@pytest.mark.parametrize(
    ("template", "ends"), [(CHATML, "<|im_end|>"), (LLAMA, "<|eot|>"), (SILENT, None), (None, None)]
)
def test_the_token_that_ends_a_turn_is_the_templates(template, ends):
    policy = policy_of(template, stated=[1])
    found = end_of_turn(policy.tokenizer)
    assert found == (token(policy, ends) if ends else None)
    # the tokenizer's own end is that of a text: a base model with a template stops at both
    assert policy.tokenizer.eos_token_id in policy.eos_ids
    if ends:
        assert policy.eos_ids[0] == found
        asked = (Message(role="user", content="1+1="),)
        assert demonstration_row(policy, Problem(prompt=asked), "2").token_ids[-1] == found
    assert demonstration_row(policy, Problem(prompt="1+1="), "2").token_ids[-1] == token(policy, "<eos>")


def test_a_turn_that_ended_is_not_ended_twice():
    policy = policy_of(CHATML)
    dialogue = policy.dialogue()
    end, eos = token(policy, "<|im_end|>"), token(policy, "<eos>")
    said = [Message(role="user", content="and 2+2=")]
    closed = dialogue.observation(said, ended=True)
    assert dialogue.observation(said, ended=False) == [end, *closed]
    assert dialogue.ended([5, end])
    assert dialogue.ended([5, eos])
    assert not dialogue.ended([5])
    assert dialogue.decode([5, end]) == dialogue.decode([5])


def test_switches_of_the_template_reach_it_everywhere():
    asked = (Message(role="user", content="1+1="),)
    for kwargs, thinking in (({}, False), ({"enable_thinking": False}, True)):
        policy = policy_of(CHATML, chat_template_kwargs=kwargs)
        one, other = policy.encode(asked), policy.dialogue().prompt(asked)
        assert one == other
        assert policy.tokenizer.decode(one).endswith("<think></think>") == thinking
    recipe = recipe_from(
        {
            "problems": {"family": "gcd"},
            "policy": {"chat_template_kwargs": {"enable_thinking": False}, "skip_special_tokens": False},
        }
    )
    assert recipe.policy.chat_template_kwargs == {"enable_thinking": False}
    loaded = load_policy(
        "tiny", chat_template_kwargs=recipe.policy.chat_template_kwargs, skip_special_tokens=False
    )
    assert (loaded.chat_template_kwargs, loaded.skip_special_tokens) == ({"enable_thinking": False}, False)


def test_special_tokens_that_were_sampled_are_judged_where_asked_for():
    ids = None
    for skip in (True, False):
        policy = policy_of(CHATML, skip_special_tokens=skip)
        call, end = token(policy, "<|call|>"), token(policy, "<|im_end|>")
        ids = [*policy.tokenizer("12", add_special_tokens=False)["input_ids"], call, end]
        assert policy.decode(ids) == ("12" if skip else "12<|call|>")
        dialogue = dialogue_for(policy.tokenizer, skip_special_tokens=skip)
        assert isinstance(dialogue, ChatDialogue)
        assert dialogue.decode(ids) == policy.decode(ids)


def test_what_is_judged_changes_no_token():
    drawn = []
    made = policy_of(None)
    for skip in (True, False):
        policy = replace(made, skip_special_tokens=skip)
        with torch.no_grad():
            policy.model.lm_head.weight[token(policy, "<|call|>")] = policy.model.lm_head.weight[5]
        prompts = [policy.encode("1+1=")]
        drawn += sample(policy, prompts, group_size=64, sampling=Sampling(max_new_tokens=6), seeds=[0])
    assert [c.token_ids for c in drawn[0]] == [c.token_ids for c in drawn[1]]
    assert any("<|call|>" in c.text for c in drawn[1])
    assert not any("<|call|>" in c.text for c in drawn[0])


def test_a_stop_text_ends_a_completion_and_is_trained_on():
    policy = tiny_policy(Tiny(alphabet="ab\n", layers=1, width=16, heads=2), seed=3)
    stop = ("ab", "\n\n")
    options = {"group_size": 32, "seeds": [0]}
    free = sample(policy, [policy.encode("a")], sampling=Sampling(max_new_tokens=12), **options)[0]
    held = sample(policy, [policy.encode("a")], sampling=Sampling(max_new_tokens=12, stop=stop), **options)[0]
    assert any(s in c.text for c in free for s in stop)
    for a, b in zip(free, held, strict=True):
        places = [a.text.find(s) for s in stop if s in a.text]
        assert b.text == (a.text[: min(places)] if places else a.text)
        assert a.token_ids[: len(b.token_ids)] == b.token_ids
        if places:
            whole = policy.decode(b.token_ids)
            assert any(whole.endswith(s) for s in stop)  # not a token more
            assert b.finish_reason == "stop"
    with pytest.raises(ValueError, match="stop must hold texts of at least one character"):
        Sampling(stop=("",))


def test_a_stop_text_of_an_episode_is_not_read():
    policy = policy_of(CHATML)
    dialogue = policy.dialogue(stop=("34",))
    assert dialogue.decode(policy.tokenizer("12345", add_special_tokens=False)["input_ids"]) == "12"


def trainer(problems, **training):
    policy = tiny_policy(Tiny(alphabet=LETTERS, layers=1, width=16, heads=2, context=40))
    return GroupTrainer(
        policy,
        problems,
        Rubric({"one": lambda c, _: float("1" in c.text)}, truncation="score"),
        preset=replace(preset("grpo_trl"), max_new_tokens=4),
        training=Training(steps=1, **training),
        rollouts=SingleTurn(),
    )


def test_long_prompts_are_left_out_and_counted():
    problems = [Problem(prompt="1" * n, id=str(n)) for n in (3, 5, 30)]
    with pytest.warns(UserWarning, match="max_prompt_tokens 5 leaves out 1 of 3 problems"):
        t = trainer(problems, max_prompt_tokens=5)
    assert {p.id for p in t.source.problems(range(6))} == {"3", "5"}
    with pytest.raises(
        PromptTooLong, match="max_prompt_tokens must leave a problem, got 2: the shortest of 3"
    ):
        trainer(problems, max_prompt_tokens=2)
    t = trainer(lambda i: problems[i % 3], max_prompt_tokens=5)
    with pytest.raises(PromptTooLong, match="prompt of problem '30' must have at most max_prompt_tokens 5"):
        t.rollout(range(3))


@pytest.mark.parametrize("as_function", [False, True])
def test_a_context_that_is_too_short_is_named_before_sampling(as_function):
    problems = [Problem(prompt="1" * 38)]
    with pytest.warns(
        UserWarning, match="max_new_tokens 4 behind a prompt of 38 tokens outruns the context of 40"
    ):
        trainer((lambda i: problems[0]) if as_function else problems)


def test_a_mixture_of_experts_is_refused(tmp_path):
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=32, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, num_local_experts=2, num_experts_per_tok=1,
    )  # fmt: skip
    MixtralForCausalLM(config).save_pretrained(tmp_path)
    tiny_policy(Tiny(alphabet="01", layers=1, width=8, heads=2)).tokenizer.save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"policy must not be a mixture of experts, got .* with num_local_experts 2"
    ):
        load_policy(str(tmp_path))
