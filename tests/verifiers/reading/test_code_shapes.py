"""Code as models write it: in lists, quotations, sessions, marks and sentences, with fences that do not pair."""

from __future__ import annotations

import time
from typing import Any

import pytest

from referee.verifiers import Problem, UnitTests, extract_code

CODE = "def double(x):\n    return helper(x)\n"
HELPER = "def helper(x):\n    return 2 * x\n"
WHOLE = HELPER + "\n" + CODE
PROMPT = "def double(x):\n    '''Twice x.'''\n"


def indented(text: str, by: str) -> str:
    return "\n".join(by + line for line in text.split("\n"))


SHAPES: dict[str, str] = {
    "a fence": f"Here:\n```python\n{WHOLE}```\nDone.",
    "a list item": f"1. Write it:\n\n   ```python\n{indented(WHOLE, '   ')}\n   ```\n2. Done.",
    "deep in a list": f"- a\n  - b\n\n      ```python\n{indented(WHOLE, '      ')}\n      ```",
    "a list item with a tab": f"*\t```python\n{WHOLE}```".replace("*\t", "\t"),
    "a block quote": f"> ```python\n{indented(WHOLE, '> ')}\n> ```",
    "a helper's block before": f"First:\n```python\n{HELPER}```\nthen\n```python\n{CODE}```",
    "imports in a block before": f"```python\nimport math\n```\n```python\n{HELPER}```\n```python\n{CODE}```",
    "an example behind": f"```python\n{WHOLE}```\nUse:\n```python\nprint(double(2))\n```",
    "the closing fence on the last line": f"```python\n{WHOLE.rstrip()}```",
    "never closed": f"```python\n{WHOLE}",
    "a closing fence alone": f"{WHOLE}```",
    "bare": WHOLE,
    "a byte order mark": "\ufeff" + WHOLE,
    "sentences before": f"Sure, here is the function you asked for.\n\n{WHOLE}",
    "sentences behind": f"{WHOLE}\nThis doubles its argument by calling the helper.",
    "sentences around": f"Sure! It's easy.\n\n{WHOLE}\n\nIt's done: the helper doubles.",
    "an answer tag": f"<answer>\n{WHOLE}</answer>",
    "a fence behind an answer tag": f"<answer>```python\n{WHOLE}```</answer>",
    "an answer tag never closed": f"<answer>\n```python\n{WHOLE}```",
    "marks": f"[PYTHON]\n{WHOLE}[/PYTHON]",
    "marks of a shot": f"[BEGIN]\n{WHOLE}[DONE]\nmore",
    "a code element": f"The code:\n<code>\n{WHOLE}</code>",
    "a session": "```pycon\n" + "\n".join(
        (">>> " if line[:1] not in (" ", "") else "... ") + line for line in WHOLE.rstrip().split("\n")
    ) + "\n>>> double(2)\n4\n```",
    "a page of Markdown": f"````markdown\n# Answer\n```python\n{WHOLE}```\n````",
    "tildes": f"~~~python\n{WHOLE}~~~",
    "no language": f"```\n{WHOLE}```",
    "attributes": f"```python title=\"a.py\"\n{WHOLE}```",
    "carriage returns": f"```python\r\n{WHOLE}```".replace("\n", "\r\n").replace("\r\r", "\r"),
    "a fence in a docstring": f'```python\n{HELPER}\ndef double(x):\n    """Twice.\n\n    ```\n    double(2)\n    ```\n    """\n    return helper(x)\n```',
    "behind thinking": f"<think>```python\ndef double(x): return 0\n```</think>\n```python\n{WHOLE}```",
    "an end of text": f"{WHOLE}<|im_end|>",
}  # fmt: skip


@pytest.fixture(scope="module")
def judge() -> UnitTests:
    return UnitTests()


@pytest.mark.parametrize("shape", SHAPES)
def test_code_is_found_in_every_shape(shape: str, judge: UnitTests) -> None:
    asked = Problem(info={"calls": [[[3], 6], [[0], 0]], "entry_point": "double"})
    verdict = judge(SHAPES[shape], asked)
    assert verdict.score == 1.0, (extract_code(SHAPES[shape], entry_point="double"), verdict)


@pytest.mark.parametrize("behind", ["", "\nThis returns twice x.", "\n\ndef other():\n    pass\n"])
def test_a_body_goes_on_where_the_prompt_stops(behind: str, judge: UnitTests) -> None:
    asked = Problem(prompt=PROMPT, info={"calls": [[[3], 6]], "entry_point": "double"})
    assert judge("    y = 2 * x\n    return y" + behind, asked).score == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\ndef double(x): return 0\n```\nWait.\n```python\ndef double(x): return 2 * x\n```", 1.0),
        ("```python\ndef double(x): return 2 * x\n```\nWait.\n```python\ndef double(x): return 0\n```", 0.0),
        ("```python\nprint('an example')\nraise SystemExit\n```\n```python\ndef double(x): return 2*x\n```", 1.0),
        ("<code>def double(x): return 2 * x</code>\n```python\ndef double(x): return 0\n```", 0.0),
        ("I would write def double(x): return 2 * x here.", 0.0),
    ],
)  # fmt: skip
def test_of_several_the_last_counts(text: str, expected: float, judge: UnitTests) -> None:
    asked = Problem(info={"calls": [[[3], 6]], "entry_point": "double"})
    assert judge(text, asked).score == expected


@pytest.mark.parametrize("unit", ["```", "```\n", "> ", "> ```\n", "   ```python\n", ">>> ", "... ", "<answer>",
                                  "<code>", "[PYTHON]", "def f(\n", "x = 1\n", "`", "@\n", "import a\n```\n", "\n"])  # fmt: skip
def test_finding_code_takes_time_linear_in_the_text(unit: str) -> None:
    text: Any = unit * (300_000 // len(unit))
    started = time.process_time()
    extract_code(text, entry_point="f")
    assert time.process_time() - started < 2.0
