"""verifiers 0.4: tasks and their rewards as verifiers of ours, tasksets as sources of problems."""

from __future__ import annotations

import pytest
import verifiers.v1 as vf
from conformance import RUBRIC, bits, cases, expected, totals
from prime_rewards import reward as ours

from referee.envs import PrimeTaskset, check_env
from referee.trainers import from_verifiers
from referee.verifiers.records import Completion, FinishReason, Message, Problem, Reason
from referee.verifiers.rubric import Rubric

CASES, EXPECTED = cases(), expected()


class Data(vf.TaskData):
    answer: str = ""
    level: int = 0


class Sums(vf.Task[Data]):
    @vf.reward(weight=1.0)
    async def right(self, trace) -> float:
        return float(trace.last_reply == self.data.answer)

    @vf.reward(weight=0.5)
    async def brief(self, task, trace) -> float:
        return 1.0 / (1 + len(trace.assistant_messages[-1].content))

    @vf.metric
    async def turns(self, trace) -> float:
        return float(trace.num_turns)


class Exact(vf.Task[Data]):
    @vf.reward
    async def right(self, trace) -> float:
        return float(trace.last_reply == self.data.answer)


class Broken(vf.Task[Data]):
    @vf.reward
    async def right(self, trace) -> float:
        raise OSError("down")


class Boxed(vf.Task[Data]):
    @vf.reward
    async def right(self, trace, runtime) -> float:
        return 1.0


class Config(vf.TasksetConfig):
    pass


def taskset(kind, endless=False):
    class Four(vf.Taskset[kind, Config]):
        INFINITE = endless

        def load(self):
            i = 0
            while endless or i < 4:
                yield kind(Data(prompt=f"{i}+1", answer=str(i + 1), level=i, system_prompt="Add."))
                i += 1

    return PrimeTaskset(taskset=Four(Config(id="four")), name="four")


async def plain(task, trace) -> float:
    return float(trace.last_reply == task.answer) * task.level


async def keyed(trace):
    return {"a": 0.25, "b": float(trace.is_truncated)}


FOUR = Problem(prompt="3+1", answer="4", info={"level": 2}, id="x")


def test_a_v1_reward_function_becomes_a_verifier():
    assert from_verifiers(plain)(Completion(text="4"), FOUR).score == 2.0
    assert from_verifiers(plain)(Completion(text="5"), FOUR).score == 0.0
    verdict = from_verifiers(keyed)(Completion(text="4", finish_reason=FinishReason.LENGTH), FOUR)
    assert (verdict.score, verdict.detail) == (1.25, {"a": 0.25, "b": 1.0})


def test_a_v1_task_class_becomes_a_verifier_of_all_its_rewards_by_weight():
    verdict = from_verifiers(Sums)(Completion(text="4"), FOUR)
    assert verdict.score == 1.25
    assert verdict.detail == {"right": 1.0, "brief": 0.5}
    chat = Completion(
        messages=(
            Message(role="assistant", content="3"),
            Message(role="user", content="sure?"),
            Message(role="assistant", content="4"),
        )
    )
    assert from_verifiers(Sums)(chat, FOUR).score == 1.25


def test_what_raises_needs_a_runtime_or_does_not_fit_abstains_and_says_why():
    broken = from_verifiers(Broken)(Completion(text="4"), FOUR)
    assert (broken.score, broken.reason) == (None, Reason.ERROR)
    assert "down" in broken.detail["error"]
    boxed = from_verifiers(Boxed)(Completion(text="4"), FOUR)
    assert (boxed.score, boxed.reason) == (None, Reason.UNAVAILABLE)
    assert "no runtime for the rewards right" in boxed.detail["error"]
    misfit = from_verifiers(Sums)(
        Completion(text="4"), Problem(prompt="p", answer="4", info={"level": "high"})
    )
    assert (misfit.score, misfit.reason) == (None, Reason.BAD_REFERENCE)


def test_what_goes_round_comes_back_bit_for_bit():
    """Our rubric as their reward function, wrapped as a verifier of ours again."""
    back = Rubric({"theirs": from_verifiers(ours)})
    texts = [c.completion.strip() for c in CASES]  # v1 strips the last reply
    stripped = expected(
        some=[type(c)(c.id, c.prompt, t, c.answer) for c, t in zip(CASES, texts, strict=True)]
    )
    problems = [Problem(prompt=c.prompt, answer=c.answer, id=c.id) for c in CASES]
    held = [back(t, p).total for t, p in zip(texts, problems, strict=True)]
    assert bits(held) == bits(totals(stripped))
    assert sum(h is None for h in held) > 50
    assert RUBRIC is ours.scorer.rubric


def test_a_taskset_is_a_source_of_problems_and_their_verifier():
    source = taskset(Sums)
    problems = source.problems()
    assert [p.answer for p in problems] == ["1", "2", "3", "4"]
    assert [m.role for m in problems[0].prompt] == ["system", "user"]
    assert source("1", problems[0]).score == 1.25
    assert source("1", problems[1]).score == 0.25
    assert {source.problem(3, i).answer for i in range(4)} == {"1", "2", "3", "4"}
    assert source("1", Problem(prompt="p")).score is None


def test_a_taskset_of_rewards_from_0_to_1_keeps_the_laws():
    assert check_env(taskset(Exact), count=8) == []


def test_an_endless_taskset_is_read_as_far_as_it_is_asked():
    source = taskset(Exact, endless=True)
    assert source.problem(0, 1000).answer == "1001"
    with pytest.raises(ValueError, match="must be finite"):
        source.problems()
