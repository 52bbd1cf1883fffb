"""The phone of somebody who acts for others is stolen: his counter takes back all that was on it."""

import pytest

from issuer.brp import Bsn
from issuer.counter import Counter
from issuer.mandate_books import standing
from issuer.offer import Under, code_of
from issuer.office import Office
from protocol.errors import Rejected
from protocol.status_list import INVALID, VALID
from service.database import immediate
from tests.issuer.acting import (
    FLOOR,
    JELLE,
    MELATI,
    WENDE,
    born,
    fetch,
    make_young,
    redeem,
    resident,
    take_in,
)
from tests.issuer.desk import NOOR, NOW, Desk
from tests.issuer.test_change import read_status


def take_back(office: Office, bsn: Bsn) -> list[tuple[int, int]]:
    """A clerk takes back every card of somebody's own."""
    own = {one.offer_id for one in office.issued(bsn) if one.party is None}
    return [office.revoke(offer_id, "telefoon gestolen") for offer_id in sorted(own)]


def test_stolen_phone_of_a_parent_shows_nothing_of_the_child_any_more(desk: Desk) -> None:
    make_young(desk)
    noor, jelle = resident(desk), resident(desk, JELLE)
    taken, other = noor.taken(state="open"), jelle.taken(state="registered")
    token = redeem(desk, taken)
    stolen, _ = fetch(desk, token, "adres")
    kept, _ = fetch(desk, redeem(desk, other), "adres")
    assert take_back(desk.office, NOOR) == [(2, 2)], "her own card, and the one of her child"
    assert (read_status(desk, stolen), read_status(desk, kept)) == (INVALID, VALID)
    answer = desk.post_credential(token, "persoon", desk.proofs(1))
    assert answer.status_code == 401, "nothing more can be fetched with what is on the phone"
    assert jelle.one(state="registered")["id"] == taken["id"], "the mandate stays, for the other parent too"
    again = resident(desk).taken(state="registered")
    assert (again["mandate"], again["party"]) == (taken["mandate"], taken["party"])
    text, _ = fetch(desk, redeem(desk, again), "adres")
    assert read_status(desk, text) == VALID


def test_offer_on_a_stolen_phone_is_not_redeemed_after_its_cards_were_taken_back(desk: Desk) -> None:
    make_young(desk)
    taken = resident(desk).taken(state="open")
    take_back(desk.office, NOOR)
    place = taken["offer"].rpartition("%2F")[2]
    assert desk.client.get(f"/offers/{place}").status_code == 404
    assert (
        desk.post_token(code_of(desk.office.codes_key, place), taken["tx_code"]).json["error"] == "invalid_grant"
    )


def test_delegate_without_a_card_of_his_own_fetches_nothing_for_another(desk: Desk) -> None:
    make_young(desk)
    noor = resident(desk)
    taken = noor.taken(state="open")
    with immediate(desk.office.engine) as connection:
        assert standing(connection, Under(taken["id"], 1), NOW).id == taken["id"]
    token = redeem(desk, taken)
    desk.clock.time += 200
    take_back(desk.office, NOOR)
    before = desk.rows()
    with immediate(desk.office.engine) as connection:
        for party in (1, 2, 3):
            with pytest.raises(Rejected, match="credential_request_denied"):
                standing(connection, Under(taken["id"], party), NOW)
    assert desk.post_credential(token, "adres", desk.proofs(1)).status_code == 401
    assert desk.rows() == before | {"spent_nonces": desk.rows()["spent_nonces"]}


def test_stolen_phone_of_a_child_who_signs_too_loses_its_cards_under_the_mandate(desk: Desk) -> None:
    take_in(desk, born(WENDE, "2013-03-01"))
    wende = resident(desk, WENDE)
    noor = resident(desk)
    own, _ = fetch(desk, redeem(desk, wende.taken(role="self")), "adres")
    hers, _ = fetch(desk, redeem(desk, noor.taken(name="Wende Brandsma")), "adres")
    (offer_id,) = {one.offer_id for one in desk.office.issued(WENDE) if one.party is None}
    assert desk.office.revoke(offer_id, "telefoon gestolen") == (2, 2)
    assert (read_status(desk, own), read_status(desk, hers)) == (INVALID, VALID)


def test_card_that_does_not_say_who_somebody_is_takes_no_mandate_with_it(desk: Desk) -> None:
    make_young(desk)
    noor = resident(desk)
    text, _ = fetch(desk, redeem(desk, noor.taken(state="open")), "adres")
    wrong = desk.fetch(desk.token("adres"), "adres")
    (offer_id,) = {one.offer_id for one in desk.office.issued(NOOR) if one.configuration == "adres"}
    assert desk.office.revoke(offer_id, "gegevens klopten niet") == (1, 1)
    assert [read_status(desk, one) for one in (*wrong, text)] == [INVALID, VALID]


def test_dossier_of_each_party_shows_the_mandate(desk: Desk) -> None:
    floor, melati = resident(desk, FLOOR), resident(desk, MELATI)
    floor.wish(melati.invite())
    fetch(desk, redeem(desk, melati.taken(kind="helper")), "adres")
    counter = Counter(desk.office)
    acts, is_helped = counter.dossier(MELATI), counter.dossier(FLOOR)
    assert [(one.party, one.represented) for one in acts.acting] == [(1, "Floor Josephine van der Spiegel")]
    assert [(one.party, one.delegates) for one in is_helped.acting] == [(0, ("Melati Kusuma",))]
    assert {one.configuration: one.party for one in is_helped.issued} == {"persoon": None, "adres": 1}
    assert counter.dossier(NOOR).acting == ()
