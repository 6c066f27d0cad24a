"""Which language a text is in, by langdetect with a fixed seed, so that equal texts get equal answers."""

from __future__ import annotations

import re
import threading
from collections import Counter

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


def is_in(text: str, language: str) -> bool:
    """Tell whether a text is in a language: its code, with a region or without, or its English name.

    A region is heard where the detector tells regions apart, which it does for Chinese alone.
    """
    wanted = language.strip().lower().replace("_", "-")
    wanted = NAMES.get(wanted, wanted)
    found = language_of(text)
    if found is None or found == wanted:
        return found == wanted
    if wanted in _REGIONAL:
        return False
    return found.partition("-")[0] == wanted.partition("-")[0]


_REGIONAL = frozenset({"zh-cn", "zh-tw"})
_NAMED = """
afrikaans=af arabic=ar bengali=bn bulgarian=bg catalan=ca chinese=zh croatian=hr czech=cs
danish=da dutch=nl english=en estonian=et farsi=fa finnish=fi french=fr german=de greek=el
gujarati=gu hebrew=he hindi=hi hungarian=hu indonesian=id italian=it japanese=ja kannada=kn
korean=ko latvian=lv lithuanian=lt macedonian=mk malayalam=ml mandarin=zh marathi=mr nepali=ne
norwegian=no persian=fa polish=pl portuguese=pt punjabi=pa romanian=ro russian=ru
simplified_chinese=zh-cn slovak=sk slovenian=sl somali=so spanish=es swahili=sw swedish=sv
tagalog=tl tamil=ta telugu=te thai=th traditional_chinese=zh-tw turkish=tr ukrainian=uk urdu=ur
vietnamese=vi welsh=cy
"""
NAMES = dict(pair.replace("_", " ").split("=") for pair in _NAMED.split())
"""The codes of the languages that the detector tells apart, by their English names."""


_SMALL_WORDS = {
    "en": "the of and to in is that it for you with on as are this be at have not or was but they",
    "es": "el los las una que del por para con como pero muy este esta nuestro su más qué",
    "fr": "les des une est dans pour qui sur avec pas vous nous sont être cette mais",
    "de": "der die das und ist ein eine nicht mit für auf dem den du sich jede wir sie",
    "it": "il gli una che della per con sono questo questa nel anche più non",
    "pt": "os uma que não para com por mais como mas foi são você nossa",
    "nl": "het een van dat niet met zijn voor op maar ook wij deze",
}
_OF = {word: code for code, words in _SMALL_WORDS.items() for word in words.split()}
_WORD = re.compile(r"[^\W\d_]+")


def is_english(text: str) -> bool:
    """Tell whether a text may be English: nine letters in ten are of its alphabet, and no other language's.

    A text is another language's where three of its small words and more of them than of English ones stand
    in it. A detector of languages, which knows letters alone, calls names and short or shouted English
    Vietnamese.
    """
    letters = sum(1 for c in text if c.isalpha())
    if not letters or sum(1 for c in text if c.isalpha() and c.isascii()) < 0.9 * letters:
        return False
    small = Counter(_OF[word] for word in _WORD.findall(text.lower()) if word in _OF)
    english = small.pop("en", 0)
    return max(small.values(), default=0) < max(3, english + 1)
