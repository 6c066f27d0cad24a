"""The procedural families by name, imported when they are first asked for."""

from __future__ import annotations

import importlib
from dataclasses import fields
from functools import cache
from typing import Any

from referee.envs.procedural import Family

FAMILIES: dict[str, str] = {  # name -> module:class
    "addition": "addition:Addition",
    "arithmetic": "arithmetic:Arithmetic",
    "base_conversion": "base_conversion:BaseConversion",
    "boolean_logic": "boolean_logic:BooleanLogic",
    "calendar": "calendar_dates:CalendarDates",
    "code_function": "programming:CodeFunction",
    "code_stdin": "programming:CodeStdin",
    "comparison": "comparison:Comparison",
    "countdown": "countdown:Countdown",
    "counting_letters": "counting_letters:CountingLetters",
    "function_call": "function_call:FunctionCall",
    "gcd": "gcd:GCD",
    "guess_number": "guess_number:GuessNumber",
    "hangman": "hangman:Hangman",
    "knights_and_knaves": "knights_and_knaves:KnightsAndKnaves",
    "linear_equations": "linear_equations:LinearEquations",
    "maze": "maze:Maze",
    "polynomial_roots": "polynomial_roots:PolynomialRoots",
    "python_tool": "python_tool:PythonTool",
    "regex_synthesis": "regex_synthesis:RegexSynthesis",
    "shortest_path": "shortest_path:ShortestPath",
    "sorting": "sorting:Sorting",
    "sql_query": "sql_query:SQLQuery",
    "string_rewriting": "string_rewriting:StringRewriting",
    "sudoku4": "sudoku4:Sudoku4",
    "tic_tac_toe": "tic_tac_toe:TicTacToe",
    "twenty_questions": "twenty_questions:TwentyQuestions",
    "unit_conversion": "unit_conversion:UnitConversion",
}


@cache
def family(name: str, *, terse: bool = False) -> Family:
    """Return the family called ``name``.

    Raises:
        ValueError: for a name that no family has.
    """
    if name not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {name!r}")
    module, _, cls = FAMILIES[name].partition(":")
    kind: Any = getattr(importlib.import_module(f"{__name__}.{module}"), cls)
    options = {"terse": True} if terse and any(f.name == "terse" for f in fields(kind)) else {}
    found: Family = kind(**options)
    return found
