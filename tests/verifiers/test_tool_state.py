"""What an episode of tool calls leaves, against the state that was wanted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.verifiers import Completion, Message, Problem, ToolState
from referee.verifiers.records import Json, Reason, ToolCall


class Bank:
    """Accounts, between which money is moved."""

    def __init__(self, accounts: dict[str, int]) -> None:
        self.accounts = dict(accounts)
        self.log: list[str] = []
        self._calls = 0

    def move(self, source: str, target: str, amount: int) -> None:
        if amount <= 0 or self.accounts[source] < amount:
            raise ValueError("not enough")
        self.accounts[source] -= amount
        self.accounts[target] += amount

    def close(self, name: str) -> int:
        return self.accounts.pop(name)

    def peek(self, name: str) -> int:
        return self.accounts[name]

    def spoil(self) -> None:
        self.accounts = {1j: 2}  # type: ignore[dict-item]


def make(initial: Any) -> Bank:
    return Bank(initial)


VERIFY = ToolState(make=make, tools=("move", "close", "spoil"))
START: Json = {"a": 10, "b": 0, "c": 0}
WANTED: Json = {"accounts": {"a": 4, "b": 6, "c": 0}, "log": []}


def row(**info: Json) -> Problem:
    return Problem(prompt="q", info={"initial": START, "state": WANTED, **info})


def episode(*calls: tuple[str, Any]) -> Completion:
    messages = [
        Message(role="assistant", tool_calls=(ToolCall(name=name, arguments=arguments),))
        for name, arguments in calls
    ]
    return Completion(messages=(*messages, Message(role="assistant", content="Done.")))


def move(source: str, target: str, amount: Json) -> tuple[str, Any]:
    return "move", {"source": source, "target": target, "amount": amount}


@pytest.mark.parametrize(
    "calls",
    [
        [move("a", "b", 6)],
        [move("a", "c", 6), move("c", "b", 6)],
        [move("a", "b", 99), move("a", "b", 6)],
        [
            move("z", "b", 1),
            ("nothing", {}),
            ("__init__", {"accounts": {}}),
            ("_calls", {}),
            move("a", "b", 6),
        ],
        [("move", {"source": "a"}), ("move", "[1]"), move("a", "b", 6)],
    ],
)
def test_any_way_to_the_wanted_state_is_right(calls: Any) -> None:
    assert VERIFY(episode(*calls), row()).score == 1.0
    assert VERIFY(episode(*calls), row(forbidden=["close"])).score == 1.0


@pytest.mark.parametrize(
    "calls",
    [[], [move("a", "b", 5)], [move("a", "b", 6), move("a", "b", 1)], [move("a", "b", 6), ("close", {"name": "c"})],
     [move("a", "b", 6), ("spoil", {})], [move("a", "b", "6")]],
)  # fmt: skip
def test_another_state_is_wrong(calls: Any) -> None:
    assert VERIFY(episode(*calls), row()).score == 0.0


def test_a_forbidden_call_is_wrong_even_where_it_fails_or_is_undone() -> None:
    right = move("a", "b", 6)
    assert VERIFY(episode(("close", {"name": "z"}), right), row(forbidden=["close"])).score == 0.0
    assert VERIFY(episode(("close", "oops"), right), row(forbidden=["close"])).score == 0.0
    through: Json = [{"name": "move", "arguments": {"target": "c"}}]
    assert VERIFY(episode(right), row(forbidden=through)).score == 1.0
    assert VERIFY(episode(move("a", "c", 6), move("c", "b", 6)), row(forbidden=through)).score == 0.0


def test_a_required_call_must_be_made_and_not_fail() -> None:
    still = row(state={"accounts": START, "log": []}, required=[{"name": "peek", "arguments": {"name": "a"}}])
    verify = ToolState(make=make, tools=("move", "peek"))
    assert verify(episode(("peek", {"name": "a"})), still).score == 1.0
    for calls in (
        [],
        [("peek", {"name": "b"})],
        [("peek", {"name": "a", "more": 1})],
        [("look", {"name": "a"})],
    ):
        assert verify(episode(*calls), still).score == 0.0
    missing = row(state={"accounts": START, "log": []}, required=["peek"])
    assert verify(episode(("peek", {"name": "zoo"})), missing).score == 0.0


def test_calls_of_the_row_give_the_state_that_is_wanted() -> None:
    for calls in (
        [["move(source='a', target='c', amount=6)"], ["move('c', 'b', 6)"]],
        [{"name": "move", "arguments": {"source": "a", "target": "b", "amount": 6}}],
    ):
        problem = Problem(info={"initial": START, "calls": calls})
        assert VERIFY(episode(move("a", "b", 6)), problem).score == 1.0
        assert VERIFY(episode(move("a", "b", 5)), problem).score == 0.0


def test_only_named_keys_may_be_compared() -> None:
    problem = row(state={"log": []})
    assert VERIFY(episode(move("a", "b", 1)), problem).score == 0.0
    named = ToolState(make=make, tools=("move",), compared="named")
    assert named(episode(move("a", "b", 1)), problem).score == 1.0
    assert named(episode(move("a", "b", 1)), row(state={"zoo": 1})).score == 0.0


@pytest.mark.parametrize(
    "info",
    [
        {"initial": None},
        {"state": 5},
        {"forbidden": [5]},
        {"forbidden": [{"arguments": {}}]},
        {"required": 5},
    ],
)
def test_a_row_that_cannot_be_replayed_abstains(info: Any) -> None:
    for completion in (episode(move("a", "b", 6)), episode(), Completion(text="")):
        assert VERIFY(completion, row(**info)).reason is Reason.BAD_REFERENCE


@pytest.mark.parametrize(
    "calls", [None, 5, ["fly()"], ["move("], [5], ["move('a', 'b', 999)"], [{"name": 1}]]
)
def test_a_row_whose_own_calls_fail_abstains(calls: Json) -> None:
    assert VERIFY(episode(), Problem(info={"initial": START, "calls": calls})).reason is Reason.BAD_REFERENCE


def test_an_empty_completion_is_not_paid_though_nothing_was_to_be_done() -> None:
    still = row(state={"accounts": START, "log": []})
    assert VERIFY(Completion(text="Nothing is to be done."), still).score == 1.0
    assert VERIFY(Completion(text=""), still).reason is Reason.NO_ANSWER
    assert VERIFY(Completion(text="<think>hm</think>"), still).score == 0.0


def test_a_tool_that_this_world_lacks_is_a_call_that_fails() -> None:
    verify = ToolState(make=make, tools=("move", "fly"))
    for text in ("[fly('x'), move('a', 'b', 6)]", "[fly(a=1), move(source='a', target='b', amount=6)]"):
        assert verify(text, row()).score == 1.0
    assert verify("[fly('x')]", row()).score == 0.0
    assert verify("[accounts(1)]", row()).score == 0.0


class Shelf:
    """Keeps the very list that it is given."""

    def __init__(self, books: list[Json]) -> None:
        self.books = books

    def put(self, book: Json) -> None:
        self.books.append(book)

    def mark(self) -> None:
        for book in self.books:
            book["read"] = True  # type: ignore[index, call-overload]


def test_no_completion_changes_the_row_or_another_completion() -> None:
    verify = ToolState(make=Shelf, tools=("put", "mark"))  # type: ignore[arg-type]
    problem = Problem(info={"initial": [{"id": 1}], "state": {"books": [{"id": 1}, {"id": 2}]}})
    right = episode(("put", {"book": {"id": 2}}))
    for completion, score in (
        (right, 1.0),
        (episode(*[("mark", {})] * 2, ("put", {"book": {}})), 0.0),
        (right, 1.0),
    ):
        assert verify(completion, problem).score == score
    assert problem.info["initial"] == [{"id": 1}]
    marked = episode(("put", {"book": {"id": 2}}), ("mark", {}))
    assert verify(marked, problem).score == 0.0
    assert marked.tool_calls[0].arguments == {"book": {"id": 2}}


def test_too_many_calls_are_a_limit() -> None:
    verdict = VERIFY(episode(*[move("a", "b", 6)] * 1001), row())
    assert verdict.reason is Reason.RESOURCE_LIMIT
    assert verdict.score == 0.0


def test_one_is_one_point_nought_and_true_is_neither() -> None:
    for value, score in ((6, 1.0), (6.0, 1.0), (True, 0.0)):
        wanted: Json = {"accounts": {"a": 4, "b": value, "c": 0}, "log": []}
        assert VERIFY(episode(move("a", "b", 6)), row(state=wanted)).score == score


@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["move", "close", "spoil", "__class__", "accounts", ""]),
            st.dictionaries(st.sampled_from(["source", "target", "amount", "name", "self"]), st.none() | st.integers() | st.text(max_size=2)),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_no_calls_buy_an_abstention(calls: Any) -> None:
    assert VERIFY(episode(*calls), row()).score in (0.0, 1.0)
    assert VERIFY(episode(*calls), row()) == VERIFY(episode(*calls), row())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tools": ()}, "tools must name methods"),
        ({"tools": ("_private",)}, "tools must name methods"),
        ({"tools": ("a b",)}, "tools must name methods"),
        ({"make": 5}, "make must be a function, got 5"),
        ({"compared": "some"}, "compared must be one of all, named, got 'some'"),
    ],
)
def test_a_programmers_mistake_is_told_at_construction(options: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        ToolState(**{"make": make, "tools": ("move",), **options})
