"""What the core human-rights treaties and their protocols are called, and how they are found in a text."""

from __future__ import annotations

import re

TREATIES = {
    "cerd": "Racial Discrimination",
    "iccpr": "Civil and Political Rights",
    "icescr": "Economic, Social and Cultural Rights",
    "cedaw": "Discrimination against Women",
    "cat": "Torture",
    "crc": "Rights of the Child",
    "migrant": "Migrant Workers",
    "disability": "Persons with Disabilities",
    "disap": "Enforced Disappearance",
    "iccpr_op": "Civil and Political Rights, complaints",
    "iccpr_op2": "Civil and Political Rights, death penalty",
    "icescr_op": "Economic, Social and Cultural Rights, complaints",
    "cedaw_op": "Discrimination against Women, complaints",
    "cat_op": "Torture, visits to places of detention",
    "crc_op1": "Rights of the Child, armed conflict",
    "crc_op2": "Rights of the Child, sale of children",
    "crc_op3": "Rights of the Child, complaints",
    "disab_op": "Persons with Disabilities, complaints",
}
"""The nine core human-rights treaties and their nine optional protocols, by their columns in the ratification file."""

PROTOCOLS = {
    "iccpr": ("iccpr_op", "iccpr_op2"),
    "icescr": ("icescr_op",),
    "cedaw": ("cedaw_op",),
    "cat": ("cat_op",),
    "crc": ("crc_op1", "crc_op2", "crc_op3"),
    "disability": ("disab_op",),
}
"""The optional protocols of each treaty, in the order in which they were adopted."""

_CRC_OP, _CCPR = r"(?:op[- ]*crc|crc[- ]*op|op)", r"(?:i?ccpr|iccp)"
_ABBREVIATIONS = {
    "crc_op1": rf"{_CRC_OP}[- ]*ac",
    "crc_op2": rf"{_CRC_OP}[- ]*sc|crc[- ]sc[- ]op",
    "crc_op3": rf"{_CRC_OP}[- ]*(?:ic|cp)",
    "iccpr_op2": rf"{_CCPR}[- ]*op[- ]*(?:2|ii)|op[- ]*(?:2|ii)[- ]*(?:to (?:the )?)?{_CCPR}"
    rf"|op[- ]*{_CCPR}[- ]*(?:2|ii)|op[- ]?2",
    "iccpr_op": rf"{_CCPR}[- ]*op(?:[- ]*(?:1|i))?|op[- ]*(?:1|i)[- ]*(?:to (?:the )?)?{_CCPR}"
    rf"|op[- ]*{_CCPR}(?:[- ]*(?:1|i))?|op[- ]?1",
    "icescr_op": r"opa?[- ]*(?:i?c?escr|scr|icesr)|(?:i?cescr|icesr)[- ]*op",
    "cedaw_op": r"op[- ]*cedaw|cedaw[- ]*op",
    "cat_op": r"op[- ]*cat|cat[- ]*op",
    "disab_op": r"op[- ]*i?(?:crpd|cprd)|(?:crpd|cprd)[- ]*op",
    "cerd": r"i?cerd",
    "iccpr": _CCPR,
    "icescr": r"i?cescr|icesr?c?",
    "cedaw": r"cedawc?",
    "cat": r"(?:un)?cat",
    "crc": r"(?:un)?crc",
    "migrant": r"icrmwc?f?|icr?mw|cmw|mwc|icpmw|crmw",
    "disability": r"(?:ic|un|i)?crpd|cprd",
    "disap": r"icp?ped|icpped|cp?ped|iccp?ed|iced|ced|icppr|icpaped",
}
"""Abbreviations, protocols before the treaties that theirs contain."""

_PEOPLE = r"(?:persons?|peoples?|individuals?)"
_TOPICS = {
    "cerd": r"racial discriminations?",
    "cedaw": r"discriminations? (?:against|towards|of) (?:the )?wom[ae]n",
    "iccpr": r"(?:civil (?:and|&) political|political (?:and|&) civil)(?: rights?)?",
    "icescr": r"(?:economic(?:al)?|social),?(?: and)? (?:social|economic),?(?:(?: and)? cultural)?(?: rights?)?",
    "cat": r"torture(?:,? and (?:all )?other (?:forms of )?cruel,? ?(?:in-?human)?,? ?(?:or|and)? ?degrading"
    r"(?: treatments?)?(?: ?(?:or|and)? ?punishments?)?)?",
    "crc": r"rights? of (?:the )?child(?:ren)?|child(?:ren)?'?s?'? rights",
    "migrant": r"migrants?'?s?(?: workers?'?)?"
    r"(?: and (?:(?:all |the )?members? of )?(?:the )?their famil(?:y|ies)(?: members)?)?",
    "disability": rf"{_PEOPLE} (?:with|living with) disabilit(?:y|ies)|disabled(?: {_PEOPLE})?|{_PEOPLE} with disabled",
    "disap": r"(?:involuntary )?disappearances?",
}
"""What each treaty is about, as it stands after ``Convention on …``, or before ``… Convention``."""

_INSTRUMENT = r"(?:conventions?|covenants?|pacts?)"
_FOREIGN = r"(?:ilo|unesco|hague|european|europe|inter-american|american|african|arab|geneva|istanbul)"
_ANY_TOPIC = "|".join(f"(?P<{treaty}>{topic})" for treaty, topic in _TOPICS.items())
_NAMED = re.compile(
    rf"(?<!\w){_INSTRUMENT} (?:(?!{_INSTRUMENT}|protocol|statute|labou?r)[^,;.:<>]){{0,75}}?(?:{_ANY_TOPIC})\b"
)
_NAMED_AFTER = re.compile(rf"\b(?:{_ANY_TOPIC})(?: workers?'?)?(?: rights)? {_INSTRUMENT}\b")
_NAMED_NEXT = re.compile(
    r"(?P<first><\w+>(?: \(<\w+>\))?,? ?(?:and|as well as|or|&)? ?)"
    rf"(?:on|against|for|of)(?: \w+){{0,7}}? (?:{_ANY_TOPIC})\b"
)
_BOTH_COVENANTS = re.compile(
    r"\b(?:both|two) (?:international |un |human rights )?covenants\b(?! on)"
    r"|\binternational covenants on human rights\b"
)


def mark_treaties(text: str) -> str:
    """Put ``<treaty>`` in the place of every treaty's name and abbreviation."""
    for treaty, written in _ABBREVIATIONS.items():
        text = re.sub(rf"(?<![\w<])(?:{written})(?!\w|>)", f"<{treaty}>", text)
    text = re.sub(rf"\b{_FOREIGN}(?: \w+)?(?: \w+)? {_INSTRUMENT}", "agreement", text)
    text = _BOTH_COVENANTS.sub("<iccpr> and <icescr>", text)
    for pattern in (_NAMED, _NAMED_AFTER):
        text = pattern.sub(lambda match: f"<{_treaty(match)}>", text)
    before = ""
    while before != text:
        before, text = text, _NAMED_NEXT.sub(lambda match: f"{match['first']}<{_treaty(match)}>", text, count=1)
    text = re.sub(r"\b(?:(?:international|united nations|un) )+(?=<)", "", text)
    return re.sub(r"<(\w+)>,? \(?<\1>\)?", r"<\1>", text)


def _treaty(match: re.Match[str]) -> str:
    return next(treaty for treaty in _TOPICS if match[treaty])
