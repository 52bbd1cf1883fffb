"""Homoglyph names: what a stranger cannot be called, and what nobody is refused for."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Rejected
from protocol.names import (
    MAX_NAME_CHARACTERS,
    check_name,
    check_no_double,
    check_text,
    shown_host,
    skeleton,
    visible,
)

LISTED = ["Gemeente Voorbeeld", "Waterschap Voorbeeld", "Belastingdienst", "CJIB", "Rijnmond"]


@pytest.mark.parametrize(
    "name",
    ["Gemeente Voorbeeld", "Café de Zon", "Δήμος Αθηναίων", "Община София", "東京都デジタル", "ŠKODA",
     "Müller & Zn. B.V.", "A.S.R. Verzekeringen 24/7", "Společnost №1", "서울특별시 IT",
     "データ・センター", "佐々木", "L’Étoile – “Œuvre” €5", "Đỗ & Łódź", "देवनागरी", "مدينة", "ประเทศไทย"],
)  # fmt: skip
def test_honest_name_is_shown_as_it_is(name: str) -> None:
    assert check_name(name) == name


def test_name_is_shown_in_one_normal_form() -> None:
    assert check_name("Cafe\u0301") == "Café"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u200bGemeente",
        "Gemeente\u200b Voorbeeld",
        "Gemeente \u202edleebrooV",
        "\u2066Gemeente\u2069",
        "Gemeente\nVoorbeeld",
        "Gemeente\u2028Voorbeeld",
        "Gemeente\x00",
        "Gemeente\ue000",
        "Gemeente\udcff",
        "Gemeente\u0378",
        "G\u0435meente Voorbeeld",
        "Gemeente V\u03bforbeeld",
        "Belasting\u0501ienst",
    ],
)
def test_hidden_characters_and_mixed_scripts_are_refused(name: str) -> None:
    with pytest.raises(Rejected) as refusal:
        check_name(name)
    assert refusal.value.code == "misleading_name"


@pytest.mark.parametrize(
    "name",
    ["CJIB\u3164", "Gemeente\u3164Voorbeeld", "CJ\u1160IB", "CJIB\ufe0f", "CJIB\u17b5"],
    ids=ascii,
)
def test_homoglyph_by_letters_that_are_drawn_as_nothing(name: str) -> None:
    with pytest.raises(Rejected):
        check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "Be\u01c0astingdienst",  # a click of Khoisan
        "Be\u2502astingdienst",  # a line of a box
        "Be\u05c0astingdienst",
        "Be\u3163astingdienst",  # a vowel of Hangul, which could stand with Latin
        "Be\u4e28astingdienst",
        "Be\u0196astingdienst",
        "Belastin\u0261dienst",
        "V\u0e50orbeeld",
        "V\u25cborbeeld",
        "Ge\u1d0deente",
        "\ua4d3\ua4f4\ua4f3",  # DUO in Lisu
        "\u13a0\u13bd",
    ],
    ids=ascii,
)
def test_homoglyph_letters_and_signs_that_nobody_needs_are_refused(name: str) -> None:
    with pytest.raises(Rejected) as refusal:
        check_name(name)
    assert refusal.value.code == "misleading_name"


@pytest.mark.parametrize(
    "name",
    [
        "Belasting\u0111ienst",
        "Be\u019aastingdienst",
        "Belas\u0167ingdienst",
        "B\u0247lastingdienst",
        "\u0187JIB",
        "CJIB\u0300",
        "Gemeente V\u00f8\u00f8rbeeld",
    ],
    ids=ascii,
)
def test_homoglyph_by_strokes_and_hooks(name: str) -> None:
    with pytest.raises(Rejected):
        check_no_double(name, LISTED)


@pytest.mark.parametrize(
    "name",
    [
        "Gemeente Voorbeeld",
        "gemeente voorbeeld",
        "GEMEENTE  VOORBEELD",
        "Gemeente-Voorbeeld",
        "Gemeente Voorbeeld ✓",
        "Gemeente V00rbeeld",
        "Gemeente Voorbee1d",
        "Gemeente Voorbee|d",
        "GemeenteVoorbeeld",
        "Gemeente Vöörbeeld",
        "Ｇｅｍｅｅｎｔｅ Ｖｏｏｒｂｅｅｌｄ",
        "𝐆𝐞𝐦𝐞𝐞𝐧𝐭𝐞 𝐕𝐨𝐨𝐫𝐛𝐞𝐞𝐥𝐝",
        "Gerneente Voorbeeld",
        "Gemeente Voorbeelcl",
        "Belastingclienst",
        "Belastingdlenst",
        "BeIastingdienst",
        "CJlB",
        "СЈІВ",
        "Rijnrnond",
        "Rĳnmond",
    ],
)
def test_homoglyph_of_a_listed_name_is_refused(name: str) -> None:
    with pytest.raises(Rejected) as refusal:
        check_no_double(name, LISTED)
    assert refusal.value.code == "misleading_name"


@pytest.mark.parametrize("name", ["Gemeente Andersdorp", "Voorbeeld", "Webwinkel Voorbeeld", "Waterschap", "CJB"])
def test_other_name_is_no_double(name: str) -> None:
    check_no_double(name, LISTED)


def test_name_of_nothing_but_signs_is_refused() -> None:
    with pytest.raises(Rejected):
        check_no_double("✓ ★", LISTED)


def test_purpose_with_bidi_characters_is_refused() -> None:
    assert check_text("Nagaan of u hier woont") == "Nagaan of u hier woont"
    for text in ("x\u202ey", "a\u200b", "line\nbreak"):
        with pytest.raises(Rejected):
            check_text(text)


def test_text_of_a_stranger_is_shown_on_one_line() -> None:
    assert visible("a\x1b[2J\u202eb\nc") == "a\ufffd[2J\ufffdb\ufffdc"
    assert visible("x" * 200) == "x" * 200
    assert visible("x" * 201) == "x" * 199 + "…"


def test_foreign_host_is_shown_both_ways() -> None:
    assert shown_host("shop.example") == "shop.example"
    assert shown_host("xn--mller-kva.example") == "xn--mller-kva.example (müller.example)"
    for host in ("xn--a", "xn--80ak6aa92e.xn--" + "a" * 70, "xn--"):
        assert shown_host(host) == host


def test_host_that_mixes_scripts_is_shown_as_it_is_resolved() -> None:
    mixed = "xn--" + "pypl-53dc"  # Cyrillic a in paypal
    assert shown_host(f"{mixed}.example") == f"{mixed}.example"


@given(st.text(max_size=MAX_NAME_CHARACTERS + 2))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    with contextlib.suppress(Rejected):
        name = check_name(text)
        assert check_name(name) == name
        assert skeleton(name).isalnum() or not skeleton(name)
