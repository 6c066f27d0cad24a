"""Instructions read as people mean them: signs at a word's edge, lists, initials, postscripts, languages."""

from __future__ import annotations

import pytest

from referee.verifiers import Instructions, Problem
from referee.verifiers.instructions.counting import sentences
from referee.verifiers.instructions.language import is_english


def follows(text, name, **kwargs):
    return (
        Instructions()(text, Problem(info={"instruction_id_list": [name], "kwargs": [kwargs]})).score == 1.0
    )


@pytest.mark.parametrize(
    ("word", "text", "stands"),
    [
        ("C++", "C++ is nice", True),
        (".NET", "This is .NET code", True),
        ("$100", "I said $100 now", True),
        ("C#", "I like C#.", True),
        ("#1", "We are #1!", True),
        ("cat", "concatenate", False),
        ("cat", "The cat sat", True),
        ("C++", "C is nice", False),
        ("$100", "100 of them", False),
    ],
)
def test_a_forbidden_word_may_begin_or_end_in_a_sign(word, text, stands):
    assert follows(text, "keywords:forbidden_words", forbidden_words=[word]) == (not stands)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Ideas:\n1. Solar kits help.\n2. Clinics help.", 2),
        ("- a) First.\n- b) Second.", 2),
        ("iv. Fourth point.\nv. Fifth point.", 2),
        ("It was vitamin C. He took it.", 2),
        ("J. Smith came. Dr. A. B. Jones left.", 2),
        ("Plan B. The end.", 2),
        ("George W. Bush spoke.", 1),
        ("He weighed 3.5 kg. So what?", 2),
    ],
)
def test_marks_of_lists_and_initials_end_no_sentence(text, count):
    assert len(sentences(text)) == count


@pytest.mark.parametrize(
    "text",
    ["A letter.\n\n**P.S.** Remember.", "A letter. (P.S. Remember.)", '"P.S. yes"', "*P.S.: so*", "P.S. Hi"],
)
def test_a_postscript_may_stand_in_marks(text):
    assert follows(text, "detectable_content:postscript", postscript_marker="P.S.")


def test_a_postscript_is_no_part_of_a_word():
    assert not follows("tips.s.", "detectable_content:postscript", postscript_marker="P.S.")


@pytest.mark.parametrize("text", ['{"a": NaN}', "[Infinity]", "-Infinity"])
def test_what_only_python_reads_is_no_json(text):
    assert not follows(text, "detectable_format:json_format")
    assert follows('{"a": null}', "detectable_format:json_format")


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("ABIGAIL\nALEXANDER\nAMELIA", True),
        ("etchings", True),
        ("O NUESTRO AMIGO, O NUESTRO AMIGO, O NUESTRO AMIGO", False),
        ("kruger, du bist ein kunstmeister, der jedes farbspiel und jede form", False),
        ("the la in de los is the", True),
        ("привет", False),
        ("123", False),
    ],
)
def test_english_is_told_by_its_letters_and_small_words(text, english):
    assert is_english(text) == english


@pytest.mark.parametrize("wanted", ["zh", "zh-cn", "Chinese", "zh_CN"])
def test_a_language_is_named_by_code_region_or_name(wanted, monkeypatch):
    from referee.verifiers.instructions import language

    monkeypatch.setattr(language, "language_of", lambda text: "zh-cn")
    assert language.is_in("...", wanted)
    assert not language.is_in("...", "zh-tw")
    assert not language.is_in("...", "ja")
    monkeypatch.setattr(language, "language_of", lambda text: "pt")
    assert language.is_in("...", "pt-BR")
    assert not language.is_in("...", "es")
    monkeypatch.setattr(language, "language_of", lambda text: None)
    assert not language.is_in("...", "en")
