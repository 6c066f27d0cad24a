"""Special tokens that a decoder left at the end of a text: layout, and no part of what the model wrote."""

from __future__ import annotations

import re

# Chat templates and end tokens in use: ChatML, Llama, Gemma, Mistral, DeepSeek, gpt-oss, Command R.
_TOKEN = re.compile(
    r"<\|(?!(?:message|channel|start|constrain)\|)[A-Za-z][\w▁-]{0,40}\|>"  # <|im_end|>, <|return|>
    r"|<｜[\w▁ ]{1,40}｜>"  # <｜end▁of▁sentence｜>
    r"|</?s>|<(?:eos|bos|eoa|pad|end_of_turn|start_of_turn|end_of_utterance|end_of_text|endoftext)>"
    r"|\[(?:EOS|PAD|SEP|/INST)\]"
)
_LONGEST = 48
LAST_SIGNS = frozenset(">] \n\t\r")  # one of these ends every text that ends in a special token


def without_special_tokens(text: str) -> str:
    r"""Return a text without the special tokens at its end; a text that ends in none is returned as it is.

    >>> without_special_tokens("So it is 5.<|im_end|>\n<|endoftext|>"), without_special_tokens("x > 5 ")
    ('So it is 5.', 'x > 5 ')
    """
    if text[-1:] not in LAST_SIGNS:
        return text
    end = kept = len(text)
    while True:
        while end and text[end - 1].isspace():
            end -= 1
        if not end or text[end - 1] not in ">]":
            return text[:kept]
        low = max(0, end - _LONGEST)
        start = max(text.rfind("<", low, end), text.rfind("[", low, end))
        if start < 0 or not _TOKEN.fullmatch(text, start, end):
            return text[:kept]
        end = kept = start


_INVISIBLE = r"[\s\ufeff\u200b\u200c\u200d\u2060]"
_HEADER = re.compile(
    rf"(?:{_INVISIBLE}"
    r"|(?:<\|(?!(?:message|channel|constrain)\|)[A-Za-z]\w{0,40}\|>"
    r"|<s>|<bos>|<start_of_turn>|<｜[\w▁ ]{1,40}｜>)"
    r"(?:(?:assistant|model)\b)?)*"
)


def header_end(text: str, start: int = 0) -> int:
    """Return where the tokens, role words and invisible signs end with which a template begins a turn."""
    m = _HEADER.match(text, start)
    return m.end() if m else start


def is_empty(text: str) -> bool:
    """Tell whether a text says nothing: only spaces, invisible signs and what a template wrote."""
    return header_end(text) == len(text)
