r"""What is said behind an answer in its place.

The answer stands unless the text behind it takes it back. Sentence by sentence:

- *a statement* "the answer is 6", "Final answer: 6" stands in its place, where nothing but words that
  conclude ("so", "therefore") lead to it and no condition follows;
- *a remark* about another case ("if the order mattered", "for n = 4", "in part (a)", "without repeats"),
  another method or other people's mistakes changes nothing, and neither does a question;
- *a doubt* ("wait", "hold on", "actually", "let me recheck") opens the answer: then "it is 6", "it should be
  6" and "no, 6" stand in its place;
- *an admission* ("I double counted", "that is wrong", "correction") takes it back: then what the text behind
  it says in the end is the answer, and where it says nothing there is none;
- *an assurance* ("5 stands", "that checks out", "the answer is unchanged") closes it again.
"""

from __future__ import annotations

import re
from itertools import chain, islice

from referee.verifiers.reading.extracted import Extracted, Grammar
from referee.verifiers.reading.stated_values import NUMBER, conclusion, sentences, value_behind

_BEHIND = 6_000  # characters behind an answer that are looked at
_STATEMENTS = 20  # so many "it is" of one sentence: each is read to its end

_CUES = (
    "answer", "update", "let me", "let's", "let’s", "wait", "hold on", "hang on", "correct", "actual",
    "hmm", "oops", "sorry", "apolog", "mistake", "wrong", "invalid", "off by", "scratch", "strike",
    "nevermind", "never mind", "second thought", "reconsider", "recheck", "re-check", "reread", "re-read",
    "recount", "re-count", "reexamin", "re-examin", "look again", "looking again", "should", "instead",
    "rather", "forget", "forgot", "overlook", "missed", "double-count", "double count", "overcount",
    "over-count", "undercount", "under-count", "contradict", "nope", "however",
    "更正", "纠正", "等等", "不对", "应该", "答案", "错", "应为", "抱歉",
)  # fmt: skip
_SHORT_CUES = ("no", "but", "err", "mis", "edit")
_SHORT_CUE = re.compile(r"\b(?:(?:no|but)\b|err)|mis[a-z]{4}|edit\b")

