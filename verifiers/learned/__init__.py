"""Verdicts by trained models: rewards, outcomes, and steps."""
