"""The rules that read from a recommendation's text which treaties it asks to ratify."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.sources.recommendations import asked_to_ratify
from analysis.sources.treatynames import PROTOCOLS, TREATIES

ASKED = {
    "Ratify CEDAW": "cedaw",
    "Ratify the CRPD": "disability",
    "Consider the possibility of acceding to CRPD": "disability",
    "Proceed swiftly with the ratification of OP-CAT": "cat_op",
    "Become a party to and implement CRPD": "disability",
    "Ratify without reservations the Optional Protocol to the CEDAW": "cedaw_op",
    "Ratify the Convention against Torture and Other Cruel, Inhuman or Degrading Treatment or Punishment": "cat",
    "Sign and ratify the CAT and its Optional Protocol (OPCAT).": "cat cat_op",
    "Ratify the Optional Protocol to the Convention against Torture and establish a mechanism": "cat_op",
    "Ratify ICCPR, ICESCR and CAT": "iccpr icescr cat",
    "Ratify the International Covenants on Civil and Political Rights and on Economic, Social and Cultural Rights":
        "iccpr icescr",
    "Ratify the International Covenant on Economic, Social and Cultural Rights": "icescr",
    "Ratify the Optional Protocol to the International Covenant on Economic, Social and Cultural Rights": "icescr_op",
    "Ratify the Second Optional Protocol to the ICCPR": "iccpr_op2",
    "Ratify the Optional Protocol to the ICCPR": "iccpr_op",
    "Ratify the Optional Protocols to the ICCPR": "iccpr_op iccpr_op2",
    "Abolish the death penalty and ratify ICCPR-OP 2": "iccpr_op2",
    "Ratify the Optional Protocol to ICCPR aiming at the abolition of the death penalty": "iccpr_op2",
    "Ratify the first Optional Protocol to the International Covenant on Civil and Political Rights": "iccpr_op",
    "Sign, ratify and implement in national law ICESCR, ICCPR and their Optional Protocols":
        "icescr iccpr icescr_op iccpr_op iccpr_op2",
    "Ratify the three Optional Protocols to the Convention on the Rights of the Child": "crc_op1 crc_op2 crc_op3",
    "Ratify the two Optional Protocols to CRC": "crc_op1 crc_op2",
    "Ratify the Optional Protocol to the CRC on the involvement of children in armed conflict": "crc_op1",
    "Ratify the third Optional Protocol to the Convention on the Rights of the Child": "crc_op3",
    "Ratify OP-CRC-SC": "crc_op2",
    "Ratify the International Convention on the Protection of the Rights of All Migrant Workers and Members of Their "
    "Families (ICRMW)": "migrant",
    "Ratify the Convention for the Protection of All Persons from Enforced Disappearance (ICPPED)": "disap",
    "Ratify CED and recognize the competence of its Committee": "disap",
    "Ratify the Rome Statute, ILO Convention 189 and ICERD": "cerd",
    "Adhere to the principles set out in the Migrant Workers Convention, and consider its possible ratification":
        "migrant",
}  # fmt: skip
NOT_ASKED = [
    "Withdraw its reservations to CEDAW",
    "Fully implement the Convention on the Rights of the Child",
    "Bring its legislation in line with CAT, which it has ratified",
    "Sign the Optional Protocol to the Convention against Torture",
    "Ratify all outstanding human rights treaties",
    "Ratify the Rome Statute of the International Criminal Court",
    "Ratify ILO Convention No. 189",
    "Ratify the Hague Convention on Protection of Children and Co-operation in Respect of Intercountry Adoption",
    "Provide resources to the mechanism, following the recent ratification of OP-CAT",
    "Ratify the amendments to article 8 of the International Convention on the Elimination of Racial Discrimination",
    "Join regional efforts against trafficking in persons",
    "",
]


@pytest.mark.parametrize(("text", "treaties"), ASKED.items())
def test_it_finds_what_is_asked_for(text: str, treaties: str) -> None:
    assert asked_to_ratify(text) == frozenset(treaties.split())


@pytest.mark.parametrize("text", NOT_ASKED)
def test_it_finds_nothing_where_nothing_is_asked_for(text: str) -> None:
    assert asked_to_ratify(text) == frozenset()


@pytest.mark.parametrize(
    ("text", "asked", "not_asked"),
    [
        ("Withdraw its reservations to CEDAW and ratify its Optional Protocol", "cedaw_op", "cedaw"),
        ("Ratify CAT and sign its Optional Protocol", "cat", "cat_op"),
        ("Ratify ICCPR, ICESCR and withdraw reservations to CEDAW", "iccpr icescr", "cedaw"),
        ("Ratify OP-CAT and make the declaration under article 22 of CAT", "cat_op", "cat"),
    ],
)
def test_each_treaty_belongs_to_its_own_verb(text: str, asked: str, not_asked: str) -> None:
    found = asked_to_ratify(text)
    assert found == frozenset(asked.split())
    assert not found & set(not_asked.split())


@given(st.lists(st.sampled_from(["CAT", "CEDAW", "CRPD", "ICRMW", "CERD"]), min_size=1, max_size=5, unique=True))
def test_the_order_and_the_case_of_a_list_do_not_matter(names: list[str]) -> None:
    keys = {"CAT": "cat", "CEDAW": "cedaw", "CRPD": "disability", "ICRMW": "migrant", "CERD": "cerd"}
    expected = frozenset(keys[name] for name in names)
    assert asked_to_ratify("Ratify " + ", ".join(names)) == expected
    assert asked_to_ratify("RATIFY THE " + " AND THE ".join(reversed(names)).upper()) == expected


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    assert asked_to_ratify("Ratify " + text) <= set(TREATIES)


def test_every_protocol_is_a_treaty_of_its_own() -> None:
    protocols = [protocol for own in PROTOCOLS.values() for protocol in own]
    assert len(protocols) == len(set(protocols)) == 9
    assert set(protocols) < set(TREATIES)
    assert set(PROTOCOLS) < set(TREATIES) - set(protocols)
