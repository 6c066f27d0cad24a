"""Words behind a number that say its sense: a gain of 5 is no loss of 5, 5 km north is not 5 km south."""

from __future__ import annotations

from functools import lru_cache

_PAIRS = """
gain loss  profit loss  profits losses  gains losses  surplus deficit  increase decrease
increasing decreasing  increased decreased  increases decreases  rise fall  rises falls  rose fell
growth decline  raise cut  discount markup  income expense
credit debit  deposit withdrawal  assets liabilities
wins losses  win loss  wins draws  losses draws  victories defeats  won lost
north south  east west  northern southern  eastern western  northeast southwest  northwest southeast
north east  north west  south east  south west
left right  up down  upward downward  upwards downwards  upstream downstream  forward backward
forwards backwards  clockwise counterclockwise  clockwise anticlockwise  inward outward  inside outside
horizontally vertically  horizontal vertical  early late  bc ad  bce ce  bc ce  bce ad
boys girls  boy girl  men women  man woman  males females  male female  sons daughters  brothers sisters
adults children  heads tails  faces edges  faces vertices  edges vertices  rows columns  odd even
debt savings  hot cold  longitude latitude
"""
_OPPOSED = frozenset(
    frozenset(pair.split()) for line in _PAIRS.strip().splitlines() for pair in line.split("  ")
)
_SENSES = frozenset().union(*_OPPOSED)


def says_a_sense(word: str) -> bool:
    """Tell whether a word has an opposite, so that it counts behind a unit."""
    return word.lower() in _SENSES


@lru_cache(maxsize=1024)
def opposed(one: str, other: str) -> bool:
    """Tell whether words behind two numbers are each other's opposites, all others being shared.

    >>> opposed("km north", "km south"), opposed("boys", "children"), opposed("boys", "girls")
    (True, False, True)
    """
    mine, theirs = set(one.lower().split()), set(other.lower().split())
    return any(frozenset((a, b)) in _OPPOSED for a in mine - theirs for b in theirs - mine)


def same_noun(one: str, other: str) -> bool:
    """Tell whether two nouns are one, but for the plural.

    >>> same_noun("apple", "apples"), same_noun("boxes", "box"), same_noun("apples", "pears")
    (True, True, False)
    """
    return _singular(one) == _singular(other)


def _singular(noun: str) -> str:
    noun = noun.lower()
    if noun.endswith(("xes", "shes", "ches", "sses")):
        return noun[:-2]
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun
