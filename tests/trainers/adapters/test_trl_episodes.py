"""Games and tool environments inside TRL's own GRPOTrainer, played by a tiny model that writes tool calls."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from datasets import Dataset
from paying_games import Doors, Product, ThirdDoor, down, lookup, submit
from tool_caller import call, tool_caller
from transformers.utils import get_json_schema
from trl import GRPOConfig, GRPOTrainer

from referee.envs import EpisodeLimits, Tool, family
from referee.envs.families.guess_number import GuessNumber
from referee.envs.standard_tools import CALCULATOR
from referee.trainers import to_trl_episodes, to_trl_rollouts
from referee.trainers.policy.policy import Tiny, tiny_policy
from referee.verifiers.records import Problem
from referee.verifiers.rubric import Rubric

GUESS = to_trl_episodes(family("guess_number"))
TASK = to_trl_episodes(Product(), tools=[CALCULATOR], answer="text", eos_token_ids=2)


def config(tmp_path, **more):
    options = {
        "per_device_train_batch_size": 8, "num_generations": 4, "max_completion_length": 100, "max_steps": 2,
        "learning_rate": 1e-3, "beta": 0.0, "logging_steps": 1, "report_to": [], "save_strategy": "no",
        "use_cpu": True, "bf16": False, "seed": 1, **more,
    }  # fmt: skip
    return GRPOConfig(output_dir=str(tmp_path), **options)


@pytest.fixture(scope="module")
def player():
    torch.manual_seed(0)
    said = [call("move", move=m) for m in "123"]
    return tool_caller(GUESS.rows(2), [GUESS().move], said)


@pytest.fixture(scope="module")
def worker():
    torch.manual_seed(0)
    said = [call("calculator", expression=e) for e in ("2*3", "3*3")] + ["6", "9"]
    return tool_caller(TASK.rows(2), [TASK().calculator], said)


def trained(tmp_path, made, rows, **options):
    model, tokenizer = made
    trainer = GRPOTrainer(
        model=model, processing_class=tokenizer, args=config(tmp_path), train_dataset=Dataset.from_list(rows),
        **options,
    )  # fmt: skip
    trainer.train()
    return trainer, [entry for entry in trainer.state.log_history if "reward" in entry]


def test_trl_plays_a_game_by_tool_calls_and_is_paid_what_the_episodes_pay(tmp_path, player):
    seen = []

    def spy(environments, log_extra, **kwargs):
        episodes = [e._episode for e in environments]
        assert len({e.problem.id for e in episodes[:4]}) == 1, "the siblings of a group play one problem"
        seen.append([e.get_reward() for e in environments])
        assert any(len(e.transcript) > 1 for e in episodes), "some episodes take several turns"
        return [0.0] * len(environments)

    _, logs = trained(tmp_path, player, GUESS.rows(8), environment_factory=GUESS, reward_funcs=spy)
    assert len(logs) == len(seen) == 2
    for entry, rewards in zip(logs, seen, strict=True):
        assert entry["rewards/guess_number/mean"] == pytest.approx(sum(rewards) / len(rewards))
        assert entry["tools/call_frequency"] > 0.5
        assert entry["tools/failure_frequency"] == 0.0
        assert (entry["grad_norm"] > 0.0) == (len(set(rewards)) > 1)
    assert {reward for rewards in seen for reward in rewards} == {0.0, 1.0}


def test_trl_uses_a_tool_and_is_paid_for_the_models_last_message(tmp_path, worker):
    task = to_trl_episodes(Product(), tools=[CALCULATOR], answer="text", eos_token_ids=worker[1].eos_token_id)
    _, logs = trained(tmp_path, worker, task.rows(8), environment_factory=task, reward_funcs=task.reward)
    for entry in logs:
        assert entry["product/final"] == pytest.approx(entry["rewards/product/mean"])
        assert entry["product/turns"] > 1.0
        assert entry["product/abstained"] == 0.0
        assert entry["product/truncated"] == 0.0
        assert entry["tools/call_frequency"] > 0.0
    assert any(0.0 < entry["product/final"] < 1.0 for entry in logs)


def test_an_episode_that_the_machine_failed_is_nan_to_trl_and_gives_no_gradient(tmp_path, player):
    class Broken(GuessNumber):
        def move(self, problem, state, text):
            raise ConnectionError("the game server cannot be reached")

    def spy(environments, **kwargs):
        for e in environments:
            assert e.get_reward() == (None if e._episode.transcript else 0.0)
        held.extend(e.get_reward() for e in environments)
        return [None] * len(environments)

    held = []
    factory = to_trl_episodes(Broken())
    model, _tokenizer = player
    before = [p.clone() for p in model.parameters()]
    trainer, _logs = trained(tmp_path, player, factory.rows(8), environment_factory=factory, reward_funcs=spy)
    assert held.count(None) > 8
    table = trainer._logs["rewards"]["guess_number"]  # of the last step
    assert [math.isnan(r) for r in table] == [r is None for r in held[-len(table) :]]
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_several_environments_take_turns_by_their_column(tmp_path, player):
    doors = to_trl_episodes(Doors())
    factories = {"guess_number": GUESS, "doors": doors}
    trainer, logs = trained(tmp_path, player, [*GUESS.rows(4), *doors.rows(4)], environment_factory=factories)
    assert {type(e).__name__ for e in trainer.environments} <= set(factories)
    named = {k for entry in logs for k, v in entry.items() if k.startswith("rewards/") and v is not None}
    assert {"rewards/guess_number/mean", "rewards/doors/mean"} <= named


def begun(factory, problem=None, **row):
    environment = factory()
    rows = factory.rows(1) if problem is None else []
    assert environment.reset(**(rows[0] if rows else {"problem": problem}), **row) is None
    return environment


def test_an_episodes_reward_is_its_final_one_and_its_turns_own():
    environment = begun(to_trl_episodes(Doors()))
    right = str(environment._episode.problem.info["secret"])
    wrong = next(d for d in "123" if d != right)
    assert environment.move(wrong) == "empty"
    assert environment.move(right) == "The episode is over."
    assert environment.get_reward() == 1.25
    assert environment.move(wrong) == "The episode is over."
    assert environment.get_reward() == 1.25


def test_a_game_that_was_not_finished_scores_zero_and_not_none():
    abstaining = Rubric({"doors": Doors()}, truncation="abstain")
    for factory in (to_trl_episodes(Doors()), to_trl_episodes(Doors(), rubric=abstaining)):
        environment = begun(factory)
        assert environment.get_reward() == 0.0, "a model that never moves cannot buy itself a None"
        environment = begun(factory)
        environment.move("none of them")
        assert environment.get_reward() == 0.25


def test_every_tool_is_a_method_with_its_own_signature_and_words():
    environment = begun(to_trl_episodes(Product(), tools=[Tool(lookup), Tool(down)]))
    public = [n for n in dir(type(environment)) if not n.startswith("_") and n not in ("reset", "get_reward")]
    assert public == ["down", "lookup", "submit"]
    asked = get_json_schema(environment.lookup)["function"]["parameters"]
    assert asked["required"] == ["key"]
    assert asked["properties"]["key"] == {"type": "string", "description": "the word"}
    assert asked["properties"]["where"]["enum"] == ["here", "there"]
    assert get_json_schema(environment.submit)["function"]["parameters"]["required"] == ["answer"]
    assert environment.lookup(key="a", depth=2) == "a/here/2"


def test_a_tool_says_what_was_wrong_and_a_failure_of_the_machine_abstains():
    environment = begun(to_trl_episodes(Product(), tools=[Tool(lookup), Tool(down)]))
    assert environment.lookup(key="bad") == "Error: no such word"
    assert "bad arguments" in environment.lookup(key=3)
    assert "bad arguments" in environment.lookup(word="a")
    assert "bad arguments" in environment.lookup(key=object())
    assert environment.get_reward() == 0.0
    environment = begun(to_trl_episodes(Product(), tools=[Tool(lookup), Tool(down)]))
    assert environment.down(key="a") == "The environment failed."
    assert environment.get_reward() is None


def test_the_answer_is_submitted_once_and_turns_are_limited():
    factory = to_trl_episodes(Product(), tools=[Tool(lookup)], limits=EpisodeLimits(turns=2))
    environment = begun(factory)
    answer = environment._episode.problem.answer
    environment.submit(answer)
    environment.submit("nonsense")
    assert environment.get_reward() == 1.0
    environment = begun(factory)
    environment.lookup(key="a")
    assert environment.lookup(key="b").startswith("b/here")
    assert environment.submit(answer) == "The episode is over."
    assert environment.get_reward() == 0.0


def finished(last, ids=(5, 2), tools=()):
    factory = to_trl_episodes(Product(), tools=tools, answer="text", eos_token_ids=2)
    environment = begun(factory)
    completion = [last(environment._episode.problem.answer)]
    return factory.reward(["p"], [completion], [list(ids)], environments=[environment])


def test_the_last_message_answers_and_one_that_was_cut_off_or_calls_a_tool_does_not():
    asked = [{"type": "function", "function": {"name": "lookup", "arguments": {"key": "a"}}}]
    assert finished(lambda answer: {"role": "assistant", "content": answer}) == [1.0]
    assert finished(lambda answer: {"role": "assistant", "content": answer}, ids=(5, 5)) == [0.0]
    assert finished(lambda answer: {"role": "assistant", "content": answer, "tool_calls": asked}) == [0.0]


def test_a_reward_function_pays_for_its_own_environments_only():
    mine, theirs = TASK(), to_trl_episodes(Doors())()
    mine.reset(**TASK.rows(1)[0])
    say = [{"role": "assistant", "content": "?"}]
    assert TASK.reward(["p"] * 2, [say] * 2, environments=[mine, theirs]) == [0.0, None]
    with pytest.raises(ValueError, match="environments must come with the completions"):
        TASK.reward(["p"], [say])


def test_a_factory_is_picklable_and_its_environments_are_of_one_class():
    copy = pickle.loads(pickle.dumps(GUESS))
    assert copy == GUESS
    assert type(copy()) is type(copy())
    assert type(copy()).__name__ == copy.__name__ == "guess_number"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: to_trl_episodes(Product(), tools=[Tool(submit)]), "tools must have names that TRL can call"),
        (lambda: to_trl_episodes(Doors(), answer="text"), "answer must be submit for the game doors"),
        (lambda: to_trl_episodes(Doors(), answer="no"), "answer must be submit or text, got 'no'"),
        (lambda: to_trl_rollouts(Doors(), turn_tokens=0), "turn_tokens must be above 0 or None, got 0"),
        (lambda: GUESS().reset(prompt="p"), "must have the column 'problem'"),
    ],
)
def test_mistakes_are_told_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_rollout_function_plays_games_in_plain_turns_and_trl_trains_on_the_sampled_tokens(tmp_path):
    policy = tiny_policy(Tiny(alphabet="0123456789door empty:,.", layers=1, width=32, heads=2), seed=0)
    rollouts = to_trl_rollouts(Doors(terse=True), turn_tokens=1)
    held = []

    def spy(prompts, trainer):
        out = rollouts(prompts, trainer)
        held.append(out)
        return out

    trainer = GRPOTrainer(
        model=policy.model, processing_class=policy.tokenizer, args=config(tmp_path, learning_rate=1e-2),
        train_dataset=Dataset.from_list(rollouts.rows(8)), rollout_func=spy, reward_funcs=rollouts.reward,
    )  # fmt: skip
    before = [p.clone() for p in policy.model.parameters()]
    trainer.train()
    logs = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(logs) == 2
    for entry, out in zip(logs, held, strict=True):
        assert entry["rewards/doors/mean"] == pytest.approx(
            entry["doors/final"] + entry["doors/turn_rewards"]
        )
        assert entry["doors/turn_rewards"] > 0.0
        assert entry["completions/mean_length"] == pytest.approx(
            sum(map(sum, out["env_mask"])) / len(out["env_mask"])
        )
        for ids, mask, logprobs in zip(out["completion_ids"], out["env_mask"], out["logprobs"], strict=True):
            assert len(ids) == len(mask) == len(logprobs)
            assert all(p == 0.0 for p, m in zip(logprobs, mask, strict=True) if not m)
        assert any(0 in mask for mask in out["env_mask"]), "what the game said is masked"
    assert any(not torch.equal(a, b) for a, b in zip(before, policy.model.parameters(), strict=True))


def test_prompts_without_a_problem_are_refused_by_the_rollout_function(tmp_path):
    policy = tiny_policy(Tiny(alphabet="abc", layers=1, width=16, heads=2), seed=0)
    rollouts = to_trl_rollouts(Doors())
    trainer = GRPOTrainer(
        model=policy.model, processing_class=policy.tokenizer, args=config(tmp_path),
        train_dataset=Dataset.from_list([{"prompt": [{"role": "user", "content": "a"}]}] * 8),
        rollout_func=rollouts, reward_funcs=rollouts.reward,
    )  # fmt: skip
    with pytest.raises(ValueError, match="must have the column 'problem'"):
        trainer.train()


@pytest.mark.slow
def test_a_model_learns_to_win_a_game_by_tool_calls(tmp_path):
    torch.manual_seed(0)
    factory = to_trl_episodes(ThirdDoor())
    model, tokenizer = tool_caller(factory.rows(2), [factory().move], [call("move", move=m) for m in "123"])
    trainer = GRPOTrainer(
        model=model, processing_class=tokenizer, train_dataset=Dataset.from_list(factory.rows(400)),
        environment_factory=factory,
        args=config(tmp_path, max_steps=70, per_device_train_batch_size=16, num_generations=8,
                    lr_scheduler_type="constant"),
    )  # fmt: skip
    trainer.train()
    means = [e["rewards/third_door/mean"] for e in trainer.state.log_history if "reward" in e]
    assert sum(means[:5]) / 5 < 0.6
    assert sum(means[-5:]) / 5 > 0.9


def test_problems_survive_arrow_whatever_their_info_holds():
    rows = Dataset.from_list([*GUESS.rows(2), *to_trl_episodes(family("hangman")).rows(2)])
    kinds = [family("guess_number"), family("guess_number"), family("hangman"), family("hangman")]
    for row, kind, index in zip(rows, kinds, (0, 1, 0, 1), strict=True):
        environment = begun(to_trl_episodes(kind), row["problem"])
        assert environment._episode.problem == kind.problem(0, index, 0)
        assert isinstance(environment._episode.problem, Problem)
