"""Tool calls that a model wrote into its text, between ``<tool_call>`` and ``</tool_call>``."""

from __future__ import annotations

from typing import NamedTuple

OPENING, CLOSING = "<tool_call>", "</tool_call>"


class CallBlock(NamedTuple):
    """What stands behind an opening mark, and whether the block was closed."""

    body: str
    closed: bool


def call_blocks(answer: str) -> list[CallBlock]:
    """Return the blocks of calls in a text whose thinking is taken off, in order.

    >>> call_blocks('Let me see. <tool_call>{"name": "now"}</tool_call>')
    [CallBlock(body='{"name": "now"}', closed=True)]
    """
    if OPENING not in answer:
        return []
    pieces = (piece.partition(CLOSING) for piece in answer.split(OPENING)[1:])
    return [CallBlock(body, bool(closing)) for body, closing, _ in pieces]
