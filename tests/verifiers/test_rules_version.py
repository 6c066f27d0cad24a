"""Each verifier states the version of its rules; what has parts gives theirs."""

from __future__ import annotations

import pytest

from referee.verifiers import Exact, Numeric, Rubric, all_of, gate, route, verifier
from referee.verifiers.registry import built_in_names, make_verifier
from referee.verifiers.rules_version import changed_rules, rules_of, rules_version


@verifier(name="brevity")
def brevity(completion, problem):
    return len(completion.text) < 5


def test_a_function_may_carry_one_and_has_1_otherwise(monkeypatch):
    assert rules_of(Rubric({"short": brevity})) == {"short": {"brevity": 1}}
    monkeypatch.setattr(brevity, "rules_version", 4, raising=False)
    assert rules_of(Rubric({"short": brevity})) == {"short": {"brevity": 4}}


def test_what_has_parts_gives_the_versions_of_all_of_them(monkeypatch):
    monkeypatch.setattr(Numeric, "rules_version", 3, raising=False)
    deep = gate(Exact(), route("kind", {"a": all_of(Numeric(), brevity)}, default=Exact()))
    found = rules_of(Rubric({"right": deep}))["right"]
    assert found == {
        "gate": 1,
        "route": 1,
        "all_of": 1,
        "exact": Exact.rules_version,
        "numeric": 3,
        "brevity": 1,
    }


@pytest.mark.parametrize("stated", [0, -1, "2", 1.5, True, None])
def test_it_is_a_whole_number_of_at_least_1(stated, monkeypatch):
    monkeypatch.setattr(brevity, "rules_version", stated, raising=False)
    with pytest.raises(ValueError, match="rules_version of brevity must be a whole number"):
        rules_version(brevity)
    with pytest.raises(ValueError, match="rules_version of brevity must be a whole number"):
        Rubric({"short": brevity})


def test_verifiers_of_one_name_in_one_part_each_have_theirs():
    def named(version):
        @verifier(name="same")
        def judge(completion, problem):
            return True

        judge.rules_version = version
        return judge

    def rules(*versions):
        return rules_of(Rubric({"right": all_of(*map(named, versions))}))

    assert rules(2, 2)["right"]["same"] == 2
    assert rules(2, 1)["right"]["same"] == [2, 1]
    for before, now in (((1, 1), (1, 2)), ((1, 1), (2, 1)), ((1, 2), (2, 1)), ((3, 1), (2, 1))):
        assert len(changed_rules(rules(*before), rules(*now))) == 1
    said = changed_rules(rules(1, 1), rules(2, 1))
    assert said == ["right: same was 1, is now 2, 1"]


def test_every_built_in_verifier_has_one():
    for name in built_in_names():
        if name not in (
            "criteria",
            "judge",
            "pairwise_judge",
            "outcome_model",
            "process_model",
            "reward_model",
        ):
            try:
                made = make_verifier(name)
            except (ValueError, TypeError):
                continue  # it needs options
            assert rules_version(made) >= 1


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"a": {"math": 1}}, {"a": {"math": 1}}, []),
        ({"a": {"math": 1}}, {"a": {"math": 2}}, ["a: math was 1, is now 2"]),
        (None, {"a": {"math": 1}}, ["a: math was unrecorded, is now 1"]),
        ("garbage", {"a": {"math": 1}}, ["a: math was unrecorded, is now 1"]),
        ({"a": 3}, {"a": {"math": 1}}, ["a: math was unrecorded, is now 1"]),
    ],
)
def test_what_changed_is_said_in_words(before, now, said):
    assert changed_rules(before, now) == said
