"""All files of a town after the main story, searched for every value of the persons in it, in common encodings."""

import base64
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.founding import PERSONS, Town
from tests.town.residents import agree, read, revoke

MIN_CHARS = 5
"""Shorter values stand in random bytes by chance."""
PUBLIC_WORDS = ("voorbeeldstad", "nederland", "adres", "datum", "woonadres", "vrouw", "onbekend")
"""What the town's organisations and the formats themselves say."""
REGISTER = "issuer.db"
"""The base register itself, which holds persons by right."""


def values(node: Any) -> Iterator[str]:
    """All texts and numbers of a person."""
    if isinstance(node, dict):
        for member in node.values():
            yield from values(member)
    elif isinstance(node, list):
        for member in node:
            yield from values(member)
    elif isinstance(node, str | int) and not isinstance(node, bool):
        yield str(node)


def secrets_of(person: dict[str, Any]) -> set[str]:
    found = {value for value in values(person) if len(value) >= MIN_CHARS}
    return {value for value in found if value.lower() not in PUBLIC_WORDS}


def encodings(value: str) -> Iterator[bytes]:
    """Plain, UTF-16, escaped, percent-encoded, hexadecimal and base64 at each of its three alignments."""
    plain = value.encode()
    yield from {plain, value.encode("utf-16-le"), json.dumps(value)[1:-1].encode()}
    yield from {urllib.parse.quote(value).encode(), plain.hex().encode()}
    for offset in range(3):
        padded = base64.b64encode(bytes(offset) + plain)
        start = (offset * 8 + 5) // 6
        whole = (offset + len(plain)) // 3 * 4
        if whole - start >= 6:
            piece = padded[start:whole]
            yield from {piece, piece.replace(b"+", b"-").replace(b"/", b"_")}


def files(town: Town) -> list[Path]:
    found = [path for path in town.home.rglob("*") if path.is_file()]
    return [path for path in found if not path.name.startswith(REGISTER)]


@pytest.fixture(scope="module")
def lived_in(town: Town) -> Town:
    """Two residents, reads, a refusal, a stop, an audit, an evidence file and a backup."""
    for number, who in enumerate(("anna", "bram")):
        agreement = agree(town, who, person=number)
        read(town, agreement)
        read(town, agreement, "volledigeNaam", expect=None)
        revoke(town, agreement)
        read(town, agreement, expect=1)
        town.regie(who, "wallet", "history")
        town.regie(who, "wallet", "backup", str(town.home / f"{who}.backup"))
    town.regie("agency", "verifier", "evidence", str(town.home / "evidence.db"))
    town.audit()
    return town


def test_no_value_of_a_resident_is_in_any_file_of_the_town(lived_in: Town) -> None:
    persons = [json.loads(line) for line in PERSONS.read_text().splitlines()[:2]]
    wanted = {code for person in persons for value in secrets_of(person) for code in encodings(value)}
    assert len(wanted) > 100
    found = []
    for path in files(lived_in):
        data = path.read_bytes()
        found += [(path.name, secret) for secret in wanted if secret in data]
    assert found == []


def test_the_search_finds_a_value_in_each_encoding(tmp_path: Path) -> None:
    value = json.loads(PERSONS.read_text().splitlines()[0])["burgerservicenummer"]
    for hidden in (value.encode(), base64.b64encode(b"x" + value.encode()), value.encode().hex().encode()):
        data = b"before" + hidden + b"after"
        assert any(code in data for code in encodings(value)), hidden


def test_the_search_covers_every_room(lived_in: Town) -> None:
    names = {path.relative_to(lived_in.home).parts[0] for path in files(lived_in)}
    assert {
        "log",
        "agency",
        "witness",
        "cosigner",
        "anna",
        "auditor",
        "log.log",
        "issuer.log",
        "agency.log",
    } <= names
