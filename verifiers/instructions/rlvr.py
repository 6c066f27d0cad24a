"""The 25 constraints of the RLVR-IFEval rows (Lambert et al. 2024, arXiv 2411.15124), by ``func_name``.

They word the same instructions otherwise, so their counts are exact where IFEval's are bounds. One
differs from its origin: ``validate_choice`` wants the text to be an option, not a part of one.
"""

from __future__ import annotations

import re

from referee.verifiers.instructions import counting
from referee.verifiers.instructions.ifeval import InstructionCheck, Signature, is_json, quoted, two_responses
from referee.verifiers.instructions.language import is_in

_QUANTIFIERS = ("at least", "at most", "around")


def _keywords(text: str, keyword_list: list[str]) -> bool:
    lower = text.lower()
    return all(k.lower() in lower for k in keyword_list)


def _keyword_frequency(text: str, word: str, N: int) -> bool:
    return sum(1 for w in counting.words(text.lower()) if w == word.lower()) == N


def _forbidden(text: str, forbidden_words: list[str]) -> bool:
    lower = text.lower()
    return not any(w.lower() in lower for w in forbidden_words)


def _letters(text: str, letter: str, N: int) -> bool:
    return text.count(letter) == N


def _language(text: str, language: str) -> bool:
    return is_in(text, language)


def _paragraphs(text: str, N: int) -> bool:
    found = [p.strip() for p in counting.paragraphs(text, "* * *")]
    return all(found) and len(found) == N


def _words(text: str, N: int, quantifier: str) -> bool:
    return counting.compare(len(text.split()), quantifier, N, max(round(N * 0.1), 1))


def _sentences(text: str, N: int, quantifier: str) -> bool:
    return counting.compare(len(counting.sentences(text)), quantifier, N, 1)


def _nth_paragraph(text: str, N: int, first_word: str, i: int) -> bool:
    found = text.strip().split("\n\n")
    return len(found) == N and 1 <= i <= N and found[i - 1].strip().startswith(first_word)


def _postscript(text: str, postscript_marker: str) -> bool:
    _, found, rest = text.partition(postscript_marker)
    return bool(found and rest.strip())


def _placeholders(text: str, N: int) -> bool:
    return counting.placeholders(text) >= N


def _bullets(text: str, N: int) -> bool:
    return sum(1 for line in text.split("\n") if line.strip().startswith(("*", "-"))) == N


def _title(text: str) -> bool:
    return counting.has_title(text)


def _choice(text: str, options: list[str]) -> bool:
    def bare(option: str) -> str:
        return option.strip().strip(".\"'").casefold()

    return bare(text) in [bare(o) for o in options]


def _highlights(text: str, N: int) -> bool:
    return counting.highlights(text) >= N


def _sections(text: str, N: int, section_splitter: str) -> bool:
    found = text.strip().split(section_splitter)
    return len(found if found[0].strip() else found[1:]) == N


def _json(text: str) -> bool:
    return not text.lstrip().startswith("```") and is_json(text)


def _repeat(text: str, original_prompt: str) -> bool:
    return text.lstrip().startswith(original_prompt.strip())


def _two(text: str) -> bool:
    return two_responses(text)


def _upper(text: str) -> bool:
    return text.isupper()


def _lower(text: str) -> bool:
    return text.islower()


def _capital_words(text: str, N: int, quantifier: str) -> bool:
    return counting.compare(len(re.findall(r"\b[A-Z]+\b", text)), quantifier, N)


def _end(text: str, end_phrase: str) -> bool:
    return text.rstrip().endswith(end_phrase.rstrip())


def _quotation(text: str) -> bool:
    return quoted(text)


def _no_commas(text: str) -> bool:
    return "," not in text


CHECKS: dict[str, tuple[InstructionCheck, Signature]] = {
    "validate_choice": (_choice, {"options": list}),
    "validate_end": (_end, {"end_phrase": str}),
    "validate_forbidden_words": (_forbidden, {"forbidden_words": list}),
    "validate_frequency_capital_words": (_capital_words, {"N": int, "quantifier": _QUANTIFIERS}),
    "validate_highlighted_sections": (_highlights, {"N": int}),
    "validate_json_format": (_json, {}),
    "validate_lowercase": (_lower, {}),
    "validate_no_commas": (_no_commas, {}),
    "validate_paragraphs": (_nth_paragraph, {"N": int, "first_word": str, "i": int}),
    "validate_placeholders": (_placeholders, {"N": int}),
    "validate_quotation": (_quotation, {}),
    "validate_repeat_prompt": (_repeat, {"original_prompt": str}),
    "validate_response_language": (_language, {"language": str}),
    "validate_sections": (_sections, {"N": int, "section_splitter": str}),
    "validate_title": (_title, {}),
    "validate_two_responses": (_two, {}),
    "validate_uppercase": (_upper, {}),
    "validate_word_constraint": (_words, {"N": int, "quantifier": _QUANTIFIERS}),
    "verify_bullet_points": (_bullets, {"N": int}),
    "verify_keyword_frequency": (_keyword_frequency, {"word": str, "N": int}),
    "verify_keywords": (_keywords, {"keyword_list": list}),
    "verify_letter_frequency": (_letters, {"letter": str, "N": int}),
    "verify_paragraph_count": (_paragraphs, {"N": int}),
    "verify_postscript": (_postscript, {"postscript_marker": str}),
    "verify_sentence_constraint": (_sentences, {"N": int, "quantifier": _QUANTIFIERS}),
}
