"""The algorithm on one page: its curve is the trainer's."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "examples" / "grpo_on_one_page.py"


def test_the_page_and_the_trainer_draw_one_curve():
    page = runpy.run_path(str(PAGE))
    ours, theirs = page["train"](12), page["by_the_trainer"](12)
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert sum(ours[-3:]) > sum(ours[:3]) + 0.1
