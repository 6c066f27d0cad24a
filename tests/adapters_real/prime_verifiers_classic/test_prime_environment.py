"""Classic environments as clients: single-turn, multi-turn and with tools, played by the package's own rollout."""

from __future__ import annotations

import importlib

import pytest
from datasets import Dataset
from test_prime_verifiers_classic import vf

from referee.envs import PrimeEnvironment, check_env, roll_out
from referee.trainers import from_verifiers
from referee.verifiers.records import Completion, Message, Problem
from referee.verifiers.rubric import Rubric

ROWS = [{"question": f"{a}+1", "answer": str(a + 1), "info": {"level": a}} for a in range(4)]


def right(completion, answer):
    return float(completion[-1]["content"] == answer)


def brief(completion, parser):
    return 1.0 / (1 + len(completion[-1]["content"]))


def single(*functions, weights=None):
    rubric = vf.Rubric(funcs=list(functions) or [right, brief], weights=weights or [1.0, 0.5])
    return PrimeEnvironment(environment=vf.SingleTurnEnv(dataset=Dataset.from_list(ROWS), rubric=rubric))


class Countdown(vf.MultiTurnEnv):
    """Says what is left until the policy has said down to 1."""

    async def setup_state(self, state, **kwargs):
        state["left"] = 3
        return state

    async def env_response(self, messages, state, **kwargs):
        said = messages[-1].content if hasattr(messages[-1], "content") else messages[-1]["content"]
        state["left"] -= said == str(state["left"])
        reply = [{"role": "user", "content": f"{state['left']} left"}]
        if state["left"] == 0:
            state["final_env_response"] = reply
        return reply


def counted(state):
    return (3 - state["left"]) / 3


def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: the first
        b: the second
    """
    return a + b


def test_its_rows_are_problems_and_its_rubric_their_verifier():
    env = single()
    problems = env.problems()
    assert [p.answer for p in problems] == ["1", "2", "3", "4"]
    assert env("1", problems[0]).score == pytest.approx(1.25)
    assert env("no", problems[0]).score == pytest.approx(1 / 6)
    assert {env.problem(7, i).answer for i in range(4)} == {"1", "2", "3", "4"}
    assert env.problem(7, 0) == env.problem(7, 0)
    assert env("1", Problem(prompt="p")).score is None


def test_a_rubric_of_rewards_from_0_to_1_keeps_the_laws():
    assert check_env(single(right, weights=[1.0]), count=8) == []


def test_what_a_function_raises_is_an_abstention_and_not_zero():
    def broken(completion):
        raise OSError("down")

    env = single(broken, weights=[1.0])
    verdict = env("1", env.problems()[0])
    assert verdict.score is None
    assert "OSError: down" in verdict.detail["error"]


def test_the_groups_of_rubrics_that_environments_make_become_verifiers_too():
    env = vf.SingleTurnEnv(dataset=Dataset.from_list(ROWS), rubric=vf.Rubric(funcs=[right]))
    assert hasattr(env.rubric, "rubrics") or env.rubric.funcs == [right]
    group = vf.RubricGroup([vf.Rubric(funcs=[right]), vf.Rubric(funcs=[brief], weights=[0.5])])
    ours = Rubric({"theirs": from_verifiers(group)})
    assert ours("1", Problem(answer="1")).total == pytest.approx(1.25)


def turns(*texts):
    return Completion(messages=tuple(Message(role="assistant", content=t) for t in texts))


def countdown():
    rubric = vf.Rubric(funcs=[counted])
    return PrimeEnvironment(
        environment=Countdown(dataset=Dataset.from_list(ROWS), rubric=rubric, max_turns=5), name="countdown"
    )


def test_a_conversation_is_replayed_and_one_that_stops_early_is_judged_as_it_stands():
    env = countdown()
    problem = env.problems()[0]
    assert env(turns("3", "2", "1"), problem).score == 1.0
    assert env(turns("3", "9"), problem).score == pytest.approx(1 / 3)
    assert env(turns("3", "9", "2", "9", "1", "1", "1"), problem).score == pytest.approx(2 / 3), (
        "its own limit of 5 turns"
    )


class Letters:
    def prompt(self, messages, tools=()):
        self.tools = tools
        return [ord(c) for m in messages for c in m.content]

    def observation(self, messages, *, ended):
        return [ord(c) for m in messages for c in m.content]

    def decode(self, ids):
        return "".join(map(chr, ids))

    def ended(self, ids):
        return True


def policy(say):
    """A sampler that says what `say` makes of the text so far."""

    def draw(prefixes, seeds):
        texts = [say("".join(map(chr, p))) for p in prefixes]
        return [Completion(text=t, token_ids=tuple(map(ord, t)), logprobs=(0.0,) * len(t)) for t in texts]

    return draw


def test_live_episodes_run_at_once_and_take_their_turns():
    env = countdown()
    episodes = [env.episode(p) for p in env.problems()]
    rollouts = roll_out(episodes, policy(lambda text: str(3 - text.count("left"))), Letters(), seeds=range(4))
    assert [r.reward.total for r in rollouts] == [1.0] * 4
    assert [[m.content for m in t.observation] for t in rollouts[0].turns] == [
        ["2 left"],
        ["1 left"],
        ["0 left"],
    ]


def test_an_environment_with_tools_runs_them_itself():
    env = PrimeEnvironment(
        environment=vf.ToolEnv(dataset=Dataset.from_list(ROWS), tools=[add], rubric=vf.Rubric(funcs=[right]), max_turns=3)
    )  # fmt: skip
    dialogue = Letters()
    call = '<tool_call>{"name": "add", "arguments": {"a": 1, "b": 1}}</tool_call>'
    (rollout,) = roll_out(
        [env.episode(env.problems()[1])],
        policy(lambda text: text[-1] if "tool_call" in text else call),
        dialogue,
        seeds=[0],
    )
    assert dialogue.tools[0]["function"]["name"] == "add"
    assert rollout.turns[0].observation[0].role == "tool"
    assert rollout.turns[0].observation[0].content == "2"
    assert rollout.reward.total == 1.0


def test_a_group_function_is_refused_at_construction():
    def together(completions, states):
        return [1.0] * len(completions)

    with pytest.raises(ValueError, match="must score one rollout"):
        single(together, weights=[1.0])


def test_the_package_is_found_where_the_api_lives():
    from referee.envs.prime_classic import _package

    assert importlib.import_module(_package(single().environment)) is vf
