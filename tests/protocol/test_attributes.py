"""The vocabulary: what is in it, and that the registers' real values fit its padded sizes."""

import json
from pathlib import Path

import pytest

from protocol.attributes import (
    CREDENTIAL_TYPES,
    LARGE,
    MEDIUM,
    SIZES,
    SMALL,
    attribute,
    credential_type,
    fits,
)
from protocol.disclosure import make_disclosure
from protocol.errors import Rejected
from tests.protocol import builders as b

SALT = bytes(16)


def encoded(name: str, value: object) -> str:
    return make_disclosure(name, value, SALT).encoded


def test_vocabulary_has_the_types_of_the_protocol() -> None:
    assert {kind.configuration_id: kind.vct for kind in CREDENTIAL_TYPES.values()} == {
        "persoon": "urn:regie:nl:persoon:1",
        "adres": "urn:regie:nl:adres:1",
        "gezin": "urn:regie:nl:gezin:1",
        "gezag": "urn:regie:nl:gezag:1",
        "woz": "urn:regie:nl:woz:1",
    }


@pytest.mark.parametrize("kind", CREDENTIAL_TYPES.values(), ids=lambda kind: kind.configuration_id)
def test_every_type_is_complete_and_padded(kind: object) -> None:
    kind = credential_type(kind.vct)  # type: ignore[attr-defined]
    assert len(set(kind.names)) == len(kind.names) == len(kind.by_name)
    assert set(kind.flags) == {"geheimhouding", "inOnderzoek", "opschorting"} <= set(kind.names)
    assert kind.digest_count > len(kind.attributes), "decoys hide how many attributes there are"
    for one in kind.attributes:
        assert one.size in SIZES
        assert one.label_nl
        assert one.label_en
        assert attribute(kind.vct, one.name) is one


def test_unknown_type_and_attribute_are_refused() -> None:
    with pytest.raises(Rejected, match="unknown_vct"):
        credential_type("urn:regie:nl:geheim:1")
    with pytest.raises(Rejected, match="unknown_attribute"):
        attribute(b.ADRES, "burgerservicenummer")
    with pytest.raises(Rejected, match="unknown_vct"):
        fits("urn:x", "straat", "")


@pytest.mark.parametrize(
    ("vct", "name", "size"),
    [(b.ADRES, "postcode", SMALL), (b.PERSOON, "geslachtsnaam", MEDIUM), (b.GEZIN, "kinderen", LARGE)],
)
def test_disclosure_leaves_one_byte_for_padding(vct: str, name: str, size: int) -> None:
    assert attribute(vct, name).size == size
    assert fits(vct, name, "x" * (size - 1))
    assert not fits(vct, name, "x" * size)


def test_longest_name_the_brp_has_room_for_fits() -> None:
    """First names 200, prefix 10, surname 200 characters (LO BRP); 300 of the letters take two bytes."""
    assert fits(b.PERSOON, "voornamen", encoded("voornamen", "ë" * 200))
    assert fits(b.PERSOON, "geslachtsnaam", encoded("geslachtsnaam", "Ż" * 200))
    full = "ë" * 200 + " " + "x" * 10 + " " + "Ż" * 100 + "x" * 100
    assert fits(b.PERSOON, "volledigeNaam", encoded("volledigeNaam", full))


def test_twelve_children_with_identifying_data_fit() -> None:
    child = {
        "burgerservicenummer": "999990019",
        "naam": {"voornamen": "Wilhelmina Ëlisabeth", "voorvoegsel": "van der", "geslachtsnaam": "Voorbeeldsma"},
        "geboortedatum": {"type": "Datum", "datum": "2015-02-01"},
    }
    assert fits(b.GEZIN, "kinderen", encoded("kinderen", [child] * 12))


@pytest.mark.shared
def test_every_name_and_address_of_the_test_persons_fits(shared: Path) -> None:
    seen = 0
    for line in (shared / "data" / "brp" / "personen.jsonl").read_text(encoding="utf-8").splitlines():
        person = json.loads(line)
        values = {
            **{name: person.get("naam", {}).get(name) for name in ("voornamen", "voorvoegsel", "geslachtsnaam")},
            "volledigeNaam": person.get("naam", {}).get("volledigeNaam"),
            "geboortedatum": person.get("geboorte", {}).get("datum"),
            "geboorteplaats": person.get("geboorte", {}).get("plaats"),
            "geboorteland": person.get("geboorte", {}).get("land"),
            "nationaliteiten": person.get("nationaliteiten"),
            "opschorting": person.get("opschortingBijhouding"),
            "inOnderzoek": [person.get("inOnderzoek"), person.get("naam", {}).get("inOnderzoek")],
        }
        assert all(fits(b.PERSOON, name, encoded(name, value)) for name, value in values.items())
        address = person.get("verblijfplaats", {})
        inner = address.get("verblijfadres", {})
        places = {
            "straat": inner.get("officieleStraatnaam"),
            "woonplaats": inner.get("woonplaats"),
            "adresregel1": person.get("adressering", {}).get("adresregel1"),
            "land": inner.get("land"),
            "gemeente": person.get("gemeenteVanInschrijving"),
            "datumVan": address.get("datumVan"),
            "soort": address.get("functieAdres"),
            "inOnderzoek": [address.get("inOnderzoek"), inner.get("inOnderzoek")],
        }
        assert all(fits(b.ADRES, name, encoded(name, value)) for name, value in places.items())
        seen += 1
    assert seen == 715
