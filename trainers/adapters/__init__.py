"""Adapters: one rubric, unchanged, in the trainers and tools that people already use.

Each file is named after the other side and imports it only where it must, when it must. Every
adapter says what an abstention becomes there (:mod:`referee.trainers.adapters.abstention`).
"""
