"""The public proxy sets of the mathematics benchmark, built from shared data and from a seed.

Each row is (completion, gold, label). Variants of an answer are equal by construction (notation,
layout, order); mutations are unequal by construction (one number, sign, bracket or item changed).
"""

from __future__ import annotations

import json
import random
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

Row = dict[str, Any]

_SENTENCES = [
    r"The final answer is $\boxed{%s}$.",
    r"so we get \boxed{%s}",
    "Therefore, the answer is $%s$.",
    "We compute step by step.\n\nFinal Answer: $%s$",
    "<think>Maybe \\boxed{0}? No.</think>\nThus $$\\boxed{%s}$$",
]


def rows_of(path: Path) -> list[Row]:
    """Read a JSON-lines file of rows."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def math_solutions(shared: Path) -> list[Row]:
    """MATH-500: each solution against its answer, and against an answer that differs."""
    problems = rows_of(shared / "math500" / "test.jsonl")
    rows = [{"completion": p["solution"], "gold": p["answer"], "label": True} for p in problems]
    for p, other in zip(problems, problems[7:] + problems[:7], strict=True):
        if _shape(p["answer"]) != _shape(other["answer"]):
            rows.append({"completion": p["solution"], "gold": other["answer"], "label": False})
    return rows


def _shape(answer: str) -> str:
    return re.sub(r"\\[a-z]+|[^\w]", "", answer)


def gsm8k_solutions(shared: Path, limit: int | None = None) -> list[Row]:
    """Four models' GSM8K solutions with their human labels."""
    rows = []
    for row in rows_of(shared / "gsm8k" / "example_model_solutions.jsonl")[:limit]:
        gold = row["ground_truth"].rsplit("A: ", 1)[-1]
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            rows.append(
                {"completion": row[model]["solution"], "gold": gold, "label": row[model]["is_correct"]}
            )
    return rows


def math_variants(shared: Path, seed: int = 0) -> list[Row]:
    """Variants and mutations of the MATH-500 answers, in sentences."""
    rng = random.Random(seed)
    rows, seen = [], set()
    for problem in rows_of(shared / "math500" / "test.jsonl"):
        gold = problem["answer"]
        if gold in seen:
            continue
        seen.add(gold)
        for label, texts in ((True, variants(gold)), (False, mutations(gold))):
            for text in texts:
                sentence = rng.choice(_SENTENCES) % text
                rows.append({"completion": sentence, "gold": gold, "label": label})
    return rows


