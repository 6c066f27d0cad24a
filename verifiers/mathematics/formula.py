"""Chemical formulas: which texts are one, and the one spelling that all notations of it share."""

from __future__ import annotations

import re

_ELEMENTS = tuple(
    """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y
    Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re
    Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg
    Cn Nh Fl Mc Lv Ts Og
    """.split()
)
_WORDS = frozenset(["He", "In", "As", "At", "Be", "Am", "No", "Os", "Re", "Ho"])  # also words in a sentence
_NUMBERS = {element: number for number, element in enumerate(_ELEMENTS, 1)}
_ISOTOPE = re.compile(r"\^(\d{1,3})(?:_(\d{1,3}))?([A-Z][a-z]?)")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?|[()\[\]]|_?\d++)+(?:\^\d?[+-])?")
_PART = re.compile(r"([A-Z][a-z]?)|_?(\d+)|([()\[\]])|(\^\d?[+-])")
_MARKS = re.compile(r"\\(?:mathrm|text|textrm|rm|ce|mbox)(?![A-Za-z])|[{}\s$]|\\[,;! ]")


def read_formula(text: str, *, marked: bool = True) -> str:
    """Return a formula as ``H_2SO_4`` or ``SO_4^2-``; nothing where the text is none.

    ``marked`` says that an upright font sets it apart; letters in italics must be more like one. Capitals
    alone (``CO``, ``BN``) are left to be segments or words, and so is a symbol that is a word (``No``).
    """
    if len(text) > 80 or not any(c.isupper() for c in text):
        return ""
    bare = _MARKS.sub("", text) if marked else re.sub(r"[{}$]", "", text)
    if m := _ISOTOPE.fullmatch(bare):
        place = _NUMBERS.get(m[3])
        return f"^{m[1]}{m[3]}" if place and m[2] in (None, str(place)) else ""
    if marked and bare[-1:] in ("+", "-") and "^" not in bare:
        bare = f"{bare[:-1]}^{bare[-1]}"  # Na+ in mhchem
    if not _FORMULA.fullmatch(bare):
        return ""
    out, elements, plain = "", 0, True
    for m in _PART.finditer(bare):
        element, number, bracket, charge = m.groups()
        if element:
            if element not in _NUMBERS:
                return ""
            elements += 1
            plain = plain and len(element) == 1
            out += element
        elif number:
            if not out or out[-1].isdigit() or number[0] == "0" or (number == "1"):
                return ""
            plain, out = False, f"{out}_{number}"
        elif bracket:
            out += bracket
        else:
            plain, out = False, out + charge
    if plain or bare in _WORDS or not elements or bare[0].isdigit() or bare[0] == "_":
        return ""
    return out if marked or elements > 1 or "^" in out else ""
