"""When the register changes: what is out of date, what ends, and what a status list tells of it (protocol 9)."""

import json
from typing import Any

import pytest

from issuer.brp import Bsn, parse_person
from issuer.change import Change, decide_change, end_of
from issuer.issue import validity
from issuer.store_change import Changed
from protocol.status_list import INVALID, SUPERSEDED, VALID
from tests.issuer.desk import KARIM, NOOR, NOW, PERSONS, Desk
from tests.issuer.test_reissue import fetch
from tests.issuer.test_web import read_status

DAY = validity(NOW, NOW + 10**9).day
LINES = {json.loads(line)["burgerservicenummer"]: line for line in PERSONS.read_text().splitlines()}
DEAD = {"reden": {"code": "O", "omschrijving": "overlijden"}, "datum": {"type": "Datum", "datum": "2026-11-20"}}
GONE = {"reden": {"code": "E", "omschrijving": "emigratie"}, "datum": {"type": "Datum", "datum": "2026-11-20"}}
ABROAD = {
    "type": "VerblijfplaatsBuitenland",
    "verblijfadres": {"land": {"code": "5010", "omschrijving": "België"}, "regel1": "Rue de l'Exemple 1"},
}


def person(bsn: str = NOOR, **changes: Any) -> bytes:
    """The person as the register would say it now."""
    return json.dumps({**json.loads(LINES[bsn]), **changes}).encode()


def change(**changes: Any) -> Change:
    return decide_change(parse_person(person()), parse_person(person(**changes)), DAY)


def test_move_makes_the_address_out_of_date_and_nothing_else() -> None:
    moved = json.loads(LINES[NOOR])["verblijfplaats"]
    moved["verblijfadres"]["officieleStraatnaam"] = "Pruimenlaan"
    assert change(verblijfplaats=moved) == Change(types=("adres",))
    assert change() == Change()
    assert decide_change(None, parse_person(person()), DAY) == Change()


def test_secrecy_and_emigration_are_flags_of_every_card() -> None:
    everything = set(change(geheimhoudingPersoonsgegevens=True).types)
    assert {"persoon", "adres", "gezin"} <= everything
    assert set(change(opschortingBijhouding=GONE, verblijfplaats=ABROAD).types) == everything


@pytest.mark.parametrize("code", ["O", "F", "W"])
def test_everything_ends_for_who_died_or_never_was(code: str) -> None:
    reason = {"O": "overleden", "F": "onterecht", "W": "onterecht"}[code]
    assert change(opschortingBijhouding={"reden": {"code": code}}) == Change(end=reason)


def test_date_of_death_is_enough_and_who_was_dead_is_not_dead_again() -> None:
    died = person(overlijden={"datum": {"type": "Datum", "datum": "2026-11-20"}})
    assert end_of(parse_person(died)) == "overleden"
    assert decide_change(parse_person(died), parse_person(died), DAY) == Change()


def test_status_list_says_that_a_newer_one_exists_and_no_more(desk: Desk) -> None:
    token = desk.token("persoon", "adres")
    adres, persoon = desk.fetch(token, "adres", 2), desk.fetch(token, "persoon", 2)
    others = desk.fetch(desk.token("adres", bsn=KARIM), "adres", 1)
    found = desk.office.take_persons([person(verblijfplaats=ABROAD)])
    assert (found.taken, found.changed) == (1, Changed(superseded=2))
    assert {read_status(desk, text) for text in adres} == {SUPERSEDED}
    assert {read_status(desk, text) for text in persoon + others} == {VALID}
    assert desk.office.take_persons([person(verblijfplaats=ABROAD)]).changed == Changed()
    fresh = desk.fetch(desk.token("adres"), "adres", 1)
    assert {read_status(desk, text) for text in fresh} == {VALID}


def test_death_revokes_every_card_and_every_way_to_more(desk: Desk) -> None:
    first = desk.office.offer(NOOR, ("persoon", "adres"))
    token = fetch(desk, first)
    cards = desk.fetch(token, "adres", 2) + desk.fetch(token, "persoon", 2)
    others = desk.fetch(desk.token("adres", bsn=KARIM), "adres", 1)
    waiting = desk.offer("persoon")
    found = desk.office.take_persons([person(opschortingBijhouding=DEAD)])
    assert found.changed == Changed(revoked=4)
    assert {read_status(desk, text) for text in cards} == {INVALID}
    assert {read_status(desk, text) for text in others} == {VALID}
    assert desk.post_credential(token, "adres", desk.proofs(1)).status_code == 401
    assert desk.post_token(*waiting).json["error"] == "invalid_grant"
    assert {item.revoked for item in desk.office.issued(Bsn(NOOR))} == {2}


def test_revoked_card_stays_revoked_when_the_register_changes(desk: Desk) -> None:
    made = desk.office.offer(NOOR, ("adres",))
    cards = desk.fetch(fetch(desk, made), "adres", 2)
    desk.office.revoke(made[0].id, "verloren")
    assert desk.office.take_persons([person(verblijfplaats=ABROAD)]).changed == Changed()
    assert {read_status(desk, text) for text in cards} == {INVALID}


def test_refused_line_changes_nothing_that_was_issued(desk: Desk) -> None:
    cards = desk.fetch(desk.token("adres"), "adres", 1)
    before = desk.rows()
    found = desk.office.take_persons([person(geboorte={"datum": {"type": "Raar"}})])
    assert (found.taken, len(found.refused), found.changed) == (0, 1, Changed())
    assert {read_status(desk, text) for text in cards} == {VALID}
    assert desk.rows() == before