def variants(gold: str) -> list[str]:
    """Return other notations of an answer."""
    out = {gold.replace(" ", ""), gold.replace("\\frac", "\\dfrac"), re.sub(r"([+=,-])", r" \1 ", gold)}
    out.add(f"\\displaystyle {gold}")
    out.add(f"{{{gold}}}")
    if m := re.fullmatch(r"(-?)\\d?frac\{?(\d+)\}?\{?(\d+)\}?", gold.replace(" ", "")):
        sign, top, bottom = m.groups()
        if f"\\frac{top}{bottom}" == gold.replace(" ", "") and len(top) + len(bottom) > 2:
            return sorted(out)
        out |= {
            f"{sign}{top}/{bottom}",
            f"\\frac{{{sign}{top}}}{{{bottom}}}",
            f"{sign}\\tfrac{{{top}}}{{{bottom}}}",
        }
        out.add(f"{sign}\\frac{{{2 * int(top)}}}{{{2 * int(bottom)}}}")
        value = Fraction(int(top), int(bottom))
        if not re.sub("[25]", "", _only_prime_factors(value.denominator)):
            out.add(f"{sign}{float(value)}")
        if value > 1 and value.denominator > 1:
            whole = value.numerator // value.denominator
            out.add(f"{sign}{whole}\\frac{{{value.numerator % value.denominator}}}{{{value.denominator}}}")
    if re.fullmatch(r"-?\d+", gold):
        out |= {
            f"{gold}.0",
            f"{gold}.",
            f"x = {gold}",
            f"\\frac{{{3 * int(gold)}}}{{3}}",
            f"{gold}\\text{{ units}}",
            f"\\text{{{gold}}}",
            f"{int(gold) - 1}+1",
            f"\\mathbf{{{gold}}}",
            f"N={gold}",
        }
        if len(gold.lstrip("-")) > 3:
            out |= {
                f"{int(gold):,}",
                f"{int(gold):,}".replace(",", "{,}"),
                f"{int(gold):,}".replace(",", "\\,"),
            }
    if gold.endswith("^\\circ"):
        number = gold.removesuffix("^\\circ")
        out |= {number, f"{number}°", f"{number} \\text{{ degrees}}", f"{number}^{{\\circ}}"}
    if m := re.fullmatch(r"\\text\{(.+)\}", gold):
        out |= {f"\\textbf{{{m[1]}}}", f"\\text{{{m[1].lower()}}}", f"\\mathrm{{{m[1]}}}", m[1].strip("()")}
    if gold.startswith("\\$"):
        out |= {gold[2:], f"{gold[2:]}\\text{{ dollars}}"}
    if re.match(r"[(\[]|\\left", gold):
        out.add(gold.replace("\\left", "").replace("\\right", ""))
        out.add(
            re.sub(r"(?<!\\left)([(\[])", r"\\left\1", re.sub(r"(?<!\\right)([)\]])", r"\\right\1", gold))
        )
    if "pmatrix" in gold:
        out.add(gold.replace("pmatrix", "bmatrix"))
        out.add(
            gold.replace("\\begin{pmatrix}", "\\left(\\begin{array}{c}").replace(
                "\\end{pmatrix}", "\\end{array}\\right)"
            )
        )
    if m := re.fullmatch(r"(-?\d+)\s*\\pm\s*(.+)", gold):
        out |= {f"{m[1]}+{m[2]}, {m[1]}-{m[2]}", f"{m[1]}-{m[2]} \\text{{ and }} {m[1]}+{m[2]}"}
    if re.fullmatch(r"-?\d+(, ?-?\d+)+", gold) and "!" not in gold and not re.search(r",\d{3}", gold):
        out |= {", ".join(reversed(gold.split(","))), gold.replace(",", "\\text{ and }", 1)}
    if m := re.fullmatch(r"(\d*)\s*\\sqrt\{?(\d+)\}?", gold):
        out |= {
            f"\\sqrt{{{int(m[1] or 1) ** 2 * int(m[2])}}}",
            f"{m[1] or 1}\\cdot {m[2]}^{{1/2}}",
            f"{m[1]}√{m[2]}",
        }
    if m := re.fullmatch(r"(\d+)_\{?(\d)\}?", gold):
        out |= {f"{m[1]}_{{{m[2]}}}", f"{m[1]}_{m[2]}"}
    if re.fullmatch(r"-?[\d.]+\s*[-+]\s*\d*i", gold):
        real, sign, imaginary = re.fullmatch(r"(-?[\d.]+)\s*([-+])\s*(\d*i)", gold).groups()
        out.add(f"{'-' if sign == '-' else ''}{imaginary}{'' if real.startswith('-') else '+'}{real}")
    return sorted(out)


def mutations(gold: str) -> list[str]:
    """Return answers that differ from a reference in one place."""
    out = set()
    numbers = list(re.finditer(r"\d+", gold))
    for m in numbers[:4]:
        for value in (int(m[0]) + 1, int(m[0]) * 10 + 7):
            out.add(gold[: m.start()] + str(value) + gold[m.end() :])
    if re.fullmatch(r"-?\d+", gold) and gold != "0":
        k = int(gold)
        out |= {
            str(-k),
            f"{gold}\\text{{ million}}",
            f"{gold}, {k + 1}",
            f"{gold} \\text{{ or }} {k + 1}",
            f"x > {gold}",
            f"{gold}.01",
            f"{gold}\\sqrt{{2}}",
            f"\\frac{{{gold}}}{{7}}",
            f"{gold}\\pi",
            f"{gold}x",
        }
    if m := re.fullmatch(r"(-?)\\d?frac\{(\d+)\}\{(\d+)\}", gold):
        if m[2] != m[3]:
            out.add(f"{m[1]}\\frac{{{m[3]}}}{{{m[2]}}}")
        out.add(f"{'' if m[1] else '-'}\\frac{{{m[2]}}}{{{m[3]}}}")
        value = float(Fraction(int(m[2]), int(m[3])))
        if Fraction(f"{value:.2f}") != Fraction(int(m[2]), int(m[3])):
            out.add(f"{m[1]}{value:.2f}")
    if re.fullmatch(r"\(-?\d+, ?-?\d+\)", gold):
        out.add(f"[{gold[1:]}")
    elif gold.startswith(("(", "\\left(")) and "\\infty" not in gold and "a" not in gold:
        out.add(f"{gold}, (0,0)")
    if re.match(r"\\text\{[a-zA-Z ]{3,}\}", gold):
        out |= {"\\text{other}", f"\\text{{not {gold[6:-1]}}}", "5"}
    if "\\sqrt" in gold:
        out.add(gold.replace("\\sqrt", "", 1))
    if "+" in gold and "\\pm" not in gold:
        out.add(gold.replace("+", "-", 1))
    if "\\cup" in gold:
        out.add(gold.split("\\cup")[0])
    out.discard(gold)
    return sorted(out)


