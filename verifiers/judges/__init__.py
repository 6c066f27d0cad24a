"""Verdicts by language models that are asked for them."""
