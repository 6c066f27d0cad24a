"""Training on episodes: what was sampled is trained on, whoever paid for it, and a run resumes exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import pytest
import torch

from referee.envs.episode import Episode
from referee.envs.families import family
from referee.envs.game import Game, Move, lost, won
from referee.envs.procedural import Draft
from referee.envs.records import Rollout, Stop, Turn
from referee.envs.rollout import tokens_of
from referee.envs.stream import Stream
from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.heldout import measure
from referee.trainers.loop.ppo import PPOTrainer
from referee.trainers.loop.rollouts import MultiTurn, SingleTurn, demonstration, row_of
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import SFT, fine_tune
from referee.trainers.objective.advantages import gae
from referee.trainers.objective.preset_check import check
from referee.trainers.objective.presets import preset
from referee.trainers.objective.turns import to_tokens, turn_advantages, turn_rewards
from referee.trainers.policy.policy import Tiny, tiny_policy
from referee.trainers.policy.sampling import Sampling
from referee.trainers.record.run_record import Run
from referee.verifiers.records import Completion, Problem, Reward, Verdict
from referee.verifiers.rubric import Rubric

GUESS = family("guess_number", terse=True)
LETTERS = "0123456789 .:\nabcdefghijklmnopqrstuvwxyzT="
OPTIONS = {"batch_size": 16, "group_size": 4, "learning_rate": 1e-3, "max_new_tokens": 3}


@dataclass(frozen=True, kw_only=True)
class Digits(Game):
    """Three turns; each that begins with a digit is paid 1 at once, and the last is won by a 7."""

    name: ClassVar[str] = "digits"
    levels: ClassVar[int] = 1
    turns: ClassVar[int] = 3

    def draw(self, stream, level):
        return Draft("say a digit:", f"{stream.below(10)}:", None)

    def start(self, problem):
        return 0

    def move(self, problem, state, text):
        verdict = None if state < 2 else won() if text.startswith("7") else lost("no 7")
        paid = 1.0 if text[:1].isdigit() else None
        return Move(state=state + 1, observation="ok", reward=paid, verdict=verdict)

    def gold_move(self, problem, state):
        return "7"


@dataclass(frozen=True, kw_only=True)
class Broken(Digits):
    """A game whose environment fails in the second turn of some episodes."""

    def move(self, problem, state, text):
        if state == 1 and text[:1].isdigit():
            raise OSError("the environment is down")
        return super().move(problem, state, text)


@cache
def babbler():
    """The weights of a policy that says one character a turn, any of ten, whatever it is asked."""
    policy = tiny_policy(Tiny(alphabet=LETTERS, layers=2, width=32, heads=2), seed=3)

    def shown(index):
        game = (GUESS, Digits())[index % 2]
        stream = Stream(f"babble/{index}")
        said = [stream.choice("12345xyzwv") for _ in range(3)]
        return demonstration(policy, game, game.problem(1, index, 0), said)

    fine_tune(policy, shown, options=SFT(steps=40, batch_size=16, learning_rate=3e-3))
    return policy.model.state_dict()


def policy_of(seed=3):
    policy = tiny_policy(Tiny(alphabet=LETTERS, layers=2, width=32, heads=2), seed=seed)
    if seed == 3:
        policy.model.load_state_dict(babbler())
    return policy


def trainer(game=GUESS, *, cls=GroupTrainer, name="grpo_trl", training=None, run=None, seed=3, **options):
    return cls(
        policy_of(seed),
        lambda i: game.problem(0, i, 0),
        Rubric({game.name: game}),
        preset=replace(preset(name), **{**OPTIONS, **options}),
        training=training or Training(steps=1),
        run=run,
        heldout=[game.problem(9, i, 0) for i in range(8)],
        rollouts=MultiTurn(families=(game,)),
    )


def test_exactly_the_sampled_tokens_are_trained_on():
    t = trainer(Digits())
    groups = t.rollout(range(4))
    batch, _ = t.pack(groups)
    rollouts = [r for g in groups for r in g.rollouts]
    assert max(len(r.turns) for r in rollouts) == 3
    for row, r in enumerate(rollouts):
        masked_in = batch.tokens_BT[row][batch.mask_BT[row].bool()].tolist()
        assert tuple(masked_in) == r.sampled_ids
        assert int(batch.lengths_B[row]) == len(tokens_of(r).token_ids) > len(r.sampled_ids)
    # What the trainer computes for those tokens is what they were sampled with, observations and all.
    ours = t.learner.logprobs(t.learner.model, batch, t.training, temperature=t.preset.temperature)
    assert torch.allclose(ours, batch.sampler_logprobs_BT, atol=1e-4)


def test_an_episode_of_one_turn_is_a_completion():
    """Greedily, a single-turn family gives the same completions, rewards and rows on both ways."""
    sums = family("arithmetic", terse=True)
    problems = [sums.problem(0, i, 0) for i in range(6)]
    policy, rubric = policy_of(), Rubric({"arithmetic": sums})
    single, several = (
        ways(
            policy,
            problems,
            rubric,
            group_size=2,
            sampling=Sampling(max_new_tokens=3, temperature=0.0),
            seeds=range(6),
        )
        for ways in (SingleTurn(), MultiTurn(families=(sums,)))
    )
    for a, b in zip(single, several, strict=True):
        for x, y in zip(a.rollouts, b.rollouts, strict=True):
            assert (x.sampled_ids, x.stop, x.reward) == (y.sampled_ids, y.stop, y.reward)
            assert row_of(x, policy).token_ids == row_of(y, policy).token_ids


def test_what_an_episode_gets_depends_on_neither_its_neighbours_nor_its_group():
    t = trainer()
    together = t.rollout(range(4))
    alone = trainer().rollout(range(2, 3))
    assert [r.sampled_ids for r in together[2].rollouts] == [r.sampled_ids for r in alone[0].rollouts]


def rollout_of(*rewards, total, problem=None):
    turns = tuple(
        Turn(completion=Completion(text="x", token_ids=(5, 6)), reward=r, observation_ids=(7,))
        for r in rewards
    )
    return Rollout(
        problem=problem or Problem(prompt="p"), turns=turns, prompt_ids=(1, 2, 3), reward=Reward(total=total)
    )


def test_turns_are_compared_with_the_siblings_that_got_so_far():
    """By hand: returns 3 1 | 1 1 | 0; turn 0 has the mean 4/3, turn 1 the mean 1, turn 2 nobody to compare."""
    rollouts = [
        rollout_of(2.0, None, total=1.0),
        rollout_of(None, None, total=1.0),
        rollout_of(None, total=0.0),
    ]
    decided = torch.ones(1, 3, dtype=torch.bool)

    def less_the_mean(returns_NG, mask_NG):
        mean = (returns_NG * mask_NG).sum() / mask_NG.sum()
        return (returns_NG - mean) * mask_NG

    found = turn_advantages(rollouts, decided, less_the_mean, gamma=1.0)
    assert torch.allclose(found, torch.tensor([[5 / 3, 0.0], [-1 / 3, 0.0], [-4 / 3, 0.0]]))
    mask = torch.zeros(3, 8)
    placed = to_tokens(found, rollouts, mask)
    assert torch.allclose(placed[0], torch.tensor([0, 0, 0, 5 / 3, 5 / 3, 0, 0, 0]))
    assert torch.allclose(placed[2], torch.tensor([0, 0, 0, -4 / 3, -4 / 3, 0, 0, 0]))
    paid = turn_rewards(rollouts, mask)
    assert paid[0].tolist() == [0, 0, 0, 0, 2, 0, 0, 0]
    assert not paid[1:].any()


@pytest.mark.parametrize("credit", ["episode", "turn"])
def test_turn_rewards_are_paid_and_credited(credit):
    """Nobody wins, so the final rewards are equal: whatever moves the policy is what turns were paid."""
    t = trainer(Digits(), credit=credit)
    groups = t.rollout(range(4))
    assert {r.reward.total for g in groups for r in g.rollouts} == {0.0}
    totals = [r.total for g in groups for r in g.rollouts]
    assert totals == [float(sum(turn.reward or 0 for turn in r.turns)) for g in groups for r in g.rollouts]
    batch, figures = t.pack(groups)
    assert figures["advantage_abs"] > 0
    per_row = [set(a[m.bool()].tolist()) for a, m in zip(batch.advantages_BT, batch.mask_BT, strict=True)]
    assert any(len(values) > 1 for values in per_row) is (credit == "turn")


def test_paying_for_turns_teaches_turns():
    t = trainer(Digits(), credit="turn", training=Training(steps=25), learning_rate=3e-3, batch_size=32)
    rewards = [t.take_step()[0]["reward"] for _ in range(25)]
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 1.0


def test_a_critic_sees_each_turns_reward_at_its_last_token():
    t = trainer(Digits(), cls=PPOTrainer, name="ppo", mini_batch_size=8, kl_coef=0.0)
    groups = t.rollout(range(4))
    rollouts = [r for g in groups for r in g.rollouts]
    batch, _ = t.pack(groups)
    _, rewards_to_go = gae(
        turn_rewards(rollouts, batch.mask_BT),
        torch.zeros_like(batch.mask_BT),
        batch.mask_BT,
        lam=t.preset.lam,
    )
    assert torch.allclose(batch.returns_BT, rewards_to_go, atol=1e-5)  # the critic began at 0
    figures, _, _ = t.take_step()
    assert figures["value_loss"] > 0


def test_an_environment_that_fails_is_masked_out_and_no_loss_for_the_policy():
    t = trainer(Broken())
    groups = t.rollout(range(4))
    rollouts = [r for g in groups for r in g.rollouts]
    failed = [r for r in rollouts if r.stop is Stop.FAILED]
    assert 0 < len(failed) < len(rollouts)
    assert all(r.reward.abstains for r in failed)
    batch, _ = t.pack(groups)
    assert len(batch) == len(rollouts) - len(failed)
    figures, _, _ = t.take_step()
    assert figures["stops/failed"] == figures["abstained"] > 0
    assert figures["reasons/environment/error"] > 0


def test_shuffled_rewards_deal_out_what_turns_were_paid_too():
    plain = trainer(Digits()).rollout(range(4))
    dealt = trainer(Digits(), training=Training(steps=1, shuffle_rewards=True)).rollout(range(4))
    totals = [[r.total for g in groups for r in g.rollouts] for groups in (plain, dealt)]
    assert totals[0] != totals[1]
    assert sorted(totals[0]) == sorted(totals[1])


def test_episodes_of_a_step_are_scored_in_one_batch_with_their_siblings():
    seen = []

    def together(completions, problem):
        seen.append(len(completions))
        return [Verdict(score=1.0)] * len(completions)

    together.is_group = True
    rubric = Rubric({"together": together})
    assert rubric.is_group
    MultiTurn(families=(GUESS,))(
        policy_of(),
        [GUESS.problem(0, i, 0) for i in range(3)],
        rubric,
        group_size=4,
        sampling=Sampling(max_new_tokens=3),
        seeds=range(3),
    )
    assert seen == [4, 4, 4]


def test_held_out_games_are_played():
    t = trainer()
    held, seen = measure(
        t.policy, t.heldout, t.rubric, sampling=replace(t.sampling, temperature=0.0), rollouts=t.rollouts
    )
    assert held.decided == len(seen) == 8
    figures, _, _ = t.take_step()
    assert 1 <= figures["turns"] <= 2
    assert sum(v for k, v in figures.items() if k.startswith("stops/")) == pytest.approx(1.0)


def test_a_prompt_that_leaves_no_room_is_truncated_and_no_crash():
    t = trainer()
    t.rollouts = replace(t.rollouts, context_tokens=2)
    groups = t.rollout(range(4))
    assert {(r.stop, len(r.turns)) for g in groups for r in g.rollouts} == {(Stop.TOKENS, 0)}
    figures, _, _ = t.take_step()
    assert figures["truncated"] == 1.0
    t.measure()


def test_a_player_can_be_imitated():
    problem = GUESS.problem(0, 0, 1)
    policy = policy_of()
    moves = GUESS.play(problem, lambda state: GUESS.gold_move(problem, state))
    shown = demonstration(policy, GUESS, problem, moves)
    assert shown.reward.total == 1.0
    assert policy.decode(shown.sampled_ids) == "".join(moves)
    losses = fine_tune(
        policy,
        lambda i: demonstration(
            policy,
            GUESS,
            (p := GUESS.problem(0, i, 0)),
            GUESS.play(p, lambda state: GUESS.gold_move(p, state)),
        ),
        options=SFT(steps=30, batch_size=16, learning_rate=3e-3),
    )
    assert losses[-1] < 0.5 * losses[0]


def records(folder):
    return {n: (folder / f"{n}.jsonl").read_bytes() for n in ("metrics", "samples", "heldout")}


@pytest.mark.parametrize("died_at", [1, 3])
def test_a_run_of_games_that_died_goes_on_as_if_it_had_not(tmp_path, died_at):
    training = Training(steps=4, eval_every=2, save_every=2)
    trainer(training=training, run=Run(tmp_path / "whole")).train()

    def die(figures):
        if figures["step"] == died_at:
            raise KeyboardInterrupt

    dying = trainer(training=training, run=Run(tmp_path / "cut"))
    dying.on_step = die
    with pytest.raises(KeyboardInterrupt):
        dying.train()
    trainer(training=training, run=Run(tmp_path / "cut"), seed=99).train()
    assert records(tmp_path / "cut") == records(tmp_path / "whole")


@pytest.mark.parametrize(
    "options",
    [
        {"name": "ppo"},
        {"advantage": "gdpo"},
        {"kl_coef": 0.1, "kl_in": "reward"},
        {"overlong_tokens": 2},
    ],
    ids=str,
)
def test_credit_by_turn_is_refused_where_it_would_be_ignored(options):
    chosen = preset(options.pop("name", "grpo_trl"))
    with pytest.raises(ValueError, match="credit must be episode with a critic"):
        check(replace(chosen, **options, credit="turn"), critic=chosen.advantage == "gae")


def test_a_problem_of_no_family_can_be_answered_and_needs_a_rubric():
    problem = Problem(prompt="2+2=", answer="4")
    with pytest.raises(ValueError, match="rubric must be given for a problem of no family"):
        Episode(None, problem)
    episode = Episode(None, problem, rubric=Rubric({"right": lambda c, p: c.text == p.answer}))
    episode.step("4")
    assert episode.rollout().reward.total == 1.0
