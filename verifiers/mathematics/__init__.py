"""Mathematics: reading final answers and deciding whether they are equal."""

from __future__ import annotations

from referee.verifiers.mathematics.policy import Policy
from referee.verifiers.mathematics.reference_lint import lint_reference, lint_references
from referee.verifiers.mathematics.verifier import Math
from referee.verifiers.mathematics.worker import MathVerify

__all__ = ["Math", "MathVerify", "Policy", "lint_reference", "lint_references"]