_CONCLUDING = (
    r"(?:(?:so|thus|hence|therefore|then|and|but|now|finally|consequently|overall|accordingly|ultimately|"
    r"indeed|"
    r"in conclusion|in summary|to conclude|in the end|as a result|that means|this means|which means|"
    r"meaning)\b[\s,:]*+"
    r"(?:that\b\s*+)?|[综因]上[^,，]{0,3}[,，]|因此,?|所以,?|那么,?){0,8}"
)
_SURE = r"final|correct(?:ed)?|real|actual|true|right|revised|updated|new|proper|正确|最终"
_IS = (
    r"(?:(?:['’]s|is|are|was|becomes|equals|(?:must|should|has to|ought to|will|needs to)\s++(?:(?:actually|"
    r"really|instead|therefore|then)\s++)?"
    r"(?:be|equal|have\s++been)|(?:turns\s++out|comes\s++out)\s++(?:to\s++be|as)|"
    r"comes\s++to)\b|=|:|应为|应该是|是|为)"
    r"(?:\s*+(?:therefore|thus|hence|simply|just|exactly|actually|really|instead|now|then|in\s++fact|indeed|"
    r"equal\s++to|given\s++by)\b)*+[\s:]*+"
)
_STATED = re.compile(
    rf"{_CONCLUDING}[*_\s]*+(?:the|our|my|your)?\s*+(?:(?:{_SURE})\s*+)*"
    rf"(?:answer|答案)(?:\s++to\s++(?:the|this|your)\s++(?:problem|question))?"
    rf"\s*+[*_]*+\s*+{_IS}",
    re.I,
)
_SURELY_STATED = re.compile(
    rf"\b(?:the|our|my)\s++(?:(?:{_SURE})\s++)+(?:answer|value|result|count|total|sum|number|solution|"
    rf"probability|"
    rf"option|choice)\s*+[*_]*+\s*+{_IS}|\banswer\s++(?:must|should|has\s++to|ought\s++to)\s++(?:\w++\s++)?be\s++",
    re.I,
)
_IT_IS = re.compile(
    rf"(?:^|[,;:—–-]\s*+)(?:(?:no|wait|oh|hmm|sorry|actually|oops|okay|ok|right|well|"
    rf"yes)\b[,.!…\s]*+){{0,8}}{_CONCLUDING}"
    rf"(?:it|that|this|there|(?:the|our|my)\s++(?:\w++\s++)?(?:answer|result|total|count|value|"
    rf"solution))\s*+{_IS}",
    re.I,
)
_SO_IT_MUST = re.compile(
    r"\b(?:so|thus|hence|therefore)(?:\s*+,)?\s++(?:the|our)\s++(?:\w++\s++){1,4}(?:must|should|has\s++to|"
    r"ought\s++to)\s++"
    r"(?:\w++\s++)?(?:be|equal)\s++",
    re.I,
)
_CLOSING = re.compile(r"\}*\s*(?:\$\$?|\\\]|\\\))?\}*[*.,;]*")
_BETWEEN = r"[\s,.:;!…—–*_-]*"
_BARE = re.compile(
    rf"(?:{_BETWEEN}(?:(?:no|wait|oh|hmm|sorry|actually|oops|okay|ok|right|well|correction|corrected|edit|"
    rf"update|"
    r"erratum|i mean|i meant|make that|scratch that|strike that|never ?mind|rather|instead|"
    r"on second thought|on reflection)\b|"
    rf"更正|纠正|等等|不对|抱歉|应该是|应为|是))+{_BETWEEN}(?:it(?:['’]s| is)\s+)?(?:so\s+)?",
    re.I,
)
_ASIDE = re.compile(
    r"\b(?:if|for|in|with|when|where|without|suppose|had|would|could|might|unless|similarly|other|another|"
    r"previous\w*|earlier|"
    r"first|instead|wrong|naive|common(?:ly)?|incorrect|mistake\w*|(?:text)?book|students?|people|"
    r"(?:some)?one|others)\b",
    re.I,
)  # a statement about something else than what was asked
_CONDITION_BEFORE = re.compile(
    r"^\W*(?:(?:so|but|and|also|note that|however|similarly|likewise|in contrast|by contrast|"
    r"otherwise)\b[\s,]*)*"
    r"(?:if|for|in|with|when|where|without|suppose|had|were|unless|assuming|given|were we|others?|students?|"
    r"(?:some|any|many|most)\s?(?:one|body|people|students)?|similarly|otherwise|note|e\.g|example)\b|"
    r"\b(?:would|could|might)\b|"
    r"\b(?:wrong|naive|common|incorrect|tempting)\s+(?:answer|value|result)",
    re.I,
)
_CONDITION_AFTER = re.compile(
    r"\b(?:if|unless|when(?:ever)?|provided|assuming|without)\b|"
    r"\b(?:for|in|with|at)\s+(?!(?:a\s+)?total\b|all\b|the\s+(?:end|final|original|whole|given)\b|fact\b|"
    r"simplest\b|"
    r"lowest\b|this\s+problem\b)",
    re.I,
)
_DOUBTS = re.compile(
    r"^\W*(?:(?:oh|but|and|ah|um|uh|well|ok|okay|so|please)\b[\s,.!]*)*"
    r"(?:wait|hold on|hang on|hmm+|oops|whoops|no\b|nope|actually|sorry|scratch|strike|never ?mind|however|"
    r"(?:on|upon) (?:second thought|reflection|closer|re-?)|correction|correcting|edit\b|update\b|erratum|"
    r"let(?: me|['’]?s)(?! (?:double[- ]?)?(?:check|verify|confirm|explain|show|summari[sz]e) \w)|"
    r"looking (?:again|back)|after re-?\w+|rather|instead|i mean|更正|纠正|等等|不对|抱歉|等一下)|"
    r"\bre-?(?:check|consider|count|read|examin|calculat|comput|do\b)|\bdouble[- ]check(?! \w)|"
    r"\bthat can['’]?t be|\bshould (?:actually |really )?(?:be|have been)\b|\binstead\b",
    re.I,
)
_ADMITS = re.compile(
    r"\b(?:I|we)(?:['’]ve| have| had| actually| just| accidentally| seem to have| must have| may have)*\s+"
    r"(?:made an?\b(?: \w+){0,3} (?:mistake|error|slip|miscalculation)|mis\w{4,}|used the wrong|dropped|"
    r"missed|"
    r"(?:double|over|under)[- ]?count\w*|forgot\w*|overlook\w*|neglected|should(?:n['’]t| not)? have|"
    r"(?:was|were|am|are) (?:wrong|mistaken|off))\b|"
    r"\b(?:I|we)(?: \w+)? (?:should|must|needs? to) [^.]{0,60}?\b(?:instead|correct|fix|redo)\b(?: (?:this|"
    r"that|it))?|"
    r"\b(?:that|this|it|which|(?:the|my) (?:\w+ )?(?:answer|value|result|calculation|arithmetic)|"
    r"the answer above)"
    r"(?:['’]s| is| was)\s+(?:clearly |actually |in fact )?"
    r"(?:wrong|incorrect|false|off\b|not (?:right|correct)|invalid|a mistake|an error|mistaken)|"
    r"\bscratch that\b|\bstrike that\b|\bnever ?mind\b|\bmy (?:mistake|bad|error)\b|\blet me (?:fix|"
    r"correct|redo)\b|"
    r"^\W*(?:sorry\W+)?(?:correction|corrected|edit|erratum)\b|"
    r"\b(?:apolog\w+|sorry) for (?:the|my|that)\b[^.]*\b(?:mistake|error|confusion|slip)|"
    r"\b(?:that|this|it) (?:neglects|overlooks|misses|double[- ]counts|doesn['’]t look right|"
    r"can['’]?t be right)|"
    r"\bcontradicts?\b|\binclud\w+ .{0,40}\btwice\b|更正|纠正|算错|不对|弄错",
    re.I,
)
_NOT_ADMITTED = re.compile(
    r"\b(?:not|no|without|isn['’]t|n['’]t)\b[^,;]{0,30}\b(?:mistake|error|wrong|contradict\w*|incorrect)|"
    r"\b(?:if|suppose|unless|had|avoid|common|typical|frequent|think|alternatively|(?:one|someone|"
    r"students?) (?:could|would|might|may|can))\b",
    re.I,
)
_SUPPOSES = re.compile(
    r"^\W*(?:now,?\s+|but\s+|and\s+)?(?:suppose|assume|imagine|consider|if)\b|\bwhat if\b", re.I
)
_THEN = re.compile(r"^\W*(?:then|so|now|here|in (?:that|this|which) case|thus|hence|therefore)\b", re.I)
_ASSURES = re.compile(
    r"\b(?:stands?|unchanged|unaffected|still (?:holds?|correct|valid|right|true|the same|works?|get|"
    r"gives?|is)|remains?|same (?:answer|result|value)|"
    r"checks? out|is (?:indeed )?(?:correct|right|fine|consistent|valid|ok(?:ay)?)|(?:was|were) (?:right|"
    r"correct|fine)|all good|"
    r"matches|confirm\w*|agrees|does(?:n['’]t| not) (?:change|affect|matter)|no (?:change|effect)|"
    r"as before|holds)\b|^\W*(?:yes|yep|good|right|great|perfect)\b|[✓✔✅]|没问题|正确",
    re.I,
)


