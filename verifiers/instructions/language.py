"""Which language a text is in, by langdetect with a fixed seed, so that equal texts get equal answers."""

from __future__ import annotations

import threading

from referee.verifiers.extras import missing

_lock = threading.Lock()
_MAX_CHARACTERS = 10_000


def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, or None where nothing in it tells.

    Raises:
        ImportError: where langdetect is missing, with the pip line.
    """
    try:
        from langdetect import DetectorFactory, LangDetectException, detect
    except ImportError:
        raise missing("telling languages apart", "langdetect", extra="language") from None
    with _lock:  # the library loads its profiles on first use, without a lock of its own
        DetectorFactory.seed = 0
        try:
            return str(detect(text[:_MAX_CHARACTERS]))
        except LangDetectException:
            return None


def is_english_script(text: str) -> bool:
    """Tell whether nine letters in ten are of the English alphabet."""
    letters = sum(1 for c in text if c.isalpha())
    return letters > 0 and sum(1 for c in text if c.isalpha() and c.isascii()) >= 0.9 * letters
