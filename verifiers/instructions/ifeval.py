"""The 25 instructions of IFEval (Zhou et al. 2023, arXiv 2311.07911), by their ids and arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from referee.verifiers.instructions import counting
from referee.verifiers.instructions.language import is_english, is_in

InstructionCheck: TypeAlias = Callable[..., bool]
Signature: TypeAlias = dict[str, Any]  # argument -> its type, or the texts that it may be

_IFEVAL_RELATIONS = ("less than", "at least")
_CONSTRAINED = ("my answer is yes.", "my answer is no.", "my answer is maybe.")
_QUOTES = "\"'"


def _existence(text: str, keywords: list[str]) -> bool:
    lower = text.lower()
    return all(k.lower() in lower for k in keywords)


def _frequency(text: str, keyword: str, frequency: int, relation: str) -> bool:
    return counting.compare(text.lower().count(keyword.lower()), relation, frequency)


def _forbidden(text: str, forbidden_words: list[str]) -> bool:
    return not any(_whole(w).search(text) for w in forbidden_words)


def _whole(word: str) -> re.Pattern[str]:
    """Return what finds a word that is no part of another; a sign at its edge (``C++``) is its end."""
    left = r"(?<!\w)" if word[:1].isalnum() else ""
    right = r"(?!\w)" if word[-1:].isalnum() else ""
    return re.compile(left + re.escape(word) + right, re.IGNORECASE)


def _letters(text: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    return counting.compare(text.lower().count(letter.lower()), let_relation, let_frequency)


def _language(text: str, language: str) -> bool:
    return is_in(text, language)


def _sentences(text: str, num_sentences: int, relation: str) -> bool:
    return counting.compare(len(counting.sentences(text)), relation, num_sentences)


def _paragraphs(text: str, num_paragraphs: int) -> bool:
    found = [p.strip() for p in counting.paragraphs(text, "***")]
    middle = found[1:-1]
    return all(middle) and len([p for p in found if p]) == num_paragraphs


def _words(text: str, num_words: int, relation: str) -> bool:
    return counting.compare(len(counting.words(text)), relation, num_words)


def _nth_paragraph(text: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    found = [p.strip() for p in text.split("\n\n") if p.strip()]
    if len(found) != num_paragraphs or not 1 <= nth_paragraph <= len(found):
        return False
    head = found[nth_paragraph - 1].split(None, 1)[0].lstrip(_QUOTES).lower()
    return re.split(r"[.,?!'\"]", head, maxsplit=1)[0] == first_word.lower()


def _placeholders(text: str, num_placeholders: int) -> bool:
    return counting.placeholders(text) >= num_placeholders


def _postscript(text: str, postscript_marker: str) -> bool:
    """The marker, at most with spaces between its letters, begins a line or follows a space or a mark."""
    spaced = r"\s?".join(re.escape(c) for c in postscript_marker.strip().lower() if not c.isspace())
    return re.search(rf"(?:^|[\s*_(\[{{\"'“‘>#~-]){spaced}", text.lower()) is not None


def _bullets(text: str, num_bullets: int) -> bool:
    return counting.bullets(text) == num_bullets


def _constrained(text: str) -> bool:
    return any(c in text.lower() for c in _CONSTRAINED)


def _highlights(text: str, num_highlights: int) -> bool:
    return counting.highlights(text) >= num_highlights


def _sections(text: str, section_spliter: str, num_sections: int) -> bool:
    heads = re.findall(rf"{re.escape(section_spliter.strip())}\s?\d+", text)
    return len(heads) >= num_sections


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def is_json(text: str) -> bool:
    """Tell whether a text is one JSON value, bare or in a fence."""
    body = text.strip()
    if body.startswith("```") and body.endswith("```") and len(body) > 6:
        body = re.sub(r"^(?:json|JSON|Json)", "", body[3:-3].lstrip())
    try:
        json.loads(body, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return False
    return True


def _json(text: str) -> bool:
    return is_json(text)


def _title(text: str) -> bool:
    return counting.has_title(text)


def two_responses(text: str) -> bool:
    """Tell whether six asterisks part a text into exactly two different responses."""
    found = [p.strip() for p in text.split("******")]
    if not all(found[1:-1]):
        return False
    found = [p for p in found if p]
    return len(found) == 2 and found[0] != found[1]


def _two(text: str) -> bool:
    return two_responses(text)


def _repeat(text: str, prompt_to_repeat: str) -> bool:
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def _end(text: str, end_phrase: str) -> bool:
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quoted(text: str) -> bool:
    """Tell whether a text stands in double quotation marks."""
    text = text.strip()
    return len(text) > 1 and text[0] == '"' == text[-1]


def _quotation(text: str) -> bool:
    return quoted(text)


def _capital_words(text: str, capital_frequency: int, capital_relation: str) -> bool:
    return counting.compare(counting.capital_words(text), capital_relation, capital_frequency)


def _capitals(text: str) -> bool:
    return text.isupper() and is_english(text)


def _small(text: str) -> bool:
    return text.islower() and is_english(text)


def _no_comma(text: str) -> bool:
    return "," not in text


CHECKS: dict[str, tuple[InstructionCheck, Signature]] = {
    "change_case:capital_word_frequency": (
        _capital_words,
        {"capital_frequency": int, "capital_relation": _IFEVAL_RELATIONS},
    ),
    "change_case:english_capital": (_capitals, {}),
    "change_case:english_lowercase": (_small, {}),
    "combination:repeat_prompt": (_repeat, {"prompt_to_repeat": str}),
    "combination:two_responses": (_two, {}),
    "detectable_content:number_placeholders": (_placeholders, {"num_placeholders": int}),
    "detectable_content:postscript": (_postscript, {"postscript_marker": str}),
    "detectable_format:constrained_response": (_constrained, {}),
    "detectable_format:json_format": (_json, {}),
    "detectable_format:multiple_sections": (_sections, {"section_spliter": str, "num_sections": int}),
    "detectable_format:number_bullet_lists": (_bullets, {"num_bullets": int}),
    "detectable_format:number_highlighted_sections": (_highlights, {"num_highlights": int}),
    "detectable_format:title": (_title, {}),
    "keywords:existence": (_existence, {"keywords": list}),
    "keywords:forbidden_words": (_forbidden, {"forbidden_words": list}),
    "keywords:frequency": (_frequency, {"keyword": str, "frequency": int, "relation": _IFEVAL_RELATIONS}),
    "keywords:letter_frequency": (
        _letters,
        {"letter": str, "let_frequency": int, "let_relation": _IFEVAL_RELATIONS},
    ),
    "language:response_language": (_language, {"language": str}),
    "length_constraints:nth_paragraph_first_word": (
        _nth_paragraph,
        {"num_paragraphs": int, "nth_paragraph": int, "first_word": str},
    ),
    "length_constraints:number_paragraphs": (_paragraphs, {"num_paragraphs": int}),
    "length_constraints:number_sentences": (
        _sentences,
        {"num_sentences": int, "relation": _IFEVAL_RELATIONS},
    ),
    "length_constraints:number_words": (_words, {"num_words": int, "relation": _IFEVAL_RELATIONS}),
    "punctuation:no_comma": (_no_comma, {}),
    "startend:end_checker": (_end, {"end_phrase": str}),
    "startend:quotation": (_quotation, {}),
}
