"""Verdicts a second of every rule, on one core.

    python benchmarks/rules.py [--json] [--seconds 0.5]

Prints the median of five runs for each rule, on one typical completion of about 60 words.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from referee.verifiers import (
    Choice,
    Closeness,
    EditSimilarity,
    Exact,
    Instructions,
    JsonSchema,
    Numeric,
    OverlongPenalty,
    Problem,
    Regex,
    RepetitionPenalty,
    Tags,
    ThinkFormat,
    TokenF1,
)

TEXT = "She has 16 eggs and eats 3 of them, so 13 are left. Then she bakes with 4, and 9 remain. " * 3
THOUGHT = f"<think>{TEXT}</think>\n"
INSTRUCTION = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
CASES = {
    "exact": (Exact(), THOUGHT + "18", Problem(answer="18")),
    "numeric_marker": (Numeric(), TEXT + "\n#### 18", Problem(answer="18")),
    "numeric_boxed": (Numeric(), TEXT + "\\boxed{18}", Problem(answer="18")),
    "numeric_last": (Numeric(), TEXT + " She makes $18 a day.", Problem(answer="18")),
    "choice": (Choice(), TEXT + "\nThe answer is (B).", Problem(answer="B")),
    "think_format": (ThinkFormat(), THOUGHT + "18", Problem()),
    "tags": (Tags(), THOUGHT + "<answer>18</answer>", Problem()),
    "regex": (Regex(pattern=r"18$", mode="search"), TEXT + "18", Problem()),
    "json_schema": (JsonSchema(schema={"required": ["a"]}), THOUGHT + '{"a": 18}', Problem()),
    "closeness": (Closeness(), TEXT + "\n#### 17", Problem(answer="18")),
    "token_f1": (TokenF1(), "the Eiffel Tower in Paris", Problem(answer="Eiffel Tower")),
    "edit_similarity": (EditSimilarity(), "the Eiffel Tower", Problem(answer="Eiffel Tower")),
    "overlong": (OverlongPenalty(max_length=400, cache=50, unit="words"), TEXT, Problem()),
    "repetition": (RepetitionPenalty(), TEXT, Problem()),
    "no_comma": (Instructions(), TEXT, Problem(info=INSTRUCTION)),
}


def rate(case: str, seconds: float) -> float:
    """Return verdicts a second over about ``seconds``."""
    rule, text, problem = CASES[case]
    count, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        for _ in range(200):
            rule(text, problem)
        count += 200
    return count / spent


def main() -> None:
    """Measure every rule and print its rate."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each rule, over five runs")
    options = parser.parse_args()
    runs = [{case: rate(case, options.seconds / 5) for case in CASES} for _ in range(5)]
    rates = {case: round(statistics.median(r[case] for r in runs)) for case in CASES}
    for case, value in rates.items():
        print(f"{case:16} {value:>9,} verdicts/s")
    if options.json:
        print(json.dumps({"benchmark": "rules", "verdicts_per_second": rates, "least": min(rates.values())}))


if __name__ == "__main__":
    main()