def taken_back(text: str, start: int, grammar: Grammar) -> Extracted | None:
    """Return what is stated behind an answer, from a place on, in its place; None where the answer stands."""
    if len(text) < start + 4:
        return None
    if closing := _CLOSING.match(text, start):
        start = closing.end()
    tail = text[start : start + _BEHIND]
    if not _cued(tail):
        return None
    found: Extracted | None = None
    doubted, admitted, supposed, since = False, False, False, 0
    for begin, end in sentences(tail):
        follows = supposed and _THEN.search(tail[begin:end]) is not None
        supposed = follows or _SUPPOSES.search(tail[begin:end]) is not None
        sentence = tail[begin:end].strip(" \t\n*_#>()\"'“”")
        if follows:
            continue
        if not sentence or sentence[-1] == "?":
            doubted = doubted or _DOUBTS.search(sentence) is not None
            continue
        if (stated := _statement(sentence, grammar, doubted or admitted)) is not None:
            found = Extracted(stated, "phrase")
        elif _ASSURES.search(sentence):
            doubted = admitted = False
            continue
        if _DOUBTS.search(sentence):
            doubted = True
        admission = _ADMITS.search(tail[begin:end])
        if admission is not None and not _NOT_ADMITTED.search(sentence):
            admitted, since = True, begin + admission.end()
    if found is None and admitted:
        found = conclusion(tail[since:], grammar)
        if found.answer is None or grammar.kind(found.answer) != "value":
            return Extracted(None, "boxed", "the answer is taken back")
    return found


def _cued(tail: str) -> bool:
    """Tell whether a text has a word that can doubt, take back or restate an answer."""
    text = tail.casefold()
    for cue in _CUES:
        if cue in text:
            return True
    for cue in _SHORT_CUES:
        if cue in text:
            return _SHORT_CUE.search(text) is not None
    return False


def _statement(sentence: str, grammar: Grammar, opened: bool) -> str | None:
    """Return the value that a sentence states for the answer; ``opened`` says that the answer is in doubt."""
    bare = _BARE.match(sentence)
    stated = _STATED.match(sentence, bare.end() if bare else 0)
    if stated is None and (sure := _SURELY_STATED.search(sentence)) is not None:
        stated = None if _ASIDE.search(sentence[: sure.start()]) else sure
    if stated is not None and (value := _value(sentence, stated.end(), grammar)) is not None:
        return value
    if _CONDITION_BEFORE.search(sentence):
        return None
    opened = opened or _DOUBTS.search(sentence) is not None or _ADMITS.search(sentence) is not None
    if not opened:
        return None
    statements = chain(_IT_IS.finditer(sentence), _SO_IT_MUST.finditer(sentence))
    for said in islice(statements, _STATEMENTS):
        if (value := _value(sentence, said.end(), grammar)) is not None:
            return value
    if bare and (value := _value(sentence, bare.end(), grammar, alone=True)) is not None:
        return value
    if ":" in sentence and _ADMITS.search(sentence):
        return _value(sentence, sentence.rindex(":") + 1, grammar, alone=True)
    return None


def _value(sentence: str, start: int, grammar: Grammar, *, alone: bool = False) -> str | None:
    rest = sentence[start:]
    if not rest or _CONDITION_AFTER.search(rest):
        return None
    if alone and not NUMBER.match(rest.lstrip("$*_ ")) and not rest.lstrip().startswith(("$", "\\(", "**")):
        return None
    return value_behind(rest, grammar)
