"""Which treaties a recommendation of the Universal Periodic Review asks a state to join, read from its text by rules.

The rules have three steps. Treaties are found by the names and abbreviations that states use. An optional protocol is
resolved to the treaty that it belongs to. A treaty is asked for where the last verb before it asks to become a party,
and not where it asks for something else, such as to implement it. How often the rules err is measured on a sample that
was coded by hand; see ``docs/data/reviews.md``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from analysis.sources.treatynames import PROTOCOLS, mark_treaties

_NUMBERS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3}
_WORD = rf"(?:{'|'.join(_NUMBERS)}|1|2|3|two|three|both|all|its|their|the|other|new|relevant|respective|corresponding)"
_PROTOCOL = re.compile(
    rf"(?P<before>(?:{_WORD},? (?:and |or |of )?)*)(?:optional |additional |facultative )+protocols?"
    r"(?: \(op\))?(?: no\.?)?(?: (?P<number>[123])\b)?"
    rf"|(?P<ordinal>(?:first|second|third)) protocols?"
)
_LINK = re.compile(
    r"(?: thereto)?,? (?:to|of|on|under|for|in|regarding|concerning|attached to|annexed to|relating to)"
    r"(?: the| both)?(?: \w+){0,3}? (?=<)"
)
_CHILD_TOPICS = {
    "crc_op1": r"armed conflicts?",
    "crc_op2": r"sale of children|child prostitution|prostitution of children|child pornography",
    "crc_op3": r"communications?|complaints?|petitions?",
}
_DEATH_PENALTY = r"death penalty|capital punishment|death sentence"
_TOKEN = re.compile(r"<(\w+)>")

_JOIN = (
    r"ratif(?:i?y|ies|i?ying|ing|ication|ications|icating)|acced(?:e|es|ing)|accession"
    r"|adher(?:e|es|ing|ence)(?: to)?|join(?:s|ing)?"
    r"|becom(?:e|es|ing) (?:an? )?(?:state )?(?:full )?(?:contracting )?part(?:y|ies)|becoming (?:a )?(?:state )?member"
)
_JOINING = re.compile(rf"\b(?:{_JOIN}|be ratified)\b")
_ALSO = (
    r"(?:(?:implement|appl|compl|enforc|incorporat|integrat|sign|respect|observ|transpos|domesticat|publish|adopt)\w*"
    r"|ensure|put into effect|give effect to)(?: with| of)?(?: fully| effectively| in full| implementation)?"
    r"(?: (?:in|into)(?: its| the)? (?:national|domestic|internal)(?: and \w+)?"
    r" (?:law|laws|legislation|legal system|legal order)(?: of)?)?"
)
_JOIN_AND_MORE = re.compile(
    rf"\b((?:{_JOIN}))(?: to| of)?(?:(?:,| and|, and| or|/)(?: then| to| also)?"
    rf" (?:\w+ly |full |gradual |effective )?{_ALSO})+\b"
)
_OTHERWISE = (
    r"implement\w*|incorporat\w*|compl(?:y|ies|ying|iance)|accordance|in line|conform\w*|consisten\w*|keeping"
    r"|harmoni[sz]\w*|pursuant|under|withdraw\w*|lift\w*|remov\w*|reservations?"
    r"|report(?:s|ing)? (?:to|under|on)|submit\w*"
    r"|recogni[sz]\w*|competence|declarations?|articles?|provided|set (?:out|forth)|enshrined|stipulated|obligations?"
    r"|standards?|requirements?|provisions?|after|(?<!the )following|domesticat\w*|transpos\w*"
    r"|align\w*|bring\w*|enact\w*|effect|apply\w*|respect|fulfil\w*|committees?|guided|sign|signing|signature"
    r"|translat\w*|disseminat\w*|(?<!periodic )review|abid\w*|honou?r\w*|commitments?|duties|defined|definition"
    r"|according|based on|spirit"
    r"|within the framework|compatib\w*"
)
_PAST = r"ratified|signed|acceded|signatory|state party|(?:is|are|was) (?:already )?(?:a )?part(?:y|ies)"
_ITS = (
    r"(?:its|their|for)(?: possible| early| prompt| eventual| subsequent)? (?:ratification|accession)(?! of| to)"
    r"|be ratified|ratify(?:ing)? (?:it|them|this|these)|acced(?:e|ing) to (?:it|them|these)"
    r"|with a view to(?: \w+)? ratif(?:ication|ying)(?! of| the| to|,)"
)
_VERBS = re.compile(
    rf"<(?P<treaty>\w+)>|\b(?:(?P<its>{_ITS})|(?P<join>{_JOIN})|(?P<past>{_PAST})|(?P<otherwise>{_OTHERWISE}))\b"
    r"|(?P<stop>(?<!\bno)(?<!\bnos)(?<!\bart)\. (?!this includes))"
)


def asked_to_ratify(text: str) -> frozenset[str]:
    """Return the treaties that a recommendation asks a state to ratify, accede to or otherwise become a party to.

    To consider, prepare or complete ratification is asked for as ratification itself is. To sign alone is not, nor to
    implement a treaty, to report under it, to withdraw reservations to it, or to ratify "all treaties" without a name.

    Parameters
    ----------
    text : in English, as it stands in the source.

    Returns
    -------
    Keys of `analysis.sources.treatynames.TREATIES`.
    """
    plain = _normal(text)
    if not _JOINING.search(plain):
        return frozenset()
    return frozenset(_asked(_mark_protocols(mark_treaties(plain))))


def _normal(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).lower()
    plain = re.sub(r"[\u2018\u2019\u201b`´]", "'", plain)
    plain = re.sub(r"[\u2010-\u2015]", "-", plain)
    return re.sub(r"\s+", " ", re.sub(r"[<>\"\u201c\u201d]", "", plain)).strip()


def _mark_protocols(text: str) -> str:
    """Put a mark in the place of every optional protocol, and of the treaty that is named only for it."""
    done = ""
    while match := _PROTOCOL.search(text):
        before, after = text[: match.start()], text[match.end() :]
        words = f"{match['before'] or ''} {match['ordinal'] or ''} {match['number'] or ''}".split()
        plural = "protocols" in match.group()
        link = _LINK.match(after)
        named = _listed(after[link.end() :], plural) if link else ([], 0)
        if link and named[0]:
            after = after[link.end() + named[1] :]
            treaties = named[0]
        else:
            treaties = _mentioned(done + before, words)
        found = [p for treaty in treaties for p in _protocols(treaty, words, plural, after)]
        if not treaties:
            found = _by_topic(words, after)
        done += before + " ".join(f"<{protocol}>" for protocol in found) + " "
        text = after
    return done + text


def _listed(text: str, plural: bool) -> tuple[list[str], int]:
    """Return the treaties that a text begins with, and where they end; more than one only after a plural."""
    match = re.match(r"<(\w+)>(?: \(<\w+>\))?", text)
    if match is None or match[1] not in PROTOCOLS:
        return [], 0
    treaties, end = [match[1]], match.end()
    several = plural and len(PROTOCOLS[match[1]]) == 1
    linked = re.compile(
        rf"(?:,|,? and|,? as well as) (?:{'' if several else '(?:to|of) '})(?:to |of )?(?:the )?<(\w+)>(?: \(<\w+>\))?"
    )
    while (match := linked.match(text, end)) and match[1] in PROTOCOLS:
        treaties.append(match[1])
        end = match.end()
    return treaties, end


def _mentioned(text: str, words: list[str]) -> list[str]:
    """Return the treaty that "its Optional Protocol" refers to, or those of "their Optional Protocols"."""
    treaties = [treaty for treaty in _TOKEN.findall(text) if treaty in PROTOCOLS]
    if "their" not in words:
        return treaties[-1:]
    verbs = [match.end() for match in _VERBS.finditer(text) if match["join"] or match["otherwise"]]
    since = text[verbs[-1] :] if verbs else text
    return [treaty for treaty in _TOKEN.findall(since) if treaty in PROTOCOLS] or treaties[-1:]


def _protocols(treaty: str, words: list[str], plural: bool, after: str) -> Iterable[str]:
    own = PROTOCOLS[treaty]
    if len(own) == 1:
        return own
    clause = re.split(rf"[;<]|\. |\b(?:{_JOIN})\b", after)[0][:160]
    topics = _topics(clause) if treaty == "crc" else []
    numbers = [_NUMBERS.get(word, int(word) if word.isdigit() else 0) for word in words]
    chosen = [own[number - 1] for number in numbers if 0 < number <= len(own)]
    if treaty == "iccpr" and not chosen and re.match(rf"[^,;.]{{0,60}}(?:{_DEATH_PENALTY})", clause):
        return [own[1]]
    if topics or chosen:
        return topics or chosen
    if treaty == "crc":
        if plural:
            return own if {"three", "all"} & set(words) else own[:2]
        return [own[2]] if "new" in words else []
    return own if plural else own[:1]


def _topics(clause: str) -> list[str]:
    return [protocol for protocol, topic in _CHILD_TOPICS.items() if re.search(topic, clause)]


def _by_topic(words: list[str], after: str) -> list[str]:
    """Resolve a protocol whose treaty is not named."""
    clause = re.split(r"[;<]|\. ", after)[0][:120]
    if re.match(rf"[^,;.]{{0,60}}(?:{_DEATH_PENALTY})", clause) or "second" in words:
        return ["iccpr_op2"]
    return _topics(clause) if "child" in clause or "communication" in clause else []


def _asked(text: str) -> list[str]:
    """Return the treaties after a verb that asks to join; a verb that asks for something else ends what it governs."""
    text = re.sub(r"\bwithout (?:\w+ ){0,3}?(?:reservations?|delay|conditions?)\b", "", text)
    text = re.sub(r"\b(?:after|since|following|having|upon|once) (?:\w+ ){0,3}?ratif\w+", "after", text)
    text = _JOIN_AND_MORE.sub(r"\1", text)
    found: list[str] = []
    others: list[str] = []
    state = ""
    for match in _VERBS.finditer(text):
        if match["stop"]:
            others, state = [], ""
        elif match["its"] or (match["join"] and not state and match["join"].endswith(("ion", "ions", "ence"))):
            found += others
            others, state = [], "join"
        elif match["join"]:
            state = "join"
        elif match["past"]:
            state = state or "otherwise"
        elif match["otherwise"]:
            state = "otherwise"
        elif state == "join":
            found.append(match["treaty"])
        else:
            others.append(match["treaty"])
    return found
