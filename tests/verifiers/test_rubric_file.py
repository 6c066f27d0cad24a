"""Rubrics from YAML: everything that Python can say can be written, and mistakes are named by their path."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from referee.verifiers import (
    Exact,
    Part,
    Rubric,
    Schedule,
    ThinkFormat,
    all_of,
    clip,
    first_decided,
    gate,
    invert,
    route,
    shape,
    weighted_sum,
)
from referee.verifiers.registry import built_in_names, make_verifier
from referee.verifiers.rubric_file import RubricError, load_rubric, rubric_from

FILES = """
parts:
  answer: {verifier: exact, weight: 2.0, options: {ignore_case: true}}
  format: think_format
  brevity: {verifier: think_format, weight: {start: 0.0, end: 0.2, steps: 100}}
  both: {all_of: [exact, {verifier: think_format}], weight: 0}
  gated: {gate: {condition: think_format, then: exact, threshold: 0.5}}
  cut: {clip: {verifier: exact, low: 0.2, high: 0.8}}
  near: {shape: {distance: exact, a: 2.0}}
  wrong: {invert: exact}
  first: {first_decided: [exact, think_format]}
  sum: {weighted_sum: [{verifier: exact, weight: 0.5}, think_format]}
  routed: {route: {by: kind, routes: {a: exact}, default: think_format}}
abstention: drop
truncation: abstain
"""


def test_every_form_of_a_rubric_can_be_written() -> None:
    exact, think = Exact(), ThinkFormat()
    assert rubric_from(yaml.safe_load(FILES)) == Rubric(
        {
            "answer": (Exact(ignore_case=True), 2.0),
            "format": think,
            "brevity": Part(think, Schedule(0.0, 0.2, 100)),
            "both": (all_of(exact, think), 0.0),
            "gated": gate(think, exact, threshold=0.5),
            "cut": clip(exact, 0.2, 0.8),
            "near": shape(exact, 2.0),
            "wrong": invert(exact),
            "first": first_decided(exact, think),
            "sum": weighted_sum((exact, 0.5), think),
            "routed": route("kind", {"a": exact}, default=think),
        },
        abstention="drop",
        truncation="abstain",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parts: {a: exact", "not YAML"),
        ("parts: {a: exact, a: numeric}", "the key 'a' is written twice"),
        ("- exact", "the rubric must be a mapping"),
        ("weights: {}", "the rubric has no key 'weights'; its keys are parts, abstention, truncation"),
        ("abstention: drop", "the rubric needs the key 'parts'"),
        ("parts: {}", "parts must map at least one name"),
        ("parts: {a: exactt}", "parts.a: verifier must be a built-in name"),
        ("parts: {a: exactt}", "did you mean exact?"),
        ("parts: {a: rubric}", "parts.a: verifier must be a built-in name"),
        (
            "parts: {a: {verifier: exact, options: {case: 1}}}",
            "parts.a: exact has no option 'case'; its options",
        ),
        ("parts: {a: {verifier: exact, wieght: 1}}", "parts.a has no key 'wieght'"),
        ("parts: {a: {all_of: exact}}", "parts.a.all_of must be a list"),
        (
            "parts: {a: {all_of: [exact, {none_of: []}]}}",
            "parts.a.all_of.1 must be a verifier's name or hold one",
        ),
        ("parts: {a: {verifier: exact, weight: heavy}}", "parts.a: weight must be a finite number"),
        ("parts: {a: {verifier: exact, weight: {start: 0}}}", "parts.a.weight needs the key 'end'"),
        ("parts: {a: {gate: {condition: exact}}}", "parts.a.gate needs the key 'then'"),
        ("parts: {a: exact}\nabstention: maybe", "abstention must be one of abstain, drop, renormalise"),
        ("parts: {a: 'nowhere_at_all:f'}", "parts.a: verifier names the module 'nowhere_at_all'"),
        ("parts: {a: 'nowhere.py:f'}", "parts.a: verifier names the file nowhere.py"),
        ("parts: {a: 'textwrap:nothing'}", "parts.a: textwrap has no 'nothing'"),
    ],
)
def test_a_mistake_is_named_by_its_path(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rubric.yaml"
    path.write_text(text)
    with pytest.raises(RubricError) as error:
        load_rubric(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_a_file_never_runs_code(tmp_path: Path) -> None:
    path = tmp_path / "rubric.yaml"
    path.write_text(f"parts: !!python/object/apply:os.system ['touch {tmp_path}/hacked']")
    with pytest.raises(RubricError, match="not YAML"):
        load_rubric(path)
    assert not (tmp_path / "hacked").exists()


def test_a_function_in_a_file_is_found_and_reaches_other_processes(tmp_path: Path) -> None:
    (tmp_path / "my_rewards.py").write_text(
        "def short(completion, problem):\n    return len(completion.text) < 5\n"
    )
    rubric = rubric_from({"parts": {"short": f"{tmp_path}/my_rewards.py:short"}})
    assert pickle.loads(pickle.dumps(rubric)) == rubric


def test_a_file_named_after_another_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "textwrap.py").write_text("def f(completion, problem):\n    return 1\n")
    with pytest.raises(ValueError, match=r"has the name of another module, 'textwrap': rename the file"):
        make_verifier(f"{tmp_path}/textwrap.py:f")


def test_a_module_of_the_current_folder_is_found_last(tmp_path: Path) -> None:
    (tmp_path / "local_rewards.py").write_text("def f(completion, problem):\n    return 1\n")
    code = "from referee.verifiers.registry import make_verifier; make_verifier('local_rewards:f')"
    env = {"PYTHONPATH": ":".join(p for p in sys.path if p), "PYTHONSAFEPATH": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, check=True)


def test_every_built_in_verifier_is_found_by_its_name() -> None:
    names = built_in_names()
    assert {"exact", "numeric", "choice", "think_format", "tags"} <= set(names)
    assert not {"rubric", "all_of", "composable", "problem"} & set(names)
