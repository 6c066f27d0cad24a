"""Token-exact rollouts: what was sampled is what is trained on, whatever the tokenizer would make of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referee.envs.dialogue import ChatDialogue, PlainDialogue, dialogue_for
from referee.envs.episode import Episode, EpisodeLimits
from referee.envs.families import family
from referee.envs.records import Rollout, Stop, Turn
from referee.envs.rollout import roll_out, tokens_of, turn_returns, turn_seed
from referee.envs.tools import Tool
from referee.verifiers.jsonl import dumps, loads
from referee.verifiers.records import Completion, FinishReason, Message, Problem, Reward

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GAME = family("guess_number")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A byte-pair tokenizer trained on the spot, whose merges make decode and encode differ."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    corpus = [
        "higher lower 1 2 3 4 5 6 7 10 12 100 the number is the answer",
        "I think of a number from",
    ] * 20
    special = ["<pad>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    )
    made = PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", eos_token="<|im_end|>")
    made.chat_template = CHATML
    return made


def spell(tokenizer: Any, text: str) -> list[int]:
    """Write a text character by character: not as the tokenizer would, yet decoding to the same text."""
    return [i for c in text for i in tokenizer(c, add_special_tokens=False)["input_ids"]]


def scripted(tokenizer: Any, moves: Sequence[str], *, log: list[Any] | None = None) -> Any:
    """A sampler that plays moves in order, spelt out, and keeps what it was asked."""

    def sampler(prefixes: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Completion]:
        out = []
        for prefix, seed in zip(prefixes, seeds, strict=True):
            turn = tokenizer.decode(prefix).count("<|im_start|>assistant") - 1
            ids = [*spell(tokenizer, moves[turn]), tokenizer.eos_token_id]
            if log is not None:
                log.append((tuple(prefix), tuple(ids), seed))
            out.append(Completion(token_ids=ids, logprobs=[-0.5] * len(ids), finish_reason=FinishReason.STOP))
        return out

    return sampler


def game_with(secret: int, level: int = 4) -> Problem:
    return next(p for i in range(100_000) if (p := GAME.problem(0, i, level)).info["secret"] == secret)


def test_spelt_out_tokens_do_not_survive_decoding_and_encoding(tokenizer: Any) -> None:
    ids = spell(tokenizer, "the number")
    assert tokenizer(tokenizer.decode(ids), add_special_tokens=False)["input_ids"] != ids


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_the_ids_sampled_are_the_ids_trained_on_and_nothing_else_is(tokenizer: Any, data: Any) -> None:
    """The policy writes random ids; the row must hold exactly those, in order, and mask the rest."""
    drawn: list[tuple[tuple[int, ...], list[int]]] = []
    vocabulary = st.lists(st.integers(3, len(tokenizer) - 1), min_size=0, max_size=8)

    def sampler(prefixes: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Completion]:
        out = []
        for prefix in prefixes:
            ids = [*data.draw(vocabulary), tokenizer.eos_token_id]
            drawn.append((tuple(prefix), ids))
            logprobs = [-float(i) / 1000 for i in ids]
            out.append(Completion(token_ids=ids, logprobs=logprobs, finish_reason=FinishReason.STOP))
        return out

    chat = ChatDialogue(tokenizer)
    problem = GAME.problem(1, data.draw(st.integers(0, 50)), 3)
    (rollout,) = roll_out([Episode(GAME, problem)], sampler, chat, seeds=[7])
    row = tokens_of(rollout)
    assert [i for i, m in zip(row.token_ids, row.mask, strict=True) if m] == [
        i for _, ids in drawn for i in ids
    ]
    for prefix, ids in drawn:  # each turn was sampled after exactly the tokens that stand before it
        assert row.token_ids[: len(prefix)] == prefix
        assert list(row.token_ids[len(prefix) : len(prefix) + len(ids)]) == ids
        assert all(row.mask[len(prefix) : len(prefix) + len(ids)])
    assert [p for p, m in zip(row.logprobs, row.mask, strict=True) if not m] == [0.0] * row.mask.count(False)
    assert len(row.token_ids) == len(row.mask) == len(row.logprobs) == len(row.turns)
    assert loads(Rollout, dumps(rollout)) == rollout


def test_the_transcript_reads_as_the_chat_template_would_write_it(tokenizer: Any) -> None:
    problem = game_with(700)
    moves = ["512", "768", "700"]
    (rollout,) = roll_out(
        [Episode(GAME, problem)], scripted(tokenizer, moves), ChatDialogue(tokenizer), seeds=[0]
    )
    assert rollout.stop is Stop.TERMINATED
    assert rollout.reward is not None
    assert rollout.reward.total == 1.0
    said = [Message(role="user", content=str(problem.prompt))]
    for move, reply in zip(moves, ["higher", "lower", ""], strict=True):
        said.append(Message(role="assistant", content=move))
        said += [Message(role="user", content=reply)] if reply else []
    rendered = tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in said], tokenize=False
    )
    assert tokenizer.decode(tokens_of(rollout).token_ids) == rendered.removesuffix("\n")


def test_plain_text_serves_policies_without_a_template() -> None:
    from referee.trainers.policy.policy import ALPHABET, character_tokenizer

    characters = character_tokenizer(ALPHABET)
    plain = dialogue_for(characters)
    assert isinstance(plain, PlainDialogue)
    ids = plain.observation([Message(role="user", content="higher")], ended=True)
    assert characters.decode(ids) == "\nhigher\n"


def test_a_template_that_does_not_close_messages_is_refused(tokenizer: Any) -> None:
    import copy

    odd = copy.deepcopy(tokenizer)
    odd.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(ValueError, match="must close an assistant's message"):
        ChatDialogue(odd).observation([Message(role="user", content="x")], ended=True)


def test_a_slow_tool_does_not_hold_the_others_back(tokenizer: Any) -> None:
    """One tool waits until every other episode has ended: the rollouts can only finish if they need not wait."""
    others_done = threading.Event()
    finished: list[int] = []

    def wait() -> str:
        """Wait for the others."""
        assert others_done.wait(30), "the others were held back"
        return "done"

    def quick() -> str:
        """Answer at once."""
        return "done"

    sums = family("arithmetic")
    calls = {
        True: '<tool_call>{"name": "wait"}</tool_call>',
        False: '<tool_call>{"name": "quick"}</tool_call>',
    }

    def sampler(prefixes: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Completion]:
        out = []
        for prefix in prefixes:
            text = tokenizer.decode(prefix)
            turn = text.count("<|im_start|>assistant") - 1
            slow = "slow one" in text
            last = turn == (1 if slow else 3)
            if last and not slow:
                finished.append(1)
                if len(finished) == 3:
                    others_done.set()
            said = "5" if last else calls[slow]
            out.append(Completion(token_ids=[*spell(tokenizer, said), tokenizer.eos_token_id]))
        return out

    problems = [
        Problem(prompt=name, answer="5", info={"family": "arithmetic"})
        for name in ("slow one", "a", "b", "c")
    ]
    episodes = [Episode(sums, p, tools=[Tool(wait), Tool(quick)]) for p in problems]
    rollouts = roll_out(episodes, sampler, ChatDialogue(tokenizer), seeds=[1, 2, 3, 4])
    assert [len(r.turns) for r in rollouts] == [2, 4, 4, 4]
    assert all(r.reward is not None and r.reward.total == 1.0 for r in rollouts)


def test_a_tool_that_sleeps_costs_its_own_time_once_and_not_once_for_each_turn(tokenizer: Any) -> None:
    def nap() -> str:
        """Sleep for a while."""
        time.sleep(0.3)
        return "done"

    sums = family("arithmetic")
    problem = Problem(prompt="p", answer="5", info={"family": "arithmetic"})
    episodes = [Episode(sums, problem, tools=[Tool(nap)]) for _ in range(8)]
    moves = ['<tool_call>{"name": "nap"}</tool_call>', "5"]
    started = time.perf_counter()
    rollouts = roll_out(episodes, scripted(tokenizer, moves), ChatDialogue(tokenizer), seeds=range(8))
    assert time.perf_counter() - started < 8 * 0.3 / 2
    assert all(r.reward is not None and r.reward.total == 1.0 for r in rollouts)


def test_a_tool_that_never_returns_is_left_behind_at_the_deadline(tokenizer: Any) -> None:
    def hang() -> str:
        """Never return."""
        threading.Event().wait()
        return ""

    problem = Problem(prompt="p", answer="5", info={"family": "arithmetic"})
    episode = Episode(family("arithmetic"), problem, tools=[Tool(hang)], limits=EpisodeLimits(seconds=0.2))
    moves = ['<tool_call>{"name": "hang"}</tool_call>']
    (rollout,) = roll_out([episode], scripted(tokenizer, moves), ChatDialogue(tokenizer), seeds=[0])
    assert (rollout.stop, len(rollout.turns)) == (Stop.SECONDS, 1)
    assert rollout.reward is not None
    assert rollout.reward.total == 0.0


def test_what_an_episode_gets_depends_on_its_seed_alone(tokenizer: Any) -> None:
    alone: list[Any] = []
    together: list[Any] = []
    first, second = game_with(700), game_with(3)
    chat = ChatDialogue(tokenizer)
    moves = ["512", "256", "700", "3"] * 3
    roll_out([Episode(GAME, first)], scripted(tokenizer, moves, log=alone), chat, seeds=[11])
    roll_out(
        [Episode(GAME, second), Episode(GAME, first)],
        scripted(tokenizer, moves, log=together),
        chat,
        seeds=[12, 11],
    )
    assert [entry for entry in together if entry[2] in {seed for _, _, seed in alone}] == alone
    assert len({turn_seed(11, t) for t in range(100)} | {turn_seed(12, t) for t in range(100)}) == 200


def test_a_full_context_truncates(tokenizer: Any) -> None:
    problem = game_with(700)
    chat = ChatDialogue(tokenizer)
    room = len(chat.prompt(Episode(GAME, problem).prompt)) + 1
    (rollout,) = roll_out(
        [Episode(GAME, problem)], scripted(tokenizer, ["1"] * 9), chat, seeds=[0], context_tokens=room
    )
    assert (rollout.stop, len(rollout.turns)) == (Stop.TOKENS, 1)


def test_tokens_that_were_not_kept_are_never_made_up() -> None:
    problem = Problem(prompt="p")
    turn = Turn(completion=Completion(text="a"))
    with pytest.raises(ValueError, match="prompt_ids must be the prompt's token ids"):
        tokens_of(Rollout(problem=problem, turns=(turn,)))
    with pytest.raises(ValueError, match="turn 0 must keep the token ids"):
        tokens_of(Rollout(problem=problem, turns=(turn,), prompt_ids=(1,)))
    kept = Turn(completion=Completion(token_ids=(1,)))
    with pytest.raises(ValueError, match="turn 0 must keep its observation's token ids"):
        tokens_of(Rollout(problem=problem, turns=(kept, kept), prompt_ids=(1,)))


def test_each_turn_is_credited_with_what_came_later() -> None:
    turns = tuple(Turn(completion=Completion(), reward=r) for r in (1.0, None, -1.0))
    rollout = Rollout(problem=Problem(), turns=turns, reward=Reward(total=2.0))
    assert turn_returns(rollout) == (2.0, 1.0, 1.0)
    assert turn_returns(rollout, gamma=0.5) == (1.25, 0.5, 1.0)
    assert turn_returns(Rollout(problem=Problem(), turns=turns, reward=Reward(total=None))) is None
    with pytest.raises(ValueError, match="gamma must be from 0 to 1"):
        turn_returns(rollout, gamma=2.0)