def _only_prime_factors(n: int) -> str:
    out, p = "", 2
    while n > 1:
        while n % p == 0:
            out, n = out + str(p), n // p
        p += 1
    return out


def generated(seed: int = 1, count: int = 600) -> list[Row]:
    """Random values written in two notations that are equal, or that differ by little."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        a, b, n = rng.randint(2, 99), rng.randint(2, 99), rng.randint(2, 12)
        x, y = rng.sample("abkmnpqrxyz", 2)
        forms = [
            (f"\\frac{{{a * n}}}{{{b * n}}}", f"\\frac{{{a}}}{{{b}}}", f"\\frac{{{a * n + 1}}}{{{b * n}}}"),
            (f"{n}\\sqrt{{{a}}}", f"\\sqrt{{{a * n * n}}}", f"\\sqrt{{{a * n * n + 1}}}"),
            (f"({x}+{a})({x}-{b})", f"{x}^2+({a - b}){x}-{a * b}", f"{x}^2+({b - a}){x}-{a * b + 1}"),
            (f"{a}^{{{n}}}", str(a**n), str(a**n + 1)),
            (f"\\log_{{{a}}} {a**n}", str(n), str(n + 1)),
            (f"{a}{x}+{b}{y}", f"{b}{y} + {a}{x}", f"{b}{x}+{a + 1}{y}"),
            (f"{a}+{b}i", f"{b}i+{a}", f"{a}-{b}i"),
            (f"\\binom{{{n}}}{{2}}", str(n * (n - 1) // 2), str(n * (n + 1) // 2)),
            (f"({a},{a + b})", f"\\left({a},\\ {a + b}\\right)", f"({a + b},{a})"),
            (f"{x} > {a}", f"({a}, \\infty)", f"[{a}, \\infty)"),
            (f"{a}\\%", str(Fraction(a, 100)), str(Fraction(a + 1, 100))),
            (f"\\{{{a},{a + b}\\}}", f"\\{{{a + b},{a}\\}}", f"\\{{{a},{a + b + 1}\\}}"),
            (f"e^{{{x}+{n}}}", f"e^{{{n}}} e^{x}", f"e^{{{n}}} + e^{x}"),
            (f"\\frac{{{x}+{y}}}{{{x}{y}}}", f"\\frac1{x}+\\frac1{y}", f"\\frac1{x}-\\frac1{y}"),
        ]
        gold, same, other = rng.choice(forms)
        for text, label in ((same, True), (other, False)):
            rows.append({"completion": rng.choice(_SENTENCES) % text, "gold": gold, "label": label})
    return rows


def proxy(shared: Path, tables: Path) -> dict[str, list[Row]]:
    """Return the sets that the benchmark runs on by default; one that is not there is left out."""
    cases = shared / "math_cases"
    files = {
        "pairs written by hand": [
            tables / "mathematics_pairs.jsonl",
            *sorted((tables / "mathematics").glob("*.jsonl")),
        ],
        "probes": [cases / "probes.jsonl"],
        "shared sample of pairs": [cases / "pairs_sample.jsonl"],
        "hostile": [cases / "hostile_sample.jsonl"],
    }
    sets = {name: [r for p in paths if p.exists() for r in rows_of(p)] for name, paths in files.items()}
    sets["generated answers"] = generated()
    if (shared / "math500").is_dir():
        sets["variants and mutations"] = math_variants(shared)
        sets["MATH solutions"] = math_solutions(shared)
    if (shared / "gsm8k").is_dir():
        sets["GSM8K solutions"] = gsm8k_solutions(shared)
    return {name: rows for name, rows in sets.items() if rows}
