"""The benchmark against human labels agrees on every one of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_verdicts_agree_with_people_on_all_real_solutions(shared: Path) -> None:
    spec = importlib.util.spec_from_file_location("gsm8k_labels", ROOT / "benchmarks/gsm8k_labels.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.measure(shared / "gsm8k/example_model_solutions.jsonl", workers=0)
    assert (found["agree"], found["solutions"], found["abstained"]) == (5276, 5276, 0)
