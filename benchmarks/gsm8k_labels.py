"""Agreement with human labels on real solutions to GSM8K.

    python benchmarks/gsm8k_labels.py [--data FILE] [--workers N] [--json]

The file holds 1,319 problems with four models' solutions each, and for each solution whether a
person called it correct. The reference is what follows ``A: `` in the ground truth, and the
solution's answer what follows its last ``A: ``. Exits 1 unless every verdict agrees.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from referee.verifiers import Numeric, Rubric
from referee.verifiers.scoring import Columns, read_scored, score_file

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("REFEREE_SHARED", ROOT.parent / "shared"))
DATA = SHARED / "data/gsm8k/example_model_solutions.jsonl"
COLUMNS = Columns(
    prompt="question",
    answer="ground_truth",
    answer_pattern=r"A: (.*)",
    completion=tuple(f"{model}.solution" for model in MODELS),
)
RUBRIC = Rubric({"right": Numeric(extract="after:A:")})


def measure(data: Path, workers: int | None) -> dict[str, object]:
    """Score the file and compare each verdict with the person's."""
    labels = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    counts = {
        "true_positive": 0,
        "true_negative": 0,
        "false_positive": 0,
        "false_negative": 0,
        "abstained": 0,
    }
    disagreements = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "scored.jsonl"
        summary = score_file(RUBRIC, data, out, columns=COLUMNS, workers=workers)
        for scored in read_scored(out):
            model = scored.column.removesuffix(".solution")
            label = bool(labels[scored.line - 1][model]["is_correct"])
            kind = _kind(scored.reward.total, label)
            counts[kind] += 1
            if kind not in ("true_positive", "true_negative"):
                answer = scored.reward.parts["right"].answer
                disagreements.append(
                    {
                        "line": scored.line,
                        "model": model,
                        "answer": answer,
                        "reference": scored.problem.answer,
                    }
                )
    agree = counts["true_positive"] + counts["true_negative"]
    return {
        "solutions": summary.completions,
        "agree": agree,
        "agreement": agree / summary.completions,
        **counts,
        "seconds": round(summary.seconds, 3),
        "disagreements": disagreements,
    }


def _kind(total: float | None, label: bool) -> str:
    if total is None:
        return "abstained"
    right = total == 1.0
    return f"{'true' if right == label else 'false'}_{'positive' if right else 'negative'}"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    found = measure(arguments.data, arguments.workers)
    if arguments.json:
        print(json.dumps(found))
    else:
        print(f"{found['agree']:,} of {found['solutions']:,} verdicts agree ({found['agreement']:.2%})")
        print(f"in {found['seconds']} s with {len(os.sched_getaffinity(0))} cores")
        for line in found["disagreements"]:  # type: ignore[attr-defined]
            print(f"  disagrees: {line}")
    return 0 if found["agree"] == found["solutions"] else 1


if __name__ == "__main__":
    sys.exit(main())
