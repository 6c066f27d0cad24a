"""Mathematics: reading final answers and deciding whether they are equal."""

from __future__ import annotations

from referee.verifiers.mathematics.leniency import Leniency
from referee.verifiers.mathematics.math_verifier import Math
from referee.verifiers.mathematics.reference_lint import lint_reference, lint_references
from referee.verifiers.mathematics.second_opinion import MathVerify

__all__ = ["Leniency", "Math", "MathVerify", "lint_reference", "lint_references"]
