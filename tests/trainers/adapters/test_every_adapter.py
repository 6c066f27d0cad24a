"""No adapter is left out: of the conformance cases, of the refusal of group verifiers, of the documentation."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from conformance import GROUP_RUBRIC

import referee.trainers as trainers
from referee.envs import family

ROOT = Path(__file__).resolve().parents[3]
ADAPTERS = sorted(n for n in trainers.__all__ if n.startswith("to_"))
TESTS = {
    p: p.read_text()
    for p in (*Path(__file__).parent.glob("*.py"), *(ROOT / "tests/adapters_real").glob("*/*.py"))
    if p != Path(__file__)
}
OF_EPISODES = {"to_trl_episodes", "to_trl_rollouts"}  # they pay what an environment says, not a rubric alone
GROUPS = {"to_evaluate", "to_ms_swift", "to_trl", "to_service", "to_lm_eval", "to_lm_eval_filter",
          "to_tinker", "to_atropos", "to_verifiers_classic"}  # they see siblings  # fmt: skip
SINGLE = sorted(set(ADAPTERS) - GROUPS)


@pytest.mark.parametrize("name", sorted(set(ADAPTERS) - OF_EPISODES))
def test_an_adapter_is_held_to_the_1000_conformance_scores_bit_for_bit(name):
    used = [text for text in TESTS.values() if re.search(rf"\b{name}\(\s*(RUBRIC|rubric)|\"{name}\"", text)]
    assert any("bits(" in text and "CASES" in text and "RUBRIC" in text for text in used), (
        f"no conformance test calls {name}"
    )


@pytest.mark.parametrize("name", SINGLE)
def test_a_side_that_scores_one_completion_a_call_refuses_a_group_verifier_at_construction(name):
    adapter = getattr(trainers, name)
    options = {"on_abstention": 0.0} if "on_abstention" in inspect.signature(adapter).parameters else {}
    rows = [[{"prompt": "p", "answer": "4"}]] if "rows" in inspect.signature(adapter).parameters else []
    arguments = [family("arithmetic")] if name in OF_EPISODES else [GROUP_RUBRIC, *rows]
    if name in OF_EPISODES:
        options["rubric"] = GROUP_RUBRIC
    try:
        adapter(*arguments, **options)
    except (ImportError, ValueError) as e:
        refusal = e
    else:
        pytest.fail(f"{name} took a group verifier")
    if isinstance(refusal, ImportError):  # then its own environment tests it
        real = [t for p, t in TESTS.items() if "adapters_real" in str(p) and f"{name}(GROUP_RUBRIC" in t]
        assert any("one completion a call" in t for t in real), f"nobody tests that {name} refuses groups"
    else:
        assert re.search("one completion a call|one by one", str(refusal))


@pytest.mark.parametrize("name", sorted({*ADAPTERS, *(n for n in trainers.__all__ if n.startswith("from_"))}))
def test_an_adapter_stands_in_the_documentation_with_an_example(name):
    text = (ROOT / "docs/adapters.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert any(re.search(rf"\b{name}\(", block) for block in blocks), f"docs/adapters.md shows no {name}(...)"
